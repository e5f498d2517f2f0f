//! The content service as its callers meet it, and what it learns of users.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authors;
mod batches;
mod comments;
mod conditions;
mod grpc;
mod posts;
mod removals;
mod tags;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shop_content::edge::rest;
use shop_content::{
    App, NAME, TABLES, authors as authors_group, removals as removals_group, topics,
};
use shop_contracts::users;
use shop_edge::Parts;
use shop_edge::testing::Bench;
use switchboard_core::{BoxError, Context, Envelope, Message, Position, Rng};
use switchboard_message::{Broker, Topic};
use switchboard_relay::Relay;
use switchboard_store::NewMessage;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The service in memory, with a clock that stands still.
struct Shop {
    bench: Bench,
    app: App,
    routes: Router,
    rng: Rng,
}

/// The service while its groups run.
struct Running {
    shutdown: CancellationToken,
    all: JoinHandle<Result<(), BoxError>>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Shop {
    fn new() -> Self {
        let bench = Bench::new(NAME, TABLES);
        let app = App::new(&bench.deps);
        let routes = shop_edge::serve::wrap(rest::routes(app.clone(), &bench.deps));
        Self { bench, app, routes, rng: Rng::from_seed(4) }
    }

    /// The context of somebody who asks the app itself.
    fn context(&self) -> Context {
        Context::begin(&*self.bench.clock, &mut Rng::from_seed(5))
    }

    /// Runs its groups and its relay.
    async fn run(&self) -> Running {
        let read = Topic::new(users::EVENTS);
        self.bench.declare(topics().into_iter().chain([read])).await;
        let (deps, shutdown) = (self.bench.deps.clone(), CancellationToken::new());
        let relay = Relay::new(deps.store.clone(), deps.broker.clone(), deps.clock.clone());
        let (authors, removals) =
            (authors_group::group(&self.app, &deps), removals_group::group(&self.app, &deps));
        let all = Parts::new()
            .with("the relay", relay.run(shutdown.clone()))
            .with("authors", authors.run(shutdown.clone()))
            .with("removals", removals.run(shutdown.clone()))
            .run(shutdown.clone());
        Running { all: tokio::spawn(all), shutdown }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let Ok(response) = self.routes.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Calls as a user (`operator` for operators, nobody when it is empty), with a JSON body (none
    /// when it is null) and an idempotency key (none when it is empty).
    async fn keyed(&self, method: &str, path: &str, who: &str, key: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !who.is_empty() {
            let operator = || self.bench.operator();
            let token = if who == "operator" { operator() } else { self.bench.token(who) };
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request.header("content-type", "application/json").body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    async fn call(&self, method: &str, path: &str, who: &str, body: Value) -> Answer {
        self.keyed(method, path, who, "", body).await
    }

    async fn get(&self, path: &str, who: &str) -> Answer {
        self.call("GET", path, who, Value::Null).await
    }

    /// Something that a user has written: its path under `/api/v1`.
    async fn post(&self, author: &str, title: &str, tags: &[&str]) -> String {
        let body = json!({ "title": title, "content": format!("About {title}."), "tags": tags });
        let path = format!("/users/{author}/posts");
        let written = self.call("POST", &path, author, body).await;
        assert_eq!(written.status, 201, "{}", written.body);
        format!("/posts/{}", written.text("id"))
    }

    /// What somebody has said about a post: its path under `/api/v1`.
    async fn comment(&self, post: &str, author: &str, content: &str) -> String {
        let path = format!("{post}/comments");
        let said = self.call("POST", &path, author, json!({ "content": content })).await;
        assert_eq!(said.status, 201, "{}", said.body);
        format!("{path}/{}", said.text("id"))
    }

    /// Field `field` of every item of a collection, page after page.
    async fn all(&self, path: &str, field: &str, limit: usize) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = format!("{path}{joint}limit={limit}{cursor}");
            let page = self.get(&page, "reader").await;
            assert_eq!(page.status, 200, "{}", page.body);
            let items = page.body["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            all.extend(items.iter().map(|item| item[field].clone()));
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Tags with their counts, as the collection shows them.
    async fn tags(&self) -> Vec<(String, i64)> {
        let answer = self.get("/tags", "reader").await;
        let items = answer.body["items"].as_array().unwrap();
        let tag = |item: &Value| {
            (item["name"].as_str().unwrap().to_owned(), item["posts"].as_i64().unwrap())
        };
        items.iter().map(tag).collect()
    }

    /// Kinds and payloads of the messages that wait for the relay.
    async fn told(&self) -> Vec<(String, Value)> {
        let outgoing = self.bench.deps.store.outgoing(Position::START, 1_000).await.unwrap();
        let told = outgoing.into_iter().map(|outgoing| {
            let payload = serde_json::from_slice(&outgoing.envelope.payload).unwrap();
            (outgoing.envelope.kind.to_string(), payload)
        });
        told.collect()
    }

    /// Publishes an event of another service, the same message so many times.
    async fn hears<M: Message>(&mut self, message: &M, times: usize) {
        let NewMessage { topic, kind, key, payload, .. } = NewMessage::of(message);
        let clock = &*self.bench.clock;
        let envelope = Envelope::new(topic, kind, "users", clock, &mut self.rng);
        let envelope = Envelope { key, ..envelope }.with_payload(payload);
        for answer in self.bench.broker.publish(vec![envelope; times]).await {
            answer.unwrap();
        }
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
