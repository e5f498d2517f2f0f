//! The state as it is while the store's lock is held, and as earlier units of the batch leave it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use foldhash::fast::RandomState;
use switchboard_core::{Key, Name, Position, Slot, Timestamp};
use switchboard_store::judge::{GateChange, Plan, TimerChange, View};
use switchboard_store::{
    CommitError, Handled, Mark, Marks, NewEvent, NewMessage, Table, Unit, Waiting, codec,
};

use super::marks::Place;
use super::needs::Question;
use super::rows::Rows;

type Map<K, V> = HashMap<K, V, RandomState>;

/// What units are judged against.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) incarnation: u32,
    pub(super) position: u64,
    pub(super) reschedules: i64,
    pub(super) sequences: Map<(Name, Slot), u64>,
    pub(super) streams: Map<Name, u64>,
    pub(super) gates: Map<(Name, Key), Gate>,
    pub(super) failures: HashMap<u64, Vec<u8>>,
    pub(super) timers: HashMap<Name, Vec<u8>>,
    pub(super) readings: HashMap<Name, Position>,
    pub(super) foreign: HashMap<(Name, String), Timestamp>,
    pub(super) marks: Map<Place, Marks>,
    pub(super) rows: Rows,
    /// What was asked of the log, and whether there is such an event.
    pub(super) questions: Vec<(Question, bool)>,
    /// Where the mark of each unit's message is, while that unit is judged.
    pub(super) place: Option<Place>,
    /// Events of earlier units, if the log is asked for any.
    recent: Vec<(Position, NewEvent)>,
    pub(super) changes: Changes,
}

/// A blocked key.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) due: Option<Timestamp>,
    pub(super) since: Timestamp,
    pub(super) depth: u64,
    /// The first entries of its queue, as many as may be worked on.
    pub(super) heads: VecDeque<u64>,
}

/// What the batch leaves behind in gates and timers.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) gates: BTreeSet<(Name, Key)>,
    pub(super) joined: Vec<Joined>,
    pub(super) left: Vec<u64>,
    pub(super) remembered: BTreeMap<u64, Vec<u8>>,
    pub(super) timers: BTreeMap<Name, Option<(Timestamp, NewMessage)>>,
}

/// A message that joins a queue.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) group: Name,
    pub(super) key: Key,
    pub(super) bytes: bytes::Bytes,
    pub(super) failures: Vec<u8>,
}

// === impl Truth ===

impl Truth {
    pub(super) fn with_rows(rows: Rows) -> Self {
        Self { rows, ..Self::default() }
    }

    /// The unit is accepted: what comes after it sees what it does.
    pub(super) fn apply(&mut self, unit: &Unit, plan: &Plan, place: Option<Place>, now: Timestamp) {
        for (event, version) in unit.events.iter().zip(&plan.versions) {
            self.position += 1;
            self.streams.insert(event.stream.clone(), *version);
            if !self.questions.is_empty() {
                self.recent.push((Position(self.position), event.clone()));
            }
        }
        self.position += (unit.messages.len() + plan.fired.len()) as u64;
        if let Some(handled) = &unit.handled {
            self.mark(handled, place, now);
        }
        for change in &plan.gates {
            self.gate(change, now);
        }
        for op in &unit.rows {
            if let Some(seen) = self.rows.get_mut(&(op.table().name, op.key().to_owned())) {
                seen.apply(op);
            }
        }
        for change in &plan.timers {
            let (id, state) = match change {
                TimerChange::Set { id, due, message } => {
                    (id, Some((*due, NewMessage::clone(message))))
                }
                TimerChange::Delete { id } => (id, None),
            };
            self.changes.timers.insert(id.clone(), state);
        }
        for reading in &unit.readings {
            self.readings.insert(reading.name.clone(), reading.to);
        }
        self.reschedules += i64::from(plan.reschedules());
    }

    fn mark(&mut self, handled: &Handled, place: Option<Place>, now: Timestamp) {
        match (&handled.mark, place) {
            (Mark::Known { identity, .. }, Some(place)) => {
                self.marks.entry(place).or_default().insert(identity.sequence);
            }
            (Mark::Known { .. }, None) => {}
            (Mark::Foreign { id, keep }, _) => {
                self.foreign.insert((handled.group.clone(), id.clone()), now.plus(*keep));
            }
        }
    }

    fn gate(&mut self, change: &GateChange, now: Timestamp) {
        match change {
            GateChange::Shut { group, key, due } => {
                let gate = Gate { due: *due, since: now, depth: 0, heads: VecDeque::new() };
                self.gates.insert(self.changes.touch(group, key), gate);
            }
            GateChange::Join { group, key, bytes, failure } => {
                if let Some(gate) = self.gates.get_mut(&self.changes.touch(group, key)) {
                    gate.depth += 1;
                }
                self.changes.joined.push(Joined {
                    group: group.clone(),
                    key: key.clone(),
                    bytes: bytes.clone(),
                    failures: codec::encode_failures(failure.as_slice()),
                });
            }
            GateChange::Leave { group, key, entry } => {
                if let Some(gate) = self.gates.get_mut(&self.changes.touch(group, key)) {
                    gate.depth -= 1;
                    gate.heads.pop_front();
                }
                self.changes.left.push(*entry);
            }
            GateChange::Remember { entry, failure } => {
                let stored = self.failures.get(entry).map_or(&[][..], Vec::as_slice);
                // Failures that cannot be read must not keep the message from being worked on.
                let mut failures = codec::decode_failures(stored, String::new).unwrap_or_default();
                Waiting::remember(&mut failures, failure.clone());
                let stored = codec::encode_failures(&failures);
                self.failures.insert(*entry, stored.clone());
                self.changes.remembered.insert(*entry, stored);
            }
            GateChange::Due { group, key, due } => {
                if let Some(gate) = self.gates.get_mut(&self.changes.touch(group, key)) {
                    gate.due = *due;
                }
            }
            GateChange::Open { group, key } => {
                self.gates.remove(&self.changes.touch(group, key));
            }
        }
    }
}

impl Changes {
    fn touch(&mut self, group: &Name, key: &Key) -> (Name, Key) {
        let id = (group.clone(), key.clone());
        self.gates.insert(id.clone());
        id
    }
}

impl View for Truth {
    fn is_marked(
        &mut self,
        group: &Name,
        mark: &Mark,
        now: Timestamp,
    ) -> Result<bool, CommitError> {
        Ok(match (mark, self.place) {
            (Mark::Known { identity, .. }, Some(place)) => {
                self.marks.get(&place).is_some_and(|marks| marks.contains(identity.sequence))
            }
            (Mark::Known { .. }, None) => false,
            (Mark::Foreign { id, .. }, _) => {
                self.foreign.get(&(group.clone(), id.clone())).is_some_and(|until| *until > now)
            }
        })
    }

    fn stream_version(&mut self, stream: &Name) -> Result<u64, CommitError> {
        Ok(self.streams.get(stream).copied().unwrap_or(0))
    }

    fn any_event(
        &mut self,
        kinds: &[Name],
        tags: &[Name],
        after: Position,
    ) -> Result<bool, CommitError> {
        let question = Question { kinds: kinds.to_vec(), tags: tags.to_vec(), after };
        let before = self.questions.iter().any(|(asked, answer)| *answer && *asked == question);
        Ok(before
            || self.recent.iter().any(|(position, event)| {
                *position > after
                    && (kinds.is_empty() || kinds.contains(&event.kind))
                    && tags.iter().all(|tag| event.tags.contains(tag))
            }))
    }

    fn row_version(
        &mut self,
        table: &'static Table,
        key: &str,
    ) -> Result<Option<u64>, CommitError> {
        Ok(self.rows.get(&(table.name, key.to_owned())).and_then(|seen| seen.version))
    }

    fn integer(
        &mut self,
        table: &'static Table,
        key: &str,
        column: &str,
    ) -> Result<Option<i64>, CommitError> {
        let Some(seen) = self.rows.get(&(table.name, key.to_owned())) else { return Ok(None) };
        let number = || {
            let index = table.index_of(column)?;
            seen.integers.get(&index).copied()
        };
        Ok(seen.version.map(|_| number().unwrap_or(0)))
    }

    fn depth(&mut self, group: &Name, key: &Key) -> Result<Option<u64>, CommitError> {
        if self.gates.is_empty() {
            return Ok(None);
        }
        Ok(self.gates.get(&(group.clone(), key.clone())).map(|gate| gate.depth))
    }

    fn entries(&mut self, group: &Name, key: &Key, limit: usize) -> Result<Vec<u64>, CommitError> {
        let gate = self.gates.get(&(group.clone(), key.clone()));
        Ok(gate.map_or(Vec::new(), |gate| gate.heads.iter().take(limit).copied().collect()))
    }

    fn timer(&mut self, id: &Name) -> Result<Option<NewMessage>, CommitError> {
        if let Some(changed) = self.changes.timers.get(id) {
            return Ok(changed.as_ref().map(|(_, message)| message.clone()));
        }
        let Some(bytes) = self.timers.get(id) else { return Ok(None) };
        let message = codec::decode_message(bytes, || format!("timer `{id}`"));
        message.map(Some).map_err(|error| CommitError::Invalid(switchboard_core::chain(&error)))
    }

    fn reading(&mut self, name: &Name) -> Result<Position, CommitError> {
        Ok(self.readings.get(name).copied().unwrap_or_default())
    }
}
