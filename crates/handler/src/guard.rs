//! What stands before handlers that ask something outside: while its breaker is open, messages wait and use up no tries.
//!
//! Without it an outage of a mail server parks every message that needed a letter: each burns its tries within minutes, and a person has
//! to replay them all. With it the first failures open the breaker, the group takes nothing more from its lanes, the broker holds what
//! follows, and everything goes on in order when the breaker closes. The breaker and the budget are the dependency's, so an edge that asks
//! the same dependency shares them: what one learns, both know, and both together repeat no more than the budget pays for.

use std::time::Duration;

use switchboard_core::{Envelope, Message, Verdict};
use switchboard_resilience::breaker::OwnedPermit;
use switchboard_resilience::retry::Class;
use switchboard_resilience::{Breaker, Budget, Call, Outcome, Rejected};
use switchboard_store::Unit;

use crate::Failure;

/// How long a paused group waits before it asks its breaker again, at least and at most: an operator
/// may release it earlier than it said.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

/// What guards the handlers of a group. Set it with [`Group::guarded_by`](crate::Group::guarded_by).
///
/// A handler that returns a unit counts as a success of the dependency, [`Verdict::Retry`] as a
/// failure, and anything else as nothing: a message that cannot be handled says nothing about whom it
/// would have asked.
#[derive(Clone, Debug)]
pub struct Guard {
    breaker: Breaker,
    budget: Option<Budget>,
    when_open: WhenOpen,
    kind: Option<&'static str>,
}

/// What becomes of messages while the breaker is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenOpen {
    /// They stay unsettled with the broker, in order, and the group takes no more. For a dependency
    /// without which no message of the group can be handled.
    #[default]
    Pause,
    /// The key of each is parked, and an operator replays them. For a group of which only few
    /// messages need the dependency, and whose others must not wait.
    Park,
}

/// How a guard answers a message that wants to be handled.
pub(crate) enum Entry {
    /// It may be; what it leads to is told to the permit.
    Pass(OwnedPermit),
    /// It has to wait so long before it asks again.
    Wait(Duration),
    /// Its key is parked.
    Park(Failure),
}

// === impl Guard ===

impl Guard {
    /// Behind this breaker; the group pauses while it is open.
    pub fn new(breaker: Breaker) -> Self {
        Self { breaker, budget: None, when_open: WhenOpen::default(), kind: None }
    }

    /// The same, and tries that follow a failure at once are paid from this budget, which edges that
    /// ask the same dependency share. Without budget left, a message waits for its delayed retries.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// The same, with this for messages that come while the breaker is open.
    #[must_use]
    pub fn when_open(mut self, when_open: WhenOpen) -> Self {
        self.when_open = when_open;
        self
    }

    /// The same, for messages of this type only: the others of the group need nobody, and flow while
    /// there is room in flight ([`Options::in_flight`](crate::Options::in_flight)).
    #[must_use]
    pub fn only_for<M: Message>(mut self) -> Self {
        self.kind = Some(M::KIND);
        self
    }

    /// Whether the handler of this message asks the dependency.
    pub(crate) fn covers(&self, envelope: &Envelope) -> bool {
        self.kind.is_none_or(|kind| *envelope.kind == *kind)
    }

    /// Whether a handler may run now.
    pub(crate) fn enter(&self) -> Entry {
        match (self.breaker.admit_owned(), self.when_open) {
            (Ok(permit), _) => Entry::Pass(permit),
            (Err(rejected), WhenOpen::Pause) => Entry::Wait(wait_of(&rejected)),
            (Err(rejected), WhenOpen::Park) => Entry::Park(Failure::terminal(rejected.to_string())),
        }
    }

    /// A message is tried for the first time: it earns the budget a part of a retry.
    pub(crate) fn first_try(&self) {
        if let Some(budget) = &self.budget {
            budget.first_try(&mut Call::new());
        }
    }

    /// Whether a try that follows at once is paid for.
    pub(crate) fn pays(&self) -> bool {
        let Some(budget) = &self.budget else { return true };
        // A failed try of a consumer gives nothing back: the next one is charged anew.
        budget.try_charge(Class::Transient).map(|charge| drop(charge.sent())).is_ok()
    }
}

/// How what a handler answered counts for its dependency.
pub(crate) fn outcome(answer: &Result<Unit, Failure>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Success,
        Err(failure) if failure.verdict == Verdict::Retry => Outcome::FAILURE,
        Err(_) => Outcome::Ignore,
    }
}

fn wait_of(rejected: &Rejected) -> Duration {
    rejected.retry_after.unwrap_or(ASK_AGAIN.1).clamp(ASK_AGAIN.0, ASK_AGAIN.1)
}
