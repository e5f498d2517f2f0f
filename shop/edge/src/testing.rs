//! For tests of services: everything in memory, and calls without a network.
//!
//! ```
//! # use shop_edge::testing::{Bench, Call};
//! # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # rt.block_on(async {
//! let bench = Bench::new("nobody", &[]);
//! let answer = Call::get("/nowhere").of(&bench.token("ann")).send(&axum::Router::new()).await;
//! assert_eq!((answer.status, answer.body["type"].as_str()), (404, Some("/problems/not-found")));
//! # });
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use switchboard_core::{ManualClock, Rng, Timestamp};
use switchboard_message::{Broker, MemoryBroker, Topic, Topology};
use switchboard_store::{MemoryStore, Table};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::rpc::{Guard, Rpc, SERVICE_KEY};
use crate::{Auth, Deps, Health, Process, serve};

/// The moment at which every test begins: 2026-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// What one service is given in a test.
#[derive(Debug)]
pub struct Bench {
    /// The same seams as in production, on memory.
    pub deps: Deps,
    /// The clock of all of them.
    pub clock: Arc<ManualClock>,
    /// The broker.
    pub broker: MemoryBroker,
}

/// A request that is being built.
#[derive(Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` when it is not JSON.
    pub body: Value,
}

/// Waits until a service that listens there says that it is ready.
///
/// # Panics
/// When it is not within ten seconds.
pub async fn until_ready(address: SocketAddr) {
    let asking = async {
        while !is_ready(address).await.unwrap_or(false) {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), asking).await;
    in_time.expect("the service is ready within ten seconds");
}

async fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// A gRPC request as the gateway passes it on: with the service key, and with the caller's token
/// unless that is empty.
///
/// # Panics
/// When the token does not fit into metadata.
pub fn asked<T>(auth: &Auth, token: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(SERVICE_KEY, auth.service_key().parse().expect("a key that fits"));
    if !token.is_empty() {
        let bearer = format!("Bearer {token}").parse().expect("a token that fits");
        metadata.insert("authorization", bearer);
    }
    request
}

/// A service's gRPC without a network, inside everything that serving puts around it: make a client
/// of it.
///
/// # Panics
/// When the services cannot be described.
pub fn guarded(rpc: Rpc) -> Guard {
    rpc.open(Health::new(), CancellationToken::new()).expect("services that can be described")
}

// === impl Bench ===

impl Bench {
    /// For a service of this name with these tables.
    ///
    /// # Panics
    /// When the system gives no randomness for keys.
    pub fn new(source: &str, tables: &[&'static Table]) -> Self {
        let clock = Arc::new(ManualClock::at(BEGINNING));
        let broker = MemoryBroker::new(clock.clone());
        let auth = Auth::ephemeral(clock.clone()).expect("a test has randomness");
        let store = MemoryStore::new(source, tables, clock.clone(), Rng::from_seed(1));
        let deps = Deps {
            store: Arc::new(store),
            broker: Arc::new(broker.clone()),
            clock: clock.clone(),
            rng: Rng::from_seed(2),
            auth: Arc::new(auth),
            process: Process::default(),
        };
        Self { deps, clock, broker }
    }

    /// Declares topics.
    ///
    /// # Panics
    /// When the broker refuses them.
    pub async fn declare(&self, topics: impl IntoIterator<Item = Topic>) {
        self.broker.declare(&Topology::of(topics)).await.expect("sound topics");
    }

    /// A customer's token, good for an hour.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn token(&self, user_id: &str) -> String {
        self.deps.auth.sign(user_id, Duration::from_secs(3_600)).expect("keys that sign")
    }

    /// The operator's token.
    pub fn operator(&self) -> String {
        self.deps.auth.operator_token().to_owned()
    }
}

// === impl Call ===

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: None }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST of JSON.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path).json(body)
    }

    /// A PUT of JSON.
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PUT, path).json(body)
    }

    fn json(mut self, body: Value) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self.with(CONTENT_TYPE.as_str(), "application/json")
    }

    /// The same by somebody with a token.
    #[must_use]
    pub fn of(self, token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), format!("Bearer {token}"))
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends it to a service's routes, inside everything that serving puts around them.
    ///
    /// # Panics
    /// When the request cannot be built, or the answer's body cannot be read.
    pub async fn send(self, routes: &Router) -> Answer {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(self.body.unwrap_or_default())).expect("a request");
        let Ok(response) = serve::wrap(routes.clone()).oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

// === impl Answer ===

impl Answer {
    /// A header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The items of a collection.
    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The pointers of a problem's mistakes.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }
}
