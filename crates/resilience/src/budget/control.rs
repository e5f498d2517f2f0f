//! What an operator sees of a budget, and can do to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Budget;
use crate::control::{Action, ControlError, Controlled, View};
use crate::retry::Class;
use crate::settings::Mode;

impl Controlled for Budget {
    fn view(&self) -> View {
        let policy = self.0.policy.load();
        let tokens = self.tokens();
        let is_exhausted = tokens * super::bucket::UNIT < policy.cost(Class::Transient) as f64;
        let state = self.0.switch.mode().or(if is_exhausted { "exhausted" } else { "ok" });
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
        match action {
            Action::Reconfigure { settings } => {
                let policy = (**self.0.policy.load()).clone().reconfigured(settings)?;
                self.0.policy.store(Arc::new(policy));
            }
            other => self.0.switch.set(Mode::asked_by(other, "retry_budget")?),
        }
        Ok(())
    }
}
