//! The consumer that a service holds; dropping it leaves the group.

use std::sync::Arc;

use async_trait::async_trait;
use switchboard_core::Name;
use switchboard_message::{ConsumeError, Consumer, Incoming, Outcome, Receipt, metrics as names};
use tokio::time::Instant;

use super::hands::Step;
use super::tags::How;
use super::{Groups, Hands};

/// A member of a group.
#[derive(Debug)]
pub(super) struct Member {
    id: u64,
    group: Name,
    groups: Arc<Groups>,
    hands: Arc<Hands>,
    stale: CounterOf,
    rejected: CounterOf,
}

struct CounterOf(metrics::Counter);

// === impl Member ===

impl Member {
    pub(super) fn new(id: u64, group: Name, groups: Arc<Groups>, hands: Arc<Hands>) -> Self {
        let counter =
            |name: &'static str| CounterOf(metrics::counter!(name, "group" => group.to_string()));
        let (stale, rejected) = (counter(names::STALE_RECEIPTS), counter(names::REJECTED));
        Self { id, group, groups, hands, stale, rejected }
    }
}

#[async_trait]
impl Consumer for Member {
    async fn next(&mut self) -> Result<Incoming, ConsumeError> {
        // Looking takes and returns in one step: a future dropped while it waits has taken nothing.
        loop {
            match self.hands.look() {
                Step::Take(incoming) => return Ok(incoming),
                Step::Wait(until) => self.hands.wait(until).await,
                Step::Closed => return Err(ConsumeError::Closed),
            }
        }
    }

    fn settle(&mut self, receipt: &Receipt, outcome: Outcome) -> bool {
        let (how, again) = match outcome {
            Outcome::Done => (How::Ack, None),
            Outcome::Reject => (How::Reject, None),
            Outcome::Retry(at) => {
                let wait = at.since(self.groups.options.clock.now());
                (How::Return, Some(Instant::now() + wait))
            }
        };
        let settled = self.hands.settle(receipt, how, again);
        match (settled, how) {
            (false, _) => self.stale.0.increment(1),
            (true, How::Reject) => {
                tracing::warn!(?receipt, "a delivery was given up");
                self.rejected.0.increment(1);
            }
            (true, _) => {}
        }
        settled
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.groups.leave(&self.group, self.id);
    }
}

impl std::fmt::Debug for CounterOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}
