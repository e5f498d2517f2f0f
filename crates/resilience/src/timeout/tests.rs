//! A call in time passes, one too late is dropped and named.

use std::time::Duration;

use switchboard_core::BoxError;
use tower::{Service, ServiceExt, service_fn};

use super::{Elapsed, Timeout};

async fn check(takes: Duration) -> Result<Duration, BoxError> {
    let inner = service_fn(|takes: Duration| async move {
        tokio::time::sleep(takes).await;
        Ok::<_, BoxError>(takes)
    });
    let mut service = Timeout::new(inner, Duration::from_secs(2));
    service.ready().await?.call(takes).await
}

#[tokio::test(start_paused = true)]
async fn a_call_in_time_passes() {
    assert_eq!(check(Duration::from_secs(1)).await.unwrap(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_dropped_at_its_limit() {
    let begun = tokio::time::Instant::now();
    let error = check(Duration::from_secs(60)).await.unwrap_err();
    assert!(error.is::<Elapsed>());
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
}
