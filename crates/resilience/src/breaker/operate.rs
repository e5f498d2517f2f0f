//! A breaker as operators and metrics see it.

use super::breaker::Breaker;
use super::state::State;
use super::window::Figures;
use crate::control::{Action, ControlError, Controlled, Health, View};
use crate::metrics as names;

impl Controlled for Breaker {
    fn view(&self) -> View {
        let core = self.core();
        let word = core.gate.word();
        let figures = core.figures(word);
        let now = core.ticker.now();
        let is_open = word.is(State::Open);
        let remaining_open = core
            .gate
            .until(word)
            .filter(|_| is_open)
            .map(|until| std::time::Duration::from_millis((until + 1).saturating_sub(now)));
        let probes = core.gate.probes.figures(word.generation());
        let (settings, transitions) = {
            let book = core.book.lock();
            (book.options.settings(), book.transitions())
        };
        View {
            name: core.name,
            kind: "breaker",
            state: word.state().as_str(),
            remaining_open,
            figures: shown(figures, probes.running, &self.totals()),
            settings,
            transitions,
        }
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        self.act_as(action, "operator", "")
    }

    fn act_as(&self, action: &Action, actor: &str, why: &str) -> Result<(), ControlError> {
        match action {
            Action::Isolate => self.isolate(actor, why),
            Action::Disable => self.disable(actor, why),
            Action::Observe => self.observe(actor, why),
            Action::Release => self.release(actor, why),
            Action::Reconfigure { settings } => {
                let changed = self.options().changed(settings)?;
                self.reconfigure(changed, actor, why)?
            }
        };
        Ok(())
    }

    fn health(&self) -> Health {
        Self::health(self)
    }

    fn publish(&self) {
        let core = self.core();
        let word = core.gate.word();
        let totals = self.totals();
        let policy = core.name.as_str();
        let count = |name: &'static str, label: &'static str, rows: &[(&'static str, u64)]| {
            for (value, total) in rows {
                metrics::counter!(name, "policy" => policy, label => *value).absolute(*total);
            }
        };
        count(
            names::BREAKER_CALLS,
            "outcome",
            &[
                ("success", totals.successes),
                ("failure", totals.failures),
                ("ignored", totals.ignored),
                ("cancelled", totals.cancelled),
            ],
        );
        count(
            names::BREAKER_LATE,
            "outcome",
            &[
                ("success", totals.late_successes),
                ("failure", totals.late_failures),
                ("ignored", totals.late_ignored),
                ("cancelled", totals.late_cancelled),
            ],
        );
        count(
            names::BREAKER_REJECTED,
            "reason",
            &[
                ("open", totals.rejected_open),
                ("isolated", totals.rejected_isolated),
                ("probing", totals.rejected_probing),
            ],
        );
        metrics::counter!(names::BREAKER_SLOW, "policy" => policy).absolute(totals.slow);
        metrics::counter!(names::BREAKER_CHANGES, "policy" => policy).absolute(totals.changes);
        metrics::counter!(names::EVENTS_DROPPED, "policy" => policy)
            .absolute(core.events.dropped());
        for state in State::ALL {
            let value = f64::from(u8::from(word.is(state)));
            metrics::gauge!(names::BREAKER_STATE, "policy" => policy, "state" => state.as_str())
                .set(value);
        }
        let figures = core.figures(word);
        metrics::gauge!(names::BREAKER_FAILURE_RATE, "policy" => policy)
            .set(figures.failure_rate());
        metrics::gauge!(names::BREAKER_SLOW_RATE, "policy" => policy).set(figures.slow_rate());
        metrics::gauge!(names::BREAKER_BUFFERED, "policy" => policy).set(figures.calls as f64);
    }
}

fn shown(
    figures: Figures,
    running: u64,
    totals: &super::totals::Totals,
) -> Vec<(&'static str, f64)> {
    vec![
        ("calls", figures.calls as f64),
        ("failures", figures.failures as f64),
        ("slow", figures.slow as f64),
        ("failure_rate", figures.failure_rate()),
        ("slow_rate", figures.slow_rate()),
        ("probes_running", running as f64),
        ("successes_total", totals.successes as f64),
        ("failures_total", totals.failures as f64),
        ("slow_total", totals.slow as f64),
        ("cancelled_total", totals.cancelled as f64),
        ("late_total", totals.late() as f64),
        ("rejected_total", totals.rejected() as f64),
    ]
}
