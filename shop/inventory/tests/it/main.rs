//! The service from outside: over REST, and as the order saga meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stands")]

mod edge;
mod grpc;
mod participant;

use axum::Router;
use serde_json::Value;
use shop_edge::testing::{Answer, Bench, Call, until_ready};
use shop_inventory::edge::rest;
use shop_inventory::{App, NAME, TABLES, run, topics};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The service in memory after its first start.
struct Shop {
    bench: Bench,
    app: App,
    routes: Router,
}

impl Shop {
    async fn open() -> Self {
        let bench = Bench::new(NAME, TABLES);
        let app = App::new(&bench.deps);
        assert!(app.seed().await.unwrap());
        let routes = rest::routes(app.clone(), &bench.deps);
        Self { bench, app, routes }
    }

    async fn get(&self, path: &str) -> Answer {
        Call::get(path).send(&self.routes).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        Call::put(path, body).of(&self.bench.operator()).send(&self.routes).await
    }

    /// On hand, reserved, available.
    async fn stock(&self, sku: &str) -> [i64; 3] {
        let body = self.get(&format!("/api/v1/stock/{sku}")).await.body;
        ["on_hand", "reserved", "available"].map(|field| body[field].as_i64().unwrap())
    }
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
