//! A client that is refused too often stops asking, most of the time.
//!
//! Refusing costs a server almost as much as answering, so a server that is overloaded can be kept down by clients that only get refusals.
//! Each client therefore compares what it asked in the last two minutes with what was accepted, and holds back the part that would be
//! refused anyway (Google SRE, chapter 21):
//!
//! ```text
//! p = (requests - K × accepts) / (requests + 1)      0 ≤ p ≤ 0.9, K = 2
//! ```
//!
//! A request is counted *before* it is sent, and held-back ones count too: a dependency that hangs would otherwise look idle until its first
//! time-out. One in ten always passes, so that the client notices when the dependency is back. Unlike a breaker it never shuts completely
//! and needs no probing; it wants many calls, a breaker manages with few. The window must be longer than the time-out of a call.

mod layer;
mod service;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::Rng;
use tokio::time::Instant;

use crate::control::{Action, ControlError, Controlled, View};
use crate::numbers::Numbers;
use crate::settings::{Changes, InvalidOptions, Mode, Switch};
use crate::{Outcome, PolicyName, Reason, Rejected};

pub use layer::ThrottleLayer;
pub use service::{Asked, Throttled};
pub use window::Window;

/// What was asked of a dependency, and what it accepted. Clones are one throttle.
#[derive(Clone, Debug)]
pub struct Throttle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: PolicyName,
    origin: Instant,
    window: Duration,
    state: Mutex<State>,
    switch: Switch,
    numbers: Numbers,
}

#[derive(Debug)]
struct State {
    window: Window,
    k: f64,
    rng: Rng,
}

/// A request that was counted. Say how it ended; dropped unsaid, it was not accepted.
#[derive(Debug)]
#[must_use = "a request that is dropped was not accepted"]
pub struct Request {
    /// Nobody, while the throttle is disabled.
    throttle: Option<Throttle>,
}

// === impl Throttle ===

impl Throttle {
    /// With `K = 2` and a window of two minutes. Chance is an argument.
    pub fn new(name: impl Into<PolicyName>, rng: Rng) -> Self {
        Self::of(name.into(), rng, 2.0, Duration::from_secs(120))
    }

    /// With another `k` and another window. A higher `k` asks a dependency more often than it
    /// accepts, and notices sooner when it is back; 1.1 is strict, 2 is usual.
    ///
    /// # Errors
    /// [`InvalidOptions`] unless `k` is 1 to 10 and the window 1 s to 1 h.
    pub fn with(
        name: impl Into<PolicyName>,
        rng: Rng,
        k: f64,
        window: Duration,
    ) -> Result<Self, InvalidOptions> {
        if !(1.0..=10.0).contains(&k) {
            return Err(InvalidOptions::new("throttle", "k can be 1 to 10"));
        }
        if window < Duration::from_secs(1) || window > Duration::from_secs(3_600) {
            return Err(InvalidOptions::new("throttle", "its window can be 1 s to 1 h"));
        }
        Ok(Self::of(name.into(), rng, k, window))
    }

    fn of(name: PolicyName, rng: Rng, k: f64, window: Duration) -> Self {
        let shared = Shared {
            name,
            origin: Instant::now(),
            window,
            state: Mutex::new(State { window: Window::new(window), k, rng }),
            switch: Switch::default(),
            numbers: Numbers::new("throttle", name, &[Reason::Throttled, Reason::Isolated]),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.shared.name
    }

    /// How long it remembers.
    pub fn window(&self) -> Duration {
        self.shared.window
    }

    /// Counts a request, and says whether it is worth sending.
    ///
    /// # Errors
    /// [`Reason::Throttled`], or [`Reason::Isolated`] when an operator lets nothing through.
    pub fn admit(&self) -> Result<Request, Rejected> {
        let shared = &self.shared;
        match shared.switch.mode() {
            Mode::Judging => {}
            Mode::Isolated => return Err(shared.numbers.reject(Reason::Isolated)),
            Mode::Disabled => return Ok(Request { throttle: None }),
        }
        let now = shared.origin.elapsed();
        let mut state = shared.state.lock();
        // The share is that of the requests before this one, or the very first would count itself.
        let k = state.k;
        let rejection = state.window.rejection(now, k);
        state.window.request(now);
        let is_held_back = rejection > 0.0 && state.rng.fraction() < rejection;
        drop(state);
        if is_held_back {
            let percent = (rejection * 100.0) as u64;
            let rejected = shared.numbers.reject(Reason::Throttled);
            return Err(rejected.with_measured("held_back_percent", percent, 90));
        }
        Ok(Request { throttle: Some(self.clone()) })
    }

    /// The share of requests that is held back now.
    pub fn rejection(&self) -> f64 {
        let now = self.shared.origin.elapsed();
        let mut state = self.shared.state.lock();
        let k = state.k;
        state.window.rejection(now, k)
    }
}

/// Can be isolated, disabled, released, and given another `k`.
impl Controlled for Throttle {
    fn view(&self) -> View {
        let now = self.shared.origin.elapsed();
        let mut state = self.shared.state.lock();
        let k = state.k;
        let rejection = state.window.rejection(now, k);
        let (requests, accepts) = state.window.counts(now);
        View {
            name: self.shared.name,
            kind: "throttle",
            state: self.shared.switch.mode().or(if rejection > 0.0 { "throttling" } else { "ok" }),
            remaining_open: None,
            figures: vec![
                ("requests", requests as f64),
                ("accepts", accepts as f64),
                ("rejection", rejection),
            ],
            settings: vec![("k", k)],
            transitions: Vec::new(),
        }
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        let settings = match action {
            Action::Reconfigure { settings } => settings,
            other => {
                self.shared.switch.set(Mode::asked_by(other, "throttle")?);
                return Ok(());
            }
        };
        let changes = Changes::of(settings, &["k"])?;
        let mut state = self.shared.state.lock();
        state.k = changes.number("k", state.k, 1.0..=10.0)?;
        Ok(())
    }
}

// === impl Request ===

impl Request {
    /// How the request ended. Whatever was not a failure was accepted: a dependency that says "not
    /// found" has done its work.
    pub fn ended(self, outcome: Outcome) {
        if !matches!(outcome, Outcome::Failure { .. }) {
            self.tell(Window::accept);
        }
    }

    /// The request never reached the dependency: another policy rejected it.
    pub fn withdrawn(self) {
        self.tell(Window::withdraw);
    }

    fn tell(self, what: fn(&mut Window, Duration)) {
        if let Some(throttle) = self.throttle {
            let now = throttle.shared.origin.elapsed();
            what(&mut throttle.shared.state.lock().window, now);
        }
    }
}
