//! The routes of GraphQL: what each method and each kind of content may do, before any document is looked at.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request as Operation, ServerError};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, ORIGIN, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use shop_edge::serve::BODY_LIMIT;
use shop_edge::{Auth, Problem};
use tokio_util::sync::CancellationToken;

use super::budget::Budgets;
use super::caller::Caller;
use super::errors::{Code, with_code};
use super::negotiate::{Media, negotiate};
use super::options::Options;
use super::persisted::Persisted;
use super::places::Places;
use super::request::Raw;
use super::respond::{self, Outcome};
use super::tasks::Tasks;
use super::{explorer, sse, ws};

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(20);
/// The header by which a page that is not ours would need the browser's question beforehand.
const PREFLIGHT: &str = "graphql-require-preflight";
/// The forms of answers, for a 406.
const OFFERED: &str = "application/graphql-response+json, application/json, text/event-stream";

/// What gives each operation what its resolvers need: loaders that live as long as it does.
type Prepare = dyn Fn(&Caller, &Tasks, Operation) -> Operation + Send + Sync;

/// A GraphQL endpoint in front of a schema. Clones share everything.
pub struct GraphQl<E>(Arc<Inner<E>>);

pub(super) struct Inner<E> {
    pub(super) executor: E,
    pub(super) options: Options,
    pub(super) auth: Arc<Auth>,
    pub(super) persisted: Persisted,
    pub(super) budgets: Arc<Budgets>,
    pub(super) prepare: Box<Prepare>,
    /// For connections with subscriptions.
    pub(super) places: Places,
    /// No new results: streams must not keep a process that ends.
    pub(super) end: CancellationToken,
}

// === impl GraphQl ===

impl<E: Executor> GraphQl<E> {
    /// An endpoint for this schema; streams end with `end`. Only a schema with our own meter is
    /// charged.
    pub fn new(executor: E, auth: Arc<Auth>, options: Options, end: CancellationToken) -> Self {
        Self::with_data(executor, auth, options, end, |_, _, operation| operation)
    }

    /// The same; `prepare` gives each operation what its resolvers need.
    pub(super) fn with_data(
        executor: E,
        auth: Arc<Auth>,
        options: Options,
        end: CancellationToken,
        prepare: impl Fn(&Caller, &Tasks, Operation) -> Operation + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            executor,
            auth,
            persisted: Persisted::new(&options),
            budgets: Arc::new(Budgets::new(options.allowance)),
            prepare: Box::new(prepare),
            places: Places::new(&options.streams),
            options,
            end,
        }))
    }

    /// `/graphql`, and the files of its page.
    pub fn routes(&self) -> Router {
        let pages = if self.0.options.explorer { explorer::routes() } else { Router::new() };
        Router::new()
            .route("/graphql", get(ask::<E>).post(post::<E>))
            .with_state(self.clone())
            .merge(pages)
    }
}

impl<E> Clone for GraphQl<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> fmt::Debug for GraphQl<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphQl").field("options", &self.0.options).finish_non_exhaustive()
    }
}

/// A GET: the page, a WebSocket, or a query in the address.
async fn ask<E: Executor>(State(graphql): State<GraphQl<E>>, request: Request) -> Response {
    let inner = graphql.0;
    let (mut parts, _body) = request.into_parts();
    if is_websocket(&parts.headers) {
        if !is_own_origin(&parts.headers) {
            return foreign().into_response();
        }
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => ws::upgrade(inner, &parts, upgrade),
            Err(rejection) => Problem::bad_request(rejection.body_text()).into_response(),
        };
    }
    let options = &inner.options;
    let Some(media) = negotiate(&parts.headers, options.profile, options.explorer) else {
        return Problem::not_acceptable(OFFERED).into_response();
    };
    if media == Media::Page {
        return explorer::page();
    }
    // What another page can make a browser send without asking first only costs us.
    if is_cross_site(&parts.headers) && !needs_preflight(&parts.headers) {
        return foreign().into_response();
    }
    match Raw::of_uri(&parts.uri) {
        Ok(raw) => answer(inner, &parts, raw, media).await,
        Err(problem) => respond::unread(&problem, options.profile),
    }
}

/// A POST: any operation in a body of JSON. Its content type alone keeps pages of others out: no
/// form can send it, and a script must be allowed to.
async fn post<E: Executor>(State(graphql): State<GraphQl<E>>, request: Request) -> Response {
    let inner = graphql.0;
    let (parts, body) = request.into_parts();
    let Some(media) = negotiate(&parts.headers, inner.options.profile, false) else {
        return Problem::not_acceptable(OFFERED).into_response();
    };
    if let Err(problem) = check_type(&parts.headers) {
        return problem.into_response();
    }
    let bytes = match read(body).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.into_response(),
    };
    match Raw::of_body(&bytes) {
        Ok(raw) => answer(inner, &parts, raw, media).await,
        Err(problem) => respond::unread(&problem, inner.options.profile),
    }
}

async fn answer<E: Executor>(
    inner: Arc<Inner<E>>,
    parts: &Parts,
    raw: Raw,
    media: Media,
) -> Response {
    let profile = inner.options.profile;
    let caller = match Caller::of(parts, &inner.auth, inner.options.timeout) {
        Ok(caller) => caller,
        Err(problem) => return respond::unread(&problem, profile),
    };
    let ready = match inner.ready(caller, raw) {
        Ok(ready) => ready,
        Err(error) if media == Media::Events => return sse::refused(error),
        Err(error) => return Outcome::refused(error).into_answer(media, profile),
    };
    if parts.method != Method::POST && ready.kind == OperationType::Mutation {
        return Problem::method_not_allowed("POST").into_response();
    }
    if media == Media::Events {
        return sse::answer(inner, ready);
    }
    if ready.kind == OperationType::Subscription {
        let text =
            "A subscription has many results: accept `text/event-stream`, or open a WebSocket.";
        let error = with_code(ServerError::new(text, None), Code::ValidationFailed);
        return Outcome::refused(error).into_answer(media, profile);
    }
    inner.run(ready).await.into_answer(media, profile)
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let reading = tokio::time::timeout(BODY_PATIENCE, Limited::new(body, BODY_LIMIT).collect());
    match reading.await {
        Err(_) => Err(Problem::request_timeout()),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(BODY_LIMIT)),
        Ok(Err(_)) => Err(Problem::bad_request("The body could not be read to its end.")),
    }
}

fn text(headers: &HeaderMap, name: impl Into<HeaderName>) -> Option<&str> {
    headers.get(name.into()).and_then(|value| value.to_str().ok())
}

/// Only JSON in UTF-8 is read.
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    const JSON: &str = "application/json";
    let kind = text(headers, CONTENT_TYPE).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(JSON));
    let is_utf8 = parts.all(|part| match part.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if !is_json || !is_utf8 {
        return Err(Problem::unsupported_media_type(JSON));
    }
    match text(headers, CONTENT_ENCODING) {
        Some(coding) if !coding.trim().eq_ignore_ascii_case("identity") => {
            Err(Problem::unsupported_encoding())
        }
        _ => Ok(()),
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    text(headers, UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// Whether a browser says that a page of another origin asks.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

/// Whether a browser would have had to ask beforehand, which we never allow to other origins.
fn needs_preflight(headers: &HeaderMap) -> bool {
    let kind = text(headers, CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    let is_simple = |kind: &str| {
        let simple = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""];
        simple.iter().any(|it| it.eq_ignore_ascii_case(kind.trim()))
    };
    headers.contains_key(PREFLIGHT) || kind.is_some_and(|kind| !is_simple(kind))
}

/// Programs name no origin; browsers always do, for WebSockets.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = text(headers, ORIGIN) else { return true };
    let host = text(headers, http::header::HOST).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, authority)| authority == host && !host.is_empty())
}

fn foreign() -> Problem {
    Problem::forbidden(
        "A page of another origin may not ask here. Send `GraphQL-Require-Preflight: 1`, or a POST \
         of application/json.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, it)| (name.parse().unwrap(), it.parse().unwrap())).collect()
    }

    #[test]
    fn g7_pages_of_others_are_told_from_ours_and_from_programs() {
        let refused = |pairs| {
            let headers = headers(pairs);
            is_cross_site(&headers) && !needs_preflight(&headers)
        };
        assert!(!refused(&[]), "a program");
        assert!(!refused(&[("sec-fetch-site", "same-origin")]));
        assert!(!refused(&[("sec-fetch-site", "none")]), "typed by a person");
        assert!(refused(&[("sec-fetch-site", "cross-site")]));
        assert!(refused(&[("sec-fetch-site", "same-site"), ("content-type", "text/plain; a=b")]));
        assert!(!refused(&[("sec-fetch-site", "cross-site"), (PREFLIGHT, "1")]));
        let host = ("host", "127.0.0.1:8080");
        assert!(is_own_origin(&headers(&[host])));
        assert!(is_own_origin(&headers(&[host, ("origin", "http://127.0.0.1:8080")])));
        assert!(!is_own_origin(&headers(&[host, ("origin", "http://evil.example")])));
        assert!(!is_own_origin(&headers(&[host, ("origin", "null")])));
    }

    #[test]
    fn g1_only_json_in_utf_8_is_read() {
        for (kind, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=\"UTF-8\"", true),
            ("application/json; profile=x", true),
            ("application/json; charset=latin1", false),
            ("text/plain", false),
            ("application/graphql", false),
        ] {
            let headers = headers(&[("content-type", kind)]);
            assert_eq!(check_type(&headers).is_ok(), expected, "{kind}");
        }
        assert!(check_type(&HeaderMap::new()).is_err());
    }
}
