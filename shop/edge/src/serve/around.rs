//! Around each call: its id, its line in the traces, its place in the numbers.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use switchboard_core::{Id, Rng, SystemClock};
use tower::util::MapRequestLayer;
use tower::{Layer, Service};

use super::access::{Access, Line, Noted};
use super::represent::{Asked, Passed};
use super::{BODY_LIMIT, bounds, panicked, refine};
use crate::metrics::Calls;
use crate::request::{self, CURRENT, Current, REQUEST_ID};
use crate::versions;

/// Headers that the layers add to an answer, about.
const ADDED: usize = 10;

/// What the calls of one listener share.
struct Around {
    ids: Mutex<Rng>,
    calls: Calls,
    access: Access,
    /// Whether the routes are a service's: all of JSON, and judged here.
    is_service: bool,
}

/// Routes with everything around them.
///
/// It stands outside of the router, which adds `Allow` outside of its own layers; and it is a service
/// by hand, because what every call passes should cost it one allocation and not five.
#[derive(Clone)]
pub(super) struct Served {
    around: Arc<Around>,
    routes: Routes,
}

/// The routes, with the limit on bodies outside of them: a layer of a router costs each call two
/// allocations.
type Routes = <DefaultBodyLimit as Layer<Router>>::Service;

// === impl Served ===

impl Served {
    pub(super) fn new(routes: Router, access: Access, is_service: bool) -> Self {
        // Which route it is, is known inside of the router only.
        let routes = routes.layer(MapRequestLayer::new(request::routed));
        let routes = DefaultBodyLimit::max(BODY_LIMIT).layer(routes);
        Self { around: Arc::new(Around::new(access, is_service)), routes }
    }
}

impl Service<Request> for Served {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { around, routes } = self.clone();
        Box::pin(async move { Ok(around.call(request, routes).await) })
    }
}

// === impl Around ===

impl Around {
    fn new(access: Access, is_service: bool) -> Self {
        let ids = Mutex::new(Rng::from_entropy());
        Self { ids, calls: Calls::default(), access, is_service }
    }

    async fn call(&self, mut request: Request, routes: Routes) -> Response {
        let begun = Instant::now();
        let id = self.id_of(&request);
        // The text of an id is visible ASCII, always.
        let id_value = HeaderValue::from_str(&id.to_string()).ok();
        let id_name = HeaderName::from_static(REQUEST_ID);
        if let Some(value) = id_value.clone() {
            request.headers_mut().insert(id_name.clone(), value);
        }
        request::keep_sound_trace(request.headers_mut());
        let asked = Asked::of(&mut request);
        let answering = async {
            let (response, noted) = self.answer(request, routes).await;
            let mut response = refine::errors(&asked.method, response);
            // Room for all that is added, so that the map grows once.
            response.headers_mut().reserve(ADDED);
            (asked.represent(response).await, noted, request::maker(), request::route())
        };
        let (mut response, noted, principal, template) =
            CURRENT.scope(Current::of(id), answering).await;
        refine::headers(&mut response, asked.is_private);
        if let Some(value) = id_value {
            response.headers_mut().insert(id_name, value);
        }
        let passed = response.extensions().get::<Passed>().copied();
        let template = template.as_ref().map_or("-", MatchedPath::as_str);
        if passed.is_none() {
            versions::mark(template, response.headers_mut());
        }
        let route = passed.map_or(template, |Passed(prefix)| prefix);
        self.calls.count(&asked.method, route, response.status(), begun.elapsed());
        let line = Line { id, method: &asked.method, route, principal, noted, begun };
        let response = self.access.write(line, response).await;
        asked.without_body(response)
    }

    async fn answer(&self, request: Request, mut routes: Routes) -> (Response, Noted) {
        if let Some(problem) = bounds::refused(&request) {
            return (problem.into_response(), Noted::nothing());
        }
        // What the public port answers itself below /api is JSON as well.
        if (self.is_service || request.uri().path().starts_with("/api/"))
            && let Some(response) = bounds::unacceptable(&request)
        {
            return (response, Noted::nothing());
        }
        match self.access.note(request).await {
            Ok((request, noted)) => {
                let calling = AssertUnwindSafe(async { routes.call(request).await });
                match calling.catch_unwind().await {
                    Ok(Ok(response)) => (response, noted),
                    Err(panic) => (panicked(&*panic), noted),
                }
            }
            Err(problem) => (problem.into_response(), Noted::nothing()),
        }
    }

    /// Takes the caller's id when it is a UUID, and makes one otherwise: nothing else is echoed.
    fn id_of(&self, request: &Request) -> Id {
        let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        given
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| Id::new(&SystemClock, &mut self.ids.lock()))
    }
}
