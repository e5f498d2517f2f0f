//! What a newer copy of a store knows that an older one does not: what a restore takes away.
//!
//! Both files are only read, and belong to nobody else meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

/// Streams, and keys of each table, that are named one by one; the counts are complete.
const NAMED: i64 = 1_000;

/// What the newer copy knows beyond the older one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Events by kind.
    pub events: BTreeMap<String, u64>,
    /// Their streams, oldest event first, 1 000 at most.
    pub streams: Vec<String>,
    /// Rows that were added or changed, and rows that were deleted, by table.
    pub rows: BTreeMap<String, Rows>,
}

/// Rows of one table that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// In the newer copy only, or in another version.
    pub changed: u64,
    /// In the older copy only.
    pub deleted: u64,
}

/// How far a group had come in a partition when a copy was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The position: everything up to it is in the copy.
    pub position: u64,
}

/// Two copies that cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// One of them cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// They are not of one store.
    #[error("{newer} and {older} are not copies of one store")]
    Strangers {
        /// The newer copy.
        newer: PathBuf,
        /// The older one.
        older: PathBuf,
    },
}

// === impl Difference ===

impl Difference {
    /// Whether the older copy knows everything.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rows.is_empty()
    }
}

/// Compares two copies of one store. Takes as long as it takes to read both.
///
/// # Errors
/// [`CompareError`].
pub fn compare(newer: &Path, older: &Path) -> Result<Difference, CompareError> {
    let unreadable = |source| CompareError::Unreadable { path: newer.to_owned(), source };
    // Read-only files in WAL mode need a shared-memory file, which only a writer may create.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(newer, flags).map_err(unreadable)?;
    connection.pragma_update(None, "query_only", true).map_err(unreadable)?;
    let name = older.to_string_lossy();
    connection
        .execute("ATTACH ?1 AS older", [&*name])
        .and_then(|_| connection.query_row("SELECT count(*) FROM older.sb_meta", [], |_| Ok(())))
        .map_err(|source| CompareError::Unreadable { path: older.to_owned(), source })?;
    let sources: Option<bool> = connection
        .query_row(
            "SELECT n.value = o.value FROM main.sb_meta n JOIN older.sb_meta o USING (name) \
             WHERE name = 'source'",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(unreadable)?;
    if sources != Some(true) {
        let (newer, older) = (newer.to_owned(), older.to_owned());
        return Err(CompareError::Strangers { newer, older });
    }
    difference(&connection).map_err(unreadable)
}

/// The life of a store that a copy is of.
///
/// # Errors
/// [`CompareError::Unreadable`].
pub fn incarnation(copy: &Path) -> Result<u32, CompareError> {
    looked_at(copy, |connection| {
        let sql = "SELECT value FROM sb_meta WHERE name = 'incarnation'";
        connection.query_row(sql, [], |row| row.get(0))
    })
}

/// How far the groups of a store had come, as a copy of it says.
///
/// # Errors
/// [`CompareError::Unreadable`].
pub fn places(copy: &Path) -> Result<Vec<Place>, CompareError> {
    looked_at(copy, |connection| {
        let sql = "SELECT grp, topic, partition, position FROM sb_progress ORDER BY 1, 2, 3";
        let mut statement = connection.prepare(sql)?;
        let places = statement.query_map([], |row| {
            let position: i64 = row.get(3)?;
            Ok(Place {
                group: row.get(0)?,
                topic: row.get(1)?,
                partition: row.get(2)?,
                position: position.cast_unsigned(),
            })
        })?;
        places.collect()
    })
}

fn looked_at<T>(
    copy: &Path,
    look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, CompareError> {
    let unreadable = |source| CompareError::Unreadable { path: copy.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags).map_err(unreadable)?;
    connection.pragma_update(None, "query_only", true).map_err(unreadable)?;
    look(&connection).map_err(unreadable)
}

fn difference(connection: &Connection) -> rusqlite::Result<Difference> {
    let mut difference = Difference::default();
    // An event is what it says, not where it lies: after a restore other events may have its place.
    let beyond = "FROM main.sb_events n WHERE NOT EXISTS \
                  (SELECT 1 FROM older.sb_events o WHERE o.stream = n.stream \
                   AND o.version = n.version AND o.time = n.time)";
    let mut statement =
        connection.prepare(&format!("SELECT kind, count(*) {beyond} GROUP BY kind"))?;
    let kinds = statement.query_map([], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
    difference.events = kinds.collect::<rusqlite::Result<_>>()?;
    let sql = format!("SELECT stream {beyond} GROUP BY stream ORDER BY min(position) LIMIT ?1");
    let mut statement = connection.prepare(&sql)?;
    let streams = statement.query_map([NAMED], |row| row.get(0))?;
    difference.streams = streams.collect::<rusqlite::Result<_>>()?;
    for table in tables(connection)? {
        let rows = rows(connection, &table)?;
        if rows != Rows::default() {
            difference.rows.insert(table, rows);
        }
    }
    Ok(difference)
}

/// The tables that services declare; those of the store itself have a prefix.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table' \
               AND substr(name, 1, 3) <> 'sb_' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

fn rows(connection: &Connection, table: &str) -> rusqlite::Result<Rows> {
    let exists: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM older.sqlite_schema WHERE type = 'table' AND name = ?1)",
        params![table],
        |row| row.get(0),
    )?;
    let table = table.replace('"', "\"\"");
    let number =
        |sql: String| connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(count);
    if !exists {
        let changed = number(format!("SELECT count(*) FROM main.\"{table}\""))?;
        return Ok(Rows { changed, deleted: 0 });
    }
    let changed = number(format!(
        "SELECT count(*) FROM main.\"{table}\" n WHERE NOT EXISTS (SELECT 1 FROM \
         older.\"{table}\" o WHERE o.key = n.key AND o.version = n.version)"
    ))?;
    let deleted = number(format!(
        "SELECT count(*) FROM older.\"{table}\" o WHERE NOT EXISTS \
         (SELECT 1 FROM main.\"{table}\" n WHERE n.key = o.key)"
    ))?;
    Ok(Rows { changed, deleted })
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
