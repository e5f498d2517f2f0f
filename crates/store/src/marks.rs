//! Which sequences of a slot have been handled: a watermark and the few exceptions above it.
//!
//! Sequences are dense, so a set of them is small: everything up to the watermark, and ranges above holes that have not arrived yet.
//! Holes are never closed by guess, so a message is recognised after any time.

/// The handled sequences of one (group, source, incarnation, topic, slot).
///
/// ```
/// use switchboard_store::Marks;
/// let mut marks = Marks::default();
/// assert!(marks.insert(1));
/// assert!(marks.insert(3));
/// assert!(!marks.insert(3), "a duplicate");
/// assert_eq!(marks.watermark(), 1);
/// assert!(marks.insert(2));
/// assert_eq!(marks.watermark(), 3);
/// assert_eq!(Marks::decode(&marks.encode()), Some(marks));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    watermark: u64,
    /// Handled ranges above the watermark: sorted, disjoint, not touching, both ends included.
    above: Vec<(u64, u64)>,
}

const FORMAT: u8 = 1;

impl Marks {
    /// Everything up to this sequence is handled.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// How many separate ranges lie above the watermark.
    pub fn exceptions(&self) -> usize {
        self.above.len()
    }

    /// Whether the sequence is handled.
    pub fn contains(&self, sequence: u64) -> bool {
        sequence <= self.watermark
            || self.above.iter().any(|&(first, last)| (first..=last).contains(&sequence))
    }

    /// Adds a sequence; false when it was there already.
    pub fn insert(&mut self, sequence: u64) -> bool {
        if sequence == self.watermark + 1 && self.above.is_empty() {
            self.watermark = sequence;
            return true;
        }
        if self.contains(sequence) {
            return false;
        }
        let at = self.above.partition_point(|&(first, _)| first < sequence);
        self.above.insert(at, (sequence, sequence));
        self.join(at);
        if let Some(&(first, last)) = self.above.first()
            && first == self.watermark + 1
        {
            self.watermark = last;
            self.above.remove(0);
        }
        true
    }

    /// Joins the range at `at` with neighbours that it touches.
    fn join(&mut self, at: usize) {
        if at + 1 < self.above.len() && self.above[at].1 + 1 == self.above[at + 1].0 {
            self.above[at].1 = self.above[at + 1].1;
            self.above.remove(at + 1);
        }
        if at > 0 && self.above[at - 1].1 + 1 == self.above[at].0 {
            self.above[at - 1].1 = self.above[at].1;
            self.above.remove(at);
        }
    }

    /// The stored form: a format byte, the watermark, then the ranges, all little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(9 + 16 * self.above.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.watermark.to_le_bytes());
        for (first, last) in &self.above {
            bytes.extend_from_slice(&first.to_le_bytes());
            bytes.extend_from_slice(&last.to_le_bytes());
        }
        bytes
    }

    /// Reads the stored form; `None` when it is not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&FORMAT, rest) = bytes.split_first()? else { return None };
        let (numbers, []) = rest.as_chunks::<8>() else { return None };
        let (watermark, ranges) = numbers.split_first()?;
        let (pairs, []) = ranges.as_chunks::<2>() else { return None };
        Some(Self {
            watermark: u64::from_le_bytes(*watermark),
            above: pairs
                .iter()
                .map(|[first, last]| (u64::from_le_bytes(*first), u64::from_le_bytes(*last)))
                .collect(),
        })
    }
}
