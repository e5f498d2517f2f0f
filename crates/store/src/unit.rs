//! What is committed together, or not at all.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{
    Context, Envelope, Event, Identity, Key, Message, Name, Position, Slot, Timestamp,
};

use crate::{GateOp, RowOp, Table, Value};

/// A unit of work. Build it with the methods, then hand it to [`Journal::commit`](crate::Journal::commit).
///
/// Conditions are checked first; if one does not hold, nothing of the unit happens. Events get the
/// next versions of their streams, messages the next sequences of their slots, and both a position
/// in the store's log; a reader never sees a later position before an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// What must hold at the moment of the commit.
    pub conditions: Vec<Expect>,
    /// Facts, appended to the store's log.
    pub events: Vec<NewEvent>,
    /// Records for the relay to carry to the broker.
    pub messages: Vec<NewMessage>,
    /// The message that is being handled.
    pub handled: Option<Handled>,
    /// How far groups have come.
    pub progress: Vec<Progress>,
    /// Changes of rows in declared tables, applied in order.
    pub rows: Vec<RowOp>,
    /// Timers set, cancelled or fired.
    pub timers: Vec<TimerOp>,
    /// Work on the queues behind blocked keys.
    pub gates: Vec<GateOp>,
    /// How far the relay has come, slot by slot.
    pub checkpoints: Vec<(Slot, Position)>,
    /// How far readings of this store's own log have come.
    pub readings: Vec<Reading>,
    /// The context that messages and events inherit unless they bring their own.
    pub context: Option<Context>,
    /// When its events and messages happened; the moment of the commit if absent. Whoever shows a
    /// time before the commit sets it, so that the record says the same. Times need not rise with
    /// positions.
    pub time: Option<Timestamp>,
    /// The unit may wait up to some milliseconds for others to share their sync with. For
    /// bookkeeping whose loss only repeats work: checkpoints, progress.
    pub lazy: bool,
}

/// A condition of a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// The stream has exactly this many events; 0 means that it does not exist.
    StreamAt {
        /// The stream.
        stream: Name,
        /// Its version.
        version: u64,
    },
    /// No event after `after` has one of these kinds and all of these tags. No kinds means any.
    NothingMatching {
        /// Kinds of events.
        kinds: Vec<Name>,
        /// Tags that the event carries.
        tags: Vec<Name>,
        /// Only events after this position count.
        after: Position,
    },
    /// The row does not exist.
    RowAbsent {
        /// The table.
        table: &'static Table,
        /// The row's key.
        key: String,
    },
    /// The row exists and was changed exactly this many times.
    RowAt {
        /// The table.
        table: &'static Table,
        /// The row's key.
        key: String,
        /// Its version: 1 when it was just created.
        version: u64,
    },
    /// The row exists and this integer column is at least this. Unlike [`Expect::RowAt`] it lets
    /// units that only add and subtract share a row without conflict.
    AtLeast {
        /// The table.
        table: &'static Table,
        /// The row's key.
        key: String,
        /// The column.
        column: &'static str,
        /// The smallest value allowed.
        value: i64,
    },
}

/// A fact to be appended.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The stream it belongs to.
    pub stream: Name,
    /// What happened: `Deposited`.
    pub kind: Name,
    /// The version of its schema.
    pub schema: u16,
    /// What [`Expect::NothingMatching`] can ask for.
    pub tags: Vec<Name>,
    /// The content, JSON.
    pub data: Bytes,
}

/// A message to be published after the commit. The store gives it its id, time, source and identity.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMessage {
    /// Where it goes.
    pub topic: Name,
    /// Its type.
    pub kind: Name,
    /// The version of its schema.
    pub version: u16,
    /// What keeps it in order.
    pub key: Option<Key>,
    /// The content.
    pub payload: Bytes,
    /// Its own context; the unit's if absent.
    pub context: Option<Context>,
    /// Anything else.
    pub headers: BTreeMap<Name, Arc<str>>,
}

/// The message that a unit handles, and what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Handled {
    /// The group that handles it.
    pub group: Name,
    /// What tells it from every other message.
    pub mark: Mark,
    /// The key whose gate it must pass.
    pub key: Key,
    /// Who has it after the commit.
    pub custody: Custody,
}

/// What tells a message from every other one. It is written by the unit that takes custody.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A message that a store committed: remembered for ever, in bounded space.
    Known {
        /// The topic it was published to.
        topic: Name,
        /// Its dense identity.
        identity: Identity,
    },
    /// A stranger's message: its id is remembered for a stated time.
    Foreign {
        /// Unique within the group.
        id: String,
        /// How long; 7 days is usual.
        keep: Duration,
    },
}

/// Who has a message after its unit is committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Custody {
    /// Its effect is in this unit. Fails with [`CommitError::KeyBlocked`](crate::CommitError::KeyBlocked)
    /// when the key is blocked.
    Effect,
    /// It waits behind those that already block its key. Fails with
    /// [`CommitError::KeyOpen`](crate::CommitError::KeyOpen) when the key is not blocked.
    Behind {
        /// The encoded envelope.
        bytes: Bytes,
    },
    /// It failed and blocks its key; if the key is blocked already, it waits behind.
    Blocks {
        /// The encoded envelope, or the raw bytes that could not be decoded.
        bytes: Bytes,
        /// When it is tried again; `None` parks it until an operator acts.
        due: Option<Timestamp>,
        /// What went wrong.
        failure: crate::Failure,
    },
}

/// How far a group has come in one partition. Within an epoch it only rises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The group.
    pub group: Name,
    /// The topic.
    pub topic: Name,
    /// The partition.
    pub partition: u32,
    /// The log epoch of the position.
    pub epoch: u64,
    /// The highest position below which everything is done.
    pub position: Position,
}

/// How far a reading of this store's own log has come: a projection's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The projection, with its version: `orders-by-day-v2`.
    pub name: Name,
    /// The position that it must stand at now; the commit fails with a conflict otherwise.
    pub from: Position,
    /// The position that it reaches.
    pub to: Position,
}

/// A change of timers.
#[derive(Clone, Debug, PartialEq)]
pub enum TimerOp {
    /// Sets a timer, or moves it if it is already set.
    Set {
        /// Unique: name the instance and its epoch, not only the business id.
        id: Name,
        /// When its message is published.
        due: Timestamp,
        /// The message.
        message: Box<NewMessage>,
    },
    /// Cancels a timer. One that has fired already is no error: its epoch makes the message void.
    Cancel {
        /// The timer.
        id: Name,
    },
    /// Deletes the timer and appends its message. Fails with
    /// [`CommitError::TimerGone`](crate::CommitError::TimerGone) when it is not set any more.
    Fire {
        /// The timer.
        id: Name,
    },
}

// === impl Unit ===

impl Unit {
    /// A unit that does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A unit whose messages and events are caused by this message.
    pub fn caused_by(cause: &Envelope) -> Self {
        Self { context: Some(Context::caused_by(cause)), ..Self::default() }
    }

    /// The same with a context.
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }

    /// The same, with events and messages that happened at this moment.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn expect(mut self, condition: Expect) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Appends typed events to a stream, which must be at `version`.
    #[must_use]
    pub fn append<E: Event>(
        mut self,
        stream: impl Into<Name>,
        version: u64,
        events: impl IntoIterator<Item = E>,
    ) -> Self {
        let stream = stream.into();
        self.conditions.push(Expect::StreamAt { stream: stream.clone(), version });
        self.events.extend(events.into_iter().map(|event| NewEvent::of(stream.clone(), &event)));
        self
    }

    /// Publishes a typed message once the unit is committed.
    #[must_use]
    pub fn publish<M: Message>(self, message: &M) -> Self {
        self.send(NewMessage::of(message))
    }

    /// Publishes a message once the unit is committed.
    #[must_use]
    pub fn send(mut self, message: NewMessage) -> Self {
        self.messages.push(message);
        self
    }

    /// Sets columns of a row, which is created if absent. Other columns keep their values.
    #[must_use]
    pub fn put<'a>(
        mut self,
        table: &'static Table,
        key: impl Into<String>,
        values: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Self {
        self.rows.push(RowOp::put(table, key, values));
        self
    }

    /// Deletes a row if it exists.
    #[must_use]
    pub fn delete(mut self, table: &'static Table, key: impl Into<String>) -> Self {
        self.rows.push(RowOp::Delete { table, key: key.into() });
        self
    }

    /// Adds to an integer column of a row, which is created if absent.
    #[must_use]
    pub fn add(
        mut self,
        table: &'static Table,
        key: impl Into<String>,
        column: &'static str,
        delta: i64,
    ) -> Self {
        self.rows.push(RowOp::Add { table, key: key.into(), column, delta });
        self
    }

    /// Changes a timer.
    #[must_use]
    pub fn timer(mut self, timer: TimerOp) -> Self {
        self.timers.push(timer);
        self
    }

    /// Names the message that the unit handles.
    #[must_use]
    pub fn handled(mut self, handled: Handled) -> Self {
        self.handled = Some(handled);
        self
    }

    /// Everything of `other` as well, in this same unit.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.conditions.extend(other.conditions);
        self.events.extend(other.events);
        self.messages.extend(other.messages);
        self.handled = self.handled.or(other.handled);
        self.progress.extend(other.progress);
        self.rows.extend(other.rows);
        self.timers.extend(other.timers);
        self.gates.extend(other.gates);
        self.checkpoints.extend(other.checkpoints);
        self.readings.extend(other.readings);
        self.context = self.context.or(other.context);
        self.time = self.time.or(other.time);
        self.lazy = self.lazy && other.lazy;
        self
    }

    /// Bytes that it brings, roughly: what a queue of units weighs it by.
    pub fn content_bytes(&self) -> usize {
        let events: usize = self.events.iter().map(|event| event.data.len()).sum();
        let messages: usize = self.messages.iter().map(|message| message.payload.len()).sum();
        events + messages + 128 * self.rows.len()
    }

    /// Whether it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.messages.is_empty()
            && self.handled.is_none()
            && self.progress.is_empty()
            && self.rows.is_empty()
            && self.timers.is_empty()
            && self.gates.is_empty()
            && self.checkpoints.is_empty()
            && self.readings.is_empty()
    }
}

// === impl Expect ===

impl Expect {
    /// [`Expect::RowAbsent`].
    pub fn row_absent(table: &'static Table, key: impl Into<String>) -> Self {
        Self::RowAbsent { table, key: key.into() }
    }

    /// [`Expect::RowAt`].
    pub fn row_at(table: &'static Table, key: impl Into<String>, version: u64) -> Self {
        Self::RowAt { table, key: key.into(), version }
    }
}

// === impl NewEvent ===

impl NewEvent {
    /// A typed event as it is stored.
    pub fn of<E: Event>(stream: impl Into<Name>, event: &E) -> Self {
        Self {
            stream: stream.into(),
            kind: event.kind().into(),
            schema: E::VERSION,
            tags: Vec::new(),
            data: to_json(event),
        }
    }

    /// The same with tags.
    #[must_use]
    pub fn with_tags(mut self, tags: impl IntoIterator<Item = Name>) -> Self {
        self.tags = tags.into_iter().collect();
        self
    }
}

// === impl NewMessage ===

impl NewMessage {
    /// A typed message, to its own topic.
    pub fn of<M: Message>(message: &M) -> Self {
        Self {
            topic: M::TOPIC.into(),
            kind: M::KIND.into(),
            version: M::VERSION,
            key: message.key(),
            payload: to_json(message),
            context: None,
            headers: BTreeMap::new(),
        }
    }

    /// The same to another topic: a reply goes where the command asked.
    #[must_use]
    pub fn to(mut self, topic: impl Into<Name>) -> Self {
        self.topic = topic.into();
        self
    }

    /// The same with another key.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Name>, value: impl Into<Arc<str>>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

/// Serialising to memory fails only for a type that cannot be JSON at all (a map with structured
/// keys): a mistake of the program, found by its first test, and shown as `null` content.
fn to_json(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_else(|error| {
        debug_assert!(false, "not serialisable: {error}");
        Bytes::from_static(b"null")
    })
}
