//! The service from outside: over REST, and as the order saga meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stands")]

mod edge;
mod grpc;
mod participant;

use axum::Router;
use serde_json::{Value, json};
use shop_edge::testing::{Answer, Bench, Call, until_ready};
use shop_payments::edge::rest;
use shop_payments::{App, NAME, TABLES, run, topics};
use switchboard_message::Topic;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The service in memory, with one customer called ann.
struct Shop {
    bench: Bench,
    app: App,
    routes: Router,
    ann: String,
}

impl Shop {
    fn open() -> Self {
        let bench = Bench::new(NAME, TABLES);
        let app = App::new(&bench.deps);
        let (routes, ann) = (rest::routes(app.clone(), &bench.deps), bench.token("ann"));
        Self { bench, app, routes, ann }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        Call::post(path, body).of(&self.ann).send(&self.routes).await
    }

    async fn get(&self, path: &str) -> Answer {
        Call::get(path).of(&self.ann).send(&self.routes).await
    }

    /// A new account of ann's with this balance: its address and its id.
    async fn account(&self, balance: i64) -> (String, String) {
        let opened = self.post("/api/v1/accounts", json!({ "currency": "USD" })).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        let path = opened.header("location").to_owned();
        if balance > 0 {
            let paid = self.post(&format!("{path}/deposits"), json!({ "amount": balance })).await;
            assert_eq!(paid.status, 201, "{}", paid.body);
        }
        let id = opened.body["id"].as_str().unwrap_or_default().to_owned();
        (path, id)
    }

    async fn balance(&self, path: &str) -> i64 {
        self.get(path).await.body["balance"]["amount"].as_i64().unwrap_or(i64::MIN)
    }

    async fn totals(&self) -> Value {
        let call = Call::get("/api/v1/operator/payments/totals").of(&self.bench.operator());
        let answer = call.send(&self.routes).await;
        assert_eq!(answer.status, 200);
        answer.body
    }
}

/// The whole service, as a process runs it: ready, and ending when it is told to.
#[tokio::test]
async fn it_runs_until_shutdown() {
    let bench = Bench::new(NAME, TABLES);
    bench.declare(topics().into_iter().chain([Topic::new(shop_contracts::users::EVENTS)])).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(run(listener, bench.deps.clone(), shutdown.clone()));
    until_ready(address).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
