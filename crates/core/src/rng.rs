//! Chance as an argument: every jitter and every random id comes from a seeded [`Rng`], so that a run can be repeated.

/// A small, fast, seeded source of chance (wyrand, through `fastrand`). Not for secrets.
///
/// ```
/// use switchboard_core::Rng;
/// let (mut a, mut b) = (Rng::from_seed(1), Rng::from_seed(1));
/// assert_eq!(a.u64(), b.u64());
/// assert!(a.below(10) < 10);
/// ```
#[derive(Clone, Debug)]
pub struct Rng(fastrand::Rng);

impl Rng {
    /// The same seed gives the same sequence.
    pub fn from_seed(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Seeded by the operating system: for programs, not for tests.
    pub fn from_entropy() -> Self {
        Self(fastrand::Rng::new())
    }

    /// An independent generator that this one seeds.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Any 64 bits.
    pub fn u64(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A number from 0 up to, not including, `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.u64(..bound) }
    }

    /// A fraction from 0 up to, not including, 1.
    pub fn fraction(&mut self) -> f64 {
        self.0.f64()
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// One of the items; `None` when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(index)
    }
}
