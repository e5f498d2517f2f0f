//! What the tests of layers share: a service that insists on its contract and answers by a script, and futures that are dropped at every
//! point.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tower::Service;

use crate::{Call, CallError};

pub(crate) type Error = CallError<&'static str>;
pub(crate) type Answer = Result<u32, Error>;

/// Answers by a script, notes what it was asked and when, and panics when it is called without
/// having been made ready: a clone is not ready because its original was (trap 12).
pub(crate) struct Scripted {
    is_ready: bool,
    failing: Option<Pin<Box<tokio::time::Sleep>>>,
    pub(crate) notes: Arc<Notes>,
    script: Arc<dyn Fn(u32, Call) -> (Duration, Answer) + Send + Sync>,
}

/// What a [`Scripted`] service was asked.
pub(crate) struct Notes {
    begun: Instant,
    /// Each call, and when it came.
    pub(crate) calls: Mutex<Vec<(Duration, Call)>>,
    /// Calls that have begun and neither ended nor been dropped.
    pub(crate) running: Arc<AtomicUsize>,
    /// Readiness fails after it was given this many times.
    pub(crate) fails_readiness_after: Mutex<Option<u32>>,
    /// How long failing takes.
    pub(crate) fails_readiness_within: Mutex<Duration>,
}

/// A call that runs, counted while this lives.
pub(crate) struct Running(Arc<AtomicUsize>);

// === impl Scripted ===

impl Scripted {
    /// Call by call, from 0: how long it takes and what it answers.
    pub(crate) fn new(
        script: impl Fn(u32, Call) -> (Duration, Answer) + Send + Sync + 'static,
    ) -> Self {
        let notes = Notes {
            begun: Instant::now(),
            calls: Mutex::default(),
            running: Arc::default(),
            fails_readiness_after: Mutex::default(),
            fails_readiness_within: Mutex::default(),
        };
        let (notes, script) = (Arc::new(notes), Arc::new(script));
        Self { is_ready: false, failing: None, notes, script }
    }

    /// Fails at once this many times, then answers how often it was called.
    pub(crate) fn failing(failures: u32) -> Self {
        Self::new(move |nth, _| {
            (Duration::ZERO, if nth < failures { failed() } else { Ok(nth + 1) })
        })
    }
}

pub(crate) fn failed() -> Answer {
    Err(CallError::Failed("no"))
}

impl Clone for Scripted {
    fn clone(&self) -> Self {
        let (notes, script) = (self.notes.clone(), self.script.clone());
        Self { is_ready: false, failing: None, notes, script }
    }
}

impl<T> Service<(Call, T)> for Scripted {
    type Response = u32;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(left) = &mut *self.notes.fails_readiness_after.lock() {
            if *left == 0 {
                let within = *self.notes.fails_readiness_within.lock();
                let failing = || Box::pin(tokio::time::sleep(within));
                ready!(self.failing.get_or_insert_with(failing).as_mut().poll(cx));
                return Poll::Ready(Err(CallError::Failed("not ready")));
            }
            *left -= 1;
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (call, _): (Call, T)) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been made ready");
        let notes = self.notes.clone();
        let nth = {
            let mut calls = notes.calls.lock();
            calls.push((notes.begun.elapsed(), call));
            u32::try_from(calls.len()).unwrap() - 1
        };
        let running = Running::begun(notes.running.clone());
        let (takes, answer) = (self.script)(nth, call);
        Box::pin(async move {
            let _running = running;
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            answer
        })
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn begun(running: Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }

    /// How many run, this one included.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

// === impl Notes ===

impl Notes {
    pub(crate) fn count(&self) -> usize {
        self.calls.lock().len()
    }

    pub(crate) fn times(&self) -> Vec<Duration> {
        self.calls.lock().iter().map(|(at, _)| *at).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<u32> {
        self.calls.lock().iter().map(|(_, call)| call.attempt).collect()
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

/// Polls a future by hand, once.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Makes a future, polls it no times, drops it and checks; makes another and polls it once, and so
/// on until one ends. Between polls the paused clock moves on by `step`.
pub(crate) async fn dropped_at_every_poll<F: Future, C: FnOnce()>(
    step: Duration,
    make: impl Fn() -> (F, C),
) -> usize {
    for polls in 0..1_000 {
        let (future, check) = make();
        let mut future = Box::pin(future);
        let mut has_ended = false;
        for _ in 0..polls {
            has_ended = poll_once(future.as_mut()).is_ready();
            if has_ended {
                break;
            }
            tokio::time::advance(step).await;
        }
        drop(future);
        check();
        if has_ended {
            assert!(polls > 1, "the future never waited, so nothing was tested");
            return polls;
        }
    }
    panic!("did not end within a thousand polls");
}
