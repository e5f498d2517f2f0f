//! Fires timers: each in one unit that deletes the timer and appends its message.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard_core::{Clock, Timestamp};
use switchboard_store::{CommitError, Store, Timer, TimerOp, Unit};
use tokio_util::sync::CancellationToken;

use crate::metrics::Numbers;
use crate::{Error, Options};

/// How many due timers are read, and fired side by side, at a time.
const BATCH: usize = 256;
/// The longest sleep while a timer is set: a clock that was set is noticed by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// After a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// Fires timers until `stop`. Sleeps until the next one is due; without timers it costs nothing.
pub(crate) async fn run(
    store: &dyn Store,
    clock: &dyn Clock,
    options: &Options,
    numbers: &Numbers,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut rescheduled = store.rescheduled();
    loop {
        rescheduled.borrow_and_update();
        let sleep = match store.due_timers(clock.now(), BATCH).await {
            Ok((due, next)) if due.is_empty() => next.map(|next| until(next, clock.now())),
            Ok((due, _)) => {
                let count = u32::try_from(due.len()).unwrap_or(u32::MAX);
                let all_fired = fire(store, due, numbers).await?;
                let full = count as usize == BATCH;
                let catching_up = full.then(|| Duration::from_secs(1) * count);
                match (all_fired, catching_up) {
                    (false, _) => Some(PAUSE),
                    // Many were due: they come at a bounded rate, whatever is set meanwhile.
                    (true, Some(second)) => {
                        let wait = second / options.timers_per_second;
                        if !pause(wait, &stop).await {
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
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            // The store is held, so its sender lives.
            _ = rescheduled.changed() => {}
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
        }
    }
}

/// Fires timers in the order in which they are due: the units reach the store in this order and
/// share its syncs. False when one could not fire for now.
async fn fire(store: &dyn Store, due: Vec<Timer>, numbers: &Numbers) -> Result<bool, Error> {
    let units = due.into_iter().map(|timer| {
        let unit = Unit::new().timer(TimerOp::Fire { id: timer.id.clone() });
        async move { (timer, store.commit(unit).await) }
    });
    let mut all_fired = true;
    for (timer, committed) in join_all(units).await {
        match committed {
            Ok(_) => numbers.fired.increment(1),
            // It was cancelled, or another relay of this store was faster.
            Err(CommitError::TimerGone(_)) => {}
            Err(error @ CommitError::Unknown(_)) => return Err(Error::StoreLost(error.into())),
            Err(error) => {
                tracing::error!(timer = %timer.id, %error, "a timer cannot fire");
                all_fired = false;
            }
        }
    }
    Ok(all_fired)
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
