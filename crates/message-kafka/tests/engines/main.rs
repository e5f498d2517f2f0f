//! On a real Kafka: the conformance suite, and what only a real engine can show.
//!
//! The address comes from `SWITCHBOARD_TEST_KAFKA`; `cargo xtask test` starts an engine and sets it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod engine;
mod letters;
mod progress;
mod python;
mod raw;
mod rebalances;
mod retention;
mod strangers;

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

async fn connect(options: &Options) -> KafkaBroker {
    KafkaBroker::connect(options.clone()).await.unwrap()
}

/// A broker with settings of its own, as the helpers of the suite take it.
async fn subject(options: &Options) -> Subject {
    let guard = Engine::shared().await;
    Subject::new(connect(options).await).holding(guard)
}

mod suite {
    use super::*;

    switchboard_testkit::message_suite!(async || subject(&options()).await);
}
