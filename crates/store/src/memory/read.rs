//! The contract's traits, read from memory.

use async_trait::async_trait;
use switchboard_core::{Key, Name, Position, Timestamp};
use tokio::sync::watch;

use super::MemoryStore;
use super::state::{Cells, GateState};
use crate::{
    Checkpoint, CommitError, Committed, Gate, Inbox, Journal, Outbox, Outgoing, Progress, Row,
    Rows, Select, Sequence, StoreError, StoreIdentity, StoredEvent, Table, Timer, Timers, Unit,
    Waiting, query,
};

#[async_trait]
impl Journal for MemoryStore {
    fn identity(&self) -> StoreIdentity {
        self.inner.lock().sealer.identity().clone()
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.commit_now(unit)
    }

    async fn stream(
        &self,
        stream: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let inner = self.inner.lock();
        let positions = inner.state.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let wanted = positions.iter().skip(skip).take(limit);
        Ok(wanted.filter_map(|position| inner.state.events.get(position)).cloned().collect())
    }

    async fn events(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let inner = self.inner.lock();
        let events = inner.state.events.range(after.next()..).take(limit);
        Ok(events.map(|(_, event)| event.clone()).collect())
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }
}

#[async_trait]
impl Rows for MemoryStore {
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError> {
        self.declared.check_table(table)?;
        let inner = self.inner.lock();
        Ok(inner.state.cells(table, key).map(|cells| row(table, key, cells)))
    }

    async fn select(&self, select: Select) -> Result<Vec<Row>, StoreError> {
        self.declared.check_select(&select)?;
        let inner = self.inner.lock();
        let Some(rows) = inner.state.tables.get(select.table.name) else { return Ok(Vec::new()) };
        let rows = rows.iter().map(|(key, cells)| row(select.table, key, cells));
        let mut rows: Vec<Row> = rows.filter(|row| query::matches(&select, row)).collect();
        rows.sort_by(|a, b| query::compare(&select, a, b));
        rows.truncate(select.limit);
        Ok(rows)
    }
}

#[async_trait]
impl Inbox for MemoryStore {
    async fn progress(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Progress>, StoreError> {
        let part = (Name::from(group), Name::from(topic), partition);
        Ok(self.inner.lock().state.progress.get(&part).cloned())
    }

    async fn reading(&self, name: &str) -> Result<Position, StoreError> {
        Ok(self.inner.lock().state.readings.get(name).copied().unwrap_or_default())
    }

    async fn gate(&self, group: &str, key: &Key) -> Result<Option<Gate>, StoreError> {
        let id = (Name::from(group), key.clone());
        Ok(self.inner.lock().state.gates.get(&id).map(|state| gate(&id, state)))
    }

    async fn gates(&self, group: Option<&str>, limit: usize) -> Result<Vec<Gate>, StoreError> {
        let inner = self.inner.lock();
        let gates = inner.state.gates.iter().map(|(id, state)| gate(id, state));
        let mut gates: Vec<Gate> =
            gates.filter(|gate| group.is_none_or(|group| gate.group == *group)).collect();
        gates.sort_by(|a, b| (a.since, &a.group, &a.key).cmp(&(b.since, &b.group, &b.key)));
        gates.truncate(limit);
        Ok(gates)
    }

    async fn due_gates(
        &self,
        group: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Gate>, Option<Timestamp>), StoreError> {
        let inner = self.inner.lock();
        let gates = inner.state.gates.iter().map(|(id, state)| gate(id, state));
        let mut gates: Vec<Gate> =
            gates.filter(|gate| gate.group == *group && gate.due.is_some()).collect();
        gates.sort_by(|a, b| (a.due, &a.key).cmp(&(b.due, &b.key)));
        let due = gates.iter().take(limit).take_while(|gate| gate.due <= Some(now)).count();
        let next = gates.get(due).and_then(|gate| gate.due);
        gates.truncate(due);
        Ok((gates, next))
    }

    async fn waiting(
        &self,
        group: &str,
        key: &Key,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let inner = self.inner.lock();
        let gate = inner.state.gates.get(&(Name::from(group), key.clone()));
        let queue = gate.map_or(&[][..], |gate| &gate.queue);
        Ok(queue.iter().take(limit).cloned().collect())
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn outgoing(&self, after: Position, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
        let inner = self.inner.lock();
        let outgoing = inner.state.outgoing.range(after.next()..).take(limit);
        Ok(outgoing.map(|(_, outgoing)| outgoing.clone()).collect())
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let inner = self.inner.lock();
        let checkpoints = inner.state.checkpoints.iter();
        Ok(checkpoints.map(|(&slot, &position)| Checkpoint { slot, position }).collect())
    }

    async fn sequences(&self) -> Result<Vec<Sequence>, StoreError> {
        let inner = self.inner.lock();
        let sequences = inner.state.sequences.iter();
        let sequences = sequences.map(|((topic, slot), &last)| Sequence {
            topic: topic.clone(),
            slot: *slot,
            last,
        });
        Ok(sequences.collect())
    }

    async fn reincarnate(&self) -> Result<StoreIdentity, StoreError> {
        let mut inner = self.inner.lock();
        inner.state.sequences.clear();
        Ok(inner.sealer.reincarnate().clone())
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let mut inner = self.inner.lock();
        let now = inner.sealer.now();
        let state = &mut inner.state;
        state.foreign.retain(|_, until| *until > now);
        let checkpoints = &state.checkpoints;
        let passed = state.outgoing.values().filter(|outgoing| {
            checkpoints.get(&outgoing.slot).is_some_and(|passed| outgoing.position <= *passed)
        });
        let passed: Vec<Position> = passed.map(|outgoing| outgoing.position).take(limit).collect();
        for position in &passed {
            state.outgoing.remove(position);
        }
        Ok(passed.len())
    }
}

#[async_trait]
impl Timers for MemoryStore {
    async fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Timer>, Option<Timestamp>), StoreError> {
        let inner = self.inner.lock();
        let all = &inner.state.due;
        let is_due = |(due, _): &&(Timestamp, Name)| *due <= now;
        let timers = all.iter().take(limit).take_while(is_due);
        let timers: Vec<Timer> =
            timers.map(|(due, id)| Timer { id: id.clone(), due: *due }).collect();
        let next = all.iter().nth(timers.len()).map(|(due, _)| *due);
        Ok((timers, next))
    }

    fn rescheduled(&self) -> watch::Receiver<u64> {
        self.rescheduled.subscribe()
    }
}

fn row(table: &'static Table, key: &str, cells: &Cells) -> Row {
    Row { table, key: key.to_owned(), version: cells.version, values: cells.values.clone() }
}

fn gate((group, key): &(Name, Key), state: &GateState) -> Gate {
    Gate {
        group: group.clone(),
        key: key.clone(),
        due: state.due,
        since: state.since,
        depth: state.queue.len() as u64,
    }
}
