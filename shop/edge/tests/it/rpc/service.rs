//! A service that does what its callers ask it to: answer, wait for ever, panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, BoxStream, StreamExt};
use shop_contracts::rpc::DESCRIPTORS;
use shop_contracts::rpc::orders as wire;
use shop_contracts::rpc::orders::order_service_client::OrderServiceClient;
use shop_contracts::rpc::orders::order_service_server::{OrderService, OrderServiceServer};
use shop_edge::rpc::{Answer, Guard, MESSAGE_LIMIT, SERVICE_KEY, answer, opened};
use shop_edge::{Deps, Health, Problem, Rpc};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

/// What the handlers have seen.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<AtomicUsize>);

struct Obedient(Seen);

impl Seen {
    pub(super) fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

pub(super) fn rpc(deps: &Deps, seen: &Seen) -> Rpc {
    let server =
        OrderServiceServer::new(Obedient(seen.clone())).max_decoding_message_size(MESSAGE_LIMIT);
    Rpc::of(deps, DESCRIPTORS).with(server)
}

pub(super) fn client(deps: &Deps, end: &CancellationToken) -> (OrderServiceClient<Guard>, Seen) {
    let seen = Seen::default();
    let guard = rpc(deps, &seen).open(Health::new(), end.clone()).unwrap();
    (OrderServiceClient::new(guard), seen)
}

/// The order that makes the service do something, with the key of a service.
pub(super) fn order(deps: &Deps, id: &str) -> Request<wire::GetOrderRequest> {
    keyed(deps, wire::GetOrderRequest { id: id.to_owned() })
}

pub(super) fn watch(deps: &Deps, id: &str) -> Request<wire::WatchOrderRequest> {
    keyed(deps, wire::WatchOrderRequest { id: id.to_owned() })
}

pub(super) fn keyed<T>(deps: &Deps, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(SERVICE_KEY, deps.auth.service_key().parse().unwrap());
    request
}

#[tonic::async_trait]
impl OrderService for Obedient {
    type WatchOrderStream = BoxStream<'static, Result<wire::WatchOrderResponse, Status>>;

    async fn get_order(
        &self,
        request: Request<wire::GetOrderRequest>,
    ) -> Answer<wire::GetOrderResponse> {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        let (called, asked) = opened(request)?;
        let found = match &*asked.id {
            "wait" => std::future::pending().await,
            "panic" => panic!("as asked"),
            "refuse" => Err(Problem::conflict("Refused: as asked.")),
            "who" => Ok(called.principal()?.user_id),
            "left" => Ok(called.deadline().remaining().as_millis().to_string()),
            "context" => Ok(called.context().correlation.to_string()),
            id => Ok(id.to_owned()),
        };
        let order = |id| Some(wire::Order { id, ..Default::default() });
        answer(found.map(|id| wire::GetOrderResponse { order: order(id) }))
    }

    async fn watch_order(
        &self,
        request: Request<wire::WatchOrderRequest>,
    ) -> Answer<Self::WatchOrderStream> {
        let (_, asked) = opened(request)?;
        let first = stream::iter([Ok(wire::WatchOrderResponse::default())]);
        let rest = match &*asked.id {
            "end" => stream::empty().boxed(),
            "panic" => stream::poll_fn(|_| panic!("as asked")).boxed(),
            "refuse" => stream::iter([Err(Problem::not_found().into())]).boxed(),
            _ => stream::pending().boxed(),
        };
        Ok(tonic::Response::new(first.chain(rest).boxed()))
    }

    async fn place_order(
        &self,
        _: Request<wire::PlaceOrderRequest>,
    ) -> Answer<wire::PlaceOrderResponse> {
        // As a library would answer, without a problem behind it.
        Err(Status::already_exists("bare"))
    }

    async fn list_orders(
        &self,
        _: Request<wire::ListOrdersRequest>,
    ) -> Answer<wire::ListOrdersResponse> {
        answer(Ok(wire::ListOrdersResponse::default()))
    }

    async fn cancel_order(
        &self,
        _: Request<wire::CancelOrderRequest>,
    ) -> Answer<wire::CancelOrderResponse> {
        answer(Ok(wire::CancelOrderResponse::default()))
    }

    async fn batch_get_orders(
        &self,
        _: Request<wire::BatchGetOrdersRequest>,
    ) -> Answer<wire::BatchGetOrdersResponse> {
        answer(Ok(wire::BatchGetOrdersResponse::default()))
    }

    async fn list_order_events(
        &self,
        _: Request<wire::ListOrderEventsRequest>,
    ) -> Answer<wire::ListOrderEventsResponse> {
        answer(Ok(wire::ListOrderEventsResponse::default()))
    }
}
