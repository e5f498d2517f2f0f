//! The pages for operators: server-rendered, live over server-sent events, and whole without a script.
//!
//! The menu follows the flow of data: edge → decide → commit → relay → carry → react → read. A page is a frame (`layout`) around named
//! fragments; while somebody watches, the fragments that have changed are sent again (`events`), at most once a second. When nobody
//! watches, nothing is computed.
//!
//! - `overview` the map of services, topics and groups, with rates and lag
//! - `orders` the last orders; `order` one of them with its saga, `stuck` what to do when it waits for a person
//! - `parked` keys behind a failed message; `key` one of them, and its replay
//! - `policies` breakers, limits and budgets, and the operator's hand on them
//! - `session` signing in, and forms that only our own pages may send
//! - `sample` what the pages show, read at one moment

mod events;
mod key;
mod layout;
mod map;
mod order;
mod orders;
mod overview;
mod parked;
mod policies;
mod sample;
mod session;
mod sign_in;
mod stuck;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use shop_edge::Auth;
use switchboard_core::{Clock, Name};
use switchboard_handler::Description;
use switchboard_message::{Broker, Capability};
use switchboard_resilience::Registry;
use switchboard_store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::load::Client;
use session::Sessions;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Pages that are watched at the same time, at most.
const WATCHERS: usize = 32;
/// Nothing but our own files, no inline style or script, and nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// What the console looks at.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Every service.
    pub services: Vec<Watched>,
    /// The broker that they share.
    pub broker: Arc<dyn Broker>,
    /// Who may look.
    pub auth: Arc<Auth>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The policies of this process.
    pub policies: Registry,
    /// The public port, for what services answer.
    pub client: Client,
    /// The shop ends: streams must not keep it.
    pub end: CancellationToken,
}

/// A service as the console sees it.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The topics that it publishes to.
    pub publishes: &'static [&'static str],
    /// The topics that it owns.
    pub owns: Vec<Name>,
    /// Its groups, as their registrations declare them.
    pub groups: Vec<Description>,
    /// The paths that the gateway passes to it.
    pub paths: &'static [&'static str],
    /// Its store.
    pub store: Arc<dyn Store>,
}

/// What every page is given.
#[derive(Clone, Debug)]
struct Console {
    shop: Arc<Shop>,
    sessions: Arc<Sessions>,
    watchers: Arc<Semaphore>,
}

/// Everything below `/console`.
pub fn routes(shop: Shop) -> Router {
    let console = Console {
        shop: Arc::new(shop),
        sessions: Arc::default(),
        watchers: Arc::new(Semaphore::new(WATCHERS)),
    };
    Router::new()
        .route("/console", get(overview::page))
        .route("/console/orders", get(orders::page))
        .route("/console/orders/find", get(orders::find))
        .route("/console/orders/{id}", get(order::page))
        .route("/console/orders/{id}/retry", post(stuck::retry))
        .route("/console/orders/{id}/resolve", post(stuck::resolve))
        .route("/console/parked", get(parked::page))
        .route("/console/parked/{service}/{group}/{key}", get(key::page))
        .route("/console/parked/{service}/{group}/{key}/replay", post(key::replay))
        .route("/console/parked/{service}/{group}/{key}/skip", post(key::skip))
        .route("/console/policies", get(policies::page))
        .route("/console/policies/{name}/isolate", post(policies::isolate))
        .route("/console/policies/{name}/release", post(policies::release))
        .route("/console/live/{*page}", get(events::stream))
        .route("/console/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/theme", post(sign_in::theme))
        .route("/console/style.css", get(|| asset("text/css; charset=utf-8", STYLE)))
        .route("/console/script.js", get(|| asset("text/javascript; charset=utf-8", SCRIPT)))
        .layer(middleware::from_fn(guarded))
        .with_state(console)
}

/// A file of ours. Its address carries a sum of its content, so it may be kept for ever.
async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")], text)
        .into_response()
}

/// The headers of every page.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A text as part of a query.
fn escape_query(text: &str) -> String {
    crate::commands::remote::segment(text)
}

// === impl Shop ===

impl Shop {
    /// Whether the broker keeps what was published.
    fn has_history(&self) -> bool {
        self.broker.capabilities().has.contains(&Capability::Replay)
    }

    /// The service of this name.
    fn service(&self, name: &str) -> Option<&Watched> {
        self.services.iter().find(|service| service.name == name)
    }
}
