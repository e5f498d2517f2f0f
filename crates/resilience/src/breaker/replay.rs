//! What other settings would have done: recorded calls are played again through a real breaker.
//!
//! Settings are guesses until a dependency fails, and that is a bad moment to learn. A breaker records how its calls ended, sixteen bytes
//! each and bounded; a candidate's settings then meet the very same calls in the same milliseconds, through the same code that will run. The
//! answer is what people ask: when would it have opened, what would it have spared, and what would it have cost?

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use switchboard_core::Rng;

use super::breaker::Breaker;
use super::environment::Environment;
use super::policy::Options;
use crate::{Event, Events, Outcome, Ticker};

/// Recorded calls, in the order in which they ended.
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::Ticker;
/// use switchboard_resilience::breaker::{Breaker, Environment, Options};
///
/// let ticker = Ticker::manual();
/// let environment = Environment::process().with_ticker(ticker.clone());
/// let breaker = Breaker::new("prices", Options::recommended(), environment);
/// breaker.record(1_000);
/// for _ in 0..10 {
///     ticker.advance(Duration::from_millis(100));
///     breaker.admit()?.failure(Duration::from_millis(3));
/// }
/// let forecast = breaker.take_recording().replay(Options::classic());
/// assert_eq!(
///     forecast.to_string(),
///     "of 10 calls 5 would have been rejected (50.0 %), 5 of them failures; it would have opened 1 times, first after 403ms"
/// );
/// # Ok::<(), switchboard_resilience::Rejected>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace(Vec<Call>);

/// How a recorded call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It counted as a success.
    Success,
    /// It counted as a failure.
    Failure,
    /// It said nothing about the dependency.
    Ignored,
    /// It was given up.
    GivenUp,
}

/// What settings would have done to recorded calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Calls in the recording.
    pub calls: u64,
    /// Of them, those that would have been rejected.
    pub rejected: u64,
    /// Of the rejected, those that failed or were given up: spared.
    pub spared: u64,
    /// When it would have opened, since the first call began.
    pub opened: Vec<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    began: u64,
    elapsed_ms: u32,
    ending: Ending,
}

/// Where a breaker records.
#[derive(Debug, Default)]
pub(crate) struct Tape(Mutex<(usize, VecDeque<Call>)>);

/// The longest recording: 16 MiB.
const CALLS_MAX: usize = 1_000_000;

// === impl Trace ===

impl Trace {
    /// How many calls it holds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What these settings would have done. Pure: the same trace and settings give the same answer;
    /// chance comes from a fixed seed.
    ///
    /// A rejected call would have changed what came after it (its caller may have tried again); the
    /// recording cannot know, and every call comes as it came.
    pub fn replay(&self, options: Options) -> Forecast {
        let (ticker, events) = (Ticker::manual(), Events::new());
        let begin = self.0.iter().map(|call| call.began).min().unwrap_or(0);
        let start = ticker.now();
        let opened = std::sync::Arc::new(Mutex::new(Vec::new()));
        let (clock, into) = (ticker.clone(), opened.clone());
        events.listen(move |event| {
            if matches!(event, Event::Changed { to: "open", .. }) {
                into.lock().push(clock.since(start));
            }
        });
        let environment = Environment {
            ticker: ticker.clone(),
            rng: Rng::from_seed(0),
            events,
            ..Environment::process()
        };
        let breaker = Breaker::new("replay", options, environment);
        let mut forecast = Forecast { calls: self.0.len() as u64, ..Forecast::default() };
        let mut permits: Vec<_> = self.0.iter().map(|_| None).collect();
        for (at, is_begin, index) in self.moments() {
            let passed = at.saturating_sub(begin + (ticker.now() - start));
            ticker.advance(Duration::from_millis(passed));
            let call = self.0[index];
            if is_begin {
                permits[index] = breaker.admit_owned().ok();
                if permits[index].is_none() {
                    let is_bad = matches!(call.ending, Ending::Failure | Ending::GivenUp);
                    forecast.rejected += 1;
                    forecast.spared += u64::from(is_bad);
                }
            } else if let Some(permit) = permits[index].take() {
                let elapsed = Duration::from_millis(call.elapsed_ms.into());
                let _ = match call.ending {
                    Ending::Success => permit.success(elapsed),
                    Ending::Failure => permit.failure(elapsed),
                    Ending::Ignored => permit.ignore(elapsed),
                    // Dropped at the end of this arm, as its call was.
                    Ending::GivenUp => continue,
                };
            }
        }
        forecast.opened = std::mem::take(&mut opened.lock());
        forecast
    }

    /// Beginnings and ends in the order of time; ends come first, as they free what begins.
    fn moments(&self) -> Vec<(u64, bool, usize)> {
        let mut moments: Vec<_> = self
            .0
            .iter()
            .enumerate()
            .flat_map(|(index, call)| {
                let end = call.began + u64::from(call.elapsed_ms);
                [(call.began, true, index), (end, false, index)]
            })
            .collect();
        // A call of no time still begins before it ends.
        moments.sort_by_key(|(at, is_begin, index)| {
            let is_instant = self.0[*index].elapsed_ms == 0;
            (*at, *is_begin || is_instant, *index, !*is_begin)
        });
        moments
    }
}

// === impl Ending ===

impl Ending {
    pub(crate) const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failure { .. } => Self::Failure,
            Outcome::Ignore => Self::Ignored,
        }
    }
}

// === impl Forecast ===

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.rejected as f64 / self.calls.max(1) as f64;
        write!(
            f,
            "of {} calls {} would have been rejected ({share:.1} %), {} of them failures; ",
            self.calls, self.rejected, self.spared
        )?;
        match self.opened.first() {
            Some(first) => {
                write!(f, "it would have opened {} times, first after {first:?}", self.opened.len())
            }
            None => f.write_str("it would never have opened"),
        }
    }
}

// === impl Tape ===

impl Tape {
    pub(crate) fn begin(&self, calls: usize) {
        *self.0.lock() = (calls.clamp(1, CALLS_MAX), VecDeque::new());
    }

    pub(crate) fn add(&self, began: u64, elapsed_ms: u64, ending: Ending) {
        let mut tape = self.0.lock();
        if tape.1.len() >= tape.0 {
            tape.1.pop_front();
        }
        let elapsed_ms = u32::try_from(elapsed_ms).unwrap_or(u32::MAX);
        tape.1.push_back(Call { began, elapsed_ms, ending });
    }

    pub(crate) fn take(&self) -> Trace {
        Trace(std::mem::take(&mut self.0.lock().1).into())
    }
}
