//! Carrying out a plan in memory.

use std::collections::HashMap;

use switchboard_core::{Position, Timestamp};

use super::state::{Cells, GateState, State, lane};
use crate::judge::{GateChange, Plan, TimerChange, advance};
use crate::seal::Sealer;
use crate::{
    CommitError, Committed, Handled, Mark, Outgoing, Progress, RowOp, StoredEvent, Unit, Value,
    Waiting,
};

/// Does everything that the unit and its plan say, or nothing.
pub(super) fn apply(
    unit: Unit,
    plan: Plan,
    state: &mut State,
    sealer: &mut Sealer,
    now: Timestamp,
) -> Result<Committed, CommitError> {
    if plan.duplicate {
        unit.progress.into_iter().for_each(|next| progress(state, next));
        return Ok(Committed { duplicate: true, ..Committed::default() });
    }
    // Rows come first: an overflow is the one thing here that can still refuse the unit.
    let rows = changed_rows(&unit.rows, state)?;
    let before = state.position;
    let (context, time) = (unit.context, unit.time.unwrap_or(now));
    for (event, version) in unit.events.into_iter().zip(plan.versions) {
        state.position = state.position.next();
        state.streams.entry(event.stream.clone()).or_default().push(state.position);
        let stored = StoredEvent {
            position: state.position,
            stream: event.stream,
            version,
            kind: event.kind,
            schema: event.schema,
            time,
            context: context.clone(),
            tags: event.tags,
            data: event.data,
        };
        state.events.insert(state.position, stored);
    }
    let mut committed = Committed::default();
    for message in unit.messages.into_iter().chain(plan.fired) {
        let sequences = &mut state.sequences;
        let (slot, envelope) = sealer.seal(message, context.as_ref(), time, |topic, slot| {
            let last = sequences.entry((topic.clone(), slot)).or_default();
            *last += 1;
            *last
        });
        committed.messages.push(envelope.id);
        state.position = state.position.next();
        let position = state.position;
        state.outgoing.insert(position, Outgoing { position, slot, envelope });
    }
    if state.position > before {
        committed.position = state.position;
    }
    if let Some(handled) = unit.handled {
        mark(state, &handled, now);
    }
    plan.gates.into_iter().for_each(|change| gate(state, change, now));
    unit.progress.into_iter().for_each(|next| progress(state, next));
    for ((table, key), cells) in rows {
        let table = state.tables.entry(table).or_default();
        match cells {
            Some(cells) => table.insert(key, cells),
            None => table.remove(&key),
        };
    }
    plan.timers.into_iter().for_each(|change| timer(state, change));
    for (slot, position) in unit.checkpoints {
        let present: &mut Position = state.checkpoints.entry(slot).or_default();
        *present = position.max(*present);
    }
    for reading in unit.readings {
        state.readings.insert(reading.name, reading.to);
    }
    Ok(committed)
}

type Changed = HashMap<(&'static str, String), Option<Cells>>;

fn changed_rows(ops: &[RowOp], state: &State) -> Result<Changed, CommitError> {
    let mut changed = Changed::new();
    for op in ops {
        let table = op.table();
        let cells = changed
            .entry((table.name, op.key().to_owned()))
            .or_insert_with(|| state.cells(table, op.key()).cloned());
        if matches!(op, RowOp::Delete { .. }) {
            *cells = None;
            continue;
        }
        let cells = cells.get_or_insert_with(|| Cells {
            version: 0,
            values: vec![Value::Null; table.columns.len()],
        });
        cells.version += 1;
        change(cells, op)?;
    }
    Ok(changed)
}

fn change(cells: &mut Cells, op: &RowOp) -> Result<(), CommitError> {
    match op {
        RowOp::Delete { .. } => {}
        RowOp::Put { table, values, .. } => {
            for (column, value) in values {
                if let Some(index) = table.index_of(column) {
                    cells.values[index] = value.clone();
                }
            }
        }
        RowOp::Add { table, key, column, delta } => {
            let Some(index) = table.index_of(column) else { return Ok(()) };
            let present = match cells.values[index] {
                Value::Integer(number) => number,
                _ => 0,
            };
            let Some(sum) = present.checked_add(*delta) else {
                let name = table.name;
                return Err(CommitError::Invalid(format!(
                    "`{name}.{column}` of `{key}` would leave the range of 64 bits"
                )));
            };
            cells.values[index] = Value::Integer(sum);
        }
    }
    Ok(())
}

fn mark(state: &mut State, handled: &Handled, now: Timestamp) {
    match &handled.mark {
        Mark::Known { topic, identity } => {
            let lane = lane(&handled.group, topic, identity);
            state.marks.entry(lane).or_default().insert(identity.sequence);
        }
        Mark::Foreign { id, keep } => {
            state.foreign.insert((handled.group.clone(), id.clone()), now.plus(*keep));
        }
    }
}

fn progress(state: &mut State, next: Progress) {
    let part = (next.group.clone(), next.topic.clone(), next.partition);
    if advance(state.progress.get(&part), &next) {
        state.progress.insert(part, next);
    }
}

fn gate(state: &mut State, change: GateChange, now: Timestamp) {
    match change {
        GateChange::Shut { group, key, due } => {
            state.gates.insert((group, key), GateState { due, since: now, queue: Vec::new() });
        }
        GateChange::Join { group, key, bytes, failure } => {
            state.entries += 1;
            let failures = failure.into_iter().collect();
            let waiting = Waiting { entry: state.entries, bytes, since: now, failures };
            if let Some(gate) = state.gates.get_mut(&(group, key)) {
                gate.queue.push(waiting);
            }
        }
        GateChange::Leave { group, key, entry } => {
            if let Some(gate) = state.gates.get_mut(&(group, key)) {
                gate.queue.retain(|waiting| waiting.entry != entry);
            }
        }
        GateChange::Remember { entry, failure } => {
            let queues = state.gates.values_mut().flat_map(|gate| &mut gate.queue);
            for waiting in queues.filter(|waiting| waiting.entry == entry) {
                Waiting::remember(&mut waiting.failures, failure.clone());
            }
        }
        GateChange::Due { group, key, due } => {
            if let Some(gate) = state.gates.get_mut(&(group, key)) {
                gate.due = due;
            }
        }
        GateChange::Open { group, key } => {
            state.gates.remove(&(group, key));
        }
    }
}

fn timer(state: &mut State, change: TimerChange) {
    match change {
        TimerChange::Set { id, due, message } => {
            state.due.insert((due, id.clone()));
            if let Some((former, _)) = state.timers.insert(id.clone(), (due, *message))
                && former != due
            {
                state.due.remove(&(former, id));
            }
        }
        TimerChange::Delete { id } => {
            if let Some((due, _)) = state.timers.remove(&id) {
                state.due.remove(&(due, id));
            }
        }
    }
}
