//! What can be set about a relay, each with its default and its limit.

use std::time::Duration;

use switchboard_store::Sharing;

/// Settings of a relay. Values out of range are clamped to their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Messages in one call to the broker. Default 256, limit 4 096.
    pub batch: usize,
    /// Bytes of payload in one call to the broker; one message is sent whatever its size.
    /// Default 1 MiB, limit 16 MiB.
    pub batch_bytes: usize,
    /// How long an advanced checkpoint may stay in memory. A crash repeats what was published
    /// since, and consumers recognise it. Default 100 ms, limit 10 s.
    pub checkpoint_every: Duration,
    /// The longest wait before a message that failed is published again. Default 5 s, limit 5 min.
    pub longest_wait: Duration,
    /// After how many published messages those that are done with are deleted. Default 10 000.
    pub sweep_after: u64,
    /// How many messages one deletion takes with it. Default 500, limit 10 000.
    pub sweep_step: usize,
    /// How many timers fire per second when many are due at once. Default 20 000, at least 1.
    pub timers_per_second: u32,
    /// How long shutdown waits for the call in flight and the last checkpoint. Default 3 s,
    /// limit 60 s.
    pub patience: Duration,
    /// Whether other processes of the service run a relay on the same store. Then each publishes
    /// an even share of the slots, and one of them fires the timers. Default alone.
    pub sharing: Sharing,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            batch: 256,
            batch_bytes: 1 << 20,
            checkpoint_every: Duration::from_millis(100),
            longest_wait: Duration::from_secs(5),
            sweep_after: 10_000,
            sweep_step: 500,
            timers_per_second: 20_000,
            patience: Duration::from_secs(3),
            sharing: Sharing::Alone,
        }
    }
}

impl Options {
    /// The same with every value inside its limits.
    pub(crate) fn clamped(self) -> Self {
        Self {
            batch: self.batch.clamp(1, 4_096),
            batch_bytes: self.batch_bytes.clamp(1, 16 << 20),
            checkpoint_every: self.checkpoint_every.min(Duration::from_secs(10)),
            longest_wait: self
                .longest_wait
                .clamp(Duration::from_millis(50), Duration::from_secs(300)),
            sweep_after: self.sweep_after.max(1),
            sweep_step: self.sweep_step.clamp(1, 10_000),
            timers_per_second: self.timers_per_second.max(1),
            patience: self.patience.min(Duration::from_secs(60)),
            sharing: self.sharing,
        }
    }
}
