//! A server with more work than it can do does the most important part of it well, instead of all of it badly.
//!
//! Rejecting at random, or whoever comes last, loses the checkout as easily as the nightly report. Each call has a [`Rank`]: first tries
//! before retries, critical before standard before batch, and within a priority a level that is drawn or given, so that a class which is
//! itself too much loses a part of its calls and not all. A [`Signal`] says how much too much there is, and the part of the traffic that is
//! shed follows it:
//!
//! ```text
//!   share shed
//!   95 % ┤                 ╭────
//!        │             ╱
//!    0 % ┼───────╱──────────────  pressure of the signal
//!               ½        1
//! ```
//!
//! A rejection ([`Reason::Shed`]) says that the server is overloaded and that it must not be asked again: it carries no `retry_after`,
//! because every retry would be more of what there is too much of (R7). Pass the level on to the servers that a call goes on to
//! ([`Level::write_to`]), so that all of them shed the same calls.
//!
//! The pressure is read from the limit itself, never from readiness: a service that is not ready may only be waiting for its turn on the
//! scheduler (D5).

mod layer;
mod levels;
mod rank;
mod service;
mod signal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_core::Rng;

use crate::control::{Action, ControlError, Controlled, View};
use crate::numbers::Numbers;
use crate::settings::{Changes, InvalidOptions, Mode, Switch};
use crate::{Call, PolicyName, Reason, Rejected};

pub use layer::ShedLayer;
pub use levels::{Drawn, InHeaders, Levels};
pub use rank::{Cut, Level, Rank, Ranks};
pub use service::Shedding;
pub use signal::{QueueTime, Signal};

/// Even under the highest pressure one call in twenty passes, to whatever limit stands behind: a
/// signal that only calls can change must see some.
const MOST: f64 = 0.95;

/// Decides which calls are shed. Clones are one.
#[derive(Clone)]
pub struct Shed {
    shared: Arc<Shared>,
}

struct Shared {
    name: PolicyName,
    signal: Box<dyn Signal>,
    state: Mutex<State>,
    switch: Switch,
    numbers: Numbers,
}

struct State {
    ranks: Ranks,
    rng: Rng,
    from: f64,
    to: f64,
}

// === impl Shed ===

impl Shed {
    /// Sheds nothing below a pressure of ½, and all that it may from a pressure of 1 on. Chance is
    /// an argument.
    pub fn new(name: impl Into<PolicyName>, signal: impl Signal + 'static, rng: Rng) -> Self {
        let name = name.into();
        let shared = Shared {
            name,
            signal: Box::new(signal),
            state: Mutex::new(State { ranks: Ranks::new(), rng, from: 0.5, to: 1.0 }),
            switch: Switch::default(),
            numbers: Numbers::new("shed", name, &[Reason::Shed, Reason::Isolated]),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The same, beginning at the pressure `from` and at its most from `to` on.
    ///
    /// # Errors
    /// [`InvalidOptions`] unless `0 <= from < to <= 1000`.
    pub fn with_pressures(self, from: f64, to: f64) -> Result<Self, InvalidOptions> {
        if !are_pressures(from, to) {
            let why = "its pressures must be 0 <= from < to <= 1000";
            return Err(InvalidOptions::new("shed", why));
        }
        {
            let mut state = self.shared.state.lock();
            (state.from, state.to) = (from, to);
        }
        Ok(self)
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.shared.name
    }

    /// Lets a call pass, with the level by which it was judged: the one it has, or one that is
    /// drawn.
    ///
    /// # Errors
    /// [`Reason::Shed`], or [`Reason::Isolated`] when an operator lets nothing through.
    pub fn admit(&self, call: &Call, level: Option<Level>) -> Result<Level, Rejected> {
        let shared = &self.shared;
        let mode = shared.switch.mode();
        if mode == Mode::Isolated {
            return Err(shared.numbers.reject(Reason::Isolated));
        }
        // Asked outside the lock: it is somebody else's code.
        let pressure = if mode == Mode::Disabled { 0.0 } else { shared.signal.pressure() };
        let mut state = shared.state.lock();
        let level = match level {
            Some(level) => level,
            None => {
                let drawn = state.rng.below(Level::COUNT.into());
                Level::new(u8::try_from(drawn).unwrap_or(u8::MAX))
            }
        };
        let rank = Rank::of(call.attempt, call.priority, level);
        state.ranks.saw(rank);
        let share = state.share(pressure);
        if share > 0.0 {
            let chance = state.rng.fraction();
            if state.ranks.cut(share).sheds(rank, chance) {
                let (pressure, from) = (pressure * 100.0, state.from * 100.0);
                drop(state);
                let rejected = shared.numbers.reject(Reason::Shed);
                return Err(rejected.with_measured(
                    "pressure_percent",
                    pressure as u64,
                    from as u64,
                ));
            }
        }
        Ok(level)
    }

    /// The share of traffic that is shed now.
    pub fn share(&self) -> f64 {
        let pressure = self.shared.signal.pressure();
        self.shared.state.lock().share(pressure)
    }
}

/// Not a number is no pressure.
fn are_pressures(from: f64, to: f64) -> bool {
    (0.0..=1_000.0).contains(&from) && (0.0..=1_000.0).contains(&to) && from < to
}

impl State {
    fn share(&self, pressure: f64) -> f64 {
        let share = (pressure - self.from) / (self.to - self.from);
        // A signal that is not a number sheds nothing.
        if share.is_nan() { 0.0 } else { share.clamp(0.0, MOST) }
    }
}

impl std::fmt::Debug for Shed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shed").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

/// Can be isolated, disabled, released, and given other pressures (`from`, `to`).
impl Controlled for Shed {
    fn view(&self) -> View {
        let pressure = self.shared.signal.pressure();
        let state = self.shared.state.lock();
        let share = state.share(pressure);
        View {
            name: self.shared.name,
            kind: "shed",
            state: self.shared.switch.mode().or(if share > 0.0 { "shedding" } else { "ok" }),
            remaining_open: None,
            figures: vec![("pressure", pressure), ("share", share)],
            settings: vec![("from", state.from), ("to", state.to)],
            transitions: Vec::new(),
        }
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        let settings = match action {
            Action::Reconfigure { settings } => settings,
            other => {
                self.shared.switch.set(Mode::asked_by(other, "shed")?);
                return Ok(());
            }
        };
        let changes = Changes::of(settings, &["from", "to"])?;
        let mut state = self.shared.state.lock();
        let from = changes.number("from", state.from, 0.0..=1_000.0)?;
        let to = changes.number("to", state.to, 0.0..=1_000.0)?;
        if !are_pressures(from, to) {
            return Err(ControlError::Invalid {
                setting: "from".to_owned(),
                why: format!("it must be below `to`, {to}"),
            });
        }
        (state.from, state.to) = (from, to);
        Ok(())
    }
}
