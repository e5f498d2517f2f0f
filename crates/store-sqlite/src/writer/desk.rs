//! The state as the writer sees it inside its transaction.

use rusqlite::{Connection, OptionalExtension, Result, params, params_from_iter};
use switchboard_core::{BoxError, Key, Name, Position, Timestamp};
use switchboard_store::judge::View;
use switchboard_store::{CommitError, Mark, NewMessage, Table, codec};

use super::hot::Hot;
use super::rows::RowSql;
use super::statements::Statements;

/// The writer's connection with what it remembers.
#[derive(Debug)]
pub(super) struct Desk<'c> {
    pub(super) connection: &'c Connection,
    pub(super) statements: Statements<'c>,
    pub(super) hot: Hot,
    pub(super) rows: RowSql<'c>,
    /// Look before taking a stream for a new one. Set while a batch runs again singly.
    pub(super) is_careful: bool,
}

// === impl Desk ===

impl<'c> Desk<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self> {
        let hot = Hot::load(connection)?;
        let statements = Statements::prepare(connection)?;
        Ok(Self { connection, statements, hot, rows: RowSql::new(connection), is_careful: false })
    }

    /// Writes what the units have left dirty.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.hot.flush(self.connection, &mut self.statements.mark)
    }

    pub(super) fn any_event(&self, kinds: &[Name], tags: &[Name], after: Position) -> Result<bool> {
        let after = after.0.cast_signed();
        let marks = |count: usize| vec!["?"; count].join(", ");
        let of_kinds = if kinds.is_empty() {
            "1".to_owned()
        } else {
            format!("kind IN ({})", marks(kinds.len()))
        };
        // The first tag leads, by its index; the others are looked up for each of its events.
        let sql = if tags.is_empty() {
            format!("SELECT 1 FROM sb_events WHERE position > ? AND {of_kinds} LIMIT 1")
        } else {
            let others = " AND EXISTS (SELECT 1 FROM sb_tags o \
                          WHERE o.tag = ? AND o.position = t.position)";
            format!(
                "SELECT 1 FROM sb_tags t JOIN sb_events e USING (position) \
                 WHERE t.position > ? AND t.tag = ?{} AND {of_kinds} LIMIT 1",
                others.repeat(tags.len() - 1)
            )
        };
        let names = tags.iter().chain(kinds).map(|name| name.to_string().into());
        let values = std::iter::once(rusqlite::types::Value::from(after)).chain(names);
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.exists(params_from_iter(values))
    }

    pub(super) fn is_foreign_marked(&self, group: &Name, id: &str, now: Timestamp) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM sb_foreign WHERE grp = ?1 AND id = ?2 AND until > ?3")?
            .exists(params![&**group, id, now.as_micros()])
    }

    fn depth_of(&self, group: &Name, key: &Key) -> Result<Option<u64>> {
        if self.hot.gates == 0 {
            return Ok(None);
        }
        let depth: Option<i64> = self
            .connection
            .prepare_cached("SELECT depth FROM sb_gates WHERE grp = ?1 AND key = ?2")?
            .query_row(params![&**group, key.as_bytes()], |row| row.get(0))
            .optional()?;
        Ok(depth.map(i64::cast_unsigned))
    }

    fn entries_of(&self, group: &Name, key: &Key, limit: usize) -> Result<Vec<u64>> {
        let sql = "SELECT entry FROM sb_waiting WHERE grp = ?1 AND key = ?2 \
                   ORDER BY entry LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let entries = statement
            .query_map(params![&**group, key.as_bytes(), limit], |row| row.get::<_, i64>(0))?;
        entries.map(|entry| entry.map(i64::cast_unsigned)).collect()
    }

    fn timer_of(&self, id: &Name) -> Result<Option<Vec<u8>>> {
        self.connection
            .prepare_cached("SELECT message FROM sb_timers WHERE id = ?1")?
            .query_row([id.as_str()], |row| row.get(0))
            .optional()
    }
}

impl View for Desk<'_> {
    fn is_marked(
        &mut self,
        group: &Name,
        mark: &Mark,
        now: Timestamp,
    ) -> Result<bool, CommitError> {
        match mark {
            Mark::Known { topic, identity } => {
                self.hot.is_marked(self.connection, group, topic, identity).map_err(unavailable)
            }
            Mark::Foreign { id, .. } => self.is_foreign_marked(group, id, now).map_err(unavailable),
        }
    }

    fn stream_version(&mut self, stream: &Name) -> Result<u64, CommitError> {
        self.hot.stream(&mut self.statements.version, stream).map_err(unavailable)
    }

    /// Most often it is: the look is saved, and the index refuses the append if it is not.
    fn is_new_stream(&mut self, stream: &Name) -> Result<bool, CommitError> {
        if self.is_careful {
            return Ok(self.stream_version(stream)? == 0);
        }
        Ok(self.hot.known_stream(stream).is_none_or(|version| version == 0))
    }

    fn any_event(
        &mut self,
        kinds: &[Name],
        tags: &[Name],
        after: Position,
    ) -> Result<bool, CommitError> {
        Self::any_event(self, kinds, tags, after).map_err(unavailable)
    }

    fn row_version(
        &mut self,
        table: &'static Table,
        key: &str,
    ) -> Result<Option<u64>, CommitError> {
        self.rows.version(table, key).map_err(unavailable)
    }

    fn integer(
        &mut self,
        table: &'static Table,
        key: &str,
        column: &str,
    ) -> Result<Option<i64>, CommitError> {
        self.rows.integer(table, key, column).map_err(unavailable)
    }

    fn depth(&mut self, group: &Name, key: &Key) -> Result<Option<u64>, CommitError> {
        self.depth_of(group, key).map_err(unavailable)
    }

    fn entries(&mut self, group: &Name, key: &Key, limit: usize) -> Result<Vec<u64>, CommitError> {
        self.entries_of(group, key, limit).map_err(unavailable)
    }

    fn timer(&mut self, id: &Name) -> Result<Option<NewMessage>, CommitError> {
        let Some(bytes) = self.timer_of(id).map_err(unavailable)? else { return Ok(None) };
        let message = codec::decode_message(&bytes, || format!("timer `{id}`"));
        message.map(Some).map_err(|error| CommitError::Invalid(switchboard_core::chain(&error)))
    }

    fn reading(&mut self, name: &Name) -> Result<Position, CommitError> {
        self.hot.reading(self.connection, name).map_err(unavailable)
    }
}

/// Judging never answers this by itself, so the batch knows that the disk has failed.
fn unavailable(error: rusqlite::Error) -> CommitError {
    CommitError::Unavailable(BoxError::from(error))
}
