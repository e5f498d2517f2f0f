//! The shop on real engines: the same sums on Kafka and RabbitMQ with PostgreSQL, in one process and in many, while engines and
//! processes are killed.

#![allow(clippy::unwrap_used, reason = "what is not as expected ends the test")]

mod conservation;
mod degraded;
mod engine;
mod operators;
mod programs;
mod starting;

use std::time::Duration;

/// Looks until there is an answer; fails when there is none for so long.
async fn eventually<T, F, Fut>(what: &str, within: Duration, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(within, waiting).await;
    found.unwrap_or_else(|_| panic!("still waiting for {what} after {within:?}"))
}
