//! The loop of a relay: read after the cursor, publish a batch, settle its answers, move checkpoints.

mod books;
mod holding;
mod reading;
mod settling;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use switchboard_core::{Clock, Key, Name, Position, Rng, Slot};
use switchboard_message::Broker;
use switchboard_store::leases::Keeper;
use switchboard_store::{CommitError, Store, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Numbers;
use crate::parking::{self, GROUP};
use crate::planted::Planted;
use crate::ranges::Ranges;
use crate::slots::Slots;
use crate::window::{Batch, Window};
use crate::{Error, Options};
use books::{Books, advance, store_checkpoints};

/// What the loop needs.
pub(crate) struct Publisher {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) planted: Planted,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) rng: Rng,
    /// Who holds the slots' leases, if other relays publish from this store too.
    pub(crate) keeper: Option<Arc<Keeper>>,
}

/// The loop with its state.
struct Turns {
    given: Publisher,
    ranges: Ranges,
    slots: Slots,
    window: Window,
    /// Keys that are parked, as far as this relay knows: more may be open than it thinks.
    parked: HashSet<Key>,
    /// The newest sequence read of each topic and slot. Sequences are dense: where one is missing,
    /// another relay of this store has dealt with it, and may have parked its key.
    sequences: HashMap<(Name, Slot), u64>,
    /// Whether `parked` is to be read again before anything is published.
    unsure: bool,
    /// Whether the gates are to be looked at, and when the next one is due.
    look_at_gates: bool,
    next_gate: Option<Instant>,
    /// The newest position of the store.
    newest: watch::Receiver<Position>,
    /// The bookkeeping in flight: at most one.
    bookkeeping: Option<BoxFuture<'static, Books>>,
    /// Since when checkpoints are only in memory.
    moved_since: Option<Instant>,
    unswept: u64,
    /// Failed reads in a row, and until when to wait.
    read_failures: u32,
    read_again: Option<Instant>,
    /// When changes of the leases are dealt with that the store did not let through.
    follow_again: Option<Instant>,
}

/// The first wait after a failure.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Blocked slots that are tried at a time: an outage is probed, not stormed.
const PROBES: usize = 8;
/// Parked keys that a restart finds, at most.
const PARKED: usize = 65_536;
/// How often a relay that shares its store looks at parked keys: another process may have woken
/// one of them.
const LOOK: Duration = Duration::from_secs(1);

// === impl Publisher ===

impl Publisher {
    /// Publishes until `stop`, then stores the last checkpoints.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let patience = self.options.patience;
        let Some(mut turns) = self.begin(&stop).await else { return Ok(()) };
        let mut rescheduled = turns.given.store.rescheduled();
        loop {
            let turn = async {
                turns.follow_leases().await?;
                turns.work_off_gates().await?;
                turns.turn().await
            };
            let worked = tokio::select! {
                biased;
                worked = turn => worked?,
                // The call in flight may still be answered, and then counts.
                () = async { stop.cancelled().await; tokio::time::sleep(patience).await } => break,
            };
            if stop.is_cancelled() {
                break;
            }
            if !worked {
                turns.rest(&mut rescheduled, &stop).await?;
            }
        }
        turns.close(patience).await
    }

    /// Reads where the relay stands; `None` when it is told to stop before the store answers.
    async fn begin(mut self, stop: &CancellationToken) -> Option<Turns> {
        let mut failures = 0;
        loop {
            let newest = self.store.watch();
            // In this order: whoever parks a key also moves its checkpoint, so a message that a
            // checkpoint passes over has its key among the gates.
            let read = async {
                let checkpoints = self.store.checkpoints().await?;
                Ok::<_, StoreError>((checkpoints, self.store.gates(Some(GROUP), PARKED).await?))
            };
            match read.await {
                Ok((checkpoints, gates)) => {
                    let ranges = Ranges::new(self.keeper.clone(), self.planted);
                    let is_shared = ranges.is_shared();
                    return Some(Turns {
                        slots: if is_shared { Slots::none() } else { Slots::at(&checkpoints) },
                        ranges,
                        window: Window::default(),
                        sequences: HashMap::new(),
                        unsure: false,
                        look_at_gates: !gates.is_empty(),
                        parked: gates.into_iter().map(|gate| gate.key).collect(),
                        next_gate: None,
                        newest,
                        bookkeeping: None,
                        moved_since: None,
                        unswept: self.options.sweep_after,
                        read_failures: 0,
                        read_again: None,
                        follow_again: None,
                        given: self,
                    });
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "the relay cannot read its store; trying again");
                    let wait = self.wait(failures);
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// A wait that doubles up to the longest one, of which a random half is taken.
    fn wait(&mut self, failures: u32) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.options.longest_wait).mul_f64(0.5 + 0.5 * self.rng.fraction())
    }
}

// === impl Turns ===

impl Turns {
    /// Publishes one batch, reading on meanwhile. False when there was nothing to do.
    async fn turn(&mut self) -> Result<bool, Error> {
        if self.window.len() == 0 {
            let read = self.read().await;
            self.load(read);
        }
        let probes = self.probes().await;
        if self.unsure && !self.read_parked().await {
            return Ok(false);
        }
        let Batch { mut publish, mut join } = self.window.take(&self.parked, &self.given.options);
        // A key that is probed is in no other message here: its slot has left the window.
        for probe in probes {
            let parked = self.parked.contains(&parking::key_of(&probe));
            if parked { &mut join } else { &mut publish }.push(probe);
        }
        let worked = !publish.is_empty() || !join.is_empty();
        if !publish.is_empty() {
            self.publish(publish).await?;
        }
        self.join(join).await?;
        self.keep_books();
        let newest = self.newest.borrow().0;
        let lag = newest.saturating_sub(self.slots.cursor().0);
        self.given.numbers.lag.set(if self.slots.any() { lag as f64 } else { 0.0 });
        Ok(worked)
    }

    /// Waits until there is something to do.
    async fn rest(
        &mut self,
        rescheduled: &mut watch::Receiver<u64>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let is_behind = self.slots.any() && *self.newest.borrow() > self.slots.cursor();
        if self.read_again.is_none() && is_behind {
            return Ok(());
        }
        let books = if self.bookkeeping.is_some() { None } else { self.books_due() };
        let probe = self.slots.blocked().map(|(_, blocked)| blocked.at).min();
        let waits = [books, probe, self.next_gate, self.read_again, self.follow_again];
        let wake = waits.into_iter().flatten().min();
        let has_parked = !self.parked.is_empty();
        let bookkeeping = &mut self.bookkeeping;
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(books) = advance(bookkeeping) => self.note(books).await?,
            () = self.ranges.changed() => {}
            // The store is held, so its senders live.
            _ = self.newest.changed() => {}
            _ = rescheduled.changed(), if has_parked => self.look_at_gates = true,
            () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                if self.read_again.is_some_and(|at| at <= Instant::now()) {
                    self.read_again = None;
                }
            }
        }
        self.keep_books();
        Ok(())
    }

    /// Stores the last checkpoints.
    async fn close(mut self, patience: Duration) -> Result<(), Error> {
        let closing = async {
            if let Some(books) = advance(&mut self.bookkeeping).await {
                self.note(books).await?;
            }
            let checkpoints = self.slots.moved(true);
            let slots: Vec<Slot> = checkpoints.iter().map(|(slot, _)| *slot).collect();
            let fences = self.ranges.fences(slots.iter().copied());
            match store_checkpoints(&*self.given.store, checkpoints, fences, false).await {
                Err(CommitError::Conflict(_)) => self.ranges.refused(slots).await,
                Err(error @ CommitError::Unknown(_)) => return Err(Error::StoreLost(error.into())),
                _ => {}
            }
            match self.ranges.leave().await {
                Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
                _ => Ok(()),
            }
        };
        tokio::time::timeout(patience, closing).await.unwrap_or(Ok(()))
    }
}
