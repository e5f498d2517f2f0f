//! The users service as its callers meet it: every status of its contract, and what others are told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod grpc;
mod service;
mod sessions;
mod users;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Process};
use shop_users::edge::rest;
use shop_users::{App, TABLES};
use switchboard_core::{Clock, ManualClock, Position, Rng};
use switchboard_message::MemoryBroker;
use switchboard_store::MemoryStore;
use tower::ServiceExt;

/// The service in memory, with a clock that stands still.
struct Shop {
    clock: Arc<ManualClock>,
    deps: Deps,
    routes: Router,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Shop {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let time: Arc<dyn Clock> = clock.clone();
        let rng = Rng::from_seed(1);
        let deps = Deps {
            store: Arc::new(MemoryStore::new("users", TABLES, time.clone(), rng.clone())),
            broker: Arc::new(MemoryBroker::new(time.clone())),
            auth: Arc::new(Auth::ephemeral(time.clone()).unwrap()),
            clock: time,
            rng,
            process: Process::default(),
        };
        let routes = shop_edge::serve::wrap(rest::routes(App::new(&deps), &deps));
        Self { clock, deps, routes }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let Ok(response) = self.routes.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Calls with a token (none when it is empty) and a JSON body (none when it is null).
    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request.header("content-type", "application/json").body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    async fn sign_up(&self, name: &str, email: &str) -> Answer {
        let body = json!({ "name": name, "email": email, "password": "correct horse" });
        self.call("POST", "/users", "", body).await
    }

    async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.call("POST", "/sessions", "", body).await
    }

    /// Somebody who has signed up and in: id and token.
    async fn customer(&self, name: &str) -> (String, String) {
        let email = format!("{name}@example.org");
        let id = self.sign_up(name, &email).await.text("id").to_owned();
        let token = self.sign_in(&email, "correct horse").await.text("token").to_owned();
        (id, token)
    }

    fn operator(&self) -> &str {
        self.deps.auth.operator_token()
    }

    /// Kinds and payloads of the messages that wait for the relay.
    async fn told(&self) -> Vec<(String, Value)> {
        let outgoing = self.deps.store.outgoing(Position::START, 100).await.unwrap();
        let told = outgoing.into_iter().map(|outgoing| {
            let payload = serde_json::from_slice(&outgoing.envelope.payload).unwrap();
            (outgoing.envelope.kind.to_string(), payload)
        });
        told.collect()
    }
}

impl Answer {
    fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn assert_problem(&self, status: u16, slug: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.text("type"), format!("/problems/{slug}"));
    }

    /// Pointers of the mistakes that a problem lists.
    fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }
}
