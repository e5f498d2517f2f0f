//! The loop of a relay: read after the cursor, publish a batch, settle its answers, move checkpoints.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use switchboard_core::{Clock, Key, Name, Position, Retryable, Rng, Slot, Verdict};
use switchboard_message::{Ack, Broker, PublishError};
use switchboard_store::{CommitError, Outgoing, Store, StoreError, Unit};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Numbers;
use crate::parking::{self, GROUP, Joined};
use crate::planted::Planted;
use crate::slots::Slots;
use crate::window::{Batch, Sent, WINDOW, Window};
use crate::{Error, Options};

/// What the loop needs.
pub(crate) struct Publisher {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) planted: Planted,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) rng: Rng,
}

/// The loop with its state.
struct Turns {
    given: Publisher,
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
}

/// What a bookkeeping commit came to.
struct Books {
    checkpoints: Vec<(Slot, Position)>,
    stored: Result<(), CommitError>,
    swept: usize,
}

type Answers = Vec<Result<Ack, PublishError>>;

/// Messages read at a time.
const READ: usize = 512;
/// The first wait after a failure.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Blocked slots that are tried at a time: an outage is probed, not stormed.
const PROBES: usize = 8;
/// Parked keys that a restart finds, at most.
const PARKED: usize = 65_536;

// === impl Publisher ===

impl Publisher {
    /// Publishes until `stop`, then stores the last checkpoints.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let patience = self.options.patience;
        let Some(mut turns) = self.begin(&stop).await else { return Ok(()) };
        let mut rescheduled = turns.given.store.rescheduled();
        loop {
            let turn = async {
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
                    return Some(Turns {
                        slots: Slots::at(&checkpoints),
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
        self.given.numbers.lag.set(newest.saturating_sub(self.slots.cursor().0) as f64);
        Ok(worked)
    }

    /// Reads after the cursor when there is something new and room for it.
    async fn read(&mut self) -> Option<(Position, Result<Read, StoreError>)> {
        let waits = self.read_again.is_some_and(|at| Instant::now() < at);
        let (cursor, newest) = (self.slots.cursor(), *self.newest.borrow_and_update());
        if waits || newest <= cursor || self.window.len() + READ > WINDOW {
            return None;
        }
        let read = self.given.store.outgoing(cursor, READ).await;
        Some((cursor, read.map(|records| Read { records, newest })))
    }

    fn load(&mut self, read: Option<(Position, Result<Read, StoreError>)>) {
        let Some((cursor, read)) = read else { return };
        match read {
            // A slot has opened meanwhile and the cursor went back: this was read too far ahead.
            Ok(_) if self.slots.cursor() != cursor => {}
            Ok(Read { records, newest }) => {
                self.read_failures = 0;
                self.read_again = None;
                let is_end = records.len() < READ;
                for record in records {
                    self.slots.read_to(record.position);
                    self.unsure |= self.is_gap(&record);
                    if self.slots.load(record.slot, record.position) {
                        self.window.push(record);
                    }
                }
                if is_end {
                    self.slots.read_to(newest);
                }
            }
            Err(error) => {
                self.read_failures += 1;
                tracing::warn!(%error, "the relay cannot read its store; trying again");
                let wait = self.given.wait(self.read_failures);
                self.read_again = Some(Instant::now() + wait);
            }
        }
    }

    /// Whether messages before this one are missing that this relay has not read.
    fn is_gap(&mut self, record: &Outgoing) -> bool {
        let Some(identity) = &record.envelope.identity else { return false };
        let place = (record.envelope.topic.clone(), record.slot);
        let last = self.sequences.insert(place, identity.sequence);
        last.is_none_or(|last| identity.sequence > last + 1)
    }

    /// Reads which keys are parked. False when the store is away.
    async fn read_parked(&mut self) -> bool {
        match self.given.store.gates(Some(GROUP), PARKED).await {
            Ok(gates) => {
                self.parked = gates.into_iter().map(|gate| gate.key).collect();
                self.look_at_gates = !self.parked.is_empty();
                self.unsure = false;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read parked keys");
                self.read_again = Some(Instant::now() + self.given.wait(1));
            }
        }
        !self.unsure
    }

    /// The messages that block slots and are to be tried again now.
    async fn probes(&mut self) -> Vec<Outgoing> {
        let now = Instant::now();
        let mut due: Vec<_> = self.slots.blocked().filter(|(_, it)| it.at <= now).collect();
        due.sort_by_key(|(_, blocked)| (blocked.at, blocked.position));
        let mut probes = Vec::new();
        for (slot, blocked) in due.into_iter().take(PROBES) {
            match find(&*self.given.store, blocked.position).await {
                Ok(Some(record)) => probes.push(record),
                // Another relay of this store has published or parked it, and deleted it.
                Ok(None) => {
                    self.slots.done(slot, blocked.position);
                    self.unsure = true;
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay cannot read a failed message");
                    let wait = self.given.wait(blocked.tries);
                    self.slots.retry_at(slot, now + wait);
                }
            }
        }
        probes
    }

    /// Publishes the batch and settles every answer.
    async fn publish(&mut self, batch: Vec<Outgoing>) -> Result<(), Error> {
        let sent: Vec<Sent> = batch.iter().map(Sent::from).collect();
        if self.given.planted == Planted::CheckpointBeforeAck {
            return self.publish_unanswered(batch, &sent).await;
        }
        let envelopes = batch.into_iter().map(|record| record.envelope).collect();
        let broker = Arc::clone(&self.given.broker);
        let mut bookkeeping = self.bookkeeping.take();
        let work = async { tokio::join!(broker.publish(envelopes), self.read()) };
        let ((answers, read), books) = beside(&mut bookkeeping, work).await;
        self.bookkeeping = bookkeeping;
        if let Some(books) = books {
            self.note(books)?;
        }
        self.settle(&sent, answers).await?;
        self.load(read);
        Ok(())
    }

    async fn settle(&mut self, sent: &[Sent], answers: Answers) -> Result<(), Error> {
        let (mut published, mut opened) = (0, false);
        let mut answers = answers.into_iter();
        for sent in sent {
            // A broker that answers too little has not answered for the rest.
            let answer = answers.next().unwrap_or_else(|| {
                Err(PublishError::Unavailable("the broker did not answer".into()))
            });
            match answer {
                Ok(_) => {
                    published += 1;
                    opened |= self.slots.blocked_at(sent.slot).is_some();
                    self.slots.done(sent.slot, sent.position);
                }
                Err(error) if error.verdict() == Verdict::Retry => self.retry(sent, &error),
                Err(error) => self.park(sent, &error).await?,
            }
        }
        if opened {
            self.slots.retry_all(Instant::now());
            // While the slot was blocked, another relay may have gone ahead.
            self.unsure = true;
        }
        if published > 0 {
            self.unswept += published;
            self.moved_since.get_or_insert_with(Instant::now);
            self.given.numbers.published.increment(published);
        }
        self.given.numbers.blocked.set(self.slots.blocked().count() as f64);
        Ok(())
    }

    /// Blocks the message's slot until its next try; all others flow.
    fn retry(&mut self, sent: &Sent, error: &dyn std::error::Error) {
        self.given.numbers.retried.increment(1);
        let tries = self.slots.block(sent.slot, sent.position);
        self.window.forget(sent.slot);
        let wait = self.given.wait(tries);
        self.slots.retry_at(sent.slot, Instant::now() + wait);
        let slot = sent.slot.0;
        tracing::debug!(slot, position = %sent.position, tries, %error, "a slot is blocked");
    }

    /// Parks the message's key. Should the store not take it, the slot is blocked, and the message
    /// comes here again.
    async fn park(&mut self, sent: &Sent, error: &PublishError) -> Result<(), Error> {
        let Ok(Some(record)) = find(&*self.given.store, sent.position).await else {
            self.retry(sent, error);
            return Ok(());
        };
        let floor = self.slots.floor_with(sent.slot, sent.position);
        let Publisher { store, clock, .. } = &self.given;
        if parking::park(&**store, &**clock, &record, floor, error).await? {
            self.given.numbers.parked.increment(1);
            self.parked.insert(parking::key_of(&record));
            self.slots.done(sent.slot, sent.position);
        } else {
            self.retry(sent, error);
        }
        Ok(())
    }

    /// Puts messages of parked keys behind them, in order.
    async fn join(&mut self, join: Vec<Outgoing>) -> Result<(), Error> {
        let mut reopened = Vec::new();
        for record in join {
            let sent = Sent::from(&record);
            if !self.parked.contains(&parking::key_of(&record)) {
                reopened.push(record);
                continue;
            }
            let blocked = self.slots.blocked_at(sent.slot);
            if blocked.is_some_and(|blocked| blocked.position != sent.position) {
                // The slot was blocked after this batch was taken: it is read again later.
                continue;
            }
            let floor = self.slots.floor_with(sent.slot, sent.position);
            match parking::join(&*self.given.store, &record, floor).await? {
                Joined::Behind => {
                    self.given.numbers.joined.increment(1);
                    self.slots.done(sent.slot, sent.position);
                }
                Joined::Open => {
                    self.parked.remove(&parking::key_of(&record));
                    reopened.push(record);
                }
                Joined::Away => self.retry(&sent, &StoreAway),
            }
        }
        for record in reopened.into_iter().rev() {
            if self.slots.blocked_at(record.slot).is_none() {
                self.window.push_front(record);
            }
        }
        Ok(())
    }

    /// Works off parked keys that an operator woke.
    async fn work_off_gates(&mut self) -> Result<(), Error> {
        let due = self.next_gate.is_some_and(|at| at <= Instant::now());
        if self.parked.is_empty() || !(self.look_at_gates || due) {
            return Ok(());
        }
        let Publisher { store, broker, clock, options, .. } = &self.given;
        let (gates, next) = match store.due_gates(GROUP, clock.now(), PROBES).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot read parked keys");
                self.next_gate = Some(Instant::now() + options.longest_wait);
                self.look_at_gates = false;
                return Ok(());
            }
        };
        self.look_at_gates = false;
        let wait = |at: switchboard_core::Timestamp| at.since(clock.now());
        self.next_gate = next.map(|at| Instant::now() + wait(at).max(Duration::from_millis(1)));
        for gate in gates {
            let longest = options.longest_wait;
            if parking::work_off(&**store, &**broker, &**clock, &gate.key, longest).await? {
                self.parked.remove(&gate.key);
            } else {
                // Not all of it, or not now: soon again.
                let soon = Instant::now() + FIRST_WAIT;
                self.next_gate = Some(self.next_gate.map_or(soon, |at| at.min(soon)));
            }
        }
        Ok(())
    }

    /// Stores checkpoints without hurry, and now and then deletes what is done with.
    fn keep_books(&mut self) {
        let due = self.books_due();
        if self.bookkeeping.is_some() || due.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let Options { sweep_after, sweep_step, .. } = self.given.options;
        let sweeps = self.unswept >= sweep_after;
        let checkpoints = self.slots.moved(sweeps);
        self.moved_since = None;
        if sweeps {
            self.unswept = 0;
        }
        let store = Arc::clone(&self.given.store);
        self.bookkeeping = Some(Box::pin(async move {
            let stored = store_checkpoints(&*store, checkpoints.clone(), true).await;
            let mut swept = 0;
            while sweeps && stored.is_ok() {
                match store.sweep(sweep_step).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => swept += count,
                }
                tokio::task::yield_now().await;
            }
            Books { checkpoints, stored, swept }
        }));
    }

    fn books_due(&self) -> Option<Instant> {
        self.moved_since.map(|since| since + self.given.options.checkpoint_every)
    }

    fn note(&mut self, books: Books) -> Result<(), Error> {
        self.bookkeeping = None;
        self.given.numbers.swept.increment(books.swept as u64);
        match books.stored {
            Ok(()) => Ok(()),
            Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
            Err(error) => {
                tracing::warn!(%error, "checkpoints are not stored yet");
                self.slots.not_stored(&books.checkpoints);
                self.moved_since = Some(Instant::now());
                Ok(())
            }
        }
    }

    /// Waits until there is something to do.
    async fn rest(
        &mut self,
        rescheduled: &mut watch::Receiver<u64>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        if self.read_again.is_none() && *self.newest.borrow() > self.slots.cursor() {
            return Ok(());
        }
        let books = if self.bookkeeping.is_some() { None } else { self.books_due() };
        let probe = self.slots.blocked().map(|(_, blocked)| blocked.at).min();
        let wake = [books, probe, self.next_gate, self.read_again].into_iter().flatten().min();
        let has_parked = !self.parked.is_empty();
        let bookkeeping = &mut self.bookkeeping;
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(books) = advance(bookkeeping) => self.note(books)?,
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
                self.note(books)?;
            }
            let checkpoints = self.slots.moved(true);
            match store_checkpoints(&*self.given.store, checkpoints, false).await {
                Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
                _ => Ok(()),
            }
        };
        tokio::time::timeout(patience, closing).await.unwrap_or(Ok(()))
    }

    /// The bug of [`Planted::CheckpointBeforeAck`].
    async fn publish_unanswered(
        &mut self,
        batch: Vec<Outgoing>,
        sent: &[Sent],
    ) -> Result<(), Error> {
        sent.iter().for_each(|sent| self.slots.done(sent.slot, sent.position));
        let _ = store_checkpoints(&*self.given.store, self.slots.moved(false), false).await;
        let envelopes = batch.into_iter().map(|record| record.envelope).collect();
        self.given.broker.publish(envelopes).await;
        Ok(())
    }
}

/// What a read found, and the newest position before it.
struct Read {
    records: Vec<Outgoing>,
    newest: Position,
}

/// The store did not take a message that was to wait.
#[derive(Debug, thiserror::Error)]
#[error("the store is away")]
struct StoreAway;

/// The message at exactly this position.
async fn find(store: &dyn Store, position: Position) -> Result<Option<Outgoing>, StoreError> {
    let read = store.outgoing(Position(position.0.saturating_sub(1)), 1).await?;
    Ok(read.into_iter().find(|found| found.position == position))
}

async fn store_checkpoints(
    store: &dyn Store,
    checkpoints: Vec<(Slot, Position)>,
    lazy: bool,
) -> Result<(), CommitError> {
    if checkpoints.is_empty() {
        return Ok(());
    }
    store.commit(Unit { checkpoints, lazy, ..Unit::new() }).await.map(|_| ())
}

/// The end of the bookkeeping in flight; `None` at once when there is none.
async fn advance(bookkeeping: &mut Option<BoxFuture<'static, Books>>) -> Option<Books> {
    match bookkeeping {
        Some(books) => Some(books.await),
        None => None,
    }
}

/// Does the work, and lets the bookkeeping in flight go on meanwhile.
async fn beside<T>(
    bookkeeping: &mut Option<BoxFuture<'static, Books>>,
    work: impl Future<Output = T>,
) -> (T, Option<Books>) {
    let mut ended = None;
    let mut work = std::pin::pin!(work);
    let done = std::future::poll_fn(|context| {
        if let Some(books) = bookkeeping
            && let Poll::Ready(books) = books.as_mut().poll(context)
        {
            ended = Some(books);
            *bookkeeping = None;
        }
        work.as_mut().poll(context)
    });
    (done.await, ended)
}
