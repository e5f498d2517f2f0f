//! The service from outside: as the order saga meets it, and over REST.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stands")]

mod grpc;

use axum::Router;
use shop_contracts::inventory::Item;
use shop_contracts::shipping::{Ship, ShipTo, Shipped};
use shop_edge::testing::{Answer, Bench, Call, until_ready};
use shop_shipping::edge::rest;
use shop_shipping::{App, NAME, TABLES, participant, run, topics};
use switchboard_saga::{Outcome, Reply};
use switchboard_testkit::participant::{Asker, Question};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The service in memory.
struct Shop {
    bench: Bench,
    app: App,
    routes: Router,
}

impl Shop {
    fn open() -> Self {
        let bench = Bench::new(NAME, TABLES);
        let app = App::new(&bench.deps);
        let routes = rest::routes(app.clone(), &bench.deps);
        Self { bench, app, routes }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        Call::get(path).of(token).send(&self.routes).await
    }

    async fn asker(&self) -> Asker {
        self.bench.declare(topics()).await;
        let (deps, group) = (&self.bench.deps, participant::saga(&self.app, &self.bench.deps));
        Asker::new(deps.store.clone(), &self.bench.broker, deps.clock.clone(), group)
    }
}

fn ship(order_id: &str, user_id: &str, country: &str) -> Ship {
    Ship {
        order_id: order_id.to_owned(),
        user_id: user_id.to_owned(),
        ship_to: ShipTo {
            name: "Ann".to_owned(),
            address: "1 Quay".to_owned(),
            city: "Bergen".to_owned(),
            country: country.to_owned(),
        },
        items: vec![Item { sku: "mug".to_owned(), quantity: 2 }],
    }
}

fn shipped(reply: &Reply) -> Shipped {
    assert_eq!(reply.outcome, Outcome::Done, "{:?}", reply.reason);
    serde_json::from_value(reply.data.clone()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_command_repeated_sends_one_parcel_and_gets_the_same_answer() {
    let shop = Shop::open();
    let mut saga = shop.asker().await;
    let first = saga.ask(Question::perform("o1", "ship"), &ship("o1", "ann", "NO")).await;
    let again = saga.ask(Question::perform("o1", "ship"), &ship("o1", "ann", "NO")).await;
    assert_eq!(shipped(&first), shipped(&again));
    // Even a question that was never asked before finds the parcel that the order has.
    let anew = Question { epoch: 2, ..Question::perform("o1", "ship again") };
    let anew = saga.ask(anew, &ship("o1", "ann", "NO")).await;
    assert_eq!(shipped(&first), shipped(&anew));
    let all = shop.get("/api/v1/shipments?order_id=o1", &shop.bench.token("ann")).await;
    assert_eq!(all.items().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_to_antarctica() {
    let shop = Shop::open();
    let mut saga = shop.asker().await;
    for _ in 0..2 {
        let no = saga.ask(Question::perform("o1", "ship"), &ship("o1", "ann", "AQ")).await;
        assert_eq!(no.outcome, Outcome::Rejected);
        assert_eq!(no.reason.as_deref(), Some("country_not_served"));
    }
    let all = shop.get("/api/v1/shipments", &shop.bench.operator()).await;
    assert!(all.items().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_parcel_can_be_tracked_by_whoever_ordered_it() {
    let shop = Shop::open();
    let mut saga = shop.asker().await;
    let parcel =
        shipped(&saga.ask(Question::perform("o1", "ship"), &ship("o1", "ann", "NO")).await);
    saga.ask(Question::perform("o2", "ship"), &ship("o2", "bob", "US")).await;
    let (ann, bob) = (shop.bench.token("ann"), shop.bench.token("bob"));

    let path = format!("/api/v1/shipments/{}", parcel.shipment_id);
    let found = shop.get(&path, &ann).await;
    assert_eq!(found.status, 200);
    assert_eq!(found.body["id"], parcel.shipment_id);
    assert_eq!(found.body["order_id"], "o1");
    assert_eq!(found.body["status"], "shipped");
    assert_eq!(found.body["tracking_number"], parcel.tracking_number);
    assert_eq!(found.body["ship_to"]["country"], "NO");
    assert_eq!(found.body["items"][0]["quantity"], 2);
    assert_eq!(found.body["created_at"], "2026-01-01T00:00:00Z");
    assert_eq!(found.body["_links"]["order"]["href"], "/api/v1/orders/o1");

    assert_eq!(shop.get(&path, &bob).await.status, 404);
    assert_eq!(shop.get("/api/v1/shipments/none", &ann).await.status, 404);
    assert_eq!(Call::get(&*path).send(&shop.routes).await.status, 401);
    assert_eq!(shop.get(&path, &shop.bench.operator()).await.status, 200);
    assert_eq!(shop.get("/api/v1/shipments", &ann).await.items(), [found.body]);
    assert_eq!(shop.get("/api/v1/shipments?order_id=o2", &ann).await.items().len(), 0);
    assert_eq!(shop.get("/api/v1/shipments", &shop.bench.operator()).await.items().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn e8_shipments_are_paged_and_a_cursor_belongs_to_its_filter() {
    let shop = Shop::open();
    let mut saga = shop.asker().await;
    for order in ["o1", "o2", "o3"] {
        saga.ask(Question::perform(order, "ship"), &ship(order, "ann", "NO")).await;
    }
    let ann = shop.bench.token("ann");
    let first = shop.get("/api/v1/shipments?limit=2", &ann).await;
    let next = first.body["next"].as_str().unwrap();
    let second = shop.get(&format!("/api/v1/shipments?limit=2&cursor={next}"), &ann).await;
    assert_eq!((first.items().len(), second.items().len()), (2, 1));
    assert!(second.body.get("next").is_none());
    let stolen = format!("/api/v1/shipments?cursor={next}");
    assert_eq!(shop.get(&stolen, &shop.bench.token("bob")).await.status, 400);
}

/// The whole service, as a process runs it: ready, and ending when it is told to.
#[tokio::test]
async fn it_runs_until_shutdown() {
    let bench = Bench::new(NAME, TABLES);
    bench.declare(topics()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(run(listener, bench.deps.clone(), shutdown.clone()));
    until_ready(address).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
