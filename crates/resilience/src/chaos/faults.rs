//! Which fault a call meets: a pure policy, and the switch that changes it while a program runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::Rng;

use crate::PolicyName;
use crate::control::{Action, ControlError, Controlled, View};

/// No call is delayed longer.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How often which fault is made. Default: never any.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// This share of calls, from 0 to 1, begins late by `latency`.
    pub latency_share: f64,
    /// By so much; at most an hour.
    pub latency: Duration,
    /// This share of calls fails without being made.
    pub error_share: f64,
    /// This share of calls is never answered.
    pub hang_share: f64,
}

/// What one call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It begins late.
    Late(Duration),
    /// It fails.
    Error,
    /// It is never answered.
    Hang,
}

/// Switches faults on and off while a program runs. Clones are one switch.
#[derive(Clone, Debug)]
pub struct Switch {
    name: PolicyName,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    is_on: bool,
    rng: Rng,
    made: u64,
}

// === impl Faults ===

impl Faults {
    /// Draws the fault of one call. Three numbers each time, so that changing one share does not
    /// change which calls the others meet.
    pub fn draw(&self, rng: &mut Rng) -> Fault {
        let [hang, error, late] = [(); 3].map(|()| rng.fraction());
        if hang < self.hang_share {
            Fault::Hang
        } else if error < self.error_share {
            Fault::Error
        } else if late < self.latency_share {
            Fault::Late(self.latency)
        } else {
            Fault::None
        }
    }

    fn set(&mut self, setting: &str, value: f64) -> Result<(), ControlError> {
        let invalid =
            |why: &str| ControlError::Invalid { setting: setting.to_owned(), why: why.to_owned() };
        let share = match setting {
            "latency_share" => &mut self.latency_share,
            "error_share" => &mut self.error_share,
            "hang_share" => &mut self.hang_share,
            "latency" => {
                let latency = Duration::try_from_secs_f64(value).ok();
                let latency = latency.filter(|latency| *latency <= LONGEST);
                self.latency = latency.ok_or_else(|| invalid("must lie between 0 and 3600 s"))?;
                return Ok(());
            }
            _ => {
                let known = "chaos has `latency_share`, `latency`, `error_share`, `hang_share`";
                return Err(invalid(known));
            }
        };
        if !(0.0..=1.0).contains(&value) {
            return Err(invalid("must lie between 0 and 1"));
        }
        *share = value;
        Ok(())
    }
}

// === impl Switch ===

impl Switch {
    /// Off, until [`Faults`] are set.
    pub fn new(name: impl Into<PolicyName>, rng: Rng) -> Self {
        let state = State { faults: Faults::default(), is_on: true, rng, made: 0 };
        Self { name: name.into(), state: Arc::new(Mutex::new(state)) }
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.name
    }

    /// Makes these faults from now on. Shares beyond 1 are always, NaN and less than 0 never.
    pub fn set(&self, faults: Faults) {
        let latency = faults.latency.min(LONGEST);
        self.state.lock().faults = Faults { latency, ..faults };
    }

    /// Makes no more faults.
    pub fn clear(&self) {
        self.set(Faults::default());
    }

    /// Draws the fault of one call.
    pub(super) fn draw(&self) -> Fault {
        let mut state = self.state.lock();
        if !state.is_on || state.faults == Faults::default() {
            return Fault::None;
        }
        let faults = state.faults;
        let fault = faults.draw(&mut state.rng);
        state.made += u64::from(fault != Fault::None);
        fault
    }
}

impl Controlled for Switch {
    fn view(&self) -> View {
        let state = self.state.lock();
        let faults = state.faults;
        View {
            name: self.name,
            kind: "chaos",
            state: match (state.is_on, faults == Faults::default()) {
                (false, _) => "disabled",
                (true, true) => "idle",
                (true, false) => "making_faults",
            },
            remaining_open: None,
            figures: vec![("made", state.made as f64)],
            settings: vec![
                ("latency_share", faults.latency_share),
                ("latency", faults.latency.as_secs_f64()),
                ("error_share", faults.error_share),
                ("hang_share", faults.hang_share),
            ],
            transitions: Vec::new(),
        }
    }

    /// Disabled, no faults are made and the settings stay.
    fn act(&self, action: &Action) -> Result<(), ControlError> {
        let mut state = self.state.lock();
        match action {
            Action::Disable => state.is_on = false,
            Action::Release => state.is_on = true,
            Action::Reconfigure { settings } => {
                state.faults = reconfigured(state.faults, settings)?
            }
            _ => {
                return Err(ControlError::Unsupported { kind: "chaos", action: action.name() });
            }
        }
        Ok(())
    }
}

fn reconfigured(
    mut faults: Faults,
    settings: &BTreeMap<String, f64>,
) -> Result<Faults, ControlError> {
    for (setting, &value) in settings {
        faults.set(setting, value)?;
    }
    Ok(faults)
}
