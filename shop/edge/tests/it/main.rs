//! The kit as a caller meets it: E1 to E13 of the edge's rules, through the layers and over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod counted;
mod operator;
mod pages;
mod parts;
mod represent;
mod rest;
mod rpc;
mod sockets;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use switchboard_core::{Clock, ManualClock, Rng};
use switchboard_message::MemoryBroker;
use switchboard_store::MemoryStore;
use tower::ServiceExt;

use shop_edge::{Auth, Deps, IDEMPOTENCY, Process};

/// What a caller sees.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
    bytes: usize,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes: bytes.len(),
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Holds every problem to E1.
    fn assert_problem(&self, status: u16, slug: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["type"], format!("/problems/{slug}"));
        assert_eq!(self.body["status"], status);
        for text in ["title", "detail"] {
            assert!(self.body[text].as_str().is_some_and(|text| !text.is_empty()), "{text}");
        }
        let id = self.header("x-request-id");
        assert_eq!(self.body["instance"], format!("urn:uuid:{id}"));
    }
}

/// Asks through the layers that `serve` puts around the routes.
async fn ask(routes: &Router, request: Request<Body>) -> Answer {
    let routes = shop_edge::serve::wrap(routes.clone());
    let Ok(response) = routes.oneshot(request).await;
    Answer::of(response).await
}

fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

fn deps() -> Deps {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let rng = Rng::from_seed(1);
    Deps {
        store: Arc::new(MemoryStore::new("test", &[&IDEMPOTENCY], clock.clone(), rng.clone())),
        broker: Arc::new(MemoryBroker::new(clock.clone())),
        auth: Arc::new(Auth::ephemeral(clock.clone()).unwrap()),
        clock,
        rng,
        process: Process::default(),
    }
}

fn ok(status: StatusCode) -> u16 {
    status.as_u16()
}
