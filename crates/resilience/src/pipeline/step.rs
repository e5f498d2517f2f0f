//! What a layer says of itself, so that a pipeline can be judged and explained before it runs.

use std::fmt;

use super::Facts;

/// One layer of a pipeline, described.
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::pipeline::{Facts, Kind, Step};
///
/// let step = Step::new(Kind::Timeout)
///     .with_detail("2 s")
///     .with_facts(Facts::NONE.with_limit(Duration::from_secs(2)));
/// assert_eq!(step.to_string(), "Timeout(2 s)");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which kind of layer.
    pub kind: Kind,
    /// The name of its policy, if it has one.
    pub name: Option<String>,
    /// Its most important setting, in words: `5 attempts`, `2 s`.
    pub detail: Option<String>,
    /// What it does to calls and time.
    pub facts: Facts,
}

/// The kinds of layers, from the outermost to the innermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Traces and measures the call as its caller sees it.
    Trace,
    /// Answers when everything else has failed.
    Fallback,
    /// Ends the call as a whole.
    Deadline,
    /// Rejects what is least important.
    Shed,
    /// Limits how often calls begin.
    RateLimit,
    /// Repeats what failed.
    Retry,
    /// Asks twice when the first answer is late.
    Hedge,
    /// Holds back what would be refused.
    Throttle,
    /// Stops asking what has failed.
    Breaker,
    /// Limits how many run at once.
    Bulkhead,
    /// Limits how many run at once, by how they end.
    AdaptiveLimit,
    /// Ends one try. Outside a retry it is a deadline.
    Timeout,
    /// Makes faults, for tests.
    Chaos,
    /// Anything else; stands where it is put.
    Other(&'static str),
}

/// A layer that can say what it does.
pub trait Describe {
    /// Its description.
    fn describe(&self) -> Step;
}

// === impl Step ===

impl Step {
    /// A layer of this kind that does nothing to calls and time.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, name: None, detail: None, facts: Facts::NONE }
    }

    /// The same with the name of its policy.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same with its most important setting, in words.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same with what it does.
    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match (&self.name, &self.detail) {
            (None, None) => Ok(()),
            (Some(one), None) | (None, Some(one)) => write!(f, "({one})"),
            (Some(name), Some(detail)) => write!(f, "({name}, {detail})"),
        }
    }
}

// === impl Kind ===

impl Kind {
    /// Where it stands, from the outside; `None` for what stands where it is put.
    pub(super) const fn place(self) -> Option<u8> {
        Some(match self {
            Self::Trace => 0,
            Self::Fallback => 1,
            Self::Deadline => 2,
            Self::Shed => 3,
            Self::RateLimit => 4,
            Self::Retry => 5,
            Self::Hedge => 6,
            Self::Throttle => 7,
            Self::Breaker => 8,
            Self::Bulkhead | Self::AdaptiveLimit => 9,
            Self::Timeout => 10,
            Self::Chaos => 11,
            Self::Other(_) => return None,
        })
    }

    /// Why it stands outside what is further in.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Trace => "it must see what the caller sees",
            Self::Fallback => "it hides failures from whatever stands outside it",
            Self::Deadline => "it is the time of the whole call, with all tries and waits",
            Self::Shed => "what is shed should cost nothing, and says nothing about what is inside",
            Self::RateLimit => "a call is counted once, whatever becomes of it",
            Self::Retry => "each try is judged, and given its place and its time, by itself",
            Self::Hedge => "each of its tries is judged, and given its place, by itself",
            Self::Throttle => "it counts each try that somebody wants to make",
            Self::Breaker => "it judges each try, and a rejected one must not take a place",
            Self::Bulkhead | Self::AdaptiveLimit => {
                "the wait for a place is not the time of the dependency"
            }
            Self::Timeout => "it must end the faults that are made inside it",
            Self::Chaos | Self::Other(_) => "every policy must see the faults it makes",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(name) => f.write_str(name),
            kind => fmt::Debug::fmt(kind, f),
        }
    }
}
