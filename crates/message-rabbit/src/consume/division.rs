//! Who of a group's members in this process reads which partition: equal shares, few moves.

use std::collections::BTreeMap;

/// Divides a topic's partitions among members. Who has one keeps it, up to the member's share.
pub(super) fn divide(
    partitions: u32,
    owners: &BTreeMap<u32, u64>,
    members: &[u64],
) -> BTreeMap<u32, u64> {
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
    if count == 0 {
        return BTreeMap::new();
    }
    let mut kept: BTreeMap<u64, Vec<u32>> =
        members.iter().map(|member| (*member, Vec::new())).collect();
    let mut free = Vec::new();
    for partition in 0..partitions {
        match owners.get(&partition).and_then(|owner| kept.get_mut(owner)) {
            Some(list) => list.push(partition),
            None => free.push(partition),
        }
    }
    // The larger shares go to those who have most: nothing moves that need not.
    let mut order: Vec<u64> = members.to_vec();
    order.sort_by_key(|member| (std::cmp::Reverse(kept[member].len()), *member));
    let (share, larger) = (partitions / count, partitions % count);
    let mut wanting = Vec::new();
    for (rank, member) in (0u32..).zip(order) {
        let share = usize::try_from(share + u32::from(rank < larger)).unwrap_or(usize::MAX);
        let list = kept.entry(member).or_default();
        if list.len() > share {
            free.extend(list.split_off(share));
        }
        wanting.extend(std::iter::repeat_n(member, share - list.len()));
    }
    free.sort_unstable();
    let given = free.into_iter().zip(wanting);
    let kept = kept
        .into_iter()
        .flat_map(|(member, list)| list.into_iter().map(move |partition| (partition, member)));
    kept.chain(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(before: &BTreeMap<u32, u64>, after: &BTreeMap<u32, u64>) -> usize {
        after.iter().filter(|(partition, owner)| before.get(partition) != Some(owner)).count()
    }

    #[test]
    fn shares_are_equal_and_only_what_must_move_moves() {
        let alone = divide(8, &BTreeMap::new(), &[1]);
        assert_eq!(alone.len(), 8);
        let two = divide(8, &alone, &[1, 2]);
        assert_eq!(
            (two.values().filter(|owner| **owner == 2).count(), moved(&alone, &two)),
            (4, 4)
        );
        let three = divide(8, &two, &[1, 2, 3]);
        assert_eq!(moved(&two, &three), 2);
        let left = divide(8, &three, &[1, 3]);
        assert_eq!(left.len(), 8);
        assert_eq!(left.values().filter(|owner| **owner == 1).count(), 4);
    }

    #[test]
    fn every_partition_has_one_owner_whatever_happened_before() {
        let mut owners = BTreeMap::new();
        for members in [&[5][..], &[5, 6, 7], &[7], &[1, 2, 3, 4, 5, 6, 7, 8, 9], &[2, 9], &[]] {
            owners = divide(4, &owners, members);
            let expected = if members.is_empty() { 0 } else { 4 };
            assert_eq!(owners.len(), expected, "{members:?}");
            assert!(owners.values().all(|owner| members.contains(owner)));
        }
    }
}
