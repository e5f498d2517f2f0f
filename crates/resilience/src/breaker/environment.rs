//! What a breaker takes from its process: time, chance, and where it tells what it does.

use std::sync::Arc;

use switchboard_core::{Clock, Rng, SystemClock};

use crate::{Events, Ticker};

/// Time, chance and events, as arguments.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Elapsed time: what the breaker decides by.
    pub ticker: Ticker,
    /// The wall clock: only shown, never decided by.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the jitter of open times.
    pub rng: Rng,
    /// Where it tells; several policies may share one.
    pub events: Events,
}

// === impl Environment ===

impl Environment {
    /// The process's own: its coarse ticker, its clock, chance from the system, and a new queue.
    pub fn process() -> Self {
        Self {
            ticker: Ticker::coarse(),
            clock: Arc::new(SystemClock),
            rng: Rng::from_entropy(),
            events: Events::new(),
        }
    }

    /// For tests: tokio's time, which they pause and advance, and chance from a seed.
    pub fn seeded(seed: u64) -> Self {
        Self { ticker: Ticker::tokio(), rng: Rng::from_seed(seed), ..Self::process() }
    }

    /// The same with another ticker.
    #[must_use]
    pub fn with_ticker(mut self, ticker: Ticker) -> Self {
        self.ticker = ticker;
        self
    }

    /// The same with another wall clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same with another queue of events.
    #[must_use]
    pub fn with_events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }
}
