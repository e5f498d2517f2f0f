//! What an operator sees of a budget, and can do to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Budget;
use crate::control::{Action, ControlError, Controlled, View};
use crate::retry::Class;

/// Who decides about repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mode {
    /// The tokens.
    Judging,
    /// An operator: none.
    Isolated,
    /// An operator: all.
    Disabled,
}

// === impl Budget ===

impl Budget {
    pub(super) fn mode(&self) -> Mode {
        match self.0.mode.load(Ordering::Acquire) {
            mode if mode == Mode::Isolated as u8 => Mode::Isolated,
            mode if mode == Mode::Disabled as u8 => Mode::Disabled,
            _ => Mode::Judging,
        }
    }
}

impl Controlled for Budget {
    fn view(&self) -> View {
        let policy = self.0.policy.load();
        let tokens = self.tokens();
        let state = match self.mode() {
            Mode::Isolated => "isolated",
            Mode::Disabled => "disabled",
            Mode::Judging
                if tokens * super::bucket::UNIT < policy.cost(Class::Transient) as f64 =>
            {
                "exhausted"
            }
            Mode::Judging => "ok",
        };
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
        View {
            name: self.0.name,
            kind: "retry_budget",
            state,
            remaining_open: None,
            figures: vec![
                ("tokens", tokens),
                ("charged", count(&self.0.charged)),
                ("refused", count(&self.0.refused)),
            ],
            settings: policy.settings(),
            transitions: Vec::new(),
        }
    }

    /// Isolated, nothing is repeated; disabled, everything that may be is, and costs nothing.
    fn act(&self, action: &Action) -> Result<(), ControlError> {
        if let Action::Reconfigure { settings } = action {
            let policy = (**self.0.policy.load()).clone().reconfigured(settings)?;
            self.0.policy.store(Arc::new(policy));
            return Ok(());
        }
        // By name, so that an action which a budget does not know is refused and never misread.
        let mode = match action.name() {
            "isolate" => Mode::Isolated,
            "disable" => Mode::Disabled,
            "release" => Mode::Judging,
            action => return Err(ControlError::Unsupported { kind: "retry_budget", action }),
        };
        self.0.mode.store(mode as u8, Ordering::Release);
        Ok(())
    }
}
