//! What the layers that repeat, end, guard and replace calls say of themselves.

use std::time::Duration;

use super::worst::Short;
use super::{Describe, Facts, Kind, Step};
use crate::breaker::{BreakerLayer, OnCancel};
use crate::control::Controlled;
use crate::{
    Backoff, Budget, ChaosLayer, DeadlineLayer, FallbackLayer, HedgeLayer, RetryLayer, TimeoutLayer,
};

impl<T, E> Describe for RetryLayer<T, E> {
    fn describe(&self) -> Step {
        let backoff = self.backoff();
        let (waits, jittered) = backoff.waits();
        let mut facts = Facts::NONE.with_attempts(backoff.attempts(), waits, jittered);
        facts.last_start = self.total();
        if let Some(budget) = self.budget() {
            facts = facts.with_budget(budget.name().as_str(), share(budget));
        }
        let plural = if backoff.attempts() == 1 { "" } else { "s" };
        let step = Step::new(Kind::Retry)
            .with_detail(format!("{} attempt{plural}", backoff.attempts()))
            .with_facts(facts);
        if *backoff == Backoff::classic() {
            step.with_name("classic")
        } else if *backoff == Backoff::recommended() {
            step.with_name("recommended")
        } else {
            step
        }
    }
}

impl<T, E> Describe for HedgeLayer<T, E> {
    fn describe(&self) -> Step {
        let facts = Facts::NONE
            .with_hedges(self.most(), self.longest_delay())
            .with_budget(self.budget().name().as_str(), share(self.budget()));
        Step::new(Kind::Hedge).with_detail(format!("{} more", self.most())).with_facts(facts)
    }
}

impl Describe for DeadlineLayer {
    fn describe(&self) -> Step {
        let step = Step::new(Kind::Deadline);
        match self.limit() {
            Some(limit) => {
                step.with_detail(Short(limit).to_string()).with_facts(Facts::NONE.with_limit(limit))
            }
            None => step.with_detail("as brought"),
        }
    }
}

impl Describe for TimeoutLayer {
    fn describe(&self) -> Step {
        Step::new(Kind::Timeout)
            .with_detail(Short(self.limit()).to_string())
            .with_facts(Facts::NONE.with_limit(self.limit()))
    }
}

impl<R, T, E> Describe for FallbackLayer<R, T, E> {
    fn describe(&self) -> Step {
        Step::new(Kind::Fallback).with_name(self.name().as_str())
    }
}

impl Describe for ChaosLayer {
    fn describe(&self) -> Step {
        Step::new(Kind::Chaos)
    }
}

impl<T, E, M> Describe for BreakerLayer<T, E, M> {
    fn describe(&self) -> Step {
        let facts = match self.breaker().options().on_cancel {
            OnCancel::Ignore => Facts::NONE,
            OnCancel::FailureIfElapsed(after) => Facts::NONE.counting_cancelled(after),
            OnCancel::Failure => Facts::NONE.counting_cancelled(Duration::ZERO),
        };
        Step::new(Kind::Breaker).with_facts(facts)
    }
}

/// How many further tries a budget gains with each first one.
fn share(budget: &Budget) -> f64 {
    let settings = budget.view().settings;
    settings.iter().find(|(name, _)| *name == "ratio").map_or(1.0, |(_, ratio)| *ratio)
}
