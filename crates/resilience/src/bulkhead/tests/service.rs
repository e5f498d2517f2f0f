//! Services behind bulkheads: what a call holds, for how long, and what an idle connection does not.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use switchboard_core::Priority;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::bulkhead;
use crate::bulkhead::{BulkheadLayer, Pools};
use crate::probe::{Probe, taking};
use crate::trial::{dropped_at_every_poll, poll_once};
use crate::{Call, Reason, Rejected};

#[tokio::test(start_paused = true)]
async fn d3_calls_run_in_their_places_and_wait_for_them() {
    let probe = Probe::default();
    let running = probe.running.clone();
    let service = BulkheadLayer::new(bulkhead(2, 10)).layer(probe);
    let calls: Vec<_> =
        (0..6).map(|_| tokio::spawn(service.clone().oneshot(taking(100)))).collect();
    let begun = Instant::now();
    for call in calls {
        assert!(call.await.unwrap().unwrap() <= 2);
    }
    assert!((300..=303).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert_eq!(running.load(Ordering::SeqCst), 0);
}

/// D3: a response that streams holds its place to the end of its body.
#[tokio::test(start_paused = true)]
async fn d3_a_body_holds_its_place_until_it_ends() {
    let bulkhead = bulkhead(1, 0);
    let inner = service_fn(|request: http::Request<&'static str>| async move {
        Ok::<_, Rejected>(http::Response::new(Full::new(Bytes::from(request.into_body()))))
    });
    let mut service = BulkheadLayer::new(bulkhead.clone()).until_body_ends().layer(inner);
    let mut answer = async |body| service.ready().await?.call(http::Request::new(body)).await;

    let response = answer("all of it").await.unwrap();
    assert_eq!(bulkhead.free(), 0);
    assert_eq!(answer("more").await.unwrap_err().reason, Reason::BulkheadFull);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "all of it");
    assert_eq!(bulkhead.free(), 1);

    let mut response = answer("read but kept").await.unwrap();
    response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(bulkhead.free(), 1, "the last frame is the end, whoever keeps the body");

    drop(answer("dropped unread").await.unwrap());
    assert_eq!(bulkhead.free(), 1);
    let _empty = answer("").await.unwrap();
    assert_eq!(bulkhead.free(), 1, "an empty body has ended before it begins");
}

#[tokio::test(start_paused = true)]
async fn trap_07_a_call_that_is_dropped_at_any_moment_leaves_nothing_behind() {
    let bulkhead = bulkhead(1, 1);
    let service = BulkheadLayer::new(bulkhead.clone()).layer(Probe::default());
    let is_empty = || assert_eq!((bulkhead.free(), bulkhead.waiting()), (1, 0));
    dropped_at_every_poll(Duration::from_millis(1), || {
        // Somebody else has the place for a while, so that the call waits, runs and ends.
        let place = bulkhead.try_acquire().unwrap();
        let mut service = service.clone();
        let call = async move {
            let busy = async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                drop(place);
            };
            let call = async { service.ready().await?.call(taking(10)).await };
            tokio::join!(busy, call).1
        };
        (call, is_empty)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trap_12_the_service_that_was_made_ready_is_the_one_that_is_called() {
    let mut service = BulkheadLayer::new(bulkhead(1, 3)).layer(Probe::default());
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(service.ready().await.unwrap().call(taking(10)));
    }
    for call in calls.into_iter().rev().map(tokio::spawn).collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
}

/// D4: a server asks for readiness once for each connection, before there is a request.
#[tokio::test(start_paused = true)]
async fn trap_17_a_thousand_idle_connections_hold_no_place() {
    let service = BulkheadLayer::new(bulkhead(1, 0)).layer(Probe::default());
    let mut idle: Vec<_> = (0..1_000).map(|_| service.clone()).collect();
    for connection in &mut idle {
        connection.ready().await.unwrap();
    }
    assert!(idle[500].call(taking(1)).await.is_ok());
}

/// D5: a task that has used up its turn on the scheduler sees everything pending, and must not
/// take that for "busy".
#[tokio::test(start_paused = true)]
async fn trap_17_a_task_without_budget_is_not_rejected() {
    let bulkhead = bulkhead(1, 0);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(Probe::default());
    service.ready().await.unwrap();
    let mut call = None;
    poll_fn(|cx| {
        while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
        assert!(bulkhead.try_acquire().is_ok());
        let mut begun = Box::pin(service.call(taking(0)));
        assert!(begun.as_mut().poll(cx).is_pending(), "rejected for want of budget");
        call = Some(begun);
        Poll::Ready(())
    })
    .await;
    assert!(call.unwrap().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_expired_when_it_came_never_reaches_the_service() {
    let probe = Probe::default();
    let begun = probe.begun.clone();
    let service = BulkheadLayer::new(bulkhead(1, 1)).layer(probe);
    let call = Call::new().with_deadline(Instant::now());
    let error = service.oneshot((call, Duration::ZERO)).await.unwrap_err();
    assert_eq!(error.reason, Reason::DeadlineExceeded);
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

/// With batch full, and its queue full, critical calls wait for nothing.
#[tokio::test(start_paused = true)]
async fn mission_19_full_batch_does_not_move_critical() {
    let pools = Pools::recommended("mission");
    let service = BulkheadLayer::pools(pools.clone()).layer(Probe::default());
    let call = |priority: Priority, millis: u64| {
        let (call, takes) = taking(millis);
        service.clone().oneshot((call.with_priority(priority), takes))
    };
    let batch: Vec<_> = (0..20).map(|_| tokio::spawn(call(Priority::Batch, 60_000))).collect();
    tokio::task::yield_now().await;
    let [_, _, full] = pools.bulkheads();
    assert_eq!((full.free(), full.waiting()), (0, 10));
    assert_eq!(call(Priority::Batch, 1).await.unwrap_err().reason, Reason::BulkheadFull);

    let mut took = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        let critical: Vec<_> =
            (0..20).map(|_| tokio::spawn(call(Priority::Critical, 20))).collect();
        for call in critical {
            call.await.unwrap().unwrap();
        }
        took.push(begun.elapsed());
    }
    assert!(took.iter().all(|took| (20..=21).contains(&took.as_millis())), "{took:?}");
    batch.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_route_can_choose_the_pool() {
    let pools = Pools::recommended("routes");
    let choose = pools.clone().by_route(|(_, takes): &(Call, Duration)| {
        if takes.as_millis() > 10 { Priority::Batch } else { Priority::Critical }
    });
    let mut service = BulkheadLayer::choosing(choose).layer(Probe::default());
    let mut long = Box::pin(service.ready().await.unwrap().call(taking(50)));
    assert!(poll_once(long.as_mut()).is_pending());
    assert_eq!(pools.of(Priority::Batch).taken(), 1);
    assert_eq!(pools.of(Priority::Critical).taken(), 0);
    assert_eq!(
        [Priority::Critical, Priority::Standard, Priority::Batch].map(|p| pools.of(p).places()),
        [20, 30, 10]
    );
}
