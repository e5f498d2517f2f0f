//! Fires timers: each in one unit that deletes the timer and appends its message.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard_core::{Clock, Timestamp};
use switchboard_store::leases::Keeper;
use switchboard_store::{CommitError, Expect, Lease, Store, Timer, TimerOp, Unit};
use tokio_util::sync::CancellationToken;

use crate::metrics::Numbers;
use crate::{Error, Options};

/// What became of a batch of due timers, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fired {
    All,
    /// One could not fire for now.
    NotAll,
    /// Another process fires them by now.
    Fenced,
}

/// How many due timers are read, and fired side by side, at a time.
const BATCH: usize = 256;
/// The longest sleep while a timer is set: a clock that was set is noticed by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// After a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// The lease under which they fire, if other processes work on the same store.
pub(crate) const LEASE: &str = "timers";
/// How often a process that shares its store looks: others may have set a timer.
const LOOK: Duration = Duration::from_secs(1);

/// Fires timers until `stop`. Sleeps until the next one is due; without timers it costs nothing.
/// With a keeper, only while it holds the lease.
pub(crate) async fn run(
    store: &dyn Store,
    clock: &dyn Clock,
    options: &Options,
    numbers: &Numbers,
    post: Option<&Keeper>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let Some(keeper) = post else {
        return fire_all(store, clock, options, numbers, None, &stop).await;
    };
    let mut held = keeper.held();
    while !stop.is_cancelled() {
        held.borrow_and_update();
        if let Some(lease) = keeper.current() {
            let post = Some((keeper, &lease));
            fire_all(store, clock, options, numbers, post, &stop).await?;
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            // The keeper is held, so its sender lives.
            _ = held.changed() => {}
        }
    }
    match keeper.leave().await {
        Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
        // The next one waits until the lease expires.
        _ => Ok(()),
    }
}

/// The same until `stop`, or until the lease is lost.
async fn fire_all(
    store: &dyn Store,
    clock: &dyn Clock,
    options: &Options,
    numbers: &Numbers,
    post: Option<(&Keeper, &Lease)>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut rescheduled = store.rescheduled();
    let is_over = || post.is_some_and(|(keeper, lease)| keeper.current().as_ref() != Some(lease));
    while !is_over() {
        rescheduled.borrow_and_update();
        let sleep = match store.due_timers(clock.now(), BATCH).await {
            Ok((due, next)) if due.is_empty() => next.map(|next| until(next, clock.now())),
            Ok((due, _)) => {
                let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
                let fence = post.map(|(_, lease)| lease.fence());
                let fired = fire(store, due, fence, numbers).await?;
                if let (Fired::Fenced, Some((keeper, lease))) = (fired, post) {
                    keeper.still(lease).await;
                    continue;
                }
                let all_fired = fired == Fired::All;
                let full = count as usize == BATCH;
                let catching_up = full.then(|| Duration::from_secs(1) * count);
                match (all_fired, catching_up) {
                    (false, _) => Some(PAUSE),
                    // Many were due: they come at a bounded rate, whatever is set meanwhile.
                    (true, Some(second)) => {
                        let wait = second / options.timers_per_second;
                        if !pause(wait, stop).await {
                            return Ok(());
                        }
                        continue;
                    }
                    (true, None) => continue,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read timers");
                Some(PAUSE)
            }
        };
        let sleep = if post.is_some() { Some(sleep.unwrap_or(LOOK).min(LOOK)) } else { sleep };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            // The store is held, so its sender lives.
            _ = rescheduled.changed() => {}
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
        }
    }
    Ok(())
}

/// Fires timers in the order in which they are due: the units reach the store in this order and
/// share its syncs.
async fn fire(
    store: &dyn Store,
    due: Vec<Timer>,
    fence: Option<Expect>,
    numbers: &Numbers,
) -> Result<Fired, Error> {
    let units = due.into_iter().map(|timer| {
        let mut unit = Unit::new().timer(TimerOp::Fire { id: timer.id.clone() });
        unit.conditions.extend(fence.clone());
        async move { (timer, store.commit(unit).await) }
    });
    let mut fired = Fired::All;
    for (timer, committed) in join_all(units).await {
        match committed {
            Ok(_) => numbers.fired.increment(1),
            // It was cancelled, or another relay of this store was faster.
            Err(CommitError::TimerGone(_)) => {}
            Err(error @ CommitError::Unknown(_)) => return Err(Error::StoreLost(error.into())),
            Err(CommitError::Conflict(_)) => fired = Fired::Fenced,
            Err(error) => {
                tracing::error!(timer = %timer.id, %error, "a timer cannot fire");
                fired = fired.max(Fired::NotAll);
            }
        }
    }
    Ok(fired)
}

fn until(next: Timestamp, now: Timestamp) -> Duration {
    next.since(now).clamp(Duration::from_millis(1), LONGEST_SLEEP)
}

async fn pause(wait: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(wait) => true,
    }
}
