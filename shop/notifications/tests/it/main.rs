//! The service from outside: events go in at the bus, people look at the edge.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stands")]

mod courier;
mod edge;
mod groups;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use shop_contracts::Money;
use shop_contracts::orders::{self, OrderPlaced, OrderStatus, OrderStatusChanged};
use shop_contracts::users::{self, UserCreated};
use shop_edge::testing::{Answer, Bench, Call, until_ready};
use shop_notifications::edge::rest;
use shop_notifications::mail::Courier;
use shop_notifications::{App, NAME, TABLES, parts, run, topics};
use switchboard_core::{BoxError, Envelope, Message, Rng};
use switchboard_message::{Broker, Topic};
use switchboard_relay::Relay;
use switchboard_store::NewMessage;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The service in memory.
struct Shop {
    bench: Bench,
    app: App,
    routes: Router,
    rng: Rng,
}

/// The service while its groups run; they end with this.
struct Running {
    shutdown: CancellationToken,
    all: JoinHandle<Result<(), BoxError>>,
}

impl Shop {
    /// With its topics and those that it reads.
    async fn open() -> Self {
        let shop = Self::without_topics();
        let read = [Topic::new(users::EVENTS), Topic::new(orders::EVENTS)];
        shop.bench.declare(topics().into_iter().chain(read)).await;
        shop
    }

    /// With its topics, and letters leave the shop with this courier.
    async fn with_courier(courier: Arc<dyn Courier>) -> Self {
        let mut shop = Self::open().await;
        let process = std::mem::take(&mut shop.bench.deps.process);
        shop.bench.deps.process = process.with_extra(courier);
        shop.app = App::new(&shop.bench.deps);
        shop.routes = rest::routes(shop.app.clone(), &shop.bench.deps);
        shop
    }

    fn without_topics() -> Self {
        let bench = Bench::new(NAME, TABLES);
        let app = App::new(&bench.deps);
        let routes = rest::routes(app.clone(), &bench.deps);
        Self { bench, app, routes, rng: Rng::from_seed(4) }
    }

    fn run(&self) -> Running {
        let deps = self.bench.deps.clone();
        let shutdown = CancellationToken::new();
        let relay = Relay::new(deps.store.clone(), deps.broker.clone(), deps.clock.clone());
        let all = parts(&self.app, &deps, &shutdown)
            .with("the relay", relay.run(shutdown.clone()))
            .run(shutdown.clone());
        Running { all: tokio::spawn(all), shutdown }
    }

    fn envelope<M: Message>(&mut self, message: &M) -> Envelope {
        let NewMessage { topic, kind, key, payload, .. } = NewMessage::of(message);
        let clock = &*self.bench.clock;
        let envelope = Envelope::new(topic, kind, "others", clock, &mut self.rng);
        Envelope { key, ..envelope }.with_payload(payload)
    }

    /// Publishes the same message so many times.
    async fn publish<M: Message>(&mut self, message: &M, times: usize) {
        let envelope = self.envelope(message);
        for answer in self.bench.broker.publish(vec![envelope; times]).await {
            answer.unwrap();
        }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        Call::get(path).of(token).send(&self.routes).await
    }

    async fn switch(&self, group: &str, body: Value) -> Answer {
        let path = format!("/api/v1/operator/notifications/groups/{group}");
        Call::post(path, body).of(&self.bench.operator()).send(&self.routes).await
    }

    async fn notifications(&self, user: &str) -> Vec<String> {
        let answer = self.get("/api/v1/notifications", &self.bench.token(user)).await;
        strings(answer.items(), "type")
    }

    async fn letters(&self, user: &str) -> Vec<Value> {
        self.get("/api/v1/mailbox", &self.bench.token(user)).await.items().to_vec()
    }

    async fn count(&self, name: &str) -> i64 {
        let path = "/api/v1/operator/notifications/analytics";
        let answer = self.get(path, &self.bench.operator()).await;
        answer.body["totals"][name].as_i64().unwrap_or(0)
    }

    /// Waits until something holds, an hour of paused time at most.
    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
                self.bench.clock.advance(Duration::from_millis(10));
            }
        };
        let hour = Duration::from_secs(3_600);
        assert!(tokio::time::timeout(hour, waiting).await.is_ok(), "never: {what}");
    }
}

impl Running {
    /// Ends the groups in an orderly way.
    async fn end(self) {
        self.shutdown.cancel();
        self.all.await.unwrap().unwrap();
    }
}

fn strings(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

fn created(user: &str) -> UserCreated {
    let email = format!("{user}@example.org");
    UserCreated { user_id: user.to_owned(), name: user.to_owned(), email }
}

fn placed(order: &str, user: &str) -> OrderPlaced {
    let (order_id, user_id) = (order.to_owned(), user.to_owned());
    OrderPlaced { order_id, user_id, total: Money::new(1_250, "USD") }
}

fn changed(order: &str, user: &str, status: OrderStatus) -> OrderStatusChanged {
    OrderStatusChanged {
        order_id: order.to_owned(),
        user_id: user.to_owned(),
        status,
        reason: None,
        total: Money::new(1_250, "USD"),
    }
}

#[tokio::test]
async fn what_the_operator_switches_is_checked() {
    let shop = Shop::open().await;
    assert_eq!(shop.switch("router", json!({ "running": false })).await.status, 404);
    for wrong in [json!({}), json!({ "running": "no" }), json!({ "running": true, "x": 1 })] {
        assert_eq!(shop.switch("email", wrong.clone()).await.status, 422, "{wrong}");
    }
    let off = shop.switch("email", json!({ "running": false })).await;
    assert_eq!((off.status, &off.body["running"]), (200, &json!(false)));
    let after_restart = App::new(&shop.bench.deps);
    after_restart.restore_switches().await.unwrap();
    let running: Vec<_> = after_restart.switches().iter().map(|it| it.is_running()).collect();
    assert_eq!(running, [false, true, true]);
}

/// The whole service, as a process runs it: ready, and ending when it is told to.
#[tokio::test]
async fn it_runs_until_shutdown() {
    let bench = Bench::new(NAME, TABLES);
    bench
        .declare(
            topics().into_iter().chain([Topic::new(users::EVENTS), Topic::new(orders::EVENTS)]),
        )
        .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(run(listener, bench.deps.clone(), shutdown.clone()));
    until_ready(address).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
