//! What an operator sees of an adaptive limit, and can do to it.

use std::time::Duration;

use super::{AdaptiveLimit, Options};
use crate::control::{Action, ControlError, Controlled, View};
use crate::settings::{Changes, Mode};

/// Can be isolated, disabled, released, and given other bounds (`min`, `max`) and another `timeout`
/// (seconds). While it is disabled it learns nothing.
impl Controlled for AdaptiveLimit {
    fn view(&self) -> View {
        let (limit, running) = (self.limit(), self.running());
        let estimate = self.shared.estimate.lock();
        let mut figures = vec![("limit", limit as f64), ("running", running as f64)];
        if let Some(long) = estimate.long_rtt() {
            figures.push(("long_rtt", long.as_secs_f64()));
        }
        View {
            name: self.shared.name,
            kind: "adaptive_limit",
            state: self.shared.switch.mode().or(if running < limit { "ok" } else { "full" }),
            remaining_open: None,
            figures,
            settings: vec![
                ("min", estimate.min),
                ("max", estimate.max),
                ("timeout", estimate.timeout.as_secs_f64()),
            ],
            transitions: Vec::new(),
        }
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        let settings = match action {
            Action::Reconfigure { settings } => settings,
            other => {
                self.shared.switch.set(Mode::asked_by(other, "adaptive_limit")?);
                return Ok(());
            }
        };
        let changes = Changes::of(settings, &["min", "max", "timeout"])?;
        let (min, max, timeout) = {
            let estimate = self.shared.estimate.lock();
            (estimate.min as usize, estimate.max as usize, estimate.timeout)
        };
        let min = changes.whole("min", min, 1..=Options::MOST)?;
        let max = changes.whole("max", max, 1..=Options::MOST)?;
        let timeouts = Duration::from_millis(1)..=Duration::from_secs(3_600);
        let timeout = changes.seconds("timeout", timeout, timeouts)?;
        if min > max {
            return Err(ControlError::Invalid {
                setting: "min".to_owned(),
                why: format!("it must not exceed the maximum, {max}"),
            });
        }
        self.learn(|estimate| estimate.rebound(min, max, timeout));
        Ok(())
    }

    fn publish(&self) {
        self.shared.numbers.publish_places(self.running(), self.limit());
    }
}
