//! How a producer hears that its batch is synced: one ticket per group, shared by all its batches.
//!
//! To wake a task from another thread takes a good part of a microsecond, and a group may have
//! hundreds. The writer wakes one, each that was woken wakes a few more, and the writer goes on with
//! the next sync meanwhile. Whoever was woken may be gone before it runs, so the chain may break:
//! the writer wakes what is left after that sync, or before it goes to sleep for long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::AppendError;
use crate::stage::{Batch, Core};
use crate::types::Appended;

/// The outcome of a group, once there is one.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    outcome: Option<Result<(), AppendError>>,
    wakers: Vec<Waker>,
}

/// Resolves when the batch is synced.
///
/// The batch was staged when [`Log::append`](crate::Log::append) was called, unless the queue was
/// full.
///
/// # Cancel safety
/// Dropping it undoes nothing: a staged batch is appended all the same, one that still waits for
/// room in the queue is not.
#[must_use = "nobody hears whether the batch was synced"]
pub struct Append(State);

enum State {
    Staged { ticket: Arc<Ticket>, seat: Option<usize>, appended: Vec<Appended> },
    Blocked { core: Arc<Core>, batch: Batch, room: Room },
    Failed(AppendError),
    Done,
}

type Room = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// Wakes a thread that waits.
struct Parked(Thread);

/// Each that was woken wakes so many more.
const AT_ONCE: usize = 4;

// === impl Ticket ===

impl Ticket {
    /// Answers everybody who holds the ticket, now and later, and wakes the first of them. Returns
    /// whether some are left for [`Ticket::wake_rest`].
    pub(crate) fn resolve(&self, outcome: Result<(), AppendError>) -> bool {
        let mut inner = self.0.lock();
        inner.outcome = Some(outcome);
        Self::wake_some(inner, 1)
    }

    /// Wakes those whom the chain has not reached.
    pub(crate) fn wake_rest(&self) {
        let wakers = std::mem::take(&mut self.0.lock().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn wake_some(mut inner: MutexGuard<'_, Inner>, count: usize) -> bool {
        let left = inner.wakers.len().saturating_sub(count);
        let some: SmallVec<[Waker; AT_ONCE]> = inner.wakers.drain(left..).collect();
        drop(inner);
        some.into_iter().for_each(Waker::wake);
        left > 0
    }

    fn poll(&self, seat: &mut Option<usize>, cx: &Context<'_>) -> Poll<Result<(), AppendError>> {
        let mut inner = self.0.lock();
        if let Some(outcome) = inner.outcome.clone() {
            Self::wake_some(inner, AT_ONCE);
            return Poll::Ready(outcome);
        }
        match seat.and_then(|seat| inner.wakers.get_mut(seat)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => {
                *seat = Some(inner.wakers.len());
                inner.wakers.push(cx.waker().clone());
            }
        }
        Poll::Pending
    }
}

// === impl Append ===

impl Append {
    pub(crate) fn staged(ticket: Arc<Ticket>, appended: Vec<Appended>) -> Self {
        Self(State::Staged { ticket, seat: None, appended })
    }

    pub(crate) fn blocked(core: Arc<Core>, batch: Batch) -> Self {
        let room = core.room.clone().acquire_many_owned(batch.places);
        let room = Box::pin(async move { room.await.ok() });
        Self(State::Blocked { core, batch, room })
    }

    pub(crate) fn failed(error: AppendError) -> Self {
        Self(State::Failed(error))
    }

    /// Blocks this thread until the batch is synced. Not for async code: await it there.
    ///
    /// # Errors
    /// As the future's.
    pub fn wait(mut self) -> Result<Vec<Appended>, AppendError> {
        let waker = Waker::from(Arc::new(Parked(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut self).poll(&mut cx) {
                return outcome;
            }
            thread::park();
        }
    }
}

impl Future for Append {
    type Output = Result<Vec<Appended>, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                State::Staged { ticket, seat, .. } => {
                    let Poll::Ready(outcome) = ticket.poll(seat, cx) else {
                        return Poll::Pending;
                    };
                    let State::Staged { appended, .. } =
                        std::mem::replace(&mut self.0, State::Done)
                    else {
                        continue;
                    };
                    return Poll::Ready(outcome.map(|()| appended));
                }
                State::Blocked { room, .. } => {
                    let Poll::Ready(permit) = room.as_mut().poll(cx) else {
                        return Poll::Pending;
                    };
                    let State::Blocked { core, batch, .. } =
                        std::mem::replace(&mut self.0, State::Done)
                    else {
                        continue;
                    };
                    let Some(permit) = permit else {
                        return Poll::Ready(Err(AppendError::Closed));
                    };
                    permit.forget();
                    self.0 = core.stage_batch(&batch).0;
                }
                State::Failed(error) => {
                    let error = error.clone();
                    self.0 = State::Done;
                    return Poll::Ready(Err(error));
                }
                // Polled again after the answer: the answer was taken.
                State::Done => return Poll::Ready(Err(AppendError::Closed)),
            }
        }
    }
}

impl std::fmt::Debug for Append {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            State::Staged { .. } => "Append(staged)",
            State::Blocked { .. } => "Append(waits for room)",
            State::Failed(_) => "Append(failed)",
            State::Done => "Append(done)",
        })
    }
}

// === impl Parked ===

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
