//! All queues of one embedded broker: what is declared, what is sent, who works.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use switchboard_core::{Clock, Envelope, Key};
use tokio::sync::Notify;

use super::item::Routing;
use super::line::Line;
use super::route::Routes;
use super::store::{Appending, Limits, Note, Put, State, Store};
use super::worker::Seated;
use crate::exchange::{Depth, Layout, MAX_PREFETCH, Queue, Sent, Worker};
use crate::{PublishError, SubscribeError, TopologyError};

/// What a store adds to a message, rounded up.
const OVERHEAD: usize = 64;
/// Messages that one append carries, unless a single one for all its queues needs more.
const BATCH_ITEMS: usize = 1_024;

/// All queues of one embedded broker. Its methods are those of [`Queues`](crate::exchange::Queues).
#[derive(Debug)]
pub struct Hub {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    book: RwLock<Arc<Book>>,
    /// One declaration at a time.
    declaring: tokio::sync::Mutex<()>,
    /// Shared by those who move messages, exclusive to whoever wants to see none on the move.
    pub(super) moving: tokio::sync::RwLock<()>,
    last_worker: AtomicU64,
    paused: AtomicBool,
    closed: AtomicBool,
    /// Whether somebody has seen to what an earlier life left to do.
    awake: AtomicBool,
    pub(super) me: Weak<Self>,
}

/// The layout, and a desk for each of its queues.
#[derive(Debug)]
pub(super) struct Book {
    layout: Layout,
    pub(super) routes: Routes,
    pub(super) desks: Vec<Arc<Desk>>,
}

/// A queue with everything about it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) number: usize,
    pub(super) queue: Queue,
    pub(super) line: Mutex<Line>,
    /// Rings for whoever sees to dead letters and expiry.
    pub(super) bell: Notify,
}

/// Everything about all queues that outlives a crash, as one moment saw it.
#[derive(Debug)]
pub struct Snapshot {
    /// What notes up to now say, in short.
    pub notes: Vec<Note>,
    /// By queue: up to here nothing is needed any more, once the notes are safe.
    pub floors: Vec<u64>,
}

/// Messages on their way. They are in their queues even if the sender goes away, so they are then
/// waited for by a task: otherwise the workers would not hear of them.
pub(super) struct Landing(Option<(Appending, Vec<Arc<Desk>>, Weak<Hub>)>);

/// A message that is about to be put into its queues.
struct Ready {
    /// Its place in the sender's batch.
    index: usize,
    puts: Vec<Put>,
    bytes: usize,
}

type Answer = Result<Sent, PublishError>;

// === impl Hub: its life ===

impl Hub {
    /// Queues as an earlier life left them: one state for each queue of the layout.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        layout: Layout,
        states: Vec<State>,
    ) -> Arc<Self> {
        let lines = layout.queues.iter().zip(states).map(|(queue, state)| Line::new(queue, state));
        let desks = layout
            .queues
            .iter()
            .zip(lines)
            .enumerate()
            .map(|(number, (queue, line))| Arc::new(Desk::new(number, queue, line)));
        let book = Book { routes: Routes::new(&layout), desks: desks.collect(), layout };
        Arc::new_cyclic(|me| Self {
            store,
            clock,
            book: RwLock::new(Arc::new(book)),
            declaring: tokio::sync::Mutex::default(),
            moving: tokio::sync::RwLock::default(),
            last_worker: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            awake: AtomicBool::new(false),
            me: me.clone(),
        })
    }

    /// Workers pend until [`Hub::resume`].
    pub fn pause(&self) {
        self.paused.store(true, Ordering::Release);
    }

    /// Workers go on.
    pub fn resume(&self) {
        self.paused.store(false, Ordering::Release);
        self.book().desks.iter().for_each(|desk| desk.line.lock().wake());
    }

    /// Every worker ends with [`ConsumeError::Closed`](crate::ConsumeError::Closed), and what is in
    /// their hands is noted as having come back.
    pub fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        for desk in &self.book().desks {
            let line = desk.line.lock();
            let back: Vec<_> = line.in_hands().collect();
            let note = Note { queue: desk.number, handed: line.cursor(), back, ..Note::default() };
            line.wake_all();
            drop(line);
            self.store.note(note);
            desk.bell.notify_one();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Waits until no message is on its way from one queue to another, and keeps it so.
    pub async fn still(&self) -> impl Drop + Send + '_ {
        self.moving.write().await
    }

    /// All that has to be kept, for a store that wants to forget older notes. Ask only while the
    /// hub is [still](Hub::still).
    pub fn snapshot(&self) -> Snapshot {
        let of = |desk: &Arc<Desk>| {
            let line = desk.line.lock();
            (line.note(desk.number), line.floor())
        };
        let (notes, floors) = self.book().desks.iter().map(of).unzip();
        Snapshot { notes, floors }
    }

    /// An earlier life may have left dead letters and what has expired since. Opening a broker needs
    /// no runtime, and these do: so the first call sees to them.
    fn awaken(&self) {
        if !self.awake.swap(true, Ordering::Relaxed) {
            self.book().desks.iter().for_each(|desk| self.tend(desk));
        }
    }

    pub(super) fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book.read())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Whoever waits for the next expiry holds a desk and not the hub.
        self.book.read().desks.iter().for_each(|desk| desk.bell.notify_one());
    }
}

// === impl Hub: what is asked of it ===

impl Hub {
    /// Creates what is missing.
    ///
    /// # Errors
    /// As [`Queues::declare`](crate::exchange::Queues::declare).
    pub async fn declare(&self, layout: &Layout) -> Result<(), TopologyError> {
        self.awaken();
        let _alone = self.declaring.lock().await;
        let known = self.book();
        let merged = known.layout.merged(layout)?;
        self.store.declare(&merged).await?;
        let mut desks = known.desks.clone();
        for (number, queue) in merged.queues.iter().enumerate().skip(desks.len()) {
            let line = Line::new(queue, State::default().ended(0, true));
            desks.push(Arc::new(Desk::new(number, queue, line)));
        }
        let routes = Routes::new(&merged);
        *self.book.write() = Arc::new(Book { layout: merged, routes, desks });
        Ok(())
    }

    /// Sends a batch in order and answers each message in the same order.
    pub async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        batch: Vec<Envelope>,
    ) -> Vec<Answer> {
        self.awaken();
        let book = self.book();
        if !book.routes.knows(exchange) {
            let unknown = |_| Err(PublishError::UnknownExchange(exchange.into()));
            return batch.iter().map(unknown).collect();
        }
        let limits = self.store.limits();
        let sent = |routed| Ok(Sent { routed, durability: self.store.durability() });
        let mut answers: Vec<Option<Answer>> = Vec::with_capacity(batch.len());
        answers.resize_with(batch.len(), || None);
        let mut ready = Vec::with_capacity(batch.len());
        for (index, envelope) in batch.iter().enumerate() {
            match prepare(&book, exchange, routing_key, envelope, limits) {
                Ok(puts) if puts.is_empty() => answers[index] = Some(sent(false)),
                Ok(puts) => {
                    let bytes = puts.iter().map(|put| put.bytes.len() + OVERHEAD).sum();
                    ready.push(Ready { index, puts, bytes });
                }
                Err(refused) => answers[index] = Some(Err(refused)),
            }
        }
        for part in split(ready, limits.batch_bytes) {
            let indexes: Vec<usize> = part.iter().map(|ready| ready.index).collect();
            let puts = part.into_iter().flat_map(|ready| ready.puts).collect();
            match self.put(&book, puts, Vec::new()).await {
                Ok(_) => indexes.into_iter().for_each(|index| answers[index] = Some(sent(true))),
                Err(error) => {
                    let text = switchboard_core::chain(&*error);
                    for index in indexes {
                        let error = Err(PublishError::Unavailable(text.clone().into()));
                        answers[index] = Some(error);
                    }
                    // Nothing later may stand in a queue before what will be sent again.
                    break;
                }
            }
        }
        let behind = || Err(PublishError::Unavailable("an earlier message was not written".into()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(behind)).collect()
    }

    /// Puts bytes as they are into a queue, as a message of this key: for tests of what cannot be
    /// decoded.
    ///
    /// # Errors
    /// [`PublishError::UnknownExchange`] when there is no such queue.
    pub async fn send_raw(&self, queue: &str, key: Option<Key>, bytes: Bytes) -> Answer {
        let book = self.book();
        let unknown = || PublishError::UnknownExchange(queue.into());
        let number = book.routes.queue(queue).ok_or_else(unknown)?;
        let put = Put { queue: number, bytes: Routing::new("", queue, key).encode(&bytes) };
        self.put(&book, vec![put], Vec::new()).await.map_err(PublishError::Unavailable)?;
        Ok(Sent { routed: true, durability: self.store.durability() })
    }

    /// Becomes one more worker of a queue.
    ///
    /// # Errors
    /// As [`Queues::work`](crate::exchange::Queues::work).
    pub fn work(&self, queue: &str, prefetch: usize) -> Result<Box<dyn Worker>, SubscribeError> {
        if !(1..=MAX_PREFETCH).contains(&prefetch) {
            let text = format!("the prefetch for `{queue}` is {prefetch}: use 1 to {MAX_PREFETCH}");
            return Err(SubscribeError::Invalid(text));
        }
        let book = self.book();
        let number = book.routes.queue(queue);
        let desk = number.and_then(|number| book.desks.get(number));
        let (Some(desk), Some(hub)) = (desk, self.me.upgrade()) else {
            return Err(SubscribeError::UnknownQueue(queue.into()));
        };
        let id = self.last_worker.fetch_add(1, Ordering::Relaxed) + 1;
        hub.awaken();
        Ok(Box::new(Seated::new(id, prefetch, hub, Arc::clone(desk))))
    }

    /// How much lies in each queue.
    pub fn depths(&self) -> Vec<Depth> {
        let depth = |desk: &Arc<Desk>| {
            let line = desk.line.lock();
            Depth {
                queue: desk.queue.name.clone(),
                ready: line.ready(),
                unsettled: line.unsettled(),
                workers: line.workers(),
            }
        };
        let mut depths: Vec<Depth> = self.book().desks.iter().map(depth).collect();
        depths.sort_by(|a, b| a.queue.cmp(&b.queue));
        depths
    }

    /// Appends, and tells the queues once it is safe.
    pub(super) fn put(&self, book: &Book, puts: Vec<Put>, notes: Vec<Note>) -> Landing {
        let desks = puts.iter().filter_map(|put| book.desks.get(put.queue)).cloned().collect();
        Landing(Some((self.store.append(puts, notes), desks, self.me.clone())))
    }
}

/// What is put where for a message.
fn prepare(
    book: &Book,
    exchange: &str,
    routing_key: &str,
    envelope: &Envelope,
    limits: Limits,
) -> Result<Vec<Put>, PublishError> {
    let encoded = envelope.encode();
    if encoded.len() > limits.message_bytes {
        let (bytes, limit) = (encoded.len(), limits.message_bytes);
        return Err(PublishError::TooLarge { bytes, limit });
    }
    let queues = book.routes.route(exchange, routing_key, &envelope.headers);
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    let item = Routing::new(exchange, routing_key, envelope.key.clone()).encode(&encoded);
    let fan_out = (item.len() + OVERHEAD) * queues.len();
    for (bytes, limit) in [(item.len(), limits.item_bytes), (fan_out, limits.most_bytes)] {
        if bytes > limit {
            return Err(PublishError::TooLarge { bytes, limit });
        }
    }
    Ok(queues.into_iter().map(|queue| Put { queue, bytes: item.clone() }).collect())
}

/// Divides a batch into parts that the store takes at once. A message is never divided.
fn split(ready: Vec<Ready>, batch_bytes: usize) -> Vec<Vec<Ready>> {
    let mut parts: Vec<Vec<Ready>> = Vec::new();
    let (mut bytes, mut items) = (0, 0);
    for message in ready {
        bytes += message.bytes;
        items += message.puts.len();
        match parts.last_mut() {
            Some(part) if bytes <= batch_bytes && items <= BATCH_ITEMS => part.push(message),
            _ => {
                (bytes, items) = (message.bytes, message.puts.len());
                parts.push(vec![message]);
            }
        }
    }
    parts
}

// === impl Desk ===

impl Desk {
    fn new(number: usize, queue: &Queue, line: Line) -> Self {
        let (line, bell) = (Mutex::new(line), Notify::new());
        Self { number, queue: queue.clone(), line, bell }
    }
}

// === impl Landing ===

impl Landing {
    fn tell(positions: &[u64], desks: &[Arc<Desk>], hub: &Weak<Hub>) {
        let mut ends: BTreeMap<usize, (u64, &Arc<Desk>)> = BTreeMap::new();
        for (position, desk) in positions.iter().zip(desks) {
            let end = ends.entry(desk.number).or_insert((*position, desk));
            end.0 = end.0.max(*position);
        }
        let hub = hub.upgrade();
        for (end, desk) in ends.into_values() {
            desk.line.lock().published(end);
            if let Some(hub) = &hub {
                hub.tend(desk);
            }
        }
    }
}

impl Future for Landing {
    type Output = Result<Vec<u64>, switchboard_core::BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((append, ..)) = &mut self.0 else {
            return Poll::Ready(Err("it was waited for already".into()));
        };
        let outcome = std::task::ready!(append.as_mut().poll(cx));
        if let (Some((_, desks, hub)), Ok(positions)) = (self.0.take(), &outcome) {
            Self::tell(positions, &desks, &hub);
        }
        Poll::Ready(outcome)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let Some((append, desks, hub)) = self.0.take() else { return };
        // Not itself again: a runtime that shuts down drops what it is given at once.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(positions) = append.await {
                    Self::tell(&positions, &desks, &hub);
                }
            });
        }
    }
}
