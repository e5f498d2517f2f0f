//! What a layer does to calls and time, in numbers.
//!
//! Whatever the worst case of a pipeline is computed from is here, and nothing else: a new kind of layer says what it does in these words.

use std::time::Duration;

/// What a layer does to calls and time. [`Facts::NONE`] does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// For one call of this layer, at most so many of what is inside: the attempts of a retry, or
    /// the first try of a hedge and its further ones.
    pub calls: u32,
    /// Whether these run one after another; those of a hedge run at the same time.
    pub in_turn: bool,
    /// All waits of one call together, without jitter.
    pub waits: Duration,
    /// The same, at most, with jitter.
    pub waits_with_jitter: Duration,
    /// Whatever is inside ends after this time.
    pub limit: Option<Duration>,
    /// No further try begins later than this.
    pub last_start: Option<Duration>,
    /// What pays for further tries.
    pub budget: Option<Spending>,
    /// A call that its caller gave up after this time or later counts as a failure (B14); `None`
    /// when none does.
    pub counts_cancelled: Option<Duration>,
    /// How long it remembers what it counts.
    pub window: Option<Duration>,
}

/// What pays for further tries.
#[derive(Clone, Debug, PartialEq)]
pub struct Spending {
    /// The name of the budget. Equal names are one budget.
    pub budget: String,
    /// Further tries that are paid for by each first one, in the long run: 0.2 is one in five.
    pub share: f64,
}

// === impl Facts ===

impl Facts {
    /// One call of what is inside, without a wait and without a limit.
    pub const NONE: Self = Self {
        calls: 1,
        in_turn: true,
        waits: Duration::ZERO,
        waits_with_jitter: Duration::ZERO,
        limit: None,
        last_start: None,
        budget: None,
        counts_cancelled: None,
        window: None,
    };

    /// So many calls of what is inside, one after another, with these waits between them.
    #[must_use]
    pub const fn with_attempts(mut self, calls: u32, waits: Duration, jittered: Duration) -> Self {
        (self.calls, self.waits, self.waits_with_jitter) = (calls, waits, jittered);
        self
    }

    /// Up to so many further calls at the same time, each begun this long after the one before.
    #[must_use]
    pub const fn with_hedges(mut self, further: u32, delay: Duration) -> Self {
        self.calls = further.saturating_add(1);
        self.in_turn = false;
        self.waits = delay.saturating_mul(further);
        self.waits_with_jitter = self.waits;
        self
    }

    /// A wait of at most this before what is inside begins.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        (self.waits, self.waits_with_jitter) = (wait, wait);
        self
    }

    /// What is inside ends after this time.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// No further try begins later than this.
    #[must_use]
    pub const fn with_last_start(mut self, last_start: Duration) -> Self {
        self.last_start = Some(last_start);
        self
    }

    /// Further tries are paid for by this budget, which gains `share` of a try with each first one.
    #[must_use]
    pub fn with_budget(mut self, budget: impl Into<String>, share: f64) -> Self {
        self.budget = Some(Spending { budget: budget.into(), share });
        self
    }

    /// A call that its caller gave up after this time or later counts as a failure (B14).
    #[must_use]
    pub const fn counting_cancelled(mut self, after: Duration) -> Self {
        self.counts_cancelled = Some(after);
        self
    }

    /// It remembers what it counts for this long.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }
}
