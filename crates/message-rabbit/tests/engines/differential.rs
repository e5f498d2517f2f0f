//! The queues of the embedded broker beside the real ones: the same deliveries, whatever is declared
//! and done.

use std::sync::Arc;

use switchboard_core::SystemClock;
use switchboard_message::MemoryBroker;
use switchboard_testkit::message::Subject;
use switchboard_testkit::message::exchange::differential;

use crate::server::Clean;

/// Random layouts of all four kinds of exchanges, with alternates, dead letters, limits and times to
/// live, and random work at them.
#[tokio::test]
async fn embedded_queues_deliver_what_rabbitmq_delivers() {
    let one = std::env::var("SWITCHBOARD_TEST_SEED").map(|seed| seed.parse().unwrap());
    let seeds = one.clone().map_or_else(|_| (0..12).collect(), |seed| vec![seed]);
    let mut tally = differential::Tally::default();
    for seed in seeds {
        let embedded = Subject::new(MemoryBroker::new(Arc::new(SystemClock)));
        let real = Subject::new(Clean::new().await);
        differential::compare(&embedded, &real, seed, &mut tally).await;
    }
    if one.is_err() {
        tally.assert_whole();
    }
}
