//! Who waits for which reply: bounded, and clean again when a caller goes away.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use switchboard_core::Envelope;
use tokio::sync::oneshot;

use super::{CORRELATION_ID, CallError};
use crate::metrics as names;

/// The calls of one requester.
#[derive(Debug)]
pub(super) struct Waiting {
    limit: usize,
    /// Tells this requester's calls from those of all others, earlier lives of it included.
    session: u64,
    last: AtomicU64,
    strays: AtomicU64,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    by_number: HashMap<u64, oneshot::Sender<Envelope>>,
    /// Why nobody will get a reply any more.
    over: Option<Arc<str>>,
}

/// One call that waits. Dropping it forgets the call.
#[derive(Debug)]
pub(super) struct Call {
    waiting: Arc<Waiting>,
    number: u64,
    reply: oneshot::Receiver<Envelope>,
}

// === impl Waiting ===

impl Waiting {
    pub(super) fn new(limit: usize, session: u64) -> Arc<Self> {
        let (last, strays) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { limit, session, last, strays, calls: Mutex::default() })
    }

    /// One more call.
    pub(super) fn begin(self: &Arc<Self>) -> Result<Call, CallError> {
        let mut calls = self.calls.lock();
        if let Some(reason) = &calls.over {
            return Err(CallError::Closed(reason.to_string().into()));
        }
        if calls.by_number.len() >= self.limit {
            return Err(CallError::TooMany { limit: self.limit });
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, reply) = oneshot::channel();
        calls.by_number.insert(number, sender);
        Ok(Call { waiting: Arc::clone(self), number, reply })
    }

    /// Gives a reply to whoever waits for it. A late one, a second one, and one that is somebody
    /// else's change nothing.
    pub(super) fn answer(&self, reply: Envelope) {
        let number = reply.headers.get(CORRELATION_ID).and_then(|id| self.number(id));
        let Some(number) = number else { return };
        let caller = self.calls.lock().by_number.remove(&number);
        if caller.is_none_or(|caller| caller.send(reply).is_err()) {
            self.stray();
        }
    }

    /// Counts a reply that nobody waits for.
    pub(super) fn stray(&self) {
        self.strays.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(names::STRAY_REPLIES).increment(1);
    }

    pub(super) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    pub(super) fn outstanding(&self) -> usize {
        self.calls.lock().by_number.len()
    }

    /// Ends all calls, present and future.
    pub(super) fn end(&self, reason: &str) {
        let mut calls = self.calls.lock();
        calls.over.get_or_insert_with(|| reason.into());
        calls.by_number.clear();
    }

    fn over(&self) -> CallError {
        let reason = self.calls.lock().over.clone();
        CallError::Closed(reason.as_deref().unwrap_or("the call was forgotten").to_owned().into())
    }

    fn number(&self, correlation: &str) -> Option<u64> {
        let (session, number) = correlation.split_once('-')?;
        let ours = u64::from_str_radix(session, 16).is_ok_and(|s| s == self.session);
        if ours { number.parse().ok() } else { None }
    }
}

// === impl Call ===

impl Call {
    /// What the reply will repeat.
    pub(super) fn correlation(&self) -> String {
        format!("{:016x}-{}", self.waiting.session, self.number)
    }

    /// Waits without end: the caller has the clock.
    pub(super) async fn reply(&mut self) -> Result<Envelope, CallError> {
        let reply = (&mut self.reply).await;
        reply.map_err(|_| self.waiting.over())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.waiting.calls.lock().by_number.remove(&self.number);
    }
}
