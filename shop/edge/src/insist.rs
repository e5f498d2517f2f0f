//! What a service does once when it starts, tried until it works: an engine that goes away in that very moment must not end the service.

use std::future::Future;
use std::time::Duration;

use switchboard_core::{Retryable, Verdict, chain};
use tokio_util::sync::CancellationToken;

/// The first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Tries until it works; `None` once `shutdown` has begun.
///
/// # Errors
/// The attempt's, when trying again is of no use.
pub async fn insist<T, E, F, Fut>(
    what: &'static str,
    shutdown: &CancellationToken,
    mut attempt: F,
) -> Result<Option<T>, E>
where
    E: Retryable + std::error::Error + 'static,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut wait = WAITS.0;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(Some(done)),
            Err(error) if error.verdict() == Verdict::Retry => error,
            Err(error) => return Err(error),
        };
        tracing::warn!(what, error = chain(&error), "does not work yet; trying again");
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(WAITS.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no")]
    struct No(Verdict);

    impl Retryable for No {
        fn verdict(&self) -> Verdict {
            self.0
        }
    }

    async fn tried(answer: impl Fn(u32) -> Result<u32, Verdict>) -> Result<Option<u32>, No> {
        let (shutdown, mut count) = (CancellationToken::new(), 0);
        insist("a test", &shutdown, || {
            count += 1;
            if count == 9 {
                shutdown.cancel();
            }
            std::future::ready(answer(count).map_err(No))
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_while_that_is_of_use() {
        let late = |count| if count < 5 { Err(Verdict::Retry) } else { Ok(count) };
        assert_eq!(tried(late).await.unwrap(), Some(5));
        assert_eq!(tried(|_| Err(Verdict::Retry)).await.unwrap(), None, "until shutdown");
        assert!(tried(|_| Err(Verdict::Stuck)).await.is_err());
    }
}
