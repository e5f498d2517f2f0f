//! What the writer keeps in memory between units, so that each of it is written at most once per
//! batch: marks, sequences, positions of groups, checkpoints, readings.
//!
//! The writer is alone, so what it remembers is exact. After a rollback it forgets everything and
//! loads it again.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, Result, Statement, params};
use switchboard_core::{Identity, Name, Position, Slot};
use switchboard_store::judge::advance;
use switchboard_store::{Marks, Progress};

/// Entries of a cache before it is emptied; only what is clean goes.
const CACHED: usize = 1 << 16;

#[derive(Debug, Default)]
pub(crate) struct Hot {
    /// The newest position given.
    pub(crate) position: u64,
    /// How many keys are blocked.
    pub(crate) gates: u64,
    streams: HashMap<Name, u64, RandomState>,
    topics: HashMap<Name, Sequences>,
    lanes: HashMap<Lane, i64, RandomState>,
    /// The lane that was looked up last: most often the next one too.
    lane: Option<(Lane, i64)>,
    marks: HashMap<i64, Cached<Marks>, RandomState>,
    progress: HashMap<(Name, Name, u32), Cached<Progress>>,
    readings: HashMap<Name, Cached<Position>>,
    checkpoints: Cached<HashMap<Slot, Position>>,
    /// Keys of dirty marks, so that a flush does not look at clean ones.
    dirty_marks: Vec<i64>,
}

/// (group, source, incarnation, topic).
type Lane = (Name, Name, u32, Name);

#[derive(Debug, Default)]
struct Cached<T> {
    value: T,
    dirty: bool,
}

#[derive(Debug)]
struct Sequences {
    id: i64,
    last: Vec<u64>,
    dirty: bool,
}

// === impl Hot ===

impl Hot {
    /// What is on the disk.
    pub(crate) fn load(connection: &Connection) -> Result<Self> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let newest = [
            number("SELECT coalesce(max(position), 0) FROM sb_events")?,
            number("SELECT coalesce(max(position), 0) FROM sb_messages")?,
            number("SELECT value FROM sb_meta WHERE name = 'position'")?,
        ];
        let mut hot = Self {
            position: newest.into_iter().max().unwrap_or(0).cast_unsigned(),
            gates: number("SELECT count(*) FROM sb_gates")?.cast_unsigned(),
            ..Self::default()
        };
        for (id, topic, last) in topics(connection)? {
            hot.topics.insert(topic.as_str().into(), Sequences { id, last, dirty: false });
        }
        hot.checkpoints.value = checkpoints(connection)?.into_iter().collect();
        Ok(hot)
    }

    /// Takes the next position.
    pub(crate) fn next_position(&mut self) -> u64 {
        self.position += 1;
        self.position
    }

    /// How many events the stream has; `newest` asks the database.
    pub(crate) fn stream(&mut self, newest: &mut Statement<'_>, stream: &Name) -> Result<u64> {
        if let Some(version) = self.streams.get(stream) {
            return Ok(*version);
        }
        let version = newest.query_row([stream.as_str()], |row| row.get::<_, Option<i64>>(0))?;
        let version = version.unwrap_or(0).cast_unsigned();
        self.appended(stream, version);
        Ok(version)
    }

    /// The version of a stream, if it is in memory.
    pub(crate) fn known_stream(&self, stream: &Name) -> Option<u64> {
        self.streams.get(stream).copied()
    }

    /// Remembers the newest version of a stream.
    pub(crate) fn appended(&mut self, stream: &Name, version: u64) {
        if self.streams.len() >= CACHED {
            self.streams.clear();
        }
        match self.streams.get_mut(stream) {
            Some(present) => *present = version,
            None => {
                self.streams.insert(stream.clone(), version);
            }
        }
    }

    /// The sequence that follows in a topic's slot. The topic's row exists already.
    pub(crate) fn next_sequence(&mut self, topic: &Name, slot: Slot) -> u64 {
        let Some(sequences) = self.topics.get_mut(topic) else { return 0 };
        sequences.dirty = true;
        let last = &mut sequences.last[usize::from(slot.0)];
        *last += 1;
        *last
    }

    /// Makes sure that a topic has a row for its sequences.
    pub(crate) fn know_topic(&mut self, connection: &Connection, topic: &Name) -> Result<()> {
        if self.topics.contains_key(topic) {
            return Ok(());
        }
        let last = vec![0; Slot::COUNT as usize];
        let sql = "INSERT INTO sb_sequences (topic, last) VALUES (?1, ?2)";
        connection.execute(sql, params![topic.as_str(), encode(&last)])?;
        let id = connection.last_insert_rowid();
        self.topics.insert(topic.clone(), Sequences { id, last, dirty: false });
        Ok(())
    }

    /// A new life: all sequences begin again.
    pub(crate) fn forget_sequences(&mut self) {
        self.topics.clear();
    }

    /// Whether the group has the message's mark.
    pub(crate) fn is_marked(
        &mut self,
        connection: &Connection,
        group: &Name,
        topic: &Name,
        identity: &Identity,
    ) -> Result<bool> {
        let Some(lane) = self.lane(connection, group, topic, identity)? else { return Ok(false) };
        Ok(self.marks_of(connection, id(lane, identity.slot))?.value.contains(identity.sequence))
    }

    /// Marks a message.
    pub(crate) fn mark(
        &mut self,
        connection: &Connection,
        group: &Name,
        topic: &Name,
        identity: &Identity,
    ) -> Result<()> {
        let lane = match self.lane(connection, group, topic, identity)? {
            Some(lane) => lane,
            None => {
                let sql = "INSERT INTO sb_lanes (grp, source, incarnation, topic) \
                           VALUES (?1, ?2, ?3, ?4)";
                let Identity { source, incarnation, .. } = identity;
                let lane = params![&**group, &**source, incarnation, &**topic];
                connection.execute(sql, lane)?;
                let id = connection.last_insert_rowid();
                self.lanes.insert(key(group, topic, identity), id);
                id
            }
        };
        let id = id(lane, identity.slot);
        let marks = self.marks_of(connection, id)?;
        marks.value.insert(identity.sequence);
        if !std::mem::replace(&mut marks.dirty, true) {
            self.dirty_marks.push(id);
        }
        Ok(())
    }

    fn lane(
        &mut self,
        connection: &Connection,
        group: &Name,
        topic: &Name,
        identity: &Identity,
    ) -> Result<Option<i64>> {
        if let Some((last, id)) = &self.lane
            && last.0 == *group
            && last.1 == identity.source
            && last.2 == identity.incarnation
            && last.3 == *topic
        {
            return Ok(Some(*id));
        }
        let key = key(group, topic, identity);
        if let Some(lane) = self.lanes.get(&key) {
            self.lane = Some((key, *lane));
            return Ok(Some(*lane));
        }
        let sql = "SELECT id FROM sb_lanes \
                   WHERE grp = ?1 AND source = ?2 AND incarnation = ?3 AND topic = ?4";
        let lane: Option<i64> = connection
            .prepare_cached(sql)?
            .query_row(params![&*key.0, &*key.1, key.2, &*key.3], |row| row.get(0))
            .optional()?;
        if let Some(lane) = lane {
            self.lanes.insert(key, lane);
        }
        Ok(lane)
    }

    fn marks_of(&mut self, connection: &Connection, id: i64) -> Result<&mut Cached<Marks>> {
        if self.marks.len() >= CACHED && !self.marks.contains_key(&id) {
            self.marks.retain(|_, marks| marks.dirty);
        }
        match self.marks.entry(id) {
            std::collections::hash_map::Entry::Occupied(present) => Ok(present.into_mut()),
            std::collections::hash_map::Entry::Vacant(vacant) => {
                let sql = "SELECT marks FROM sb_marks WHERE id = ?1";
                let marks = connection
                    .prepare_cached(sql)?
                    .query_row([id], |row| {
                        let marks = Marks::decode(row.get_ref(0)?.as_blob()?);
                        marks.ok_or_else(|| damaged("marks"))
                    })
                    .optional()?;
                let value = marks.unwrap_or_default();
                Ok(vacant.insert(Cached { value, dirty: false }))
            }
        }
    }

    /// Moves a group on, unless it is there already.
    pub(crate) fn advance(&mut self, connection: &Connection, next: &Progress) -> Result<()> {
        let part = (next.group.clone(), next.topic.clone(), next.partition);
        let present = match self.progress.get(&part) {
            Some(cached) => Some(cached.value.clone()),
            None => crate::read::inbox::progress(connection, &part.0, &part.1, part.2)?,
        };
        if self.progress.len() >= CACHED {
            self.progress.retain(|_, progress| progress.dirty);
        }
        if advance(present.as_ref(), next) {
            self.progress.insert(part, Cached { value: next.clone(), dirty: true });
        } else if let Some(value) = present
            && !self.progress.contains_key(&part)
        {
            self.progress.insert(part, Cached { value, dirty: false });
        }
        Ok(())
    }

    /// How far a reading has come.
    pub(crate) fn reading(&mut self, connection: &Connection, name: &Name) -> Result<Position> {
        if let Some(cached) = self.readings.get(name) {
            return Ok(cached.value);
        }
        let value = crate::read::inbox::reading(connection, name)?;
        if self.readings.len() >= CACHED {
            self.readings.retain(|_, reading| reading.dirty);
        }
        self.readings.insert(name.clone(), Cached { value, dirty: false });
        Ok(value)
    }

    /// Moves a reading.
    pub(crate) fn read_to(&mut self, name: &Name, to: Position) {
        self.readings.insert(name.clone(), Cached { value: to, dirty: true });
    }

    /// Moves a slot's checkpoint forward.
    pub(crate) fn checkpoint(&mut self, slot: Slot, position: Position) {
        let present = self.checkpoints.value.entry(slot).or_default();
        if position > *present {
            *present = position;
            self.checkpoints.dirty = true;
        }
    }

    /// The checkpoint of a slot.
    pub(crate) fn checkpoint_of(&self, slot: Slot) -> Position {
        self.checkpoints.value.get(&slot).copied().unwrap_or_default()
    }

    /// The checkpoint that has come farthest.
    pub(crate) fn farthest_checkpoint(&self) -> Position {
        self.checkpoints.value.values().copied().max().unwrap_or_default()
    }

    /// Writes everything that is dirty, before the commit.
    pub(crate) fn flush(
        &mut self,
        connection: &Connection,
        mark: &mut Statement<'_>,
    ) -> Result<()> {
        self.dirty_marks.sort_unstable();
        for id in self.dirty_marks.drain(..) {
            if let Some(cached) = self.marks.get_mut(&id) {
                mark.execute(params![id, cached.value.encode()])?;
                cached.dirty = false;
            }
        }
        let sql = "UPDATE sb_sequences SET last = ?2 WHERE id = ?1";
        for sequences in self.topics.values_mut().filter(|sequences| sequences.dirty) {
            let row = params![sequences.id, encode(&sequences.last)];
            connection.prepare_cached(sql)?.execute(row)?;
            sequences.dirty = false;
        }
        let sql = "INSERT INTO sb_progress VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT DO UPDATE SET epoch = excluded.epoch, position = excluded.position";
        for cached in self.progress.values_mut().filter(|cached| cached.dirty) {
            let Progress { group, topic, partition, epoch, position } = &cached.value;
            let row = params![
                &**group,
                &**topic,
                partition,
                epoch.cast_signed(),
                position.0.cast_signed()
            ];
            connection.prepare_cached(sql)?.execute(row)?;
            cached.dirty = false;
        }
        let sql = "INSERT INTO sb_readings VALUES (?1, ?2) \
                   ON CONFLICT DO UPDATE SET position = excluded.position";
        for (name, cached) in self.readings.iter_mut().filter(|(_, cached)| cached.dirty) {
            let row = params![&**name, cached.value.0.cast_signed()];
            connection.prepare_cached(sql)?.execute(row)?;
            cached.dirty = false;
        }
        if std::mem::take(&mut self.checkpoints.dirty) {
            let rows: Vec<(u8, u64)> = self
                .checkpoints
                .value
                .iter()
                .map(|(slot, position)| (slot.0, position.0))
                .collect();
            let sql = "INSERT INTO sb_meta VALUES ('checkpoints', ?1) \
                       ON CONFLICT DO UPDATE SET value = excluded.value";
            connection.prepare_cached(sql)?.execute([encode(&rows)])?;
        }
        Ok(())
    }
}

/// The checkpoint of every slot that has one.
pub(crate) fn checkpoints(connection: &Connection) -> Result<Vec<(Slot, Position)>> {
    let sql = "SELECT value FROM sb_meta WHERE name = 'checkpoints'";
    let bytes: Option<Vec<u8>> =
        connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    let rows: Vec<(u8, u64)> = decode(&bytes).ok_or_else(|| damaged("checkpoints"))?;
    let mut rows: Vec<(Slot, Position)> =
        rows.into_iter().map(|(slot, position)| (Slot(slot), Position(position))).collect();
    rows.sort_unstable();
    Ok(rows)
}

/// Every topic with its row and the last sequence of each slot.
pub(crate) fn topics(connection: &Connection) -> Result<Vec<(i64, String, Vec<u64>)>> {
    let mut statement =
        connection.prepare_cached("SELECT id, topic, last FROM sb_sequences ORDER BY topic")?;
    let rows = statement.query_map([], |row| {
        let last: Vec<u64> =
            decode(row.get_ref(2)?.as_blob()?).ok_or_else(|| damaged("sequences"))?;
        if last.len() != Slot::COUNT as usize {
            return Err(damaged("sequences"));
        }
        Ok((row.get(0)?, row.get(1)?, last))
    })?;
    rows.collect()
}

fn key(group: &Name, topic: &Name, identity: &Identity) -> Lane {
    (group.clone(), identity.source.clone(), identity.incarnation, topic.clone())
}

fn id(lane: i64, slot: Slot) -> i64 {
    (lane << 8) | i64::from(slot.0)
}

const ENCODING: u8 = 1;

fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    // Writing numbers to memory cannot fail.
    postcard::to_extend(value, vec![ENCODING]).unwrap_or_default()
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match bytes.split_first() {
        Some((&ENCODING, rest)) => postcard::from_bytes(rest).ok(),
        _ => None,
    }
}

fn damaged(what: &'static str) -> rusqlite::Error {
    let text = format!("the stored {what} cannot be read: another version wrote them?");
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, text.into())
}
