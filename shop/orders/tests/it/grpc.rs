//! The same contract over gRPC, and an order that is watched to its end.

use std::time::Duration;

use shop_contracts::rpc::common;
use shop_contracts::rpc::orders as wire;
use shop_contracts::rpc::orders::order_service_client::OrderServiceClient;
use shop_edge::rpc::Guard;
use shop_edge::testing::asked;
use tonic::{Code, Request, Streaming};
use wire::OrderStatus as Status;

use crate::world::{MUG, PRICE, World, quiet};

impl World {
    fn client(&self) -> OrderServiceClient<Guard> {
        OrderServiceClient::new(self.rpc())
    }

    fn anns<T>(&self, message: T) -> Request<T> {
        asked(self.auth(), &self.token("ann"), message)
    }

    fn wants(&self, key: &str, quantity: i64) -> wire::PlaceOrderRequest {
        wire::PlaceOrderRequest {
            idempotency_key: key.to_owned(),
            account_id: self.account.clone(),
            items: vec![common::Item { sku: MUG.to_owned(), quantity }],
            ship_to: Some(common::ShipTo {
                name: "Ann".to_owned(),
                address: "1 Main St".to_owned(),
                city: "Bonn".to_owned(),
                country: "DE".to_owned(),
            }),
        }
    }

    async fn placed(&self, key: &str, quantity: i64) -> (wire::Order, bool) {
        let answer = self.client().place_order(self.anns(self.wants(key, quantity))).await;
        let answer = answer.unwrap().into_inner();
        (answer.order.unwrap(), answer.replayed)
    }

    async fn got(&self, id: &str) -> wire::Order {
        let get = self.anns(wire::GetOrderRequest { id: id.to_owned() });
        self.client().get_order(get).await.unwrap().into_inner().order.unwrap()
    }

    async fn watch(&self, id: &str) -> Streaming<wire::WatchOrderResponse> {
        let watch = self.anns(wire::WatchOrderRequest { id: id.to_owned() });
        self.client().watch_order(watch).await.unwrap().into_inner()
    }
}

async fn states(mut watch: Streaming<wire::WatchOrderResponse>) -> Vec<Status> {
    let mut states = Vec::new();
    while let Some(seen) = watch.message().await.unwrap() {
        states.push(seen.order.unwrap().status());
    }
    states
}

const WAY: [Status; 5] = [
    Status::Started,
    Status::PaymentProcessing,
    Status::InventoryReserved,
    Status::ShippingProcessing,
    Status::Completed,
];

#[tokio::test(start_paused = true)]
async fn an_order_is_what_it_is_over_rest_and_its_key_means_the_same() {
    let world = World::new().await;
    let (order, replayed) = world.placed("k1", 3).await;
    assert!(!replayed && order.cancellable);
    assert_eq!(
        (order.status(), order.total.as_ref().unwrap().amount),
        (Status::Started, 3 * PRICE)
    );
    quiet().await;
    let (again, replayed) = world.placed("k1", 3).await;
    assert!(replayed);
    // A key answers what it answered, whatever has become of the order since.
    assert_eq!(again, order);
    let over_rest = world.place_with("k1", world.wanted(3)).await;
    assert_eq!((over_rest.status, over_rest.header("idempotency-replayed")), (201, "true"));
    assert_eq!(over_rest.body["id"], order.id);
    let first = world.place_with("k2", world.wanted(2)).await;
    assert_eq!(first.status, 201);
    let (second, replayed) = world.placed("k2", 2).await;
    assert!(replayed && first.body["id"] == second.id);
    let other = world.client().place_order(world.anns(world.wants("k2", 4))).await.unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument);
    let done = world.got(&order.id).await;
    assert_eq!(done.history.iter().map(|past| past.status()).collect::<Vec<_>>(), WAY);
    assert!(done.shipment_id.is_some() && !done.cancellable);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_every_state_once_and_ends_with_the_last() {
    let mut world = World::new().await;
    let id = world.place_up_to(1, "payments.charge").await;
    let mut watch = world.watch(&id).await;
    let now = watch.message().await.unwrap().unwrap().order.unwrap();
    assert_eq!((now.status(), now.history.len()), (Status::PaymentProcessing, 2));
    let silent = tokio::time::timeout(Duration::from_secs(30), watch.message()).await;
    assert!(silent.is_err(), "nothing happens to it: {silent:?}");
    // Others' orders do not concern it.
    let _other = world.placed("other", 1).await;
    world.release().await;
    assert_eq!(states(watch).await, WAY[2..]);
    assert_eq!(states(world.watch(&id).await).await, WAY[4..]);
    world.crash().await;
    assert_eq!(states(world.watch(&id).await).await, WAY[4..]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_order_is_watched_to_the_end_of_its_undoing() {
    let world = World::new().await;
    let id = world.place_up_to(1, "payments.charge").await;
    let watch = world.watch(&id).await;
    let cancel = world.anns(wire::CancelOrderRequest { id: id.clone() });
    let asked = world.client().cancel_order(cancel).await.unwrap().into_inner().order.unwrap();
    assert!(!asked.cancellable);
    world.release().await;
    assert_eq!(states(watch).await, [Status::PaymentProcessing, Status::PaymentCancelled]);
    let record = world.anns(wire::ListOrderEventsRequest { id: id.clone() });
    let events = world.client().list_order_events(record).await.unwrap().into_inner().events;
    let asked_for = wire::OrderEventType::CancellationRequested;
    assert!(events.iter().any(|event| event.r#type() == asked_for), "{events:?}");
    let too_late = world.placed("late", 1).await.0.id;
    quiet().await;
    let cancel = world.anns(wire::CancelOrderRequest { id: too_late });
    let status = world.client().cancel_order(cancel).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn strangers_see_nothing_and_batches_and_pages_are_the_callers_own() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        ids.push(world.placed(key, 1).await.0.id);
        quiet().await;
    }
    let bob = world.token("bob");
    let get = wire::GetOrderRequest { id: ids[0].clone() };
    let status = world.client().get_order(asked(world.auth(), &bob, get)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let watch = wire::WatchOrderRequest { id: ids[0].clone() };
    let status = world.client().watch_order(asked(world.auth(), &bob, watch)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let batch = || wire::BatchGetOrdersRequest {
        ids: vec![ids[2].clone(), "none".to_owned(), ids[0].clone()],
    };
    let own = world.client().batch_get_orders(world.anns(batch())).await.unwrap().into_inner();
    let own: Vec<_> = own.orders.into_iter().map(|order| order.id).collect();
    assert_eq!(own, [&*ids[2], &*ids[0]]);
    let bobs = world.client().batch_get_orders(asked(world.auth(), &bob, batch())).await.unwrap();
    assert_eq!(bobs.into_inner().orders, []);
    let page = wire::ListOrdersRequest { page_size: 2, page_token: String::new() };
    let page = world.client().list_orders(world.anns(page)).await.unwrap().into_inner();
    assert_eq!(page.orders.iter().map(|it| &*it.id).collect::<Vec<_>>(), [&*ids[2], &*ids[1]]);
    let rest = world.get(&format!("/api/v1/orders?cursor={}", page.next_page_token)).await;
    assert_eq!(rest.items().iter().map(|it| &it["id"]).collect::<Vec<_>>(), [&*ids[0]]);
}

#[tokio::test(start_paused = true)]
async fn p2_what_is_wrong_with_an_order_is_named_by_field() {
    use tonic_types::StatusExt;
    let world = World::new().await;
    let wanted = wire::PlaceOrderRequest {
        idempotency_key: "k".to_owned(),
        items: vec![common::Item { sku: MUG.to_owned(), quantity: 0 }],
        ..Default::default()
    };
    let status = world.client().place_order(world.anns(wanted.clone())).await.unwrap_err();
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let named: Vec<_> = violations.iter().map(|it| (&*it.field, &*it.reason)).collect();
    assert_eq!(
        named,
        [("account_id", "LENGTH"), ("items[0].quantity", "OUT_OF_RANGE"), ("ship_to", "REQUIRED")]
    );
    let without = wire::PlaceOrderRequest { idempotency_key: String::new(), ..wanted };
    let status = world.client().place_order(world.anns(without)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("idempotency_key"), "{status:?}");
}
