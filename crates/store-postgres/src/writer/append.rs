//! What is written after the lock: the log, counters, gates, timers, positions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sqlx::PgConnection;
use switchboard_core::{Name, Position, Slot, Timestamp};
use switchboard_store::judge::advance;
use switchboard_store::seal::Sealer;
use switchboard_store::{Committed, NewMessage, Progress, Unit, codec};

use super::batch::{Fate, Placed};
use super::truth::Truth;
use crate::sql::{Sql, parts};

/// Rows of the log and of counters, column by column.
#[derive(Debug, Default)]
pub(super) struct Append<'u> {
    events: Events<'u>,
    tags: Vec<(&'u str, i64)>,
    messages: Vec<(i64, i16, bytes::Bytes)>,
    sequences: BTreeMap<(Name, Slot), u64>,
    progress: BTreeMap<(&'u Name, &'u Name, u32), &'u Progress>,
    checkpoints: BTreeMap<Slot, Position>,
    readings: BTreeMap<&'u Name, Position>,
    /// The newest position when everything is appended.
    pub(super) position: u64,
    /// Whether anything at all was accepted.
    pub(super) is_needed: bool,
}

#[derive(Debug, Default)]
struct Events<'u> {
    positions: Vec<i64>,
    versions: Vec<i64>,
    times: Vec<i64>,
    schemas: Vec<i32>,
    streams: Vec<&'u str>,
    kinds: Vec<&'u str>,
    heads: Vec<Vec<u8>>,
    data: Vec<&'u [u8]>,
}

/// Which batch of which writer it is: the proof that it was committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) writer: [u8; 16],
    pub(super) batch: i64,
}

// === impl Append ===

impl<'u> Append<'u> {
    pub(super) fn new(position: u64) -> Self {
        Self { position, ..Self::default() }
    }

    /// Adds a unit, and answers what its caller will be told.
    pub(super) fn add(
        &mut self,
        unit: &'u Unit,
        fate: &Fate,
        truth: &mut Truth,
        sealer: &mut Sealer,
        now: Timestamp,
    ) -> Option<Committed> {
        let plan = match fate {
            Fate::Refuse(_) => return None,
            Fate::Duplicate => {
                self.progress(unit);
                return Some(Committed { duplicate: true, ..Committed::default() });
            }
            Fate::Apply(plan) => plan,
        };
        self.is_needed = true;
        self.progress(unit);
        let before = self.position;
        let time = unit.time.unwrap_or(now);
        for (event, version) in unit.events.iter().zip(&plan.versions) {
            let position = self.next();
            let head = codec::Head {
                context: unit.context.as_ref().map(Cow::Borrowed),
                tags: Cow::Borrowed(&event.tags),
            };
            self.events.positions.push(position);
            self.events.versions.push(version.cast_signed());
            self.events.times.push(time.as_micros());
            self.events.schemas.push(i32::from(event.schema));
            self.events.streams.push(&event.stream);
            self.events.kinds.push(&event.kind);
            self.events.heads.push(head.encode());
            self.events.data.push(&event.data);
            for (index, tag) in event.tags.iter().enumerate() {
                if !event.tags[..index].contains(tag) {
                    self.tags.push((tag, position));
                }
            }
        }
        let mut committed = Committed::default();
        for message in unit.messages.iter().chain(&plan.fired) {
            let message = NewMessage::clone(message);
            let id = self.send(message, unit.context.as_ref(), truth, sealer, time, None);
            committed.messages.push(id);
        }
        if self.position > before {
            committed.position = Position(self.position);
        }
        for (slot, position) in &unit.checkpoints {
            let present = self.checkpoints.entry(*slot).or_default();
            *present = (*position).max(*present);
        }
        for reading in &unit.readings {
            self.readings.insert(&reading.name, reading.to);
        }
        Some(committed)
    }

    /// Adds one message, with the id that it may have been given already.
    pub(super) fn send(
        &mut self,
        message: NewMessage,
        context: Option<&switchboard_core::Context>,
        truth: &mut Truth,
        sealer: &mut Sealer,
        now: Timestamp,
        id: Option<switchboard_core::Id>,
    ) -> switchboard_core::Id {
        let (slot, mut envelope) = sealer.seal(message, context, now, |topic, slot| {
            let last = truth.sequences.entry((topic.clone(), slot)).or_default();
            *last += 1;
            self.sequences.insert((topic.clone(), slot), *last);
            *last
        });
        envelope.id = id.unwrap_or(envelope.id);
        let position = self.next();
        self.messages.push((position, i16::from(slot.0), envelope.encode()));
        self.is_needed = true;
        envelope.id
    }

    fn next(&mut self) -> i64 {
        self.position += 1;
        self.position.cast_signed()
    }

    fn progress(&mut self, unit: &'u Unit) {
        for next in &unit.progress {
            self.is_needed = true;
            let present = self.progress.entry((&next.group, &next.topic, next.partition));
            let present = present.or_insert(next);
            if advance(Some(present), next) {
                *present = next;
            }
        }
    }

    /// Writes everything in one statement, counters and the ticket included.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        sql: &Sql,
        ticket: Ticket,
        reschedules: i64,
    ) -> Result<(), sqlx::Error> {
        let mask = [
            (self.events.positions.is_empty(), parts::EVENTS),
            (self.tags.is_empty(), parts::TAGS),
            (self.messages.is_empty(), parts::MESSAGES),
            (self.progress.is_empty(), parts::PROGRESS),
            (self.checkpoints.is_empty(), parts::CHECKPOINTS),
            (self.readings.is_empty(), parts::READINGS),
        ];
        let mask = mask.iter().filter(|(is_empty, _)| !is_empty).map(|(_, bit)| bit).sum::<usize>();
        let has = |bit| mask & bit != 0;
        let mut query = sqlx::query(sql.append(mask))
            .bind(&ticket.writer[..])
            .bind(ticket.batch)
            .bind(self.position.cast_signed())
            .bind(reschedules);
        if has(parts::EVENTS) {
            let events = &self.events;
            query = query
                .bind(&events.positions)
                .bind(&events.versions)
                .bind(&events.times)
                .bind(&events.schemas)
                .bind(&events.streams)
                .bind(&events.kinds)
                .bind(&events.heads)
                .bind(&events.data);
        }
        if has(parts::TAGS) {
            let (tags, positions): (Vec<&str>, Vec<i64>) = self.tags.iter().copied().unzip();
            query = query.bind(tags).bind(positions);
        }
        if has(parts::MESSAGES) {
            let positions: Vec<i64> =
                self.messages.iter().map(|(position, ..)| *position).collect();
            let slots: Vec<i16> = self.messages.iter().map(|(_, slot, _)| *slot).collect();
            let envelopes: Vec<&[u8]> = self.messages.iter().map(|(.., e)| &e[..]).collect();
            query = query.bind(positions).bind(slots).bind(envelopes);
            let topics: Vec<&str> =
                self.sequences.keys().map(|(topic, _)| topic.as_str()).collect();
            let slots: Vec<i16> = self.sequences.keys().map(|(_, s)| i16::from(s.0)).collect();
            let last: Vec<i64> = self.sequences.values().map(|last| last.cast_signed()).collect();
            query = query.bind(topics).bind(slots).bind(last);
        }
        if has(parts::PROGRESS) {
            let groups: Vec<&str> =
                self.progress.keys().map(|(group, ..)| group.as_str()).collect();
            let topics: Vec<&str> = self.progress.keys().map(|(_, t, _)| t.as_str()).collect();
            let partitions: Vec<i64> = self.progress.keys().map(|(.., p)| i64::from(*p)).collect();
            let epochs: Vec<i64> = self.progress.values().map(|p| p.epoch.cast_signed()).collect();
            let positions: Vec<i64> =
                self.progress.values().map(|p| p.position.0.cast_signed()).collect();
            query = query.bind(groups).bind(topics).bind(partitions).bind(epochs).bind(positions);
        }
        if has(parts::CHECKPOINTS) {
            let slots: Vec<i16> = self.checkpoints.keys().map(|slot| i16::from(slot.0)).collect();
            let positions: Vec<i64> =
                self.checkpoints.values().map(|position| position.0.cast_signed()).collect();
            query = query.bind(slots).bind(positions);
        }
        if has(parts::READINGS) {
            let names: Vec<&str> = self.readings.keys().map(|name| name.as_str()).collect();
            let positions: Vec<i64> =
                self.readings.values().map(|position| position.0.cast_signed()).collect();
            query = query.bind(names).bind(positions);
        }
        query.execute(connection).await.map(drop)
    }
}

/// Writes what the batch leaves in gates and timers.
pub(super) async fn write_changes(
    connection: &mut PgConnection,
    sql: &Sql,
    truth: &Truth,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let changes = &truth.changes;
    if !changes.gates.is_empty() || !changes.remembered.is_empty() {
        write_gates(connection, sql, truth, now).await?;
    }
    if changes.timers.is_empty() {
        return Ok(());
    }
    let gone = changes.timers.iter().filter(|(_, state)| state.is_none());
    let gone: Vec<&str> = gone.map(|(id, _)| id.as_str()).collect();
    if !gone.is_empty() {
        sqlx::query(sql.delete_timers.clone()).bind(gone).execute(&mut *connection).await?;
    }
    let set: Vec<(&str, i64, Vec<u8>)> = changes
        .timers
        .iter()
        .filter_map(|(id, state)| {
            let (due, message) = state.as_ref()?;
            Some((id.as_str(), due.as_micros(), codec::encode_message(message)))
        })
        .collect();
    if !set.is_empty() {
        sqlx::query(sql.set_timers.clone())
            .bind(set.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
            .bind(set.iter().map(|(_, due, _)| *due).collect::<Vec<_>>())
            .bind(set.iter().map(|(.., message)| &message[..]).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn write_gates(
    connection: &mut PgConnection,
    sql: &Sql,
    truth: &Truth,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let changes = &truth.changes;
    if !changes.left.is_empty() {
        let left: Vec<i64> = changes.left.iter().map(|entry| entry.cast_signed()).collect();
        sqlx::query(sql.leave.clone()).bind(left).execute(&mut *connection).await?;
    }
    if !changes.remembered.is_empty() {
        let entries: Vec<i64> = changes.remembered.keys().map(|e| e.cast_signed()).collect();
        let failures: Vec<&[u8]> = changes.remembered.values().map(|f| &f[..]).collect();
        let query = sqlx::query(sql.failures.clone()).bind(entries).bind(failures);
        query.execute(&mut *connection).await?;
    }
    if !changes.joined.is_empty() {
        let joined = &changes.joined;
        sqlx::query(sql.join.clone())
            .bind(now.as_micros())
            .bind(joined.iter().map(|j| j.group.as_str()).collect::<Vec<_>>())
            .bind(joined.iter().map(|j| j.key.as_bytes()).collect::<Vec<_>>())
            .bind(joined.iter().map(|j| &j.failures[..]).collect::<Vec<_>>())
            .bind(joined.iter().map(|j| &j.bytes[..]).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    let (shut, open): (Vec<_>, Vec<_>) = changes
        .gates
        .iter()
        .map(|id| (id, truth.gates.get(id)))
        .partition(|(_, gate)| gate.is_some());
    if !open.is_empty() {
        sqlx::query(sql.delete_gates.clone())
            .bind(open.iter().map(|((group, _), _)| group.as_str()).collect::<Vec<_>>())
            .bind(open.iter().map(|((_, key), _)| key.as_bytes()).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    if !shut.is_empty() {
        let gates = || shut.iter().filter_map(|(_, gate)| *gate);
        sqlx::query(sql.set_gates.clone())
            .bind(shut.iter().map(|((group, _), _)| group.as_str()).collect::<Vec<_>>())
            .bind(shut.iter().map(|((_, key), _)| key.as_bytes()).collect::<Vec<_>>())
            .bind(gates().map(|gate| gate.due.map(Timestamp::as_micros)).collect::<Vec<_>>())
            .bind(gates().map(|gate| gate.since.as_micros()).collect::<Vec<_>>())
            .bind(gates().map(|gate| gate.depth.cast_signed()).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// All units of a batch, and the answers of those that are not refused.
pub(super) fn add_all<'u>(
    units: &[Placed<'u>],
    fates: &[Fate],
    truth: &mut Truth,
    sealer: &mut Sealer,
    now: Timestamp,
) -> (Append<'u>, Vec<Option<Committed>>) {
    let mut append = Append::new(truth.position);
    let answers = units.iter().zip(fates);
    let answers =
        answers.map(|(placed, fate)| append.add(placed.unit, fate, truth, sealer, now)).collect();
    (append, answers)
}
