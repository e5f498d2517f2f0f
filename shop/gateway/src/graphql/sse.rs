//! Results as server-sent events, one operation a connection (the distinct mode of the GraphQL over SSE protocol).

use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::{Executor, ServerError};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use shop_edge::Problem;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::endpoint::Inner;
use super::errors;
use super::operation::{Ready, Results};
use super::options::Streams;
use super::places::Place;
use super::respond::Outcome;

/// The last event. `data` must be there, or browsers do not tell of it.
const COMPLETE: &str = "event: complete\ndata:\n\n";
/// A line that says nothing keeps proxies from ending the connection.
const HEARTBEAT: &str = ":\n\n";

/// What a stream of events needs to go on.
struct Feed {
    results: Results,
    bounds: Streams,
    quiet_since: Instant,
    end: CancellationToken,
    _place: Place,
}

/// Answers an operation with events, until it has no more results, is quiet for too long, or the
/// process ends.
pub(super) fn answer<E: Executor>(inner: Arc<Inner<E>>, ready: Ready) -> Response {
    let place = match inner.places.take(&ready.account) {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    let (bounds, end) = (inner.options.streams, inner.end.clone());
    let results = inner.results(ready);
    let feed = Feed { results, bounds, quiet_since: Instant::now(), end, _place: place };
    let events = stream::unfold(Some(feed), |feed| async move { feed?.next().await });
    events_of(Body::from_stream(events.map(Ok::<_, Infallible>)))
}

/// An operation that cannot run, told in the form that the caller reads.
pub(super) fn refused(error: ServerError) -> Response {
    events_of(Body::from(format!("{}{COMPLETE}", next(&Outcome::refused(error)))))
}

/// The end of a stream that had more to tell: to its reader that must not look like the end of what
/// it follows.
fn given_up(problem: &Problem) -> String {
    format!("{}{COMPLETE}", next(&Outcome::refused(errors::error_of(problem))))
}

fn events_of(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        // Asks proxies that know it not to collect events before they pass them on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, body).into_response()
}

/// JSON has no line breaks of its own, so a result is one line.
fn next(outcome: &Outcome) -> String {
    format!("event: next\ndata: {}\n\n", outcome.to_json())
}

// === impl Feed ===

impl Feed {
    async fn next(mut self) -> Option<(String, Option<Self>)> {
        let idle = self.quiet_since + self.bounds.idle;
        tokio::select! {
            biased;
            () = self.end.cancelled() => {
                let going = Problem::unavailable("This process ends; begin again elsewhere.");
                Some((given_up(&going), None))
            }
            result = self.results.next() => match result {
                Some(outcome) => {
                    self.quiet_since = Instant::now();
                    Some((next(&outcome), Some(self)))
                }
                None => Some((COMPLETE.to_owned(), None)),
            },
            () = tokio::time::sleep_until(idle) => {
                let quiet = Problem::gateway_timeout("Nothing happened for too long; begin again.");
                Some((given_up(&quiet), None))
            }
            () = tokio::time::sleep(self.bounds.heartbeat) => {
                Some((HEARTBEAT.to_owned(), Some(self)))
            }
        }
    }
}
