//! The same key, the same answer: a caller that heard nothing may ask again without anything happening twice.
//!
//! The result is stored in the unit of its effect, so there is no moment in which one is there without the other. That a call is still
//! running is known to the process only, so no key stays in flight after a crash; across processes the loser of the commit answers what
//! the winner stored. Malformed input and faults store nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderName, HeaderValue, LOCATION};
use http::StatusCode;
use http::request::Parts;
use parking_lot::Mutex;
use serde_json::Value as Json_;
use switchboard_core::Clock;
use switchboard_store::{Column, Compare, Expect, Row, Select, Store, Table, Unit, Value};

use crate::Problem;

/// How long results are kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);
/// A key's length, at most.
const KEY_MAX: usize = 255;
/// After so many calls, some results that are too old are deleted.
const SWEEP_EVERY: u64 = 64;

/// Results by user, operation and key. A service that uses keys adds it to its tables.
pub static IDEMPOTENCY: Table = Table {
    name: "idempotency",
    columns: &[
        Column::text("fingerprint"),
        Column::integer("status"),
        Column::text("location"),
        Column::text("body"),
        Column::integer("at"),
    ],
    indexes: &[&["at"]],
};

/// The caller's name for the operation: the header `Idempotency-Key`, quoted or bare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

/// The same, where the header may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalIdempotencyKey(pub Option<String>);

/// Runs operations at most once per key.
#[derive(Clone, Debug)]
pub struct Idempotent {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    in_flight: Arc<Mutex<HashSet<String>>>,
    calls: Arc<AtomicU64>,
}

/// An answer that is stored with its effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The HTTP status.
    pub status: StatusCode,
    /// Where the resource is.
    pub location: Option<String>,
    /// The body.
    pub body: Json_,
    /// Whether it was stored by an earlier call.
    pub replayed: bool,
}

/// The right to run an operation once; hold it until the effect is committed.
#[derive(Debug)]
pub struct Ticket {
    row: String,
    fingerprint: String,
    clock: Arc<dyn Clock>,
    in_flight: Arc<Mutex<HashSet<String>>>,
}

// === impl Idempotent ===

impl Idempotent {
    /// For one service; its store must declare [`IDEMPOTENCY`].
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, in_flight: Arc::default(), calls: Arc::default() }
    }

    /// Runs `effect`, unless this key has an answer already. The effect commits its unit through
    /// [`Ticket::remember`], also for a refusal, so that the answer is stored with it.
    ///
    /// # Errors
    /// 422 for the same key with another body, 409 while the first call is still running, and
    /// whatever the effect answers.
    pub async fn once<F, Fut>(
        &self,
        user_id: &str,
        operation: &str,
        key: &str,
        body: &Json_,
        effect: F,
    ) -> Result<Stored, Problem>
    where
        F: FnOnce(Arc<Ticket>) -> Fut,
        Fut: Future<Output = Result<Stored, Problem>>,
    {
        let ticket = self.ticket(user_id, operation, key, body)?;
        if let Some(stored) = self.stored(&ticket).await? {
            return Ok(stored);
        }
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep().await;
        }
        match effect(ticket.clone()).await {
            Ok(answer) => Ok(answer),
            // Somebody else may have committed this key first: then theirs is the answer.
            Err(problem) => self.stored(&ticket).await?.map_or(Err(problem), Ok),
        }
    }

    fn ticket(
        &self,
        user_id: &str,
        operation: &str,
        key: &str,
        body: &Json_,
    ) -> Result<Arc<Ticket>, Problem> {
        let row = format!("{user_id}\u{1f}{operation}\u{1f}{key}");
        if !self.in_flight.lock().insert(row.clone()) {
            let detail = "The first call with this Idempotency-Key is still running.";
            return Err(Problem::conflict(detail).retry_after(1));
        }
        // A map of `serde_json` is sorted by key, so equal bodies have equal bytes.
        let canonical = serde_json::to_vec(body).unwrap_or_default();
        let digest = ring::digest::digest(&ring::digest::SHA256, &canonical);
        let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let (clock, in_flight) = (self.clock.clone(), self.in_flight.clone());
        Ok(Arc::new(Ticket { row, fingerprint, clock, in_flight }))
    }

    async fn stored(&self, ticket: &Ticket) -> Result<Option<Stored>, Problem> {
        let Some(row) = self.store.row(&IDEMPOTENCY, &ticket.row).await? else { return Ok(None) };
        let age = self.clock.now().as_micros() - row.integer("at");
        if age > i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX) {
            return Err(Problem::conflict(
                "This Idempotency-Key was used more than 24 hours ago. Use a new one.",
            ));
        }
        if row.text("fingerprint") != ticket.fingerprint {
            let detail = "This Idempotency-Key was used before with another body.";
            return Err(Problem::unprocessable(detail));
        }
        Ok(Some(Stored::of(&row)))
    }

    /// Deletes some results that are too old. Its failure harms nobody: the next sweep tries again.
    async fn sweep(&self) {
        let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        let oldest = self.clock.now().as_micros().saturating_sub(kept).saturating_sub(kept);
        let expired =
            Select::all(&IDEMPOTENCY).filter("at", Compare::Below, oldest).ascending("at");
        let Ok(rows) = self.store.select(expired.limit(2 * SWEEP_EVERY as usize)).await else {
            return;
        };
        let unit = rows.into_iter().fold(Unit::new(), |unit, row| unit.delete(&IDEMPOTENCY, row.key));
        if !unit.is_empty()
            && let Err(error) = self.store.commit(Unit { lazy: true, ..unit }).await
        {
            tracing::debug!(%error, "old results are kept for now");
        }
    }
}

// === impl Ticket ===

impl Ticket {
    /// Adds the answer to the unit of its effect.
    pub fn remember(&self, unit: Unit, answer: &Stored) -> Unit {
        unit.expect(Expect::row_absent(&IDEMPOTENCY, &*self.row)).put(
            &IDEMPOTENCY,
            &*self.row,
            [
                ("fingerprint", Value::from(&*self.fingerprint)),
                ("status", Value::from(i64::from(answer.status.as_u16()))),
                ("location", Value::from(answer.location.clone())),
                ("body", Value::from(answer.body.to_string())),
                ("at", Value::from(self.clock.now())),
            ],
        )
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.row);
    }
}

// === impl Stored ===

impl Stored {
    /// 201 with the whole resource and where it is.
    pub fn created(location: impl Into<String>, body: Json_) -> Self {
        let (status, location) = (StatusCode::CREATED, Some(location.into()));
        Self { status, location, body, replayed: false }
    }

    /// A refusal: an answer like any other, stored with its key.
    pub fn refused(problem: &Problem) -> Self {
        let (status, body) = (problem.status(), problem.to_json());
        Self { status, location: None, body, replayed: false }
    }

    fn of(row: &Row) -> Self {
        let status = u16::try_from(row.integer("status")).ok();
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let location = row.text("location");
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            location: (!location.is_empty()).then(|| location.to_owned()),
            body: serde_json::from_str(row.text("body")).unwrap_or_default(),
            replayed: true,
        }
    }
}

impl IntoResponse for Stored {
    fn into_response(self) -> Response {
        let is_problem = self.status.is_client_error();
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if is_problem {
            let kind = HeaderValue::from_static("application/problem+json");
            headers.insert(http::header::CONTENT_TYPE, kind);
        }
        if let Some(location) = self.location.and_then(|at| HeaderValue::from_str(&at).ok()) {
            headers.insert(LOCATION, location);
        }
        if self.replayed {
            let name = HeaderName::from_static("idempotency-replayed");
            headers.insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}

// === impl IdempotencyKey ===

fn key_of(parts: &Parts) -> Result<Option<String>, Problem> {
    let Some(header) = parts.headers.get("idempotency-key") else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if bare.is_empty() || bare.len() > KEY_MAX || !bare.is_ascii() {
        return Err(Problem::bad_request("`Idempotency-Key` must have 1 to 255 ASCII characters."));
    }
    Ok(Some(bare.to_owned()))
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        key_of(parts)?.map(Self).ok_or_else(|| {
            Problem::bad_request("Send an `Idempotency-Key`, so that the call can be repeated safely.")
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OptionalIdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        key_of(parts).map(Self)
    }
}
