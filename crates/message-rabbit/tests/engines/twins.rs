//! The queues of the embedded broker beside the real ones: the same deliveries, whatever is declared and done.

use std::sync::Arc;

use switchboard_core::SystemClock;
use switchboard_message::MemoryBroker;
use switchboard_testkit::message::Subject;
use switchboard_testkit::message::exchange::twins;

use crate::server::Clean;

/// Random layouts of all four kinds of exchanges, with alternates, dead letters, limits and times to
/// live, and random work at them.
#[tokio::test]
async fn embedded_queues_deliver_what_rabbitmq_delivers() {
    let seeds = match std::env::var("SWITCHBOARD_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..12).collect(),
    };
    for seed in seeds {
        println!("seed {seed}");
        let embedded = Subject::new(MemoryBroker::new(Arc::new(SystemClock)));
        let real = Subject::new(Clean::new().await);
        twins::compare(&embedded, &real, seed).await;
    }
}
