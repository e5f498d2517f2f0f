//! The look-ups of one operation, run by the task that runs the operation, and between its steps.
//!
//! A batch must hold everything that is asked for at the same moment. If it ran as a task of its own, another thread could begin it while
//! the operation is still asking. Here it is looked at only when the operation has nothing more to ask: so a list is one call, whatever
//! the machine is doing, and no window of time has to be guessed. What is not finished ends with the operation.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// Steps of one operation without letting other tasks of the thread go on.
const ROUNDS: usize = 1_000;

/// Look-ups that wait for their turn, and those that run. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    new: Mutex<Vec<BoxFuture<'static, ()>>>,
    running: Mutex<FuturesUnordered<BoxFuture<'static, ()>>>,
}

/// Whether the operation wants to be looked at again; whoever says so wakes its task as well.
#[derive(Default)]
struct Woken {
    again: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.again.store(true, Ordering::Release);
        self.task.wake();
    }
}

// === impl Tasks ===

impl Tasks {
    /// One more.
    pub(super) fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.new.lock().push(task);
    }

    /// Runs the operation to its end, with the look-ups that it begins.
    pub(super) async fn drive<F: Future>(&self, operation: F) -> F::Output {
        let mut operation = pin!(operation);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        poll_fn(|cx| {
            woken.task.register(cx.waker());
            for _ in 0..ROUNDS {
                woken.again.store(false, Ordering::Release);
                let step = operation.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(end) = step {
                    return Poll::Ready(end);
                }
                // Many futures in one, as those of a list, are not all looked at in one step.
                let has_more = woken.again.load(Ordering::Acquire);
                // What has been found lets the operation go on, and ask for more.
                if !has_more && !self.advance(cx) {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Whether one of them has ended.
    fn advance(&self, cx: &mut Context<'_>) -> bool {
        let new = std::mem::take(&mut *self.0.new.lock());
        let mut running = self.0.running.lock();
        running.extend(new);
        let mut has_ended = false;
        while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {
            has_ended = true;
        }
        has_ended
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tasks")
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn g5_a_look_up_begins_only_when_the_operation_asks_no_more() {
        let tasks = Tasks::default();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (found, answer) = oneshot::channel();
        let seen = tasks.drive(async {
            let at_begin = asked.clone();
            tasks.spawn(Box::pin(async move {
                let _ = found.send(at_begin.lock().len());
            }));
            // The look-up is there already, and the operation goes on asking.
            (0..100).for_each(|number| asked.lock().push(number));
            answer.await.unwrap()
        });
        assert_eq!(seen.await, 100);
    }

    #[tokio::test]
    async fn g5_an_operation_that_is_not_done_asking_is_looked_at_again_first() {
        let (tasks, asked) = (Tasks::default(), Arc::new(Mutex::new(0)));
        let lists: FuturesUnordered<_> = (0..100)
            .map(|_| async {
                *asked.lock() += 1;
                // Wakes itself, as a list inside of a list does.
                let mut is_second = false;
                poll_fn(|cx| {
                    if std::mem::replace(&mut is_second, true) {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            })
            .collect();
        let (found, answer) = oneshot::channel();
        let at_begin = asked.clone();
        tasks.spawn(Box::pin(async move {
            let _ = found.send(*at_begin.lock());
        }));
        let ((), seen) = tasks.drive(async { (lists.collect().await, answer.await) }).await;
        assert_eq!(seen, Ok(100));
    }

    #[tokio::test]
    async fn what_is_not_finished_ends_with_the_operation() {
        let (held, mut is_held) = oneshot::channel::<()>();
        let tasks = Tasks::default();
        tasks.spawn(Box::pin(async move {
            std::future::pending::<()>().await;
            drop(held);
        }));
        let after = tasks.drive(std::future::ready(7)).await;
        assert_eq!((after, is_held.try_recv()), (7, Err(oneshot::error::TryRecvError::Empty)));
        drop(tasks);
        assert_eq!(is_held.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
