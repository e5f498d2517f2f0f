//! The same key, the same answer: a caller that heard nothing may ask again without anything happening twice.
//!
//! The result is stored in the unit of its effect, so there is no moment in which one is there without the other. That a call is still
//! running is known to the process only, so no key stays in flight after a crash; across processes the loser of the commit answers what
//! the winner stored. Malformed input and faults store nothing. After 24 hours a key is as new.

mod key;
mod stored;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value as Body;
use switchboard_core::Clock;
use switchboard_store::{Column, Compare, Expect, Row, Select, Store, Table, Unit};
use tonic::Code;

pub use key::{IdempotencyKey, KEY_MAX, OptionalIdempotencyKey};
pub use stored::Stored;

use crate::Problem;

/// How long results are kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);
/// After so many calls, some results that are too old are deleted.
const SWEEP_EVERY: u64 = 64;
/// How many a sweep deletes at most: more than come in between.
const SWEPT_AT_ONCE: usize = 2 * SWEEP_EVERY as usize;

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

/// Runs operations at most once per key.
#[derive(Clone, Debug)]
pub struct Idempotent {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    in_flight: Arc<Mutex<HashSet<String>>>,
    calls: Arc<AtomicU64>,
}

/// The right to run an operation once; hold it until the effect is committed.
#[derive(Debug)]
pub struct Ticket {
    row: String,
    fingerprint: String,
    /// The version of an old result in this row, which the new one replaces; 0 when there is none.
    replaces: AtomicU64,
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
    ///
    /// # Cancel safety
    /// A call that is dropped may still have its effect, with the answer stored for the next one.
    pub async fn once<F, Fut>(
        &self,
        user_id: &str,
        operation: &str,
        key: &str,
        body: &Body,
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
            Err(problem) => self.stored(&ticket).await?.ok_or(problem),
        }
    }

    fn ticket(
        &self,
        user_id: &str,
        operation: &str,
        key: &str,
        body: &Body,
    ) -> Result<Arc<Ticket>, Problem> {
        // The separator is no visible character, so no key can reach into another operation.
        let row = format!("{user_id}\u{1f}{operation}\u{1f}{key}");
        if !self.in_flight.lock().insert(row.clone()) {
            let detail = "The first call with this Idempotency-Key is still running.";
            return Err(Problem::conflict(detail).with_code(Code::Aborted).retry_after(1));
        }
        let (clock, in_flight) = (self.clock.clone(), self.in_flight.clone());
        let (fingerprint, replaces) = (fingerprint(body), AtomicU64::new(0));
        Ok(Arc::new(Ticket { row, fingerprint, replaces, clock, in_flight }))
    }

    async fn stored(&self, ticket: &Ticket) -> Result<Option<Stored>, Problem> {
        let Some(row) = self.store.row(&IDEMPOTENCY, &ticket.row).await? else { return Ok(None) };
        if row.integer("at") < self.oldest() {
            ticket.replaces.store(row.version, Ordering::Relaxed);
            return Ok(None);
        }
        if row.text("fingerprint") != ticket.fingerprint {
            let detail = "This Idempotency-Key was used before with another body.";
            return Err(Problem::unprocessable(detail));
        }
        Ok(Some(Stored::of(&row)))
    }

    /// Results from before this moment count no more.
    fn oldest(&self) -> i64 {
        let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        self.clock.now().as_micros().saturating_sub(kept)
    }

    /// Deletes some results that are too old. Its failure harms nobody: the next sweep tries again.
    async fn sweep(&self) {
        let old = Select::all(&IDEMPOTENCY)
            .filter("at", Compare::Below, self.oldest())
            .ascending("at")
            .limit(SWEPT_AT_ONCE);
        let Ok(rows) = self.store.select(old).await else { return };
        // A row that has been replaced meanwhile is not old any more, and must stay.
        let delete = |unit: Unit, row: Row| {
            unit.expect(Expect::row_at(&IDEMPOTENCY, &*row.key, row.version))
                .delete(&IDEMPOTENCY, row.key)
        };
        let unit = rows.into_iter().fold(Unit::new(), delete);
        if !unit.is_empty()
            && let Err(error) = self.store.commit(Unit { lazy: true, ..unit }).await
        {
            tracing::debug!(%error, "old results are kept for now");
        }
    }
}

/// A map of `serde_json` is sorted by name, so equal bodies have equal bytes however they were
/// written; a test holds that.
fn fingerprint(body: &Body) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body.to_string().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl Ticket ===

impl Ticket {
    /// Adds the answer to the unit of its effect.
    pub fn remember(&self, unit: Unit, answer: &Stored) -> Unit {
        let condition = match self.replaces.load(Ordering::Relaxed) {
            0 => Expect::row_absent(&IDEMPOTENCY, &*self.row),
            old => Expect::row_at(&IDEMPOTENCY, &*self.row, old),
        };
        let cells = answer.cells(&self.fingerprint, self.clock.now());
        unit.expect(condition).put(&IDEMPOTENCY, &*self.row, cells)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.row);
    }
}

#[cfg(test)]
mod tests;
