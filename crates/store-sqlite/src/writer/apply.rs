//! Carrying out a plan inside the writer's transaction.

use std::borrow::Cow;

use rusqlite::{Connection, Result, params};
use switchboard_core::{Context, Position, Timestamp};
use switchboard_store::judge::{GateChange, Plan, TimerChange};
use switchboard_store::seal::Sealer;
use switchboard_store::{Committed, Handled, Mark, NewEvent, NewMessage, Unit, Waiting, codec};

use super::desk::Desk;

/// Does everything that the unit and its plan say. An error leaves the transaction half-done: the
/// caller rolls it back.
pub(super) fn apply(
    unit: &Unit,
    plan: Plan,
    desk: &mut Desk<'_>,
    sealer: &mut Sealer,
    now: Timestamp,
) -> Result<Committed> {
    let Desk { connection, statements, hot, rows, .. } = desk;
    let connection = *connection;
    for next in &unit.progress {
        hot.advance(connection, next)?;
    }
    if plan.duplicate {
        return Ok(Committed { duplicate: true, ..Committed::default() });
    }
    let mut committed = Committed::default();
    let time = unit.time.unwrap_or(now);
    for (index, (event, version)) in unit.events.iter().zip(plan.versions).enumerate() {
        let position = hot.next_position();
        let head = head(event, unit.context.as_ref());
        statements.append.execute(params![
            position.cast_signed(),
            version.cast_signed(),
            event.schema,
            time.as_micros(),
            &*event.stream,
            &*event.kind,
            head,
            &event.data[..],
        ])?;
        tag(connection, event, position)?;
        let is_last = unit.events.get(index + 1).is_none_or(|next| next.stream != event.stream);
        if is_last {
            hot.appended(&event.stream, version);
        }
        committed.position = Position(position);
    }
    for message in unit.messages.iter().chain(&plan.fired) {
        hot.know_topic(connection, &message.topic)?;
        let position = hot.next_position();
        let next = |topic: &_, slot| hot.next_sequence(topic, slot);
        let message = NewMessage::clone(message);
        let (slot, envelope) = sealer.seal(message, unit.context.as_ref(), time, next);
        let row = params![position.cast_signed(), slot.0, &envelope.encode()[..]];
        statements.send.execute(row)?;
        committed.messages.push(envelope.id);
        committed.position = Position(position);
    }
    if let Some(handled) = &unit.handled {
        mark(handled, connection, hot, now)?;
    }
    for change in plan.gates {
        gate(change, connection, &mut hot.gates, now)?;
    }
    for op in &unit.rows {
        rows.apply(op)?;
    }
    for change in plan.timers {
        timer(change, connection)?;
    }
    for (slot, position) in &unit.checkpoints {
        hot.checkpoint(*slot, *position);
    }
    for reading in &unit.readings {
        hot.read_to(&reading.name, reading.to);
    }
    Ok(committed)
}

fn head(event: &NewEvent, context: Option<&Context>) -> Vec<u8> {
    let context = context.map(Cow::Borrowed);
    codec::Head { context, tags: Cow::Borrowed(&event.tags) }.encode()
}

fn tag(connection: &Connection, event: &NewEvent, position: u64) -> Result<()> {
    for tag in &event.tags {
        connection
            .prepare_cached("INSERT OR IGNORE INTO sb_tags VALUES (?1, ?2)")?
            .execute(params![&**tag, position.cast_signed()])?;
    }
    Ok(())
}

pub(super) fn mark(
    handled: &Handled,
    connection: &Connection,
    hot: &mut super::hot::Hot,
    now: Timestamp,
) -> Result<()> {
    match &handled.mark {
        Mark::Known { topic, identity } => hot.mark(connection, &handled.group, topic, identity),
        Mark::Foreign { id, keep } => {
            let sql = "INSERT INTO sb_foreign VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO UPDATE SET until = excluded.until";
            let until = now.plus(*keep).as_micros();
            connection.prepare_cached(sql)?.execute(params![&*handled.group, id, until])?;
            Ok(())
        }
    }
}

fn gate(
    change: GateChange,
    connection: &Connection,
    gates: &mut u64,
    now: Timestamp,
) -> Result<()> {
    match change {
        GateChange::Shut { group, key, due } => {
            let due = due.map(Timestamp::as_micros);
            let row = params![&*group, key.as_bytes(), due, now.as_micros()];
            let sql = "INSERT INTO sb_gates VALUES (?1, ?2, ?3, ?4, 0)";
            connection.prepare_cached(sql)?.execute(row)?;
            *gates += 1;
        }
        GateChange::Join { group, key, bytes, failure } => {
            let failures = codec::encode_failures(failure.as_slice());
            let row = params![now.as_micros(), &*group, key.as_bytes(), failures, &bytes[..]];
            let sql = "INSERT INTO sb_waiting (since, grp, key, failures, bytes) \
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            connection.prepare_cached(sql)?.execute(row)?;
            deepen(connection, &group, key.as_bytes(), 1)?;
        }
        GateChange::Leave { group, key, entry } => {
            connection
                .prepare_cached("DELETE FROM sb_waiting WHERE entry = ?1")?
                .execute([entry.cast_signed()])?;
            deepen(connection, &group, key.as_bytes(), -1)?;
        }
        GateChange::Remember { entry, failure } => remember(connection, entry, failure)?,
        GateChange::Due { group, key, due } => {
            let row = params![&*group, key.as_bytes(), due.map(Timestamp::as_micros)];
            let sql = "UPDATE sb_gates SET due = ?3 WHERE grp = ?1 AND key = ?2";
            connection.prepare_cached(sql)?.execute(row)?;
        }
        GateChange::Open { group, key } => {
            let sql = "DELETE FROM sb_gates WHERE grp = ?1 AND key = ?2";
            connection.prepare_cached(sql)?.execute(params![&*group, key.as_bytes()])?;
            *gates -= 1;
        }
    }
    Ok(())
}

fn deepen(connection: &Connection, group: &str, key: &[u8], by: i64) -> Result<()> {
    let sql = "UPDATE sb_gates SET depth = depth + ?3 WHERE grp = ?1 AND key = ?2";
    connection.prepare_cached(sql)?.execute(params![group, key, by]).map(drop)
}

fn remember(
    connection: &Connection,
    entry: u64,
    failure: switchboard_store::Failure,
) -> Result<()> {
    let entry = entry.cast_signed();
    let stored: Vec<u8> = connection
        .prepare_cached("SELECT failures FROM sb_waiting WHERE entry = ?1")?
        .query_row([entry], |row| row.get(0))?;
    // Failures that cannot be read must not keep the message itself from being worked on.
    let mut failures = codec::decode_failures(&stored, || format!("failures of entry {entry}"))
        .unwrap_or_default();
    Waiting::remember(&mut failures, failure);
    connection
        .prepare_cached("UPDATE sb_waiting SET failures = ?2 WHERE entry = ?1")?
        .execute(params![entry, codec::encode_failures(&failures)])
        .map(drop)
}

fn timer(change: TimerChange, connection: &Connection) -> Result<()> {
    match change {
        TimerChange::Set { id, due, message } => {
            let sql = "INSERT INTO sb_timers VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO UPDATE SET due = excluded.due, message = excluded.message";
            let row = params![&*id, due.as_micros(), codec::encode_message(&message)];
            connection.prepare_cached(sql)?.execute(row)?;
        }
        TimerChange::Delete { id } => {
            connection
                .prepare_cached("DELETE FROM sb_timers WHERE id = ?1")?
                .execute([id.as_str()])?;
        }
    }
    Ok(())
}
