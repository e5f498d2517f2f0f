//! What policies tell: one closed list of events, which traces and listeners read alike.
//!
//! A listener that runs under a policy's lock deadlocks as soon as it asks the policy anything, and one that panics takes a caller with it
//! (B11). So events are told after the fact, outside every lock, in the order in which they were queued; a listener may call every method
//! of every policy, a panic in it is caught, and what does not fit the queue is counted and dropped rather than waited for.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use switchboard_core::Timestamp;

use crate::PolicyName;

/// Something that a policy did, or that was done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A breaker changed its state.
    Changed {
        /// The breaker.
        policy: PolicyName,
        /// When, by the wall clock.
        at: Timestamp,
        /// From which state.
        from: &'static str,
        /// To which.
        to: &'static str,
        /// The number of the change: later changes have higher ones.
        generation: u64,
        /// Why.
        because: String,
    },
    /// A breaker that only observes, or whose set may open no more, would have opened.
    WouldOpen {
        /// The breaker.
        policy: PolicyName,
        /// When, by the wall clock.
        at: Timestamp,
        /// Why.
        because: String,
    },
    /// An operator did something.
    Acted {
        /// The policy.
        policy: PolicyName,
        /// When, by the wall clock.
        at: Timestamp,
        /// What.
        action: &'static str,
        /// Who.
        actor: String,
        /// Why, in their words.
        why: String,
        /// The state before.
        before: &'static str,
        /// The state after.
        after: &'static str,
    },
}

/// Where policies tell, and listeners hear. Clones are one queue.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use switchboard_resilience::breaker::{Breaker, Environment, Options};
///
/// let environment = Environment::process();
/// let heard = Arc::new(Mutex::new(0));
/// let count = heard.clone();
/// environment.events.listen(move |_| *count.lock().unwrap() += 1);
///
/// let breaker = Breaker::new("prices", Options::classic(), environment);
/// breaker.isolate("ann", "moving the database");
/// assert_eq!(*heard.lock().unwrap(), 2, "a change, and who made it");
/// ```
#[derive(Clone, Default)]
pub struct Events(Arc<Hub>);

#[derive(Default)]
struct Hub {
    queue: Mutex<Queue>,
    listeners: Mutex<Vec<Listener>>,
    dropped: AtomicU64,
    panics: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Event>,
    /// Somebody tells; others leave their events to them.
    is_told: bool,
}

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Events that wait for a listener; one that comes then is dropped and counted.
const WAITING_MAX: usize = 1_024;

// === impl Events ===

impl Events {
    /// A queue without listeners.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls this for each event from now on, in the thread of whoever caused it: return soon, and
    /// hand longer work to a task. May call every method of every policy.
    pub fn listen(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.0.listeners.lock().push(Arc::new(listener));
    }

    /// Events that found the queue full; at most 1 024 wait while a listener is slow.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// How often a listener panicked.
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Queues the event and, unless another thread is at it, tells all that wait. The caller holds
    /// no lock.
    pub(crate) fn tell(&self, event: Event) {
        {
            let mut queue = self.0.queue.lock();
            if queue.waiting.len() == WAITING_MAX {
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
            } else {
                queue.waiting.push_back(event);
            }
            if queue.is_told {
                return;
            }
            queue.is_told = true;
        }
        while let Some(event) = self.next() {
            event.trace();
            let listeners = self.0.listeners.lock().clone();
            for listener in listeners {
                if catch_unwind(AssertUnwindSafe(|| listener(&event))).is_err() {
                    self.0.panics.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn next(&self) -> Option<Event> {
        let mut queue = self.0.queue.lock();
        let event = queue.waiting.pop_front();
        queue.is_told = event.is_some();
        event
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

// === impl Event ===

impl Event {
    fn trace(&self) {
        match self {
            Self::Changed { policy, from, to, generation, because, .. } => {
                tracing::info!(%policy, from, to, generation, because, "a breaker changed");
            }
            Self::WouldOpen { policy, because, .. } => {
                tracing::info!(%policy, because, "a breaker would have opened");
            }
            Self::Acted { policy, action, actor, why, before, after, .. } => {
                tracing::warn!(%policy, action, actor, why, before, after, "an operator acted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Event {
        Event::Changed {
            policy: PolicyName::new("events"),
            at: Timestamp::default(),
            from: "closed",
            to: "open",
            generation: number,
            because: String::new(),
        }
    }

    fn number(event: &Event) -> u64 {
        match event {
            Event::Changed { generation, .. } => *generation,
            _ => 0,
        }
    }

    #[test]
    fn b11_a_listener_that_tells_more_is_told_it_after_in_order() {
        let (events, heard) = (Events::new(), Arc::new(Mutex::new(Vec::new())));
        let (again, into) = (events.clone(), heard.clone());
        events.listen(move |event| {
            into.lock().push(number(event));
            if number(event) < 3 {
                again.tell(self::event(number(event) + 1));
            }
        });
        events.tell(event(1));
        assert_eq!(*heard.lock(), [1, 2, 3]);
    }

    #[test]
    fn b11_a_panic_in_a_listener_is_caught_and_others_still_hear() {
        let (events, heard) = (Events::new(), Arc::new(AtomicU64::new(0)));
        events.listen(|_| panic!("a bad listener"));
        let into = heard.clone();
        events.listen(move |_| {
            into.fetch_add(1, Ordering::Relaxed);
        });
        events.tell(event(1));
        events.tell(event(2));
        assert_eq!((events.panics(), heard.load(Ordering::Relaxed)), (2, 2));
    }

    #[test]
    fn b11_what_does_not_fit_is_dropped_and_counted() {
        let events = Events::new();
        let (inside, is_first) = (events.clone(), AtomicU64::new(0));
        events.listen(move |_| {
            if is_first.fetch_add(1, Ordering::Relaxed) == 0 {
                (0..WAITING_MAX as u64 + 10).for_each(|number| inside.tell(event(number)));
            }
        });
        events.tell(event(1));
        assert_eq!(events.dropped(), 10);
    }
}
