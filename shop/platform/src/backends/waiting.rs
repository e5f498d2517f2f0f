//! An engine that does not answer yet is waited for, aloud and not for ever; one that says no is not asked again.

use std::fmt::Display;
use std::time::Duration;

use switchboard_core::{BoxError, Retryable, Verdict, chain};
use tokio::time::Instant;

use crate::platform::StartError;

/// After so long without an answer somebody who starts a shop is told what it waits for.
const QUIET: Duration = Duration::from_millis(500);
/// The first wait between two attempts, and the longest.
const BETWEEN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Tries until it works, until the engine says no, or until patience is over.
///
/// # Errors
/// [`StartError::Engine`] for a no, [`StartError::Away`] when nobody has answered.
pub(crate) async fn connect<T, E, F, Fut>(
    engine: &impl Display,
    flag: &'static str,
    patience: Duration,
    mut attempt: F,
) -> Result<T, StartError>
where
    E: Retryable + std::error::Error + Send + Sync + 'static,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    let (mut wait, mut told) = (BETWEEN.0, false);
    loop {
        let left = patience.saturating_sub(begun.elapsed());
        let attempt = aloud(attempt(), engine, patience, &mut told);
        let source: BoxError = match tokio::time::timeout(left, attempt).await {
            Ok(Ok(opened)) => {
                if told {
                    tracing::info!("{engine} answers");
                }
                return Ok(opened);
            }
            Ok(Err(error)) if error.verdict() == Verdict::Retry => error.into(),
            Ok(Err(error)) => {
                let (engine, source) = (engine.to_string(), error.into());
                return Err(StartError::Engine { engine, flag, source });
            }
            Err(_) => "no answer came".into(),
        };
        if begun.elapsed() + wait >= patience {
            return Err(StartError::Away { engine: engine.to_string(), flag, patience, source });
        }
        if !told {
            told = true;
            say(engine, patience, &chain(&*source));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(BETWEEN.1);
    }
}

/// Says that somebody waits when an attempt itself takes long.
async fn aloud<T>(
    attempt: impl Future<Output = T>,
    engine: &impl Display,
    patience: Duration,
    told: &mut bool,
) -> T {
    tokio::pin!(attempt);
    tokio::select! {
        biased;
        answer = &mut attempt => return answer,
        () = tokio::time::sleep(QUIET), if !*told => {
            *told = true;
            say(engine, patience, "no answer yet");
        }
    }
    attempt.await
}

fn say(engine: &impl Display, patience: Duration, error: &str) {
    let seconds = patience.as_secs();
    tracing::warn!(error, "waiting up to {seconds} s for {engine}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0:?}")]
    struct Said(Verdict);

    impl Retryable for Said {
        fn verdict(&self) -> Verdict {
            self.0
        }
    }

    /// Answers with what each attempt comes to, and how many there were.
    async fn attempts(
        answer: impl Fn(u32) -> Result<(), Verdict>,
    ) -> (Result<(), StartError>, u32) {
        let mut count = 0;
        let outcome = connect(&"kafka://h", "--broker", Duration::from_secs(30), || {
            count += 1;
            let answer = answer(count).map_err(Said);
            async move { answer }
        })
        .await;
        (outcome, count)
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_comes_is_used() {
        let (outcome, count) =
            attempts(|count| if count < 4 { Err(Verdict::Retry) } else { Ok(()) }).await;
        assert!(outcome.is_ok() && count == 4);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_come_is_given_up_in_time_with_what_to_do() {
        let begun = Instant::now();
        let error = attempts(|_| Err(Verdict::Retry)).await.0.unwrap_err();
        assert!(begun.elapsed() <= Duration::from_secs(30));
        let text = error.to_string();
        assert!(text.contains("kafka://h") && text.contains("--broker"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_is_not_asked_again() {
        let (outcome, count) = attempts(|_| Err(Verdict::Terminal)).await;
        assert!(matches!(outcome, Err(StartError::Engine { .. })) && count == 1);
    }
}
