//! What is around each call.

use std::time::Duration;

use shop_contracts::rpc::orders as wire;
use shop_edge::rpc::MESSAGE_LIMIT;
use shop_edge::rpc::deadline::{LONGEST_CALL, LONGEST_STREAM};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::service::{client, keyed, order, watch};
use crate::deps;

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().expect("every status has its word").reason.clone()
}

#[tokio::test]
async fn p2_every_status_has_its_word_whoever_made_it() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let refused = client.get_order(order(&deps, "refuse")).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::FailedPrecondition, "CONFLICT"));
    let bare = client.place_order(keyed(&deps, wire::PlaceOrderRequest::default())).await;
    let bare = bare.unwrap_err();
    assert_eq!(
        (bare.code(), bare.message(), &*reason(&bare)),
        (Code::AlreadyExists, "bare", "CONFLICT")
    );
    let long = client.get_order(order(&deps, &"x".repeat(MESSAGE_LIMIT + 1))).await.unwrap_err();
    assert_eq!((long.code(), &*reason(&long)), (Code::OutOfRange, "TOO_LARGE"));
    let mut stream = client.watch_order(watch(&deps, "refuse")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let gone = stream.message().await.unwrap_err();
    assert_eq!((gone.code(), &*reason(&gone)), (Code::NotFound, "NOT_FOUND"));
    assert!(gone.get_error_details().request_info().is_some());
}

#[tokio::test]
async fn a_service_is_called_with_its_key_and_nobody_gets_in_without() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, seen) = client(&deps, &end);
    let mut without = order(&deps, "a");
    without.metadata_mut().remove("x-service-key");
    let mut wrong = order(&deps, "a");
    wrong.metadata_mut().insert("x-service-key", "guessed".parse().unwrap());
    for request in [without, wrong] {
        let status = client.get_order(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    }
    assert_eq!(seen.calls(), 0);
    assert!(client.get_order(order(&deps, "a")).await.is_ok());
    assert_ne!(deps.auth.service_key(), crate::deps().auth.service_key());
}

#[tokio::test]
async fn who_calls_is_read_from_the_metadata_as_from_a_header() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let nobody = client.get_order(order(&deps, "who")).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let token = deps.auth.sign("ann", Duration::from_secs(60)).unwrap();
    let mut by_ann = order(&deps, "who");
    by_ann.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let answer = client.get_order(by_ann).await.unwrap().into_inner();
    assert_eq!(answer.order.unwrap().id, "ann");
}

#[tokio::test]
async fn a_request_has_the_id_that_it_came_with_and_units_carry_it() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let id = "018f2a60-0000-7000-8000-000000000001";
    let mut request = order(&deps, "context");
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    let answer = client.get_order(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), id);
    assert_eq!(answer.into_inner().order.unwrap().id, id);
}

#[tokio::test(start_paused = true)]
async fn p3_a_call_that_takes_too_long_is_deadline_exceeded_and_not_cancelled() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let mut request = order(&deps, "wait");
    request.set_timeout(Duration::from_millis(250));
    let begun = Instant::now();
    let status = client.get_order(request).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::DeadlineExceeded, "TIMEOUT"));
    assert!((250..=252).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    let begun = Instant::now();
    let status = client.get_order(order(&deps, "wait")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(begun.elapsed().as_secs(), LONGEST_CALL.as_secs());
}

#[tokio::test(start_paused = true)]
async fn p3_a_deadline_ends_a_stream_as_what_it_is() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let mut request = watch(&deps, "wait");
    request.set_timeout(Duration::from_secs(7));
    let begun = Instant::now();
    let mut stream = client.watch_order(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.unwrap_err();
    assert_eq!((status.code(), begun.elapsed().as_secs()), (Code::DeadlineExceeded, 7));
    let mut stream = client.watch_order(watch(&deps, "wait")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let begun = Instant::now();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(begun.elapsed().as_secs(), LONGEST_STREAM.as_secs());
}

#[tokio::test(start_paused = true)]
async fn p3_what_is_late_on_arrival_reaches_no_handler_and_handlers_know_what_is_left() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, seen) = client(&deps, &end);
    let mut late = order(&deps, "a");
    late.metadata_mut().insert("grpc-timeout", "0m".parse().unwrap());
    let status = client.get_order(late).await.unwrap_err();
    assert_eq!((status.code(), seen.calls()), (Code::DeadlineExceeded, 0));
    let mut odd = order(&deps, "a");
    odd.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let status = client.get_order(odd).await.unwrap_err();
    assert_eq!((status.code(), seen.calls()), (Code::InvalidArgument, 0));
    let mut request = order(&deps, "left");
    request.set_timeout(Duration::from_secs(3));
    let answer = client.get_order(request).await.unwrap().into_inner();
    assert_eq!(answer.order.unwrap().id, "3000");
}

#[tokio::test]
async fn a_panic_is_internal_and_shows_nothing() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let status = client.get_order(order(&deps, "panic")).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Internal, "INTERNAL"));
    assert!(!status.message().contains("as asked"));
    let mut stream = client.watch_order(watch(&deps, "panic")).await.unwrap().into_inner();
    // What was made before and not sent yet goes with it.
    let ended = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a panic is no good end"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Internal);
    assert!(client.get_order(order(&deps, "a")).await.is_ok());
}

#[tokio::test]
async fn e13_a_stream_ends_as_unavailable_when_the_process_does() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let mut stream = client.watch_order(watch(&deps, "wait")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    end.cancel();
    let status = stream.message().await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unavailable, "UNAVAILABLE"));
    assert!(status.get_error_details().retry_info().is_some());
}

#[tokio::test]
async fn a_stream_that_ends_by_itself_ends_well() {
    let (deps, end) = (deps(), CancellationToken::new());
    let (mut client, _) = client(&deps, &end);
    let mut stream = client.watch_order(watch(&deps, "end")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert!(stream.message().await.unwrap().is_none());
}
