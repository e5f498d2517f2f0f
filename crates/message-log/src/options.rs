//! Where the broker lives and how large things may be.

use std::path::PathBuf;
use std::sync::Arc;

use switchboard_core::Clock;

/// Settings of a [`LogBroker`](crate::LogBroker).
#[derive(Clone, Debug)]
pub struct Options {
    /// What time it is: records are stamped, and retention counts, with it.
    pub clock: Arc<dyn Clock>,
    /// The largest encoded envelope, in bytes. Default 1 MiB; the log must take records of this
    /// size and their keys.
    pub max_message_bytes: usize,
    /// Settings of the log below: its folder, segments, queue and file system.
    pub log: switchboard_log::Options,
}

impl Options {
    /// A broker in this folder, with messages of up to 1 MiB and the log's defaults.
    pub fn new(dir: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        let log = switchboard_log::Options::new(dir);
        Self { clock, max_message_bytes: 1 << 20, log }
    }

    /// The same with another limit on the encoded envelope.
    #[must_use]
    pub fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// The same with other settings of the log.
    #[must_use]
    pub fn with_log(mut self, log: switchboard_log::Options) -> Self {
        self.log = log;
        self
    }
}
