//! Waiting for a place: in order, at most so long, and never past the caller's deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::places::{Take, Ticket, Turn};
use super::{Bulkhead, Permit};
use crate::{Reason, Rejected};

pin_project! {
    /// A place, when there is one. Made by [`Bulkhead::acquire`]; nothing happens before it is
    /// polled.
    ///
    /// # Cancel safety
    /// One that is dropped while it waits leaves the queue; a place that it had been given and did
    /// not know of goes to the next.
    #[derive(Debug)]
    #[must_use = "nobody waits for a place until this is polled"]
    pub struct Acquire {
        bulkhead: Bulkhead,
        deadline: Option<Instant>,
        ticket: Option<Ticket>,
        since: Option<Instant>,
        too_late: Reason,
        #[pin]
        sleep: Option<Sleep>,
    }

    impl PinnedDrop for Acquire {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(ticket) = this.ticket.take() {
                this.bulkhead.leave(ticket);
            }
        }
    }
}

// === impl Acquire ===

impl Acquire {
    pub(super) fn new(bulkhead: Bulkhead, deadline: Option<Instant>) -> Self {
        Self {
            bulkhead,
            deadline,
            ticket: None,
            since: None,
            too_late: Reason::BulkheadTimeout,
            sleep: None,
        }
    }

    /// Takes a place at once, or joins the queue and sets the alarm.
    fn begin(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Option<Result<Permit, Rejected>> {
        let this = self.as_mut().project();
        let now = Instant::now();
        let numbers = &this.bulkhead.shared.numbers;
        if this.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(Err(numbers.reject(Reason::DeadlineExceeded)));
        }
        let max_wait = {
            let mut state = this.bulkhead.shared.state.lock();
            match state.places.take() {
                Take::Place => return Some(Ok(this.bulkhead.permit(&state, true))),
                Take::Pass => return Some(Ok(this.bulkhead.permit(&state, false))),
                Take::Isolated => return Some(Err(numbers.reject(Reason::Isolated))),
                Take::Busy => {}
            }
            if state.max_wait.is_zero() {
                return Some(Err(numbers.reject(Reason::BulkheadFull)));
            }
            let Some(ticket) = state.places.join(cx.waker().clone(), now) else {
                return Some(Err(numbers.reject(Reason::BulkheadFull)));
            };
            *this.ticket = Some(ticket);
            state.max_wait
        };
        *this.since = Some(now);
        let mut until = now + max_wait;
        if let Some(deadline) = *this.deadline
            && deadline < until
        {
            (until, *this.too_late) = (deadline, Reason::DeadlineExceeded);
        }
        self.project().sleep.set(Some(tokio::time::sleep_until(until)));
        None
    }
}

impl Future for Acquire {
    type Output = Result<Permit, Rejected>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.ticket.is_none()
            && let Some(answer) = self.as_mut().begin(cx)
        {
            return Poll::Ready(answer);
        }
        let mut this = self.project();
        let Some(ticket) = *this.ticket else { return Poll::Pending };
        let numbers = &this.bulkhead.shared.numbers;
        let turn = {
            let mut state = this.bulkhead.shared.state.lock();
            match state.places.ask(ticket) {
                Turn::Place => Some(this.bulkhead.permit(&state, true)),
                Turn::Pass => Some(this.bulkhead.permit(&state, false)),
                Turn::NotYet => {
                    state.places.rewake(ticket, cx.waker().clone());
                    None
                }
            }
        };
        let waited = this.since.map_or(std::time::Duration::ZERO, |since| since.elapsed());
        if let Some(permit) = turn {
            *this.ticket = None;
            numbers.wait.record(waited.as_secs_f64());
            return Poll::Ready(Ok(permit));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        // A place that was given between the question and now goes to the next.
        *this.ticket = None;
        this.bulkhead.leave(ticket);
        numbers.wait.record(waited.as_secs_f64());
        Poll::Ready(Err(numbers.reject(*this.too_late)))
    }
}
