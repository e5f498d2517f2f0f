//! Which member holds which partition: evenly, and with as few moves as that allows.

use std::collections::BTreeMap;

/// Shares the partitions of one topic among members.
///
/// `holders` says who holds each partition now; `loads` counts what each eligible member holds
/// altogether, so that many small topics do not all land on the same one. Every member gets
/// `partitions / members`, some one more; whoever holds a partition keeps it as long as that
/// stays true.
pub(super) fn share(holders: &[Option<u64>], loads: &BTreeMap<u64, usize>) -> Vec<Option<u64>> {
    if loads.is_empty() {
        return vec![None; holders.len()];
    }
    let base = holders.len() / loads.len();
    let mut extras = holders.len() % loads.len();
    let mut held: BTreeMap<u64, usize> = loads.keys().map(|member| (*member, 0)).collect();
    let mut shared = vec![None; holders.len()];
    for (place, holder) in shared.iter_mut().zip(holders) {
        let Some((member, count)) = holder.and_then(|m| held.get_mut(&m).map(|count| (m, count)))
        else {
            continue;
        };
        if *count < base || (*count == base && extras > 0) {
            extras -= usize::from(*count == base);
            *count += 1;
            *place = Some(member);
        }
    }
    for place in shared.iter_mut().filter(|place| place.is_none()) {
        let room = |count: usize| count < base || (count == base && extras > 0);
        let lightest = held
            .iter()
            .filter(|(_, count)| room(**count))
            .min_by_key(|(member, count)| (**count >= base, loads[member] + **count, **member));
        if let Some(member) = lightest.map(|(member, _)| *member) {
            let count = held.entry(member).or_default();
            extras -= usize::from(*count == base);
            *count += 1;
            *place = Some(member);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(members: &[u64]) -> BTreeMap<u64, usize> {
        members.iter().map(|member| (*member, 0)).collect()
    }

    fn moves(before: &[Option<u64>], after: &[Option<u64>]) -> usize {
        before.iter().zip(after).filter(|(b, a)| b != a).count()
    }

    #[test]
    fn everything_goes_to_the_only_member_and_nothing_to_nobody() {
        assert_eq!(share(&[None; 4], &loads(&[7])), [Some(7); 4]);
        assert_eq!(share(&[Some(7); 4], &loads(&[])), [None; 4]);
    }

    #[test]
    fn shares_differ_by_one_at_most_and_only_what_must_move_moves() {
        for partitions in [1, 2, 8, 64] {
            let mut holders = vec![None; partitions];
            let mut members = Vec::new();
            for joining in 1..=5 {
                members.push(joining);
                let after = share(&holders, &loads(&members));
                let count = |m: u64| after.iter().filter(|h| **h == Some(m)).count();
                let counts: Vec<usize> = members.iter().map(|m| count(*m)).collect();
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                assert!(most - least <= 1, "{counts:?}");
                assert!(after.iter().all(Option::is_some));
                if joining > 1 {
                    assert_eq!(moves(&holders, &after), count(joining), "only the new share moves");
                }
                holders = after;
            }
        }
    }

    #[test]
    fn a_member_that_leaves_gives_up_only_its_own() {
        let before = share(&[None; 9], &loads(&[1, 2, 3]));
        let after = share(&before, &loads(&[1, 3]));
        assert_eq!(moves(&before, &after), 3);
    }

    #[test]
    fn small_topics_spread_over_the_members() {
        let loads = BTreeMap::from([(1, 3), (2, 0)]);
        assert_eq!(share(&[None], &loads), [Some(2)]);
    }
}
