//! What the layers of this crate say of themselves.

use std::hash::Hash;
use std::time::Duration;

use super::{Describe, Facts, Kind, Step};
use crate::adaptive::AdaptiveLimitLayer;
use crate::bulkhead::{Bulkhead, BulkheadLayer, ByRoute, Pools};
use crate::control::Controlled;
use crate::rate_limit::{KeyedRateLimitLayer, RateLimitLayer};
use crate::shed::ShedLayer;
use crate::throttle::ThrottleLayer;

impl<H> Describe for BulkheadLayer<Bulkhead, H> {
    fn describe(&self) -> Step {
        let bulkhead = self.chosen();
        Step::new(Kind::Bulkhead)
            .with_name(bulkhead.name().as_str())
            .with_detail(format!("{} places", bulkhead.places()))
            .with_facts(Facts::NONE.with_wait(longest_wait(bulkhead)))
    }
}

impl<H> Describe for BulkheadLayer<Pools, H> {
    fn describe(&self) -> Step {
        pools(self.chosen())
    }
}

impl<F, H> Describe for BulkheadLayer<ByRoute<F>, H> {
    fn describe(&self) -> Step {
        pools(self.chosen().pools())
    }
}

impl Describe for RateLimitLayer {
    fn describe(&self) -> Step {
        Step::new(Kind::RateLimit)
            .with_name(self.limit().name().as_str())
            .with_detail(rate(self.limit()))
            .with_facts(Facts::NONE.with_wait(self.max_wait()))
    }
}

impl<K: Hash + Eq + Send, F> Describe for KeyedRateLimitLayer<K, F> {
    fn describe(&self) -> Step {
        Step::new(Kind::RateLimit)
            .with_name(self.limit().name().as_str())
            .with_detail(format!("{} each", rate(self.limit())))
    }
}

impl<T, E, H> Describe for AdaptiveLimitLayer<T, E, H> {
    fn describe(&self) -> Step {
        let view = self.limit().view();
        Step::new(Kind::AdaptiveLimit).with_name(view.name.as_str()).with_detail(format!(
            "{} to {} places",
            setting(&view.settings, "min"),
            setting(&view.settings, "max")
        ))
    }
}

impl<T, E> Describe for ThrottleLayer<T, E> {
    fn describe(&self) -> Step {
        Step::new(Kind::Throttle)
            .with_name(self.throttle().name().as_str())
            .with_facts(Facts::NONE.with_window(self.throttle().window()))
    }
}

impl<L> Describe for ShedLayer<L> {
    fn describe(&self) -> Step {
        Step::new(Kind::Shed).with_name(self.shed().name().as_str())
    }
}

fn pools(pools: &Pools) -> Step {
    let all = pools.bulkheads();
    let wait = all.iter().map(longest_wait).max().unwrap_or_default();
    let [critical, standard, batch] = all.map(|bulkhead| bulkhead.places());
    Step::new(Kind::Bulkhead)
        .with_detail(format!("{critical} critical, {standard} standard, {batch} batch places"))
        .with_facts(Facts::NONE.with_wait(wait))
}

/// How long a call waits for a place at most; nothing when nobody may wait.
fn longest_wait(bulkhead: &Bulkhead) -> Duration {
    let settings = bulkhead.view().settings;
    match setting(&settings, "queue") {
        0.0 => Duration::ZERO,
        _ => Duration::from_secs_f64(setting(&settings, "max_wait")),
    }
}

fn rate(limit: &dyn Controlled) -> String {
    let settings = limit.view().settings;
    let rounded = (setting(&settings, "calls_per_second") * 100.0).round() / 100.0;
    format!("{rounded}/s, bursts of {}", setting(&settings, "burst"))
}

fn setting(settings: &[(&str, f64)], name: &str) -> f64 {
    settings.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, value)| *value)
}
