//! Stopping, starting and failing one group, while the others do not notice.
//!
//! A stopped group keeps its place: what comes meanwhile waits in its topic. A group that ends by itself is started again, after waits
//! that double from one second to thirty; until then `/readyz` says so. *Failing* is a drill: every message of the group fails, so that
//! operators see retries, parked keys and replay without breaking anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{BoxError, chain};
use switchboard_handler::{Failure, Group};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::routes::Destination;

/// The first wait before a group that ended is started again.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const WAIT_MOST: Duration = Duration::from_secs(30);

/// The switches of all groups.
#[derive(Clone, Debug)]
pub struct Switches(Arc<[Switch; 3]>);

/// The switch of one group.
#[derive(Debug)]
pub struct Switch {
    destination: Destination,
    running: watch::Sender<bool>,
    failing: AtomicBool,
    broken: Mutex<Option<String>>,
}

/// An operator wants this group to fail.
#[derive(Debug, thiserror::Error)]
#[error("a drill: an operator has switched the group `{0}` to fail")]
struct Drill(&'static str);

/// The group ended although nobody had asked it to.
#[derive(Debug, thiserror::Error)]
#[error("the group has ended by itself")]
struct Ended;

// === impl Switches ===

impl Default for Switches {
    fn default() -> Self {
        Self(Arc::new(Destination::ALL.map(Switch::new)))
    }
}

impl Switches {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Switch> {
        self.0.iter()
    }

    /// That of one group.
    pub fn of(&self, destination: Destination) -> &Switch {
        let [email, analytics, notification] = &*self.0;
        match destination {
            Destination::Email => email,
            Destination::Analytics => analytics,
            Destination::Notification => notification,
        }
    }

    /// Keeps a group running whenever its switch is on, until shutdown.
    ///
    /// # Errors
    /// None: a group that ends is started again, for the others must not end with it.
    pub async fn keep(
        self,
        destination: Destination,
        group: impl Fn() -> Group,
        shutdown: CancellationToken,
    ) -> Result<(), BoxError> {
        let switch = self.of(destination);
        let mut wanted = switch.running.subscribe();
        let mut wait = WAIT_FIRST;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                () = until(&mut wanted, true) => {}
            }
            let result = run_while(group(), &mut wanted, &shutdown).await;
            if shutdown.is_cancelled() {
                return Ok(());
            }
            if let Err(error) = result {
                let text = chain(&*error);
                tracing::error!(group = destination.name(), error = text, "ended, starts again");
                *switch.broken.lock() = Some(text);
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = tokio::time::sleep(wait) => wait = (wait * 2).min(WAIT_MOST),
                }
            } else {
                wait = WAIT_FIRST;
            }
            *switch.broken.lock() = None;
        }
    }
}

/// Runs a group until it ends, the switch is turned off, or shutdown.
async fn run_while(
    group: Group,
    wanted: &mut watch::Receiver<bool>,
    shutdown: &CancellationToken,
) -> Result<(), BoxError> {
    let stop = shutdown.child_token();
    let running = group.run(stop.clone());
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => {
            ended?;
            if stop.is_cancelled() { Ok(()) } else { Err(Ended.into()) }
        }
        () = until(wanted, false) => {
            stop.cancel();
            Ok(running.await?)
        }
    }
}

/// Waits for a value; for ever when nobody can change it any more.
async fn until(wanted: &mut watch::Receiver<bool>, value: bool) {
    if wanted.wait_for(|it| *it == value).await.is_err() {
        std::future::pending::<()>().await;
    }
}

// === impl Switch ===

impl Switch {
    fn new(destination: Destination) -> Self {
        let (running, _) = watch::channel(true);
        Self { destination, running, failing: AtomicBool::new(false), broken: Mutex::new(None) }
    }

    /// Whose switch it is.
    pub fn destination(&self) -> Destination {
        self.destination
    }

    /// Whether the group is meant to run.
    pub fn is_running(&self) -> bool {
        *self.running.borrow()
    }

    /// Starts or stops the group.
    pub fn set_running(&self, running: bool) {
        self.running.send_if_modified(|now| std::mem::replace(now, running) != running);
    }

    /// Whether every message of the group fails.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Begins or ends a drill. It ends with the process, too.
    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Why the group has ended, while it waits to be started again.
    pub fn broken(&self) -> Option<String> {
        self.broken.lock().clone()
    }

    /// Fails while there is a drill.
    ///
    /// # Errors
    /// A failure that may pass by itself: retried, then parked.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.is_failing() { Err(Failure::retry(Drill(self.destination.name()))) } else { Ok(()) }
    }
}
