//! How many places, how long a queue, how long a wait.

use std::time::Duration;

use crate::settings::InvalidOptions;

/// The size of a bulkhead and of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub(super) places: usize,
    pub(super) queue: usize,
    pub(super) max_wait: Duration,
}

// === impl Options ===

impl Options {
    /// The most places, and the longest queue, that a bulkhead can have.
    pub const MOST_PLACES: usize = 100_000;
    /// The longest that a call can be made to wait for a place.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

    /// So many places, and a queue as long again in which a call waits at most 500 ms.
    ///
    /// A queue of that length is what a pool works off in the time of one call; a longer one only
    /// makes answers late.
    ///
    /// # Errors
    /// [`InvalidOptions`] unless there are 1 to [`Options::MOST_PLACES`] places.
    pub const fn new(places: usize) -> Result<Self, InvalidOptions> {
        if places == 0 || places > Self::MOST_PLACES {
            return Err(InvalidOptions::new("bulkhead", "it can have 1 to 100000 places"));
        }
        Ok(Self::of(places))
    }

    /// The same, for a number that is known to be within bounds.
    pub(super) const fn of(places: usize) -> Self {
        Self { places, queue: places, max_wait: Duration::from_millis(500) }
    }

    /// The same with a queue of this length, in which a call waits at most so long. No queue, or no
    /// wait, means that a call without a place is rejected at once.
    ///
    /// # Errors
    /// [`InvalidOptions`] when the queue is longer than [`Options::MOST_PLACES`], or the wait than
    /// [`Options::LONGEST_WAIT`].
    pub fn with_queue(mut self, queue: usize, max_wait: Duration) -> Result<Self, InvalidOptions> {
        if queue > Self::MOST_PLACES {
            return Err(InvalidOptions::new("bulkhead", "at most 100000 calls can wait"));
        }
        if max_wait > Self::LONGEST_WAIT {
            return Err(InvalidOptions::new("bulkhead", "a call can wait at most 60 s"));
        }
        (self.queue, self.max_wait) = (queue, max_wait);
        Ok(self)
    }

    /// How many calls run at once.
    pub const fn places(&self) -> usize {
        self.places
    }
}
