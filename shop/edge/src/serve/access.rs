//! The access log: one structured line for a request, under the target `switchboard::access`.
//!
//! Failures are always written, as warnings. Of everything else a share is written, for all to see; the rest is there for who asks for
//! `debug`. Which requests belong to the share follows from their ids, so all processes that a request passes write about the same ones.
//! Bodies are written only when that is asked for, as far as they are JSON, without secrets and personal data, and cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body as _;
use switchboard_core::Id;
use tracing::Level;

use super::bounds::announced;
use super::mask::masked;
use super::represent::{is_json, whole};
use crate::Problem;

/// Larger bodies are not read for the log.
const READ_MAX: usize = 64 << 10;
/// How long a body may take to arrive when the log reads it first.
const PATIENCE: Duration = Duration::from_secs(20);

/// Routes that are asked by programs that watch over the process.
const WATCHED: [&str; 4] = ["/livez", "/readyz", "/startupz", "/metrics"];

/// What is written about requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// Who writes: a service's name, or `gateway`.
    pub name: Arc<str>,
    /// The share of requests that are written at `info`, 0 to 1. Default 0: only failures.
    pub sample: f64,
    /// Whether bodies are written too, masked and cut off. Default no.
    pub bodies: bool,
}

/// What is known of one request when it is answered.
pub(super) struct Line<'a> {
    pub(super) id: Id,
    pub(super) method: &'a Method,
    pub(super) route: &'a str,
    pub(super) principal: Option<String>,
    pub(super) noted: Noted,
    pub(super) begun: Instant,
}

/// What is kept of a request for its line.
pub(super) struct Noted {
    trace: Option<HeaderValue>,
    bytes: Option<u64>,
    body: Option<String>,
}

// === impl Access ===

impl Default for Access {
    fn default() -> Self {
        Self { name: "-".into(), sample: 0.0, bodies: false }
    }
}

impl Access {
    /// Keeps what the line needs of the request. When bodies are asked for, a small one is read
    /// here and handed on.
    pub(super) async fn note(&self, request: Request) -> Result<(Request, Noted), Problem> {
        let headers = request.headers();
        let trace = headers.get(crate::request::TRACEPARENT).cloned();
        let bytes = announced(headers);
        let mut noted = Noted { trace, bytes, body: None };
        if !self.bodies || !is_small_json(headers, bytes) {
            return Ok((request, noted));
        }
        let (head, body) = request.into_parts();
        let reading = tokio::time::timeout(PATIENCE, Limited::new(body, READ_MAX).collect()).await;
        let read = reading.map_err(|_| Problem::request_timeout())?;
        let read = read
            .map_err(|_| Problem::bad_request("The body could not be read to its end."))?
            .to_bytes();
        noted.body = Some(masked(&read));
        Ok((Request::from_parts(head, Body::from(read)), noted))
    }

    /// Writes the line of an answer.
    pub(super) async fn write(&self, line: Line<'_>, response: Response) -> Response {
        let status = response.status();
        // "No such method" is an answer, not a failure, and so is "not ready yet": whoever watches
        // over the process asks all the time, and would fill the log with it.
        let level = match status.is_server_error() && status != 501 {
            _ if WATCHED.contains(&line.route) => Level::DEBUG,
            true => Level::WARN,
            false if self.is_sampled(line.id) => Level::INFO,
            false => Level::DEBUG,
        };
        if !is_enabled(level) {
            return response;
        }
        let (response, body) = match self.bodies && level != Level::DEBUG {
            true => read(response).await,
            false => (response, None),
        };
        self.emit(level, &line, &response, body.as_deref());
        response
    }

    fn emit(
        &self,
        level: Level,
        line: &Line<'_>,
        response: &Response,
        response_body: Option<&str>,
    ) {
        let Line { id, method, route, principal, noted, begun } = line;
        let trace_id = noted.trace_id(*id);
        let status = response.status().as_u16();
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (bytes_in, request_body) = (noted.bytes, noted.body.as_deref());
        let bytes_out = response
            .body()
            .size_hint()
            .exact()
            .filter(|size| *size > 0)
            .or_else(|| response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok());
        let principal = principal.as_deref();
        macro_rules! write {
            ($level:expr) => {
                tracing::event!(
                    target: "switchboard::access",
                    $level,
                    at = &*self.name,
                    request_id = %id,
                    trace_id,
                    principal,
                    %method,
                    route,
                    status,
                    bytes_in,
                    bytes_out,
                    micros,
                    request_body,
                    response_body,
                    "answered"
                )
            };
        }
        match level {
            Level::WARN => write!(Level::WARN),
            Level::INFO => write!(Level::INFO),
            _ => write!(Level::DEBUG),
        }
    }

    /// Whether the request of this id belongs to the share. The last bytes of an id are chance.
    pub(crate) fn is_sampled(&self, id: Id) -> bool {
        if self.sample <= 0.0 {
            return false;
        }
        let [.., a, b, c, d] = *id.as_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) < self.sample * (f64::from(u32::MAX) + 1.0)
    }
}

fn is_enabled(level: Level) -> bool {
    match level {
        Level::WARN => tracing::enabled!(target: "switchboard::access", Level::WARN),
        Level::INFO => tracing::enabled!(target: "switchboard::access", Level::INFO),
        _ => tracing::enabled!(target: "switchboard::access", Level::DEBUG),
    }
}

fn is_small_json(headers: &HeaderMap, bytes: Option<u64>) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind).trim();
    is_json(kind) && bytes.is_some_and(|bytes| (1..=READ_MAX as u64).contains(&bytes))
}

/// The body of an answer that is JSON and in memory, masked.
async fn read(response: Response) -> (Response, Option<String>) {
    let size = response.body().size_hint().exact();
    let is_plain = !response.headers().contains_key(http::header::CONTENT_ENCODING);
    if !is_plain || !is_small_json(response.headers(), size) {
        return (response, None);
    }
    let (head, body) = response.into_parts();
    match whole(body).await {
        (Some(bytes), _) => {
            let text = masked(&bytes);
            (Response::from_parts(head, Body::from(bytes)), Some(text))
        }
        (None, body) => (Response::from_parts(head, body), None),
    }
}

// === impl Noted ===

impl Noted {
    /// Nothing, for a request that was refused before anything was kept.
    pub(super) fn nothing() -> Self {
        Self { trace: None, bytes: None, body: None }
    }

    /// The trace's id; without a trace the request's own, which has the same form.
    fn trace_id(&self, id: Id) -> String {
        let traced = self.trace.as_ref().and_then(|trace| trace.to_str().ok()?.split('-').nth(1));
        traced.map_or_else(|| id.to_string().replace('-', ""), str::to_owned)
    }
}
