//! Numbers of advisory locks: one for a store, one for each key that is enqueued.
//!
//! They must be the same in every process and version, so the hash is written out here: FNV-1a of
//! 64 bits. Two names that share a number wait for each other, which is slow and never wrong.

use switchboard_core::Key;

/// The lock under which a store is committed to, and changed.
pub(crate) fn of_store(schema: &str) -> i64 {
    number(&[b"switchboard.store", schema.as_bytes()])
}

/// The lock under which its tables are created and changed.
pub(crate) fn of_schema(schema: &str) -> i64 {
    number(&[b"switchboard.schema", schema.as_bytes()])
}

/// A number for a name that is too long.
pub(crate) fn of_name(name: &str) -> i64 {
    number(&[name.as_bytes()])
}

/// The lock of a key.
pub(crate) fn of_key(schema: &str, key: &Key) -> i64 {
    number(&[b"switchboard.key", schema.as_bytes(), key.as_bytes()])
}

fn number(parts: &[&[u8]]) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        // The length first, so that parts cannot be taken for each other.
        for byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes of different versions meet at the same number.
    #[test]
    fn numbers_are_fixed_for_ever() {
        assert_eq!(of_store("orders"), number(&[b"switchboard.store", b"orders"]));
        assert_ne!(of_store("orders"), of_store("payments"));
        assert_ne!(of_key("a", &"bc".into()), of_key("ab", &"c".into()));
    }
}
