//! A breaker at work, in time that the tests move.

mod keys;
mod operators;
mod reference;
mod replays;
mod semantics;
mod settings;
mod traps;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{ManualClock, Rng};

use super::{Breaker, Environment, Options, Permit, Recorded, State};
use crate::control::Controlled;
use crate::{Event, Events, Rejected, Ticker};

const QUICK: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A breaker, the time it lives in, and what it told.
struct Rig {
    breaker: Breaker,
    ticker: Ticker,
    clock: Arc<ManualClock>,
    told: Arc<Mutex<Vec<Event>>>,
}

/// Time that stands, chance from a seed, and a listener.
fn environment() -> (Environment, Ticker, Arc<ManualClock>, Arc<Mutex<Vec<Event>>>) {
    let (ticker, clock, events) =
        (Ticker::manual(), Arc::new(ManualClock::default()), Events::new());
    let told = Arc::new(Mutex::new(Vec::new()));
    let into = told.clone();
    events.listen(move |event| into.lock().push(event.clone()));
    let environment = Environment {
        ticker: ticker.clone(),
        clock: clock.clone(),
        rng: Rng::from_seed(7),
        events,
    };
    (environment, ticker, clock, told)
}

fn rig(options: Options) -> Rig {
    let (environment, ticker, clock, told) = environment();
    Rig { breaker: Breaker::new("rig", options, environment), ticker, clock, told }
}

impl Rig {
    fn admit(&self) -> Result<Permit<'_>, Rejected> {
        self.breaker.admit()
    }

    fn ok(&self, times: usize) {
        for _ in 0..times {
            assert_eq!(self.admit().unwrap().success(QUICK), Recorded::Counted);
        }
    }

    fn fail(&self, times: usize) {
        for _ in 0..times {
            assert_eq!(self.admit().unwrap().failure(QUICK), Recorded::Counted);
        }
    }

    fn is(&self, state: State) -> bool {
        self.breaker.state() == state
    }

    fn pass(&self, time: Duration) {
        self.ticker.advance(time);
    }

    /// Until just after the open time.
    fn rest(&self) {
        let remaining = self.breaker.view().remaining_open;
        self.pass(remaining.expect("it is open"));
    }

    /// One figure of the view.
    fn figure(&self, name: &str) -> f64 {
        let view = self.breaker.view();
        view.figures.iter().find(|(known, _)| *known == name).expect("a known figure").1
    }

    /// The states it went through, as it told.
    fn path(&self) -> Vec<&'static str> {
        let told = self.told.lock();
        let to = told.iter().filter_map(|event| match event {
            Event::Changed { to, .. } => Some(*to),
            _ => None,
        });
        to.collect()
    }
}
