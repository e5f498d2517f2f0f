//! The rate as it is set now, and what an operator can do to it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::gcra::Gcra;
use super::rate::Rate;
use crate::PolicyName;
use crate::control::{Action, ControlError, View};
use crate::settings::{Changes, Mode, Switch};

/// What an operator can change. The two words of the rate are not read together; a call between
/// them is judged by a mixture of the old and the new rate, which harms nobody.
#[derive(Debug)]
pub(super) struct Settings {
    switch: Switch,
    pub(super) interval: AtomicU64,
    burst: AtomicU64,
}

// === impl Settings ===

impl Settings {
    pub(super) fn new(rate: Rate) -> Self {
        let gcra = rate.gcra();
        Self {
            switch: Switch::default(),
            interval: AtomicU64::new(gcra.interval),
            burst: AtomicU64::new(gcra.burst),
        }
    }

    pub(super) fn gcra(&self) -> Gcra {
        Gcra {
            interval: self.interval.load(Ordering::Relaxed),
            burst: self.burst.load(Ordering::Relaxed),
        }
    }

    /// The rate to judge by, or the mode in which nobody judges.
    pub(super) fn judge(&self) -> Result<Gcra, Mode> {
        match self.switch.mode() {
            Mode::Judging => Ok(self.gcra()),
            other => Err(other),
        }
    }

    pub(super) fn view(
        &self,
        name: PolicyName,
        judged: &'static str,
        figures: Vec<(&'static str, f64)>,
    ) -> View {
        let gcra = self.gcra();
        View {
            name,
            kind: "rate_limit",
            state: self.switch.mode().or(judged),
            remaining_open: None,
            figures,
            settings: vec![
                ("calls_per_second", 1e9 / gcra.interval as f64),
                ("burst", gcra.burst as f64),
            ],
            transitions: Vec::new(),
        }
    }

    pub(super) fn act(&self, action: &Action) -> Result<(), ControlError> {
        let settings = match action {
            Action::Reconfigure { settings } => settings,
            other => {
                self.switch.set(Mode::asked_by(other, "rate_limit")?);
                return Ok(());
            }
        };
        let changes = Changes::of(settings, &["calls_per_second", "burst"])?;
        let present = self.gcra();
        let slowest = 1.0 / Rate::LONGEST.as_secs_f64();
        let per_second = changes.number(
            "calls_per_second",
            1e9 / present.interval as f64,
            slowest..=f64::from(Rate::MOST_CALLS),
        )?;
        let most = Rate::MOST_CALLS as usize;
        let burst = changes.whole("burst", present.burst as usize, 1..=most)?;
        // Unless it was named, it stays to the nanosecond.
        let interval = if settings.contains_key("calls_per_second") {
            (1e9 / per_second).ceil() as u64
        } else {
            present.interval
        };
        let longest = u64::try_from(30 * Rate::LONGEST.as_nanos()).unwrap_or(u64::MAX);
        if interval.saturating_mul(burst as u64) > longest {
            return Err(ControlError::Invalid {
                setting: "burst".to_owned(),
                why: "it can be what the rate allows in 30 days".to_owned(),
            });
        }
        self.interval.store(interval, Ordering::Relaxed);
        self.burst.store(burst as u64, Ordering::Relaxed);
        Ok(())
    }
}
