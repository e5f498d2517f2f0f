//! What PostgreSQL cannot store, found before a unit meets its neighbours.

use switchboard_core::Name;
use switchboard_store::{Expect, GateOp, Handled, Mark, NewMessage, RowOp, TimerOp, Unit, Value};

/// A group, a source and a topic are one key of an index, whose entries have a limit.
const LANE_BYTES: usize = 2_600;

/// Whether the unit can be stored.
///
/// # Errors
/// Says what cannot.
pub(crate) fn storable(unit: &Unit) -> Result<(), String> {
    for event in &unit.events {
        text("a stream", &event.stream)?;
        text("an event's kind", &event.kind)?;
        event.tags.iter().try_for_each(|tag| text("a tag", tag))?;
    }
    unit.messages.iter().try_for_each(message)?;
    unit.conditions.iter().try_for_each(condition)?;
    unit.rows.iter().try_for_each(row)?;
    for timer in &unit.timers {
        match timer {
            TimerOp::Set { id, message: carried, .. } => {
                text("a timer's id", id)?;
                message(carried)?;
            }
            TimerOp::Cancel { id } | TimerOp::Fire { id } => text("a timer's id", id)?,
        }
    }
    for op in &unit.gates {
        let (GateOp::Release { group, .. }
        | GateOp::Defer { group, .. }
        | GateOp::Wake { group, .. }) = op;
        text("a group", group)?;
    }
    for progress in &unit.progress {
        text("a group", &progress.group)?;
        text("a topic", &progress.topic)?;
    }
    unit.readings.iter().try_for_each(|reading| text("a reading", &reading.name))?;
    unit.handled.as_ref().map_or(Ok(()), handled)
}

/// Whether the message can be stored.
pub(crate) fn message(message: &NewMessage) -> Result<(), String> {
    text("a topic", &message.topic)
}

fn handled(handled: &Handled) -> Result<(), String> {
    text("a group", &handled.group)?;
    match &handled.mark {
        Mark::Foreign { id, .. } => text("a message's id", id),
        Mark::Known { topic, identity } => {
            text("a topic", topic)?;
            text("a source", &identity.source)?;
            let names: [&Name; 3] = [&handled.group, topic, &identity.source];
            let bytes: usize = names.iter().map(|name| name.len()).sum();
            if bytes > LANE_BYTES {
                return Err(format!(
                    "group, topic and source have {bytes} bytes, and the limit is {LANE_BYTES}"
                ));
            }
            Ok(())
        }
    }
}

fn condition(condition: &Expect) -> Result<(), String> {
    match condition {
        Expect::StreamAt { stream, .. } => text("a stream", stream),
        Expect::NothingMatching { kinds, tags, .. } => {
            kinds.iter().chain(tags).try_for_each(|name| text("a condition", name))
        }
        Expect::RowAbsent { key, .. } | Expect::RowAt { key, .. } | Expect::AtLeast { key, .. } => {
            text("a row's key", key)
        }
    }
}

fn row(op: &RowOp) -> Result<(), String> {
    text("a row's key", op.key())?;
    let RowOp::Put { values, .. } = op else { return Ok(()) };
    values.iter().try_for_each(|(_, value)| match value {
        Value::Text(cell) => text("a cell", cell),
        _ => Ok(()),
    })
}

fn text(what: &str, text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err(format!("{what} holds the character U+0000, which PostgreSQL cannot store"));
    }
    Ok(())
}
