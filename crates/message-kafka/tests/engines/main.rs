//! On a real Kafka: the conformance suite, and what only a real engine can show.
//!
//! The address comes from `SWITCHBOARD_TEST_KAFKA`; `cargo xtask test` starts an engine and sets it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engine;

use std::time::Duration;

use switchboard_message_kafka::{KafkaBroker, Options};
use switchboard_testkit::message::Subject;

use engine::Engine;

/// Settings for short tests, under a prefix of their own.
fn options() -> Options {
    Options::new(engine::address())
        .with_prefix(engine::prefix())
        .with_session(Duration::from_secs(10), Duration::from_millis(200))
        .with_drain(Duration::from_millis(300))
}

async fn connect() -> KafkaBroker {
    KafkaBroker::connect(options()).await.unwrap()
}

mod suite {
    use super::*;

    switchboard_testkit::message_suite!(async || {
        let guard = Engine::shared().await;
        Subject::new(connect().await).holding(guard)
    });
}
