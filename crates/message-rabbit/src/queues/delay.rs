//! Retries that the server delays by itself, for workers that must not hold anything.
//!
//! A worker's own retries at a given time need nothing of this. It is for long delays, for
//! processes that come and go, and for other clients on the same queue.
//!
//! - From 4.3 on a quorum queue can hold back what is returned, growing with the number of returns.
//!   That is a policy, which an operator sets: [`Delays::Native`] says which.
//! - Before, a ladder of queues does it: what is sent to a rung waits there for the rung's time and
//!   is then dead-lettered into the queue. A queue's messages expire only at its head, so each
//!   delay needs a rung of its own. What comes back that way stands at the end of the queue, and
//!   the server counts it as a new message.

use std::time::Duration;

use switchboard_core::Name;
use switchboard_message::exchange::{Layout, Queue};

use crate::RabbitBroker;

/// How this server delays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delays {
    /// By a policy on the queue.
    Native {
        /// The arguments for `rabbitmqctl set_policy`.
        policy: String,
    },
    /// By queues beside it.
    Ladder(Ladder),
}

/// Queues in which messages wait before they go on to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    queue: Name,
    /// Shortest first.
    rungs: Vec<Duration>,
}

// === impl Delays ===

impl Delays {
    /// What fits a server of this version. `steps` are in whole milliseconds, at least one.
    pub fn of(version: Option<(u32, u32)>, queue: impl Into<Name>, steps: &[Duration]) -> Self {
        let queue = queue.into();
        let ladder = Ladder::new(queue.clone(), steps);
        match (version, ladder.rungs.first(), ladder.rungs.last()) {
            (Some(version), Some(first), Some(last)) if version >= (4, 3) => {
                let (least, most) = (first.as_millis(), last.as_millis());
                let definition = format!(
                    r#"{{"delayed-retry-type":"returned","delayed-retry-min":{least},"delayed-retry-max":{most}}}"#
                );
                let policy = format!(
                    "--apply-to quorum_queues 'delay {queue}' '^{}$' '{definition}'",
                    escaped(&queue)
                );
                Self::Native { policy }
            }
            _ => Self::Ladder(ladder),
        }
    }
}

/// The queue's name as a pattern that matches nothing else.
fn escaped(name: &str) -> String {
    let special = |c: char| if c.is_ascii_alphanumeric() { None } else { Some('\\') };
    name.chars().flat_map(|c| special(c).into_iter().chain([c])).collect()
}

// === impl Ladder ===

impl Ladder {
    /// A ladder with a rung for each of these delays.
    pub fn new(queue: impl Into<Name>, steps: &[Duration]) -> Self {
        let whole = |step: &Duration| {
            Duration::from_millis(u64::try_from(step.as_millis()).unwrap_or(u64::MAX).max(1))
        };
        let mut rungs: Vec<Duration> = steps.iter().map(whole).collect();
        rungs.sort_unstable();
        rungs.dedup();
        Self { queue: queue.into(), rungs }
    }

    /// The queues to declare, beside the queue itself.
    pub fn layout(&self) -> Layout {
        self.rungs.iter().fold(Layout::default(), |layout, rung| {
            let queue = Queue::new(self.name(*rung)).with_ttl(*rung);
            layout.with_queue(queue.with_dead_letter("", self.queue.clone()))
        })
    }

    /// The routing key under which a message is sent to the nameless exchange to come back after
    /// this delay, rounded up to a rung; the longest one is the most that there is.
    pub fn rung(&self, delay: Duration) -> Option<Name> {
        let long_enough = self.rungs.iter().find(|rung| **rung >= delay);
        long_enough.or(self.rungs.last()).map(|rung| self.name(*rung))
    }

    fn name(&self, rung: Duration) -> Name {
        format!("{}.after.{}", self.queue, rung.as_millis()).into()
    }
}

impl RabbitBroker {
    /// How this server delays what comes back to a queue, for these delays.
    pub async fn delays(&self, queue: impl Into<Name>, steps: &[Duration]) -> Delays {
        Delays::of(self.server_version().await, queue, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(1)];

    #[test]
    fn a_ladder_has_a_rung_for_each_delay() {
        let ladder = Ladder::new("mail", &STEPS);
        let layout = ladder.layout();
        let names: Vec<&str> = layout.queues.iter().map(|queue| queue.name.as_str()).collect();
        assert_eq!(names, ["mail.after.1000", "mail.after.10000"]);
        assert!(layout.check().is_ok());
        let rung = |millis| ladder.rung(Duration::from_millis(millis)).unwrap();
        assert_eq!(rung(0), "mail.after.1000");
        assert_eq!(rung(1_001), "mail.after.10000");
        assert_eq!(rung(60_000), "mail.after.10000");
    }

    #[test]
    fn newer_servers_need_a_policy() {
        for old in [None, Some((3, 10)), Some((4, 2))] {
            assert!(matches!(Delays::of(old, "mail", &STEPS), Delays::Ladder(_)), "{old:?}");
        }
        let Delays::Native { policy } = Delays::of(Some((4, 3)), "my.mail", &STEPS) else {
            panic!("expected a policy");
        };
        assert!(policy.contains(r"^my\.mail$"), "{policy}");
        assert!(policy.contains(r#""delayed-retry-max":10000"#), "{policy}");
    }
}
