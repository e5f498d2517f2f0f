//! What the limits share: an operator's switch, and settings that are all checked before one of them changes.
//!
//! A change that is half applied is worse than one that is refused, so a policy reads every new value first, each with its range, and
//! then writes them together.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::control::{Action, ControlError};

/// Options that cannot be meant, of any policy. Says which policy, which of its settings where it
/// has a name, and what it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind}: {}{}{why}", .setting.unwrap_or(""), .setting.map_or("", |_| ": "))]
pub struct InvalidOptions {
    kind: &'static str,
    setting: Option<&'static str>,
    why: &'static str,
}

/// What an operator wants of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Its own judgement.
    #[default]
    Judging,
    /// Nothing passes.
    Isolated,
    /// Everything passes, and nothing is counted.
    Disabled,
}

/// The mode of a policy without a lock of its own.
#[derive(Debug, Default)]
pub(crate) struct Switch(AtomicU8);

/// New values by name, as an operator sent them.
pub(crate) struct Changes<'a>(&'a BTreeMap<String, f64>);

// === impl InvalidOptions ===

impl InvalidOptions {
    pub(crate) const fn new(kind: &'static str, why: &'static str) -> Self {
        Self { kind, setting: None, why }
    }

    /// Of one setting, by the name that operators use.
    pub(crate) const fn of(kind: &'static str, setting: &'static str, why: &'static str) -> Self {
        Self { kind, setting: Some(setting), why }
    }
}

impl From<InvalidOptions> for ControlError {
    fn from(invalid: InvalidOptions) -> Self {
        let InvalidOptions { kind, setting, why } = invalid;
        Self::Invalid { setting: setting.unwrap_or(kind).to_owned(), why: why.to_owned() }
    }
}

// === impl Mode ===

impl Mode {
    /// The mode that an action asks for.
    pub(crate) fn asked_by(action: &Action, kind: &'static str) -> Result<Self, ControlError> {
        match action {
            Action::Isolate => Ok(Self::Isolated),
            Action::Disable => Ok(Self::Disabled),
            Action::Release => Ok(Self::Judging),
            other => Err(ControlError::Unsupported { kind, action: other.name() }),
        }
    }

    /// The word for operators: that of the mode, or `judged` when the policy judges by itself.
    pub(crate) const fn or(self, judged: &'static str) -> &'static str {
        match self {
            Self::Judging => judged,
            Self::Isolated => "isolated",
            Self::Disabled => "disabled",
        }
    }
}

// === impl Switch ===

impl Switch {
    pub(crate) fn mode(&self) -> Mode {
        match self.0.load(Ordering::Acquire) {
            1 => Mode::Isolated,
            2 => Mode::Disabled,
            _ => Mode::Judging,
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        let word = match mode {
            Mode::Judging => 0,
            Mode::Isolated => 1,
            Mode::Disabled => 2,
        };
        self.0.store(word, Ordering::Release);
    }
}

// === impl Changes ===

impl<'a> Changes<'a> {
    /// These changes, if every name is one of `known`.
    pub(crate) fn of(
        settings: &'a BTreeMap<String, f64>,
        known: &[&str],
    ) -> Result<Self, ControlError> {
        match settings.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self(settings)),
            Some(unknown) => Err(ControlError::Invalid {
                setting: unknown.clone(),
                why: format!("there is no such setting, only {}", known.join(", ")),
            }),
        }
    }

    /// A number within its range, or the present one.
    pub(crate) fn number(
        &self,
        name: &str,
        present: f64,
        range: RangeInclusive<f64>,
    ) -> Result<f64, ControlError> {
        match self.0.get(name) {
            None => Ok(present),
            Some(value) if range.contains(value) => Ok(*value),
            Some(_) => Err(ControlError::Invalid {
                setting: name.to_owned(),
                why: format!("it can be {} to {}", range.start(), range.end()),
            }),
        }
    }

    /// A whole number within its range, or the present one.
    pub(crate) fn whole(
        &self,
        name: &str,
        present: usize,
        range: RangeInclusive<usize>,
    ) -> Result<usize, ControlError> {
        let bounds = *range.start() as f64..=*range.end() as f64;
        let value = self.number(name, present as f64, bounds)?;
        if value.fract() != 0.0 {
            return Err(ControlError::Invalid {
                setting: name.to_owned(),
                why: "it must be a whole number".to_owned(),
            });
        }
        Ok(if self.0.contains_key(name) { value as usize } else { present })
    }

    /// A duration in seconds within its range, or the present one.
    pub(crate) fn seconds(
        &self,
        name: &str,
        present: Duration,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ControlError> {
        let bounds = range.start().as_secs_f64()..=range.end().as_secs_f64();
        let value = self.number(name, present.as_secs_f64(), bounds)?;
        Ok(if self.0.contains_key(name) { Duration::from_secs_f64(value) } else { present })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use switchboard_core::{ManualClock, Rng};

    use super::*;

    #[test]
    fn a_change_names_what_is_wrong_and_what_it_can_be() {
        let settings = BTreeMap::from([("places".to_owned(), 2.5)]);
        let error = Changes::of(&settings, &["queue"]).err().unwrap().to_string();
        assert_eq!(error, "`places`: there is no such setting, only queue");
        let changes = Changes::of(&settings, &["places"]).unwrap();
        let error = changes.whole("places", 1, 1..=2).unwrap_err().to_string();
        assert_eq!(error, "`places`: it can be 1 to 2");
        let error = changes.whole("places", 1, 1..=9).unwrap_err().to_string();
        assert_eq!(error, "`places`: it must be a whole number");
        assert_eq!(changes.whole("queue", 7, 1..=9).unwrap(), 7);
    }

    #[test]
    fn every_limit_can_be_shown_and_switched_by_name() {
        let registry = crate::Registry::new(Arc::new(ManualClock::default()));
        let rate = crate::rate_limit::Rate::smooth(1, Duration::from_secs(1)).unwrap();
        let [pool, ..] = crate::Pools::recommended("shown").bulkheads();
        let (rng, adaptive) = (Rng::from_seed(1), crate::adaptive::Options::aimd());
        registry.register(Arc::new(pool));
        registry.register(Arc::new(crate::RateLimit::new("shown.rate", rate)));
        registry.register(Arc::new(crate::KeyedRateLimit::<String>::new("shown.keys", rate)));
        registry.register(Arc::new(crate::AdaptiveLimit::new("shown.limit", adaptive)));
        registry.register(Arc::new(crate::Throttle::new("shown.throttle", rng.clone())));
        registry.register(Arc::new(crate::Shed::new("shown.shed", || 0.0, rng)));
        let views = registry.views();
        let kinds: Vec<_> = views.iter().map(|view| view.kind).collect();
        let expected =
            ["bulkhead", "rate_limit", "adaptive_limit", "rate_limit", "shed", "throttle"];
        assert_eq!(kinds, expected);
        for view in views {
            let name = view.name.as_str();
            for action in [Action::Isolate, Action::Disable, Action::Release] {
                registry.act(name, action, "ann", "a test").unwrap();
            }
            let states: Vec<_> =
                registry.records().iter().take(3).rev().map(|record| record.after).collect();
            assert_eq!(states, ["isolated", "disabled", "ok"], "{name}");
            // What is shown as a setting can be set to what it is.
            let settings =
                view.settings.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
            registry.act(name, Action::Reconfigure { settings }, "ann", "the same").unwrap();
            assert_eq!(registry.view(name).unwrap().settings, view.settings, "{name}");
        }
    }

    /// What a scrape shows is what a policy has, and nothing that it does not have.
    #[tokio::test(start_paused = true)]
    async fn d12_places_are_read_from_the_policies_that_have_some_when_somebody_looks() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let registry = crate::Registry::new(Arc::new(ManualClock::default()));
        let bulkhead = metrics::with_local_recorder(&recorder, || {
            let options = crate::bulkhead::Options::new(3).unwrap();
            let bulkhead = crate::Bulkhead::new("shown", options);
            let rate = crate::rate_limit::Rate::smooth(1, Duration::from_secs(1)).unwrap();
            let adaptive = crate::adaptive::Options::gradient2();
            registry.register(Arc::new(bulkhead.clone()));
            registry.register(Arc::new(crate::RateLimit::new("shown.rate", rate)));
            registry.register(Arc::new(crate::Throttle::new("shown.throttle", Rng::from_seed(1))));
            registry.register(Arc::new(crate::AdaptiveLimit::new("shown.limit", adaptive)));
            bulkhead
        });
        let held = bulkhead.try_acquire().unwrap();
        let scrape = || {
            metrics::with_local_recorder(&recorder, || registry.publish());
            handle.render()
        };
        let text = scrape();
        let places = |kind: &str, name: &str, taken: u32, limit: u32| {
            [("taken", taken), ("limit", limit)].map(|(word, value)| {
                let labels = format!("kind=\"{kind}\",policy=\"{name}\"");
                format!("switchboard_resilience_{word}_places{{{labels}}} {value}")
            })
        };
        let mut expected = places("bulkhead", "shown", 1, 3).to_vec();
        expected.extend(places("adaptive_limit", "shown.limit", 0, 20));
        let shown: Vec<_> = text.lines().filter(|line| line.contains("_places{")).collect();
        assert_eq!(shown.len(), expected.len(), "{text}");
        for line in expected {
            assert!(shown.contains(&line.as_str()), "no `{line}` in\n{text}");
        }
        drop(held);
        bulkhead.resize(5);
        let [taken, limit] = places("bulkhead", "shown", 0, 5);
        let text = scrape();
        assert!(text.contains(&taken) && text.contains(&limit), "{text}");
    }

    #[test]
    fn what_is_no_mode_is_refused_by_name() {
        let action = Action::Reconfigure { settings: BTreeMap::new() };
        let error = Mode::asked_by(&action, "bulkhead").unwrap_err().to_string();
        assert_eq!(error, "a bulkhead cannot do `reconfigure`");
    }

    #[test]
    fn not_a_number_is_no_setting() {
        let settings = BTreeMap::from([("wait".to_owned(), f64::NAN)]);
        let changes = Changes::of(&settings, &["wait"]).unwrap();
        assert!(changes.seconds("wait", Duration::ZERO, Duration::ZERO..=Duration::MAX).is_err());
    }
}
