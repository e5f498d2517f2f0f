//! What a store in memory holds, and how it looks to whoever judges a unit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use switchboard_core::{Key, Name, Position, Slot, Timestamp};

use crate::judge::View;
use crate::limits::Declared;
use crate::{
    CommitError, Mark, Marks, NewMessage, Outgoing, Progress, StoredEvent, Table, Value, Waiting,
};

/// (group, topic, partition).
pub(super) type Part = (Name, Name, u32);
/// (group, source, incarnation, topic, slot).
pub(super) type Lane = (Name, Name, u32, Name, Slot);

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) position: Position,
    pub(super) events: BTreeMap<Position, StoredEvent>,
    /// The positions of each stream's events, by version.
    pub(super) streams: HashMap<Name, Vec<Position>>,
    pub(super) outgoing: BTreeMap<Position, Outgoing>,
    pub(super) sequences: BTreeMap<(Name, Slot), u64>,
    pub(super) checkpoints: BTreeMap<Slot, Position>,
    pub(super) tables: HashMap<&'static str, BTreeMap<String, Cells>>,
    pub(super) marks: HashMap<Lane, Marks>,
    pub(super) foreign: HashMap<(Name, String), Timestamp>,
    pub(super) progress: HashMap<Part, Progress>,
    pub(super) readings: HashMap<Name, Position>,
    pub(super) gates: BTreeMap<(Name, Key), GateState>,
    pub(super) entries: u64,
    pub(super) timers: BTreeMap<Name, (Timestamp, NewMessage)>,
    /// The same timers in the order in which they are due.
    pub(super) due: BTreeSet<(Timestamp, Name)>,
}

/// A row without its key.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) version: u64,
    pub(super) values: Vec<Value>,
}

/// A blocked key with its queue.
#[derive(Clone, Debug)]
pub(super) struct GateState {
    pub(super) due: Option<Timestamp>,
    pub(super) since: Timestamp,
    pub(super) queue: Vec<Waiting>,
}

// === impl State ===

impl State {
    /// Gives rows of an older declaration their new, empty cells.
    pub(super) fn widen(&mut self, declared: &Declared) {
        for table in declared.tables() {
            let rows = self.tables.entry(table.name).or_default();
            for cells in rows.values_mut() {
                cells.values.resize(table.columns.len(), Value::Null);
            }
        }
    }

    pub(super) fn cells(&self, table: &'static Table, key: &str) -> Option<&Cells> {
        self.tables.get(table.name)?.get(key)
    }

    fn gate_of(&self, group: &Name, key: &Key) -> Option<&GateState> {
        self.gates.get(&(group.clone(), key.clone()))
    }
}

impl View for State {
    fn is_marked(
        &mut self,
        group: &Name,
        mark: &Mark,
        now: Timestamp,
    ) -> Result<bool, CommitError> {
        Ok(match mark {
            Mark::Known { topic, identity } => {
                let lane = lane(group, topic, identity);
                self.marks.get(&lane).is_some_and(|marks| marks.contains(identity.sequence))
            }
            Mark::Foreign { id, .. } => {
                self.foreign.get(&(group.clone(), id.clone())).is_some_and(|until| *until > now)
            }
        })
    }

    fn stream_version(&mut self, stream: &Name) -> Result<u64, CommitError> {
        Ok(self.streams.get(stream).map_or(0, |positions| positions.len() as u64))
    }

    fn any_event(
        &mut self,
        kinds: &[Name],
        tags: &[Name],
        after: Position,
    ) -> Result<bool, CommitError> {
        Ok(self.events.range(after.next()..).any(|(_, event)| {
            (kinds.is_empty() || kinds.contains(&event.kind))
                && tags.iter().all(|tag| event.tags.contains(tag))
        }))
    }

    fn row_version(
        &mut self,
        table: &'static Table,
        key: &str,
    ) -> Result<Option<u64>, CommitError> {
        Ok(self.cells(table, key).map(|cells| cells.version))
    }

    fn integer(
        &mut self,
        table: &'static Table,
        key: &str,
        column: &str,
    ) -> Result<Option<i64>, CommitError> {
        let index = table.index_of(column);
        Ok(self.cells(table, key).map(|cells| {
            match index.and_then(|index| cells.values.get(index)) {
                Some(Value::Integer(number)) => *number,
                _ => 0,
            }
        }))
    }

    fn depth(&mut self, group: &Name, key: &Key) -> Result<Option<u64>, CommitError> {
        Ok(self.gate_of(group, key).map(|gate| gate.queue.len() as u64))
    }

    fn entries(&mut self, group: &Name, key: &Key, limit: usize) -> Result<Vec<u64>, CommitError> {
        let queue = self.gate_of(group, key).map_or(&[][..], |gate| &gate.queue);
        Ok(queue.iter().take(limit).map(|waiting| waiting.entry).collect())
    }

    fn timer(&mut self, id: &Name) -> Result<Option<NewMessage>, CommitError> {
        Ok(self.timers.get(id).map(|(_, message)| message.clone()))
    }

    fn reading(&mut self, name: &Name) -> Result<Position, CommitError> {
        Ok(self.readings.get(name).copied().unwrap_or_default())
    }
}

/// Where the mark of a message lives.
pub(super) fn lane(group: &Name, topic: &Name, identity: &switchboard_core::Identity) -> Lane {
    let source = identity.source.clone();
    (group.clone(), source, identity.incarnation, topic.clone(), identity.slot)
}
