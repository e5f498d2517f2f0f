//! From a client's layer to a server's: what arrives is what remained.

use std::time::Duration;

use http::Request;
use switchboard_core::Priority;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{ClientLayer, ServerLayer};
use crate::shed::Level;
use crate::{Call, Carries, Reason, Rejected};

/// What the server sees of a call that its client sends.
async fn check(server: ServerLayer, call: Call) -> Result<Call, Rejected> {
    let there = service_fn(|request: Request<()>| async move { Ok::<_, Rejected>(request.call()) });
    // What is in the extensions does not cross a wire.
    let wire = server.layer(there).map_request(|mut request: Request<()>| {
        request.extensions_mut().clear();
        request
    });
    let mut request = Request::post("http://stock/").body(()).unwrap();
    request.set_call(call);
    ClientLayer::new().layer(wire).oneshot(request).await
}

fn in_seconds(seconds: u64) -> Call {
    Call::new().with_deadline(Instant::now() + Duration::from_secs(seconds))
}

#[tokio::test(start_paused = true)]
async fn d1_the_deadline_shrinks_by_the_margin_from_hop_to_hop() {
    let call = Call { attempt: 1, ..in_seconds(2).with_priority(Priority::Critical) };
    let there = check(ServerLayer::internal(), call).await.unwrap();
    assert_eq!(there.remaining(Instant::now()), Some(Duration::from_millis(1_990)));
    assert_eq!((there.attempt, there.priority), (1, Priority::Critical));
    let further = check(ServerLayer::internal(), there).await.unwrap();
    assert_eq!(further.remaining(Instant::now()), Some(Duration::from_millis(1_980)));
}

#[tokio::test(start_paused = true)]
async fn d1_what_cannot_be_answered_in_time_is_not_sent() {
    let call = Call::new().with_deadline(Instant::now() + Duration::from_millis(10));
    let rejected = check(ServerLayer::internal(), call).await.unwrap_err();
    assert_eq!(rejected.reason, Reason::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn d1_a_server_has_a_limit_of_its_own() {
    let server = ServerLayer::internal().with_limit(Duration::from_secs(5));
    for (call, seconds) in [(Call::new(), 5_000), (in_seconds(60), 5_000), (in_seconds(2), 1_990)] {
        let there = check(server, call).await.unwrap();
        assert_eq!(there.remaining(Instant::now()), Some(Duration::from_millis(seconds)));
    }
}

#[tokio::test(start_paused = true)]
async fn d8_strangers_do_not_choose_their_priority() {
    for priority in [Priority::Critical, Priority::Batch] {
        let call = Call::new().with_priority(priority);
        let there = check(ServerLayer::public(), call).await.unwrap();
        assert_eq!(there.priority, Priority::Standard);
        let there = check(ServerLayer::internal(), call).await.unwrap();
        assert_eq!(there.priority, priority);
    }
}

/// Neither a layer further in nor the next process sees what a stranger wrote.
#[tokio::test(start_paused = true)]
async fn d8_strangers_do_not_choose_their_level_within_a_priority() {
    let there = service_fn(|request: Request<()>| async move {
        let level = Level::read_from(request.headers());
        Ok::<_, Rejected>((level, request.headers().contains_key("x-priority")))
    });
    let sent = |server: ServerLayer| {
        let request = Request::get("/").header("x-priority-level", "99");
        let request = request.header("x-priority", "critical").body(()).unwrap();
        server.layer(there).oneshot(request)
    };
    assert_eq!(sent(ServerLayer::public()).await.unwrap(), (None, false));
    assert_eq!(sent(ServerLayer::internal()).await.unwrap(), (Some(Level::new(99)), true));
}

#[tokio::test(start_paused = true)]
async fn a_header_that_cannot_be_read_counts_as_absent() {
    let there = service_fn(|request: Request<()>| async move { Ok::<_, Rejected>(request.call()) });
    let request = Request::get("/")
        .header("grpc-timeout", "soon")
        .header("x-retry-attempt", "2")
        .body(())
        .unwrap();
    let mut server = ServerLayer::internal().layer(there);
    let call = server.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!((call.deadline, call.attempt, call.is_repeatable), (None, 2, true));
}
