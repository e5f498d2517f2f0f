//! Which calls go first when not all can be done: pure.
//!
//! 600 ranks: first tries before further ones, then by priority, then by a level from 0 to 99. What is shed is a share of the traffic as it
//! is, not of the ranks as they could be: if everything is critical, its lowest levels are shed.

use switchboard_core::Priority;

/// Ranks from 0, shed first, to 599.
const RANKS: usize = 600;
/// After so many calls, what was seen counts half: the composition of traffic changes slowly.
const MEMORY: u32 = 4_096;

/// How important a call is among calls of its priority: 0 is shed first, 99 last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

/// How important a call is among all. The highest is shed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(u16);

/// Which ranks calls had of late.
#[derive(Clone, Debug)]
pub struct Ranks {
    seen: Vec<u32>,
    total: u32,
}

/// Up to where calls are shed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Every rank below this one is shed …
    pub rank: Rank,
    /// … and this share of this one.
    pub share: f64,
}

// === impl Level ===

impl Level {
    /// There are a hundred.
    pub const COUNT: u8 = 100;

    /// This level, at most 99.
    pub const fn new(level: u8) -> Self {
        Self(if level < Self::COUNT { level } else { Self::COUNT - 1 })
    }

    /// The level, 0 to 99.
    pub const fn get(self) -> u8 {
        self.0
    }
}

// === impl Rank ===

impl Rank {
    /// The rank of a call. A second attempt is shed before any first one, whatever its priority:
    /// under overload, retries are the part of the load that makes itself (R7).
    pub const fn of(attempt: u32, priority: Priority, level: Level) -> Self {
        let class = match priority {
            Priority::Batch => 0,
            Priority::Standard => 1,
            Priority::Critical => 2,
        };
        let first = if attempt == 0 { 3 } else { 0 };
        Self((first + class) * Level::COUNT as u16 + level.0 as u16)
    }
}

// === impl Ranks ===

impl Ranks {
    /// None seen yet.
    pub fn new() -> Self {
        Self { seen: vec![0; RANKS], total: 0 }
    }

    /// A call of this rank came.
    pub fn saw(&mut self, rank: Rank) {
        if self.total >= MEMORY {
            self.seen.iter_mut().for_each(|seen| *seen /= 2);
            self.total = self.seen.iter().sum();
        }
        self.seen[usize::from(rank.0)] += 1;
        self.total += 1;
    }

    /// Where to cut so that this share of the traffic, from 0 to 1, is shed.
    pub fn cut(&self, share: f64) -> Cut {
        let mut wanted = share * f64::from(self.total);
        for (rank, seen) in (0..).zip(&self.seen) {
            let seen = f64::from(*seen);
            if wanted < seen {
                return Cut { rank: Rank(rank), share: wanted / seen };
            }
            wanted -= seen;
        }
        Cut { rank: Rank(RANKS as u16), share: 0.0 }
    }
}

impl Default for Ranks {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Cut ===

impl Cut {
    /// Whether a call of this rank is shed; `chance` is a fraction from 0 up to 1.
    pub fn sheds(&self, rank: Rank, chance: f64) -> bool {
        rank < self.rank || (rank == self.rank && chance < self.share)
    }
}
