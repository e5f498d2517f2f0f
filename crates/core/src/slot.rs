//! Where a key goes: murmur2 as Kafka's Java client computes it, and the 256 slots built on it.
//!
//! A partition count that divides 256 keeps a slot inside one partition, and `slot mod partitions` is then the partition that
//! Kafka's default partitioner would choose.

use serde::{Deserialize, Serialize};

use crate::{Key, Rng};

/// One of the 256 places among which the keys of a topic are divided, fixed for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u8);

impl Slot {
    /// How many slots there are.
    pub const COUNT: u32 = 256;

    /// The slot of a key: `(murmur2(key) & 0x7fffffff) mod 256`.
    pub fn of(key: &Key) -> Self {
        Self(u8::try_from((murmur2(key.as_bytes()) & 0x7fff_ffff) % Self::COUNT).unwrap_or(0))
    }

    /// The slot that a message without a key draws.
    pub fn draw(rng: &mut Rng) -> Self {
        Self(u8::try_from(rng.below(u64::from(Self::COUNT))).unwrap_or(0))
    }

    /// The partition of this slot among `partitions`, which must divide 256.
    pub fn partition(self, partitions: u32) -> u32 {
        debug_assert!(partitions > 0 && Self::COUNT.is_multiple_of(partitions));
        u32::from(self.0) % partitions.max(1)
    }
}

/// Murmur2, 32 bits, with the seed of Kafka's Java client
/// (`org.apache.kafka.common.utils.Utils.murmur2`).
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut h = SEED ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * index);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_agrees_with_the_java_client() {
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (text, expected) in cases {
            assert_eq!(murmur2(text.as_bytes()), expected.cast_unsigned(), "{text}");
        }
    }

    #[test]
    fn a_slot_stays_in_one_partition_of_every_allowed_count() {
        for number in 0..1_000 {
            let key = Key::from(format!("key-{number}"));
            let positive = murmur2(key.as_bytes()) & 0x7fff_ffff;
            for partitions in [1, 2, 4, 8, 16, 32, 64, 128, 256] {
                assert_eq!(Slot::of(&key).partition(partitions), positive % partitions);
            }
        }
    }
}
