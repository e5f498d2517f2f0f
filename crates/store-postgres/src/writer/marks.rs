//! Marks of handled messages, written before the store's lock is taken.
//!
//! What the process remembers of them is a belief, as another process may have written since. A
//! belief becomes the truth when its change replaces exactly what was believed, and locks the row
//! by that; otherwise the batch looks again and starts over. A mark never goes away, so whoever is
//! believed to have been handled was handled.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use sqlx::{PgConnection, Row};
use switchboard_core::{Identity, Name, Slot};
use switchboard_store::Marks;

use crate::sql::Sql;

/// Entries of a cache before it is emptied.
const CACHED: usize = 1 << 16;

/// (group, source, incarnation, topic).
type LaneKey = (Name, Name, u32, Name);

/// Where the marks of a message are: a lane, and its slot in it.
pub(super) type Place = (i64, Slot);

/// What the process remembers.
#[derive(Debug, Default)]
pub(super) struct Beliefs {
    lanes: HashMap<LaneKey, i64, RandomState>,
    marks: HashMap<Place, Marks, RandomState>,
}

/// The marks of one place: as they are believed to be, and as the batch leaves them.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    old: Option<Marks>,
    pub(super) new: Marks,
}

/// Changed marks in the order in which they are written.
pub(super) type Changed = BTreeMap<Place, Marked>;

// === impl Beliefs ===

impl Beliefs {
    /// The lane of a message, which is created if it is a new one: a row that is never changed or
    /// deleted, so it may be there before the batch is.
    pub(super) async fn lane(
        &mut self,
        connection: &mut PgConnection,
        sql: &Sql,
        group: &Name,
        topic: &Name,
        identity: &Identity,
    ) -> Result<i64, sqlx::Error> {
        let Identity { source, incarnation, .. } = identity;
        let key = (group.clone(), source.clone(), *incarnation, topic.clone());
        if let Some(lane) = self.lanes.get(&key) {
            return Ok(*lane);
        }
        let ask = |text: &sqlx::SqlStr| {
            sqlx::query(text.clone())
                .bind(key.0.as_str())
                .bind(key.1.as_str())
                .bind(i64::from(key.2))
                .bind(key.3.as_str())
        };
        let mut found = ask(&sql.lane).fetch_optional(&mut *connection).await?;
        if found.is_none() {
            ask(&sql.new_lane).execute(&mut *connection).await?;
            found = ask(&sql.lane).fetch_optional(&mut *connection).await?;
        }
        let lane = found.ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
        if self.lanes.len() >= CACHED {
            self.lanes.clear();
        }
        self.lanes.insert(key, lane);
        Ok(lane)
    }

    /// Reads the marks of places that are not remembered.
    pub(super) async fn learn(
        &mut self,
        connection: &mut PgConnection,
        sql: &Sql,
        places: impl Iterator<Item = Place>,
    ) -> Result<(), sqlx::Error> {
        let mut unknown: Vec<Place> =
            places.filter(|place| !self.marks.contains_key(place)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        unknown.sort_unstable();
        unknown.dedup();
        let (lanes, slots): (Vec<i64>, Vec<i16>) =
            unknown.iter().map(|(lane, slot)| (*lane, i16::from(slot.0))).unzip();
        let query = sqlx::query(sql.marks.clone()).bind(lanes).bind(slots);
        for row in query.fetch_all(connection).await? {
            let slot = Slot(u8::try_from(row.try_get::<i16, _>(1)?).unwrap_or_default());
            let marks = decode(row.try_get(2)?)?;
            self.marks.insert((row.try_get(0)?, slot), marks);
        }
        Ok(())
    }

    /// What is believed of a place; `None` when nothing is marked there.
    pub(super) fn of(&self, place: &Place) -> Option<&Marks> {
        self.marks.get(place)
    }

    /// Adds a mark to what the batch changes; false when it is there already.
    pub(super) fn insert(&self, changed: &mut Changed, place: Place, sequence: u64) -> bool {
        if let Some(marked) = changed.get_mut(&place) {
            return marked.new.insert(sequence);
        }
        let old = self.of(&place).cloned();
        let mut new = old.clone().unwrap_or_default();
        let is_new = new.insert(sequence);
        if is_new {
            changed.insert(place, Marked { old, new });
        }
        is_new
    }

    /// Writes the changes; false when a belief was wrong, and then all of these are forgotten.
    pub(super) async fn write(
        &mut self,
        connection: &mut PgConnection,
        sql: &Sql,
        changed: &Changed,
    ) -> Result<bool, sqlx::Error> {
        let is_old = |(_, marked): &(&Place, &Marked)| marked.old.is_some();
        let (old, new): (Vec<_>, Vec<_>) = changed.iter().partition(is_old);
        let place = |((lane, slot), _): &(&Place, &Marked)| (*lane, i16::from(slot.0));
        let encoded = |(_, marked): &(&Place, &Marked)| marked.new.encode();
        let mut written = 0;
        if !new.is_empty() {
            let (lanes, slots): (Vec<i64>, Vec<i16>) = new.iter().map(place).unzip();
            let marks: Vec<Vec<u8>> = new.iter().map(encoded).collect();
            let query = sqlx::query(sql.insert_marks.clone()).bind(lanes).bind(slots).bind(marks);
            written += query.execute(&mut *connection).await?.rows_affected();
        }
        if !old.is_empty() {
            let (lanes, slots): (Vec<i64>, Vec<i16>) = old.iter().map(place).unzip();
            let before = old.iter().filter_map(|(_, marked)| marked.old.as_ref());
            let before: Vec<Vec<u8>> = before.map(Marks::encode).collect();
            let after: Vec<Vec<u8>> = old.iter().map(encoded).collect();
            let query = sqlx::query(sql.update_marks.clone());
            let query = query.bind(lanes).bind(slots).bind(before).bind(after);
            written += query.execute(connection).await?.rows_affected();
        }
        let is_true = written == changed.len() as u64;
        if !is_true {
            changed.keys().for_each(|place| drop(self.marks.remove(place)));
        }
        Ok(is_true)
    }

    /// The batch is committed: what it has written is what is there.
    pub(super) fn keep(&mut self, changed: Changed) {
        if self.marks.len() >= CACHED {
            self.marks.clear();
        }
        self.marks.extend(changed.into_iter().map(|(place, marked)| (place, marked.new)));
    }

    /// Forgets everything: the server may be another one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The stored form of marks. One that cannot be read must not be taken for none.
pub(super) fn decode(bytes: &[u8]) -> Result<Marks, sqlx::Error> {
    Marks::decode(bytes).ok_or_else(|| {
        sqlx::Error::Decode("marks cannot be read: a newer version wrote them".into())
    })
}
