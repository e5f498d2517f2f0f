//! Parts live and end together.

use std::io;

use shop_edge::Parts;
use switchboard_core::chain;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn when_one_fails_the_others_drain_and_the_first_failure_is_named() {
    let end = CancellationToken::new();
    let drained = CancellationToken::new();
    let (ending, has_drained) = (end.clone(), drained.clone());
    let waits = async move {
        ending.cancelled().await;
        has_drained.cancel();
        Err(io::Error::other("later"))
    };
    let parts = Parts::new()
        .with("the relay", waits)
        .with("the edge", async { Err(io::Error::other("the port is gone")) });
    let error = parts.run(end).await.unwrap_err();
    assert_eq!(chain(&*error), "the edge failed: the port is gone");
    assert!(drained.is_cancelled());
}

#[tokio::test]
async fn a_panic_ends_the_service_like_any_failure() {
    let end = CancellationToken::new();
    let ending = end.clone();
    let waits = async move {
        ending.cancelled().await;
        Ok::<_, io::Error>(())
    };
    let panics = async { panic!("a mistake") };
    let parts = Parts::new().with("the relay", waits).with::<_, io::Error>("the edge", panics);
    assert!(parts.run(end).await.is_err());
}

#[tokio::test]
async fn all_that_end_well_end_well() {
    let well = async { Ok::<_, io::Error>(()) };
    Parts::new()
        .with("one", well)
        .with("two", async { Ok::<_, io::Error>(()) })
        .run(CancellationToken::new())
        .await
        .unwrap();
}
