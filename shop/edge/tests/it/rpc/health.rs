//! Health and reflection: for everybody, as their protocols have them, and off when they shall be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream;
use shop_edge::Health;
use shop_edge::rpc::Guard;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};

use super::service::{Seen, rpc};
use crate::deps;

const ORDERS: &str = "shop.orders.v1.OrderService";

struct Service {
    guard: Guard,
    holds: Arc<AtomicBool>,
    /// How often it was asked.
    looks: Arc<AtomicUsize>,
    end: CancellationToken,
}

impl Service {
    fn open() -> Self {
        let (holds, end) = (Arc::new(AtomicBool::new(true)), CancellationToken::new());
        let (asked, looks) = (holds.clone(), Arc::<AtomicUsize>::default());
        let counted = looks.clone();
        let health = Health::new().check("products", move || {
            counted.fetch_add(1, Ordering::SeqCst);
            asked.load(Ordering::SeqCst)
        });
        let guard = rpc(&deps(), &Seen::default()).open(health, end.clone()).unwrap();
        Self { guard, holds, looks, end }
    }

    async fn check(&self, service: &str) -> Result<ServingStatus, Code> {
        let answer = HealthClient::new(self.guard.clone()).check(asked(service)).await;
        answer.map(|answer| answer.get_ref().status()).map_err(|status| status.code())
    }

    async fn watch(&self, service: &str) -> Streaming<HealthCheckResponse> {
        HealthClient::new(self.guard.clone()).watch(asked(service)).await.unwrap().into_inner()
    }
}

fn asked(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    watch.message().await.unwrap().map(|said| said.status())
}

#[tokio::test]
async fn p4_a_check_says_what_readyz_says_and_an_unknown_service_is_not_found() {
    let service = Service::open();
    assert_eq!(service.check("").await, Ok(ServingStatus::Serving));
    assert_eq!(service.check(ORDERS).await, Ok(ServingStatus::Serving));
    assert_eq!(service.check("nobody").await, Err(Code::NotFound));
    service.holds.store(false, Ordering::SeqCst);
    assert_eq!(service.check(ORDERS).await, Ok(ServingStatus::NotServing));
    service.holds.store(true, Ordering::SeqCst);
    service.end.cancel();
    assert_eq!(service.check("").await, Ok(ServingStatus::NotServing));
}

#[tokio::test(start_paused = true)]
async fn p4_a_watch_tells_changes_and_says_that_the_end_begins_before_it_ends() {
    let service = Service::open();
    let mut watch = service.watch(ORDERS).await;
    assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
    service.holds.store(false, Ordering::SeqCst);
    assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
    service.holds.store(true, Ordering::SeqCst);
    assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
    let begun = Instant::now();
    service.end.cancel();
    assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
    assert_eq!(next(&mut watch).await, None);
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn p4_a_watch_of_an_unknown_service_says_so_and_stays() {
    let service = Service::open();
    let mut watch = service.watch("nobody").await;
    assert_eq!(next(&mut watch).await, Some(ServingStatus::ServiceUnknown));
    let later = tokio::time::timeout(Duration::from_secs(600), watch.message()).await;
    assert!(later.is_err(), "it stays silent, and stays: {later:?}");
}

/// Strangers may watch: a hundred of them cost a service what one does.
#[tokio::test(start_paused = true)]
async fn p4_all_watches_of_a_service_share_one_look() {
    let service = Service::open();
    let mut watches = Vec::new();
    for _ in 0..100 {
        let mut watch = service.watch(ORDERS).await;
        assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
        watches.push(watch);
    }
    assert_eq!(service.looks.load(Ordering::SeqCst), 1);
    let nothing_new =
        futures_util::future::select_all(watches.iter_mut().map(|watch| Box::pin(watch.message())));
    assert!(tokio::time::timeout(Duration::from_millis(10_500), nothing_new).await.is_err());
    assert_eq!(service.looks.load(Ordering::SeqCst), 11);
}

#[tokio::test(start_paused = true)]
async fn p4_a_name_that_nobody_has_costs_no_look_and_a_long_one_is_not_read() {
    let service = Service::open();
    let mut watch = service.watch("nobody").await;
    assert_eq!(next(&mut watch).await, Some(ServingStatus::ServiceUnknown));
    let later = tokio::time::timeout(Duration::from_secs(600), watch.message()).await;
    assert!(later.is_err() && service.looks.load(Ordering::SeqCst) == 0);
    service.end.cancel();
    assert_eq!(next(&mut watch).await, None);
    assert_eq!(service.check(&"x".repeat(2_000)).await, Err(Code::OutOfRange));
}

#[tokio::test]
async fn p4_watches_are_bounded_and_end_with_their_callers() {
    let service = Service::open();
    let mut watches = Vec::new();
    for _ in 0..1_024 {
        watches.push(service.watch("nobody").await);
    }
    let mut client = HealthClient::new(service.guard.clone());
    let refused = client.watch(asked(ORDERS)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    watches.pop();
    assert_eq!(next(&mut service.watch(ORDERS).await).await, Some(ServingStatus::Serving));
}

async fn described(guard: Guard) -> Result<Vec<String>, Code> {
    let ask = |ask| ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let asked = stream::iter([ask(MessageRequest::ListServices(String::new()))]);
    let mut client = ServerReflectionClient::new(guard);
    let answers = client.server_reflection_info(asked).await.map_err(|status| status.code())?;
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    match answer.message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            Ok(list.service.into_iter().map(|ServiceResponse { name }| name).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn p4_reflection_names_what_is_served_here_and_needs_no_key() {
    let mut names = described(Service::open().guard).await.unwrap();
    names.sort();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            ORDERS,
        ]
    );
}

#[tokio::test]
async fn p4_both_can_be_switched_off() {
    let rpc = rpc(&deps(), &Seen::default()).without_reflection().without_health();
    let guard = rpc.open(Health::new(), CancellationToken::new()).unwrap();
    assert_eq!(described(guard.clone()).await, Err(Code::Unimplemented));
    let service = Service { guard, ..Service::open() };
    assert_eq!(service.check("").await, Err(Code::Unimplemented));
}
