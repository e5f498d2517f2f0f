//! What a batch asks of the state, known from its units alone, and the one statement that answers.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use switchboard_core::{Key, Name, Position, Slot, Timestamp};
use switchboard_store::{Expect, GateOp, TimerOp, Unit};

use super::marks::{self, Place};
use super::truth::{Gate, Truth};
use crate::sql::Sql;

/// A question to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) kinds: Vec<Name>,
    pub(super) tags: Vec<Name>,
    pub(super) after: Position,
}

/// The questions of all units, each once.
#[derive(Debug, Default)]
pub(super) struct Needs<'u> {
    sequences: Ordered<(&'u Name, Slot)>,
    streams: Ordered<&'u Name>,
    gates: Ordered<(&'u Name, &'u Key)>,
    /// With how many entries may be worked on.
    heads: BTreeMap<(&'u Name, &'u Key), i64>,
    timers: Ordered<&'u Name>,
    readings: Ordered<&'u Name>,
    foreign: Ordered<(&'u Name, &'u str)>,
    marks: Ordered<Place>,
    questions: Vec<Question>,
}

/// Things in order, each once.
type Ordered<T> = std::collections::BTreeSet<T>;

// === impl Needs ===

impl<'u> Needs<'u> {
    pub(super) fn add(&mut self, unit: &'u Unit, is_careful: bool) {
        if let Some(handled) = &unit.handled {
            self.gates.insert((&handled.group, &handled.key));
        }
        for op in &unit.gates {
            let (GateOp::Release { group, key, .. }
            | GateOp::Defer { group, key, .. }
            | GateOp::Wake { group, key, .. }) = op;
            self.gates.insert((group, key));
            *self.heads.entry((group, key)).or_default() += 1;
        }
        for op in &unit.timers {
            if let TimerOp::Fire { id } = op {
                self.timers.insert(id);
            }
        }
        self.readings.extend(unit.readings.iter().map(|reading| &reading.name));
        for message in &unit.messages {
            if let Some(key) = &message.key {
                self.sequences.insert((&message.topic, Slot::of(key)));
            }
        }
        self.streams(unit, is_careful);
    }

    /// Most streams that are to be new are new: the look is saved, and the index refuses the
    /// append if they are not. Then the batch runs again, with care.
    fn streams(&mut self, unit: &'u Unit, is_careful: bool) {
        let is_new = |stream: &Name| {
            !is_careful
                && unit.conditions.iter().any(|condition| {
                    matches!(condition, Expect::StreamAt { stream: s, version: 0 } if s == stream)
                })
        };
        for event in &unit.events {
            if !is_new(&event.stream) {
                self.streams.insert(&event.stream);
            }
        }
        for condition in &unit.conditions {
            match condition {
                Expect::StreamAt { stream, version } => {
                    let appends = unit.events.iter().any(|event| event.stream == *stream);
                    if is_careful || *version > 0 || !appends {
                        self.streams.insert(stream);
                    }
                }
                Expect::NothingMatching { kinds, tags, after } => {
                    let (kinds, tags) = (kinds.clone(), tags.clone());
                    let question = Question { kinds, tags, after: *after };
                    if !self.questions.contains(&question) {
                        self.questions.push(question);
                    }
                }
                _ => {}
            }
        }
    }

    /// Marks that the batch does not write: what it writes it knows already, and would find its
    /// own change.
    pub(super) fn add_marks(&mut self, place: Place) {
        self.marks.insert(place);
    }

    /// A stranger's mark that the batch does not write.
    pub(super) fn add_foreign(&mut self, group: &'u Name, id: &'u str) {
        self.foreign.insert((group, id));
    }

    /// Asks everything at once. The store's lock is held.
    pub(super) async fn ask(
        &self,
        connection: &mut PgConnection,
        sql: &Sql,
        truth: &mut Truth,
    ) -> Result<(), sqlx::Error> {
        let bytes = |key: &'u Key| key.as_bytes();
        let name = |name: &&'u Name| name.as_str();
        let (topics, slots): (Vec<&str>, Vec<i16>) =
            self.sequences.iter().map(|(topic, slot)| (topic.as_str(), i16::from(slot.0))).unzip();
        let streams: Vec<&str> = self.streams.iter().map(name).collect();
        let (groups, keys): (Vec<&str>, Vec<&[u8]>) =
            self.gates.iter().map(|(group, key)| (group.as_str(), bytes(key))).unzip();
        let heads = self.heads.keys().map(|(group, key)| (group.as_str(), bytes(key)));
        let (head_groups, head_keys): (Vec<&str>, Vec<&[u8]>) = heads.unzip();
        let most: Vec<i64> = self.heads.values().copied().collect();
        let timers: Vec<&str> = self.timers.iter().map(name).collect();
        let readings: Vec<&str> = self.readings.iter().map(name).collect();
        let (foreign_groups, ids): (Vec<&str>, Vec<&str>) =
            self.foreign.iter().map(|(group, id)| (group.as_str(), *id)).unzip();
        let (lanes, mark_slots): (Vec<i64>, Vec<i16>) =
            self.marks.iter().map(|(lane, slot)| (*lane, i16::from(slot.0))).unzip();
        let query = sqlx::query(sql.gather.clone())
            .bind(topics)
            .bind(slots)
            .bind(streams)
            .bind(groups)
            .bind(keys)
            .bind(head_groups)
            .bind(head_keys)
            .bind(most)
            .bind(timers)
            .bind(readings)
            .bind(foreign_groups)
            .bind(ids)
            .bind(lanes)
            .bind(mark_slots);
        let rows = query.fetch_all(&mut *connection).await?;
        self.take(&rows, truth)?;
        for question in &self.questions {
            let answer = question.ask(connection, sql).await?;
            truth.questions.push((question.clone(), answer));
        }
        Ok(())
    }

    fn take(&self, rows: &[PgRow], truth: &mut Truth) -> Result<(), sqlx::Error> {
        let sequences: Vec<_> = self.sequences.iter().collect();
        let streams: Vec<_> = self.streams.iter().collect();
        let gates: Vec<_> = self.gates.iter().collect();
        let heads: Vec<_> = self.heads.keys().collect();
        let timers: Vec<_> = self.timers.iter().collect();
        let readings: Vec<_> = self.readings.iter().collect();
        let foreign: Vec<_> = self.foreign.iter().collect();
        let places: Vec<_> = self.marks.iter().collect();
        let mut entries: Vec<(usize, u64)> = Vec::new();
        for row in rows {
            let number = |index| row.try_get::<i64, _>(index);
            let time = |index| row.try_get::<Option<i64>, _>(index);
            let n = usize::try_from(number(1)?.saturating_sub(1)).unwrap_or(0);
            match row.try_get::<i32, _>(0)? {
                0 => {
                    truth.incarnation = u32::try_from(number(1)?).unwrap_or(u32::MAX);
                    truth.position = number(2)?.cast_unsigned();
                    truth.reschedules = number(3)?;
                }
                1 => {
                    let (topic, slot) = sequences[n];
                    let last = number(2)?.cast_unsigned();
                    truth.sequences.insert(((*topic).clone(), *slot), last);
                }
                2 => drop(truth.streams.insert((*streams[n]).clone(), number(2)?.cast_unsigned())),
                3 => {
                    let (group, key) = gates[n];
                    let gate = Gate {
                        due: time(3)?.map(Timestamp::from_micros),
                        since: Timestamp::from_micros(time(4)?.unwrap_or(0)),
                        depth: number(2)?.cast_unsigned(),
                        heads: std::collections::VecDeque::new(),
                    };
                    truth.gates.insert(((*group).clone(), (*key).clone()), gate);
                }
                4 => {
                    let entry = number(2)?.cast_unsigned();
                    truth.failures.insert(entry, row.try_get(5)?);
                    entries.push((n, entry));
                }
                5 => drop(truth.timers.insert((*timers[n]).clone(), row.try_get(5)?)),
                6 => {
                    let position = Position(number(2)?.cast_unsigned());
                    truth.readings.insert((*readings[n]).clone(), position);
                }
                7 => {
                    let (group, id) = foreign[n];
                    let until = Timestamp::from_micros(number(2)?);
                    truth.foreign.insert(((*group).clone(), (*id).to_owned()), until);
                }
                _ => drop(truth.marks.insert(*places[n], marks::decode(row.try_get(5)?)?)),
            }
        }
        entries.sort_unstable();
        for (n, entry) in entries {
            let (group, key) = heads[n];
            if let Some(gate) = truth.gates.get_mut(&((*group).clone(), (*key).clone())) {
                gate.heads.push_back(entry);
            }
        }
        Ok(())
    }
}

// === impl Question ===

impl Question {
    async fn ask(&self, connection: &mut PgConnection, sql: &Sql) -> Result<bool, sqlx::Error> {
        let after = i64::try_from(self.after.0).unwrap_or(i64::MAX);
        let of_kinds = if self.kinds.is_empty() { "" } else { " AND e.kind = ANY($2::text[])" };
        // The first tag leads, by its index; the others are looked up for each of its events.
        let text = if self.tags.is_empty() {
            format!("SELECT 1 FROM @sb_events e WHERE e.position > $1{of_kinds} LIMIT 1")
        } else {
            format!(
                "SELECT 1 FROM @sb_tags t JOIN @sb_events e USING (position) \
                 WHERE t.tag = ($3::text[])[1] AND t.position > $1{of_kinds} \
                 AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS o (tag) WHERE NOT EXISTS \
                     (SELECT FROM @sb_tags x WHERE x.tag = o.tag AND x.position = t.position)) \
                 LIMIT 1"
            )
        };
        let text =
            format!("SELECT EXISTS ({text}) AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL");
        let names = |names: &[Name]| -> Vec<String> { names.iter().map(Name::to_string).collect() };
        let query = sqlx::query_scalar(sql.schema.sql(&text));
        query
            .bind(after)
            .bind(names(&self.kinds))
            .bind(names(&self.tags))
            .fetch_one(connection)
            .await
    }
}

/// The sequences of topics and slots that were not known from the units alone: messages of fired
/// timers, and messages without a key, which draw their slot.
pub(super) async fn more_sequences(
    connection: &mut PgConnection,
    sql: &Sql,
    topics: Vec<&str>,
    truth: &mut Truth,
) -> Result<(), sqlx::Error> {
    let text = "SELECT topic, slot, last FROM @sb_sequences WHERE topic = ANY($1::text[])";
    let rows = sqlx::query(sql.schema.sql(text)).bind(topics).fetch_all(connection).await?;
    for row in rows {
        let slot = Slot(u8::try_from(row.try_get::<i16, _>(1)?).unwrap_or_default());
        let last: i64 = row.try_get(2)?;
        let topic = Name::from(row.try_get::<&str, _>(0)?);
        truth.sequences.insert((topic, slot), last.cast_unsigned());
    }
    Ok(())
}
