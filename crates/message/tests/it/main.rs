//! The broker in memory: the conformance suite, and its faults.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod retention;
mod storm;

use std::sync::Arc;

use switchboard_core::SystemClock;
use switchboard_message::MemoryBroker;
use switchboard_testkit::message::Subject;

mod suite {
    use super::*;

    switchboard_testkit::message_suite!(async || {
        Subject::new(MemoryBroker::new(Arc::new(SystemClock)))
    });
}

mod queues {
    use super::*;

    switchboard_testkit::queue_suite!(async || {
        Subject::new(MemoryBroker::new(Arc::new(SystemClock)))
    });
}
