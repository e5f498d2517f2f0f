//! The embedded broker: the conformance suite, and what only a durable broker promises.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod epochs;
mod publishing;
mod queues;
mod reopening;
mod retention;

use std::path::Path;
use std::sync::Arc;

use switchboard_core::SystemClock;
use switchboard_message_log::{LogBroker, Options};
use switchboard_testkit::message::Subject;

/// A log with small segments, so that little is written for its own sake.
fn options(dir: &Path) -> Options {
    let options = Options::new(dir, Arc::new(SystemClock));
    let log = options.log.clone().with_segment_bytes(8 << 20);
    options.with_log(log)
}

fn open(dir: &Path) -> LogBroker {
    LogBroker::open(options(dir)).unwrap()
}

mod suite {
    use super::*;

    switchboard_testkit::message_suite!(async || {
        let dir = tempfile::tempdir().unwrap();
        Subject::new(open(dir.path())).holding(dir)
    });
}

mod queue_suite {
    use super::*;

    switchboard_testkit::queue_suite!(async || {
        let dir = tempfile::tempdir().unwrap();
        Subject::new(open(dir.path())).holding(dir)
    });
}
