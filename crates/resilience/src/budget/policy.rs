//! How much repetition a budget pays for: a pure policy, checked at birth.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bucket::{LARGEST, Rules, UNIT};
use crate::control::ControlError;
use crate::retry::Class;
use crate::settings::InvalidOptions;

/// What fills a budget, what a repetition costs, and what comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    ratio: f64,
    floor_per_second: f64,
    ttl: Option<Duration>,
    max: f64,
    first_success: f64,
    costs: Costs,
    refunds_successes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Costs {
    transient: f64,
    throttled: f64,
}

// === impl Policy ===

impl Policy {
    /// A fifth of the first tries of the last 10 s, and 10 per second that are always there: at
    /// worst a dependency sees 1.2 calls for each, and a client with little traffic may still
    /// repeat every call. At most 10 000 tokens; a repetition costs one.
    pub const fn recommended() -> Self {
        Self {
            ratio: 0.2,
            floor_per_second: 10.0,
            ttl: Some(Duration::from_secs(10)),
            max: 10_000.0,
            first_success: 0.0,
            costs: Costs { transient: 1.0, throttled: 1.0 },
            refunds_successes: false,
        }
    }

    /// As the AWS SDKs do since late 2026: 500 tokens; a repetition holds 14, or 5 after a
    /// throttling answer, and gets them back when it succeeds; a first try that succeeds adds one.
    /// Nothing expires, so a long quiet time leaves a full bucket.
    pub const fn aws() -> Self {
        Self {
            ratio: 0.0,
            floor_per_second: 0.0,
            ttl: None,
            max: 500.0,
            first_success: 1.0,
            costs: Costs { transient: 14.0, throttled: 5.0 },
            refunds_successes: true,
        }
    }

    /// The same with another share of first tries, from 0 to 1.
    ///
    /// # Errors
    /// [`InvalidOptions`] when it is not such a share.
    pub const fn with_ratio(mut self, ratio: f64) -> Result<Self, InvalidOptions> {
        self.ratio = ratio;
        self.checked()
    }

    /// The same with another number of repetitions per second that are always there.
    ///
    /// # Errors
    /// [`InvalidOptions`] when it is negative, or what it makes of 10 s does not fit the maximum.
    pub const fn with_floor_per_second(mut self, floor: f64) -> Result<Self, InvalidOptions> {
        self.floor_per_second = floor;
        self.checked()
    }

    /// The same with room for another number of tokens, up to 268 000.
    ///
    /// # Errors
    /// [`InvalidOptions`] when it is no such number, or below the floor.
    pub const fn with_max(mut self, max: f64) -> Result<Self, InvalidOptions> {
        self.max = max;
        self.checked()
    }

    /// What it is set to, by the names that operators use.
    pub(super) fn settings(&self) -> Vec<(&'static str, f64)> {
        vec![("ratio", self.ratio), ("floor_per_second", self.floor_per_second), ("max", self.max)]
    }

    /// The same with these settings.
    pub(super) fn reconfigured(
        mut self,
        settings: &BTreeMap<String, f64>,
    ) -> Result<Self, ControlError> {
        for (setting, &value) in settings {
            match setting.as_str() {
                "ratio" => self.ratio = value,
                "floor_per_second" => self.floor_per_second = value,
                "max" => self.max = value,
                _ => {
                    let why = "a budget has `ratio`, `floor_per_second` and `max`".to_owned();
                    return Err(ControlError::Invalid { setting: setting.clone(), why });
                }
            }
        }
        Ok(self.checked()?)
    }

    /// The balance of a new budget: what lies there without any traffic.
    pub(super) fn initial(&self) -> u64 {
        let rules = self.rules();
        if rules.ttl.is_some() { rules.floor } else { rules.max }
    }

    pub(super) fn rules(&self) -> Rules {
        Rules { floor: thousandths(self.floor()), max: thousandths(self.max), ttl: self.ttl }
    }

    pub(super) fn cost(&self, class: Class) -> u64 {
        thousandths(match class {
            Class::Transient | Class::NotSent => self.costs.transient,
            Class::Throttled => self.costs.throttled,
        })
    }

    pub(super) fn per_first_try(&self) -> u64 {
        thousandths(self.ratio)
    }

    pub(super) fn per_first_success(&self) -> u64 {
        thousandths(self.first_success)
    }

    pub(super) fn refunds_successes(&self) -> bool {
        self.refunds_successes
    }

    const fn floor(&self) -> f64 {
        match self.ttl {
            Some(ttl) => self.floor_per_second * ttl.as_millis() as f64 / 1_000.0,
            None => 0.0,
        }
    }

    const fn checked(self) -> Result<Self, InvalidOptions> {
        // Written so that NaN fails: no comparison with it is true.
        if !(self.ratio >= 0.0 && self.ratio <= 1.0) {
            return Err(invalid("ratio", "must lie between 0 and 1"));
        }
        if !(self.max >= 1.0 && self.max <= LARGEST as f64 / UNIT) {
            return Err(invalid("max", "must lie between 1 and 268 000"));
        }
        if !(self.floor_per_second >= 0.0 && self.floor() <= self.max) {
            let why = "must not be negative, and 10 s of it must fit into `max`";
            return Err(invalid("floor_per_second", why));
        }
        Ok(self)
    }
}

const fn invalid(setting: &'static str, why: &'static str) -> InvalidOptions {
    InvalidOptions::of("budget", setting, why)
}

fn thousandths(tokens: f64) -> u64 {
    (tokens * UNIT).round() as u64
}
