//! Judging a unit: what must hold, and what then happens, decided once for every backend.
//!
//! A backend shows its present state through a [`View`] while it holds its lock, and carries the
//! [`Plan`] out. Nothing of a plan can be refused any more: only the disk can still fail.

use std::collections::VecDeque;

use bytes::Bytes;
use switchboard_core::{Key, Name, Position, Timestamp};

use crate::{
    CommitError, Custody, Expect, Failure, GateOp, Handled, Mark, NewMessage, Progress, Table,
    TimerOp, Unit,
};

/// The present state, earlier units of the same batch included.
pub trait View {
    /// Whether the group has handled the message. An expired mark of a stranger does not count.
    fn is_marked(&mut self, group: &Name, mark: &Mark, now: Timestamp)
    -> Result<bool, CommitError>;

    /// How many events the stream has.
    fn stream_version(&mut self, stream: &Name) -> Result<u64, CommitError>;

    /// Whether a stream that the unit appends to has no events yet. A backend whose log refuses a
    /// second event of one version may answer yes without looking, if it runs the unit again with
    /// a look when the append is refused.
    fn is_new_stream(&mut self, stream: &Name) -> Result<bool, CommitError> {
        Ok(self.stream_version(stream)? == 0)
    }

    /// Whether an event after `after` has one of these kinds (any if none are named) and all of
    /// these tags.
    fn any_event(
        &mut self,
        kinds: &[Name],
        tags: &[Name],
        after: Position,
    ) -> Result<bool, CommitError>;

    /// The version of a row, if it exists.
    fn row_version(&mut self, table: &'static Table, key: &str)
    -> Result<Option<u64>, CommitError>;

    /// An integer cell of a row, if the row exists; null counts as 0.
    fn integer(
        &mut self,
        table: &'static Table,
        key: &str,
        column: &str,
    ) -> Result<Option<i64>, CommitError>;

    /// How many messages wait behind the key; `None` when it is not blocked.
    fn depth(&mut self, group: &Name, key: &Key) -> Result<Option<u64>, CommitError>;

    /// The first entries of the queue behind the key, in order.
    fn entries(&mut self, group: &Name, key: &Key, limit: usize) -> Result<Vec<u64>, CommitError>;

    /// The message of a timer, if it is set.
    fn timer(&mut self, id: &Name) -> Result<Option<NewMessage>, CommitError>;

    /// How far a reading has come.
    fn reading(&mut self, name: &Name) -> Result<Position, CommitError>;
}

/// What a unit does beyond what it says itself. Carry it out in this order: events, messages,
/// fired messages, mark, gates, progress, rows, timers, checkpoints, readings.
#[derive(Debug, Default)]
pub struct Plan {
    /// The message was handled before: only progress changes.
    pub duplicate: bool,
    /// The version of each of the unit's events.
    pub versions: Vec<u64>,
    /// Messages of fired timers.
    pub fired: Vec<NewMessage>,
    /// Changes of gates and their queues, in order.
    pub gates: Vec<GateChange>,
    /// Changes of timers, in order.
    pub timers: Vec<TimerChange>,
}

/// One step of a change of gates.
#[derive(Debug, PartialEq)]
pub enum GateChange {
    /// The key is blocked from now on; its queue is still empty.
    Shut {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
        /// When the head is tried again; `None` when it is parked.
        due: Option<Timestamp>,
    },
    /// A message joins the end of the queue.
    Join {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
        /// The message.
        bytes: Bytes,
        /// What went wrong, if it was tried.
        failure: Option<Failure>,
    },
    /// The head leaves the queue.
    Leave {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
        /// The head.
        entry: u64,
    },
    /// The head failed once more.
    Remember {
        /// The head.
        entry: u64,
        /// What went wrong.
        failure: Failure,
    },
    /// The head is tried at another time.
    Due {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
        /// When; `None` parks it.
        due: Option<Timestamp>,
    },
    /// The queue is empty: the key is open.
    Open {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
    },
}

/// One step of a change of timers.
#[derive(Debug, PartialEq)]
pub enum TimerChange {
    /// The timer is set, or moved. Its message has its context already.
    Set {
        /// Its id.
        id: Name,
        /// When it is due.
        due: Timestamp,
        /// Its message.
        message: Box<NewMessage>,
    },
    /// The timer is gone, if it was there.
    Delete {
        /// Its id.
        id: Name,
    },
}

/// Judges a unit against the state.
///
/// A message that was handled before is recognised first, then the key's gate is looked at, then
/// gates, timers, readings and conditions.
///
/// # Errors
/// Whatever keeps the unit from being committed; then nothing of it may happen.
pub fn judge(unit: &Unit, view: &mut impl View, now: Timestamp) -> Result<Plan, CommitError> {
    let mut plan = Plan::default();
    if let Some(handled) = &unit.handled {
        if view.is_marked(&handled.group, &handled.mark, now)? {
            plan.duplicate = true;
            return Ok(plan);
        }
        plan.gates = custody(handled, view)?;
    }
    queues(unit, view, &mut plan.gates)?;
    timers(unit, view, &mut plan)?;
    readings(unit, view)?;
    for condition in &unit.conditions {
        match condition {
            Expect::StreamAt { stream, version: 0 } if appends_to(unit, stream) => {
                if !view.is_new_stream(stream)? {
                    return Err(conflict(format!("stream `{stream}` exists")));
                }
            }
            condition => holds(condition, view)?,
        }
    }
    plan.versions = versions(unit, view)?;
    Ok(plan)
}

/// Where a group stands after `next`: within an epoch it only rises, and a former epoch never
/// comes back.
pub fn advance(present: Option<&Progress>, next: &Progress) -> bool {
    present.is_none_or(|present| (next.epoch, next.position) > (present.epoch, present.position))
}

// === impl Plan ===

impl Plan {
    /// Whether a waiter for timers or gates has to look again.
    pub fn reschedules(&self) -> bool {
        !self.gates.is_empty()
            || self.timers.iter().any(|change| matches!(change, TimerChange::Set { .. }))
    }
}

fn custody(handled: &Handled, view: &mut impl View) -> Result<Vec<GateChange>, CommitError> {
    let blocked = view.depth(&handled.group, &handled.key)?.is_some();
    let (group, key) = (handled.group.clone(), handled.key.clone());
    Ok(match &handled.custody {
        Custody::Effect if blocked => return Err(CommitError::KeyBlocked),
        Custody::Effect => Vec::new(),
        Custody::Behind { .. } if !blocked => return Err(CommitError::KeyOpen),
        Custody::Behind { bytes } => {
            vec![GateChange::Join { group, key, bytes: bytes.clone(), failure: None }]
        }
        Custody::Blocks { bytes, due, failure } => {
            let shut = GateChange::Shut { group: group.clone(), key: key.clone(), due: *due };
            let failure = Some(failure.clone());
            let join = GateChange::Join { group, key, bytes: bytes.clone(), failure };
            if blocked { vec![join] } else { vec![shut, join] }
        }
    })
}

/// A queue as the unit's own steps leave it.
struct Queue<'a> {
    group: &'a Name,
    key: &'a Key,
    depth: u64,
    heads: VecDeque<u64>,
}

fn queues(
    unit: &Unit,
    view: &mut impl View,
    changes: &mut Vec<GateChange>,
) -> Result<(), CommitError> {
    let mut queues: Vec<Queue<'_>> = Vec::new();
    for op in &unit.gates {
        let (GateOp::Release { group, key, .. }
        | GateOp::Defer { group, key, .. }
        | GateOp::Wake { group, key, .. }) = op;
        let known = queues.iter().position(|queue| queue.group == group && queue.key == key);
        let index = match known {
            Some(index) => index,
            None => {
                let depth = view.depth(group, key)?.ok_or(CommitError::GateMoved)?;
                let heads = view.entries(group, key, unit.gates.len())?.into();
                queues.push(Queue { group, key, depth, heads });
                queues.len() - 1
            }
        };
        let queue = &mut queues[index];
        if queue.depth == 0 {
            return Err(CommitError::GateMoved);
        }
        work(op, queue, changes)?;
    }
    Ok(())
}

fn work(
    op: &GateOp,
    queue: &mut Queue<'_>,
    changes: &mut Vec<GateChange>,
) -> Result<(), CommitError> {
    let (group, key) = (queue.group.clone(), queue.key.clone());
    match op {
        GateOp::Release { entry, .. } => {
            if queue.heads.pop_front() != Some(*entry) {
                return Err(CommitError::GateMoved);
            }
            queue.depth -= 1;
            changes.push(GateChange::Leave {
                group: group.clone(),
                key: key.clone(),
                entry: *entry,
            });
            if queue.depth == 0 {
                changes.push(GateChange::Open { group, key });
            }
        }
        GateOp::Defer { entry, due, failure, .. } => {
            if queue.heads.front() != Some(entry) {
                return Err(CommitError::GateMoved);
            }
            changes.push(GateChange::Remember { entry: *entry, failure: failure.clone() });
            changes.push(GateChange::Due { group, key, due: *due });
        }
        GateOp::Wake { at, .. } => changes.push(GateChange::Due { group, key, due: Some(*at) }),
    }
    Ok(())
}

fn timers(unit: &Unit, view: &mut impl View, plan: &mut Plan) -> Result<(), CommitError> {
    for op in &unit.timers {
        match op {
            TimerOp::Set { id, due, message } => {
                let mut message = message.clone();
                message.context = message.context.or_else(|| unit.context.clone());
                plan.timers.push(TimerChange::Set { id: id.clone(), due: *due, message });
            }
            TimerOp::Cancel { id } => plan.timers.push(TimerChange::Delete { id: id.clone() }),
            TimerOp::Fire { id } => {
                let own = plan.timers.iter().rev().find_map(|change| match change {
                    TimerChange::Set { id: set, message, .. } if set == id => {
                        Some(Some(NewMessage::clone(message)))
                    }
                    TimerChange::Delete { id: deleted } if deleted == id => Some(None),
                    _ => None,
                });
                let message = match own {
                    Some(message) => message,
                    None => view.timer(id)?,
                };
                let Some(message) = message else { return Err(CommitError::TimerGone(id.clone())) };
                plan.fired.push(message);
                plan.timers.push(TimerChange::Delete { id: id.clone() });
            }
        }
    }
    Ok(())
}

fn readings(unit: &Unit, view: &mut impl View) -> Result<(), CommitError> {
    for (index, reading) in unit.readings.iter().enumerate() {
        let own = unit.readings[..index].iter().rev().find(|other| other.name == reading.name);
        let present = match own {
            Some(earlier) => earlier.to,
            None => view.reading(&reading.name)?,
        };
        if present != reading.from {
            let (name, from) = (&reading.name, reading.from);
            return Err(conflict(format!("reading `{name}` is at {present}, not at {from}")));
        }
    }
    Ok(())
}

fn holds(condition: &Expect, view: &mut impl View) -> Result<(), CommitError> {
    match condition {
        Expect::StreamAt { stream, version } => match view.stream_version(stream)? {
            present if present == *version => Ok(()),
            present => {
                Err(conflict(format!("stream `{stream}` is at {present}, not at {version}")))
            }
        },
        Expect::NothingMatching { kinds, tags, after } => {
            if view.any_event(kinds, tags, *after)? {
                let text = format!("an event after {after} has tags {tags:?} and kinds {kinds:?}");
                return Err(conflict(text));
            }
            Ok(())
        }
        Expect::RowAbsent { table, key } => match view.row_version(table, key)? {
            None => Ok(()),
            Some(_) => Err(conflict(format!("`{}` has a row `{key}`", table.name))),
        },
        Expect::RowAt { table, key, version } => match view.row_version(table, key)? {
            Some(present) if present == *version => Ok(()),
            Some(present) => {
                let name = table.name;
                Err(conflict(format!("`{name}` row `{key}` is at {present}, not at {version}")))
            }
            None => Err(conflict(format!("`{}` has no row `{key}`", table.name))),
        },
        Expect::AtLeast { table, key, column, value } => match view.integer(table, key, column)? {
            Some(present) if present >= *value => Ok(()),
            Some(present) => {
                let name = table.name;
                let text = format!("`{name}.{column}` of `{key}` is {present}, below {value}");
                Err(conflict(text))
            }
            None => Err(conflict(format!("`{}` has no row `{key}`", table.name))),
        },
    }
}

fn appends_to(unit: &Unit, stream: &Name) -> bool {
    unit.events.iter().any(|event| event.stream == *stream)
}

fn versions(unit: &Unit, view: &mut impl View) -> Result<Vec<u64>, CommitError> {
    let mut versions: Vec<u64> = Vec::with_capacity(unit.events.len());
    for (index, event) in unit.events.iter().enumerate() {
        let own = unit.events[..index].iter().rposition(|other| other.stream == event.stream);
        // A condition that holds has said already where the stream is.
        let told = || {
            unit.conditions.iter().find_map(|condition| match condition {
                Expect::StreamAt { stream, version } if *stream == event.stream => Some(*version),
                _ => None,
            })
        };
        let present = match own.map(|earlier| versions[earlier]).or_else(told) {
            Some(present) => present,
            None => view.stream_version(&event.stream)?,
        };
        versions.push(present + 1);
    }
    Ok(versions)
}

fn conflict(text: String) -> CommitError {
    CommitError::Conflict(text)
}
