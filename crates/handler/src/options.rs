//! What can be set about a group, each with its default and its limit.

use std::time::Duration;

use switchboard_message::Start;
use switchboard_store::Sharing;

/// Settings of a group. Out of range values are refused when the group runs.
///
/// ```
/// use std::time::Duration;
/// use switchboard_handler::Options;
///
/// let patient = Options { delays: vec![Duration::from_secs(60); 5], ..Options::default() };
/// assert_eq!(patient.tries(), 24); // (1 + 3 immediate) x (1 + 5 delayed)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Handlers that run at the same time. Default 64, limit 4 096.
    pub concurrency: usize,
    /// Messages that are taken from the broker and not settled. Default 256, limit 65 536.
    pub in_flight: usize,
    /// Where the group begins that has no progress yet. Default the beginning.
    pub start: Start,
    /// Tries that follow the first one at once, 10 to 100 ms apart, while the key waits.
    /// Default 3, limit 20.
    pub immediate: u32,
    /// Waits before the delayed retries, each ±20 %, while the key is blocked and others flow;
    /// afterwards the key is parked. Default 5 s, 30 s, 2 min; limit 16 waits of 7 days.
    pub delays: Vec<Duration>,
    /// How often a handler runs again because its conditions did not hold. Default 50,
    /// limit 1 000; then it counts as one failed try.
    pub conflicts: u32,
    /// Blocked keys that are worked off at the same time. Default 16, limit 1 024.
    pub drains: usize,
    /// Whether a message whose deadline has passed is marked as done without being handled.
    /// Default no: a saga's command has to be answered even when it is late.
    pub drop_expired: bool,
    /// How long the id of a message without a dense identity is remembered. Default 7 days.
    pub remember_foreign: Duration,
    /// How long a group that is asked to end waits for its running handlers. Default 4 s,
    /// limit 60 s.
    pub patience: Duration,
    /// Whether other processes run the same group on the same store. The broker divides the
    /// deliveries among them anyway; shared, one of them works off the blocked keys. Default
    /// alone.
    pub sharing: Sharing,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 64,
            in_flight: 256,
            start: Start::Beginning,
            immediate: 3,
            delays: [5, 30, 120].map(Duration::from_secs).to_vec(),
            conflicts: 50,
            drains: 16,
            drop_expired: false,
            remember_foreign: Duration::from_secs(7 * 24 * 3600),
            patience: Duration::from_secs(4),
            sharing: Sharing::Alone,
        }
    }
}

impl Options {
    /// How often a message is tried, at most, before its key is parked: every immediate try of
    /// every delayed one.
    pub fn tries(&self) -> u32 {
        let rounds = u32::try_from(self.delays.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.immediate.saturating_add(1).saturating_mul(rounds)
    }

    /// What is out of range, as a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        let week = Duration::from_secs(7 * 24 * 3600);
        let bounds = [
            ("concurrency", self.concurrency, 1, 4_096),
            ("in_flight", self.in_flight, 1, 65_536),
            ("immediate", self.immediate as usize, 0, 20),
            ("delays", self.delays.len(), 0, 16),
            ("conflicts", self.conflicts as usize, 1, 1_000),
            ("drains", self.drains, 1, 1_024),
        ];
        for (name, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(format!("`{name}` is {value}: use {least} to {most}"));
            }
        }
        if self.delays.iter().any(|delay| *delay > week) {
            return Err("a delay is longer than 7 days".to_owned());
        }
        if self.patience > Duration::from_secs(60) {
            return Err("`patience` is longer than 60 s".to_owned());
        }
        Ok(())
    }
}
