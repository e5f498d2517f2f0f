//! Waiting for a place: in order, at most so long, and never past the caller's deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::places::{Ticket, Turn};
use super::{Bulkhead, Entry, Place};
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
    fn begin(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Option<Result<Place, Rejected>> {
        let this = self.as_mut().project();
        let bulkhead = &*this.bulkhead;
        let now = Instant::now();
        if this.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(Err(bulkhead.shared.numbers.reject(Reason::DeadlineExceeded)));
        }
        let waker = cx.waker().clone();
        let max_wait = {
            let mut state = bulkhead.shared.state.lock();
            match bulkhead.enter(&mut state) {
                Entry::Inside(place) => return Some(Ok(place)),
                Entry::Rejected(rejected) => return Some(Err(rejected)),
                Entry::Queue => {}
            }
            match state.places.join(waker, now) {
                Some(ticket) => *this.ticket = Some(ticket),
                None => return Some(Err(bulkhead.full(&state))),
            }
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

    /// Asks whether the turn of this ticket has come; if not, has itself woken by `waker`.
    fn ask(bulkhead: &Bulkhead, ticket: Ticket, waker: Waker) -> Option<Place> {
        let mut state = bulkhead.shared.state.lock();
        let (place, former) = match state.places.ask(ticket) {
            Turn::Place => (Some(bulkhead.place(true)), None),
            Turn::Pass(former) => (Some(bulkhead.place(false)), Some(former)),
            Turn::NotYet => (None, state.places.rewake(ticket, waker)),
        };
        // A waker may be the last thing that keeps a task, and a place of this bulkhead.
        drop(state);
        drop(former);
        place
    }
}

impl Future for Acquire {
    type Output = Result<Place, Rejected>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.ticket.is_none()
            && let Some(answer) = self.as_mut().begin(cx)
        {
            return Poll::Ready(answer);
        }
        let mut this = self.project();
        let bulkhead = &*this.bulkhead;
        let Some(ticket) = *this.ticket else { return Poll::Pending };
        let place = Self::ask(bulkhead, ticket, cx.waker().clone());
        if place.is_none()
            && let Some(sleep) = this.sleep.as_mut().as_pin_mut()
        {
            ready!(sleep.poll(cx));
        }
        *this.ticket = None;
        let waited = this.since.map_or(Duration::ZERO, |since| since.elapsed());
        bulkhead.shared.waits.record(waited.as_secs_f64());
        Poll::Ready(place.ok_or_else(|| {
            // A place that was given between the question and now goes to the next.
            bulkhead.leave(ticket);
            bulkhead.shared.numbers.reject(*this.too_late)
        }))
    }
}
