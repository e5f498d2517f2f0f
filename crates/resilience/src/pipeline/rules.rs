//! Which pipelines are refused, and why.
//!
//! The standard order, from the outside in:
//!
//! trace > fallback > deadline > shed > rate limit > retry > hedge > throttle > breaker > bulkhead or adaptive limit > timeout > chaos
//!
//! A layer may be missing, and what is of no kind stands anywhere. Some orders have a name in every post-mortem; those are explained in
//! their own words, the rest by what the misplaced layer is for.

use std::fmt;

use super::worst::Short;
use super::{Kind, Step};

/// A pipeline that cannot be meant: every mistake in it, with what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct InvalidPipeline {
    pub(super) name: String,
    /// The mistakes, outermost first; at least one.
    pub mistakes: Vec<Mistake>,
}

/// One mistake. Shown, it says what is wrong and what to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Mistake {
    /// A layer stands too far in.
    Misplaced {
        /// The layer.
        inner: Step,
        /// The outermost layer that it belongs outside of.
        outer: Step,
    },
    /// A timeout outside a breaker drops hanging calls before the breaker sees that they hang.
    HiddenHang {
        /// The timeout or deadline.
        timeout: Step,
        /// The breaker.
        breaker: Step,
    },
    /// A fallback inside a retry answers, so the retry never runs.
    HiddenFailure {
        /// The fallback.
        fallback: Step,
        /// The retry or hedge.
        retry: Step,
    },
    /// Two retries multiply.
    Multiplied {
        /// The outer one.
        outer: Step,
        /// The inner one.
        inner: Step,
    },
    /// A throttle forgets a request before its answer can be there.
    ShortMemory {
        /// The throttle.
        throttle: Step,
        /// The limit that is longer than its window.
        timeout: Step,
    },
}

/// Every mistake in these layers, outermost first.
pub fn check(steps: &[Step]) -> Vec<Mistake> {
    let kinds: Vec<_> = (0..steps.len()).map(|at| role(steps, at)).collect();
    let mut mistakes = Vec::new();
    for (at, inner) in steps.iter().enumerate() {
        let mut is_explained = false;
        for (outer, outer_kind) in steps[..at].iter().zip(&kinds) {
            if let Some(mistake) = named(outer, *outer_kind, inner, kinds[at], &steps[at + 1..]) {
                is_explained |= !matches!(mistake, Mistake::ShortMemory { .. });
                mistakes.push(mistake);
            }
        }
        let misplaced = steps[..at].iter().zip(&kinds).find(|(outer, outer_kind)| {
            let wrong = outer_kind.place() > kinds[at].place() && kinds[at].place().is_some();
            wrong && !is_allowed(outer, **outer_kind, inner)
        });
        if let (false, Some((outer, _))) = (is_explained, misplaced) {
            mistakes.push(Mistake::Misplaced { inner: inner.clone(), outer: outer.clone() });
        }
    }
    mistakes
}

/// What a layer is in its place: a timeout around tries is the deadline of the whole call.
fn role(steps: &[Step], at: usize) -> Kind {
    let is_tried = |step: &Step| matches!(step.kind, Kind::Retry | Kind::Hedge);
    match steps[at].kind {
        Kind::Timeout if steps[at + 1..].iter().any(is_tried) => Kind::Deadline,
        kind => kind,
    }
}

/// The mistakes that have a name. `within` is what stands inside `inner`.
fn named(
    outer: &Step,
    outer_kind: Kind,
    inner: &Step,
    inner_kind: Kind,
    within: &[Step],
) -> Option<Mistake> {
    let (one, other) = (outer.clone(), inner.clone());
    match (outer_kind, inner_kind) {
        (Kind::Retry | Kind::Hedge, Kind::Fallback) => {
            Some(Mistake::HiddenFailure { fallback: other, retry: one })
        }
        (Kind::Retry, Kind::Retry) if !is_one_budget(outer, inner) => {
            Some(Mistake::Multiplied { outer: one, inner: other })
        }
        (Kind::Timeout | Kind::Deadline, Kind::Breaker)
            if !sees_what_it_ends(outer, inner) && !has_shorter_timeout(within, outer) =>
        {
            Some(Mistake::HiddenHang { timeout: one, breaker: other })
        }
        (Kind::Throttle, Kind::Timeout)
            if outer.facts.window.is_some() && outer.facts.window <= inner.facts.limit =>
        {
            Some(Mistake::ShortMemory { throttle: one, timeout: other })
        }
        _ => None,
    }
}

/// A timeout may stand outside a breaker that counts what it cancels, or that has a shorter one
/// inside; the latter is only a second net.
fn is_allowed(outer: &Step, outer_kind: Kind, inner: &Step) -> bool {
    outer_kind == Kind::Timeout && inner.kind == Kind::Breaker && outer.kind == Kind::Timeout
}

/// Whether a call that the timeout ends was long enough for the breaker to count it.
fn sees_what_it_ends(timeout: &Step, breaker: &Step) -> bool {
    let after = breaker.facts.counts_cancelled;
    after.is_some_and(|after| timeout.facts.limit.is_none_or(|limit| after <= limit))
}

fn is_one_budget(outer: &Step, inner: &Step) -> bool {
    match (&outer.facts.budget, &inner.facts.budget) {
        (Some(outer), Some(inner)) => outer.budget == inner.budget,
        _ => false,
    }
}

fn has_shorter_timeout(within: &[Step], outer: &Step) -> bool {
    let timeouts = within.iter().filter(|step| step.kind == Kind::Timeout);
    let mut limits = timeouts.filter_map(|step| step.facts.limit);
    limits.any(|limit| outer.facts.limit.is_none_or(|outer| limit < outer))
}

// === impl InvalidPipeline ===

impl fmt::Display for InvalidPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pipeline `{}` cannot be built:", self.name)?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n- {mistake}"))
    }
}

impl std::error::Error for InvalidPipeline {}

// === impl Mistake ===

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misplaced { inner, outer } => {
                let why = inner.kind.why();
                write!(f, "{inner} stands inside {outer}: put it outside, because {why}")
            }
            Self::HiddenHang { timeout, breaker } => write!(
                f,
                "{timeout} stands outside {breaker}, which never sees that a call hangs: put a \
                 shorter timeout inside the breaker, or let the breaker count cancelled calls of \
                 that length as failures"
            ),
            Self::HiddenFailure { fallback, retry } => write!(
                f,
                "{fallback} stands inside {retry}, which never sees a failure and never runs: put \
                 the fallback outside"
            ),
            Self::Multiplied { outer, inner } => {
                let calls = u64::from(outer.facts.calls) * u64::from(inner.facts.calls);
                write!(
                    f,
                    "{outer} and {inner} multiply to {calls} calls: remove one, or give both the \
                     same budget"
                )
            }
            Self::ShortMemory { throttle, timeout } => {
                let window = throttle.facts.window.unwrap_or_default();
                write!(
                    f,
                    "{throttle} forgets a request after {}, before {timeout} ends it: give it a \
                     longer window",
                    Short(window)
                )
            }
        }
    }
}
