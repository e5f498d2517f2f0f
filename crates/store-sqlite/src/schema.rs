//! The tables of a store, and those that services declare.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use switchboard_core::Name;
use switchboard_store::limits::{Declared, InvalidTable};
use switchboard_store::{ColumnType, Table};

use crate::{OpenError, Options};

/// The newest format of the file as a whole; records carry versions of their own.
const FORMAT: i64 = 1;
/// `SWBD`, in the header of the file.
const APPLICATION: i64 = 0x5357_4244;

/// Texts and blobs come last in a row, so that numbers are read without following overflow pages.
const TABLES: &str = "
CREATE TABLE sb_meta (name TEXT NOT NULL PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE sb_events (
    position INTEGER PRIMARY KEY, version INTEGER NOT NULL, schema INTEGER NOT NULL,
    time INTEGER NOT NULL, stream TEXT NOT NULL, kind TEXT NOT NULL,
    head BLOB NOT NULL, data BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX sb_events_by_stream ON sb_events (stream, version);
CREATE TABLE sb_tags (
    tag TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE sb_messages (
    position INTEGER PRIMARY KEY, slot INTEGER NOT NULL, envelope BLOB NOT NULL) STRICT;
CREATE TABLE sb_sequences (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, last BLOB NOT NULL) STRICT;
CREATE TABLE sb_lanes (
    id INTEGER PRIMARY KEY, grp TEXT NOT NULL, source TEXT NOT NULL,
    incarnation INTEGER NOT NULL, topic TEXT NOT NULL,
    UNIQUE (grp, source, incarnation, topic)) STRICT;
CREATE TABLE sb_marks (id INTEGER PRIMARY KEY, marks BLOB NOT NULL) STRICT;
CREATE TABLE sb_foreign (
    grp TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (grp, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sb_foreign_by_until ON sb_foreign (until);
CREATE TABLE sb_progress (
    grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    epoch INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (grp, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE sb_readings (
    name TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sb_gates (
    grp TEXT NOT NULL, key BLOB NOT NULL, due INTEGER, since INTEGER NOT NULL,
    depth INTEGER NOT NULL, PRIMARY KEY (grp, key)) STRICT, WITHOUT ROWID;
CREATE INDEX sb_gates_by_due ON sb_gates (grp, due) WHERE due IS NOT NULL;
CREATE INDEX sb_gates_by_since ON sb_gates (since);
CREATE TABLE sb_waiting (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, since INTEGER NOT NULL, grp TEXT NOT NULL,
    key BLOB NOT NULL, failures BLOB NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE INDEX sb_waiting_by_key ON sb_waiting (grp, key, entry);
CREATE TABLE sb_timers (
    id TEXT NOT NULL PRIMARY KEY, due INTEGER NOT NULL, message BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sb_timers_by_due ON sb_timers (due, id);
";

/// Which kind of connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
    Checkpointer,
}

/// Opens one connection.
pub(crate) fn connect(options: &Options, role: Role) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags |= match role {
        Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Role::Checkpointer => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(&options.path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(&options.path, flags)?,
    };
    connection.set_prepared_statement_cache_capacity(128);
    // Without it a statement with a bound `LIMIT` is planned anew each time it runs, which took
    // longer than the read itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Nobody but a person's own tool can be in the way, and the checkpointer must give up soon:
    // the writer waits for it.
    let patience = if role == Role::Checkpointer { 100 } else { 5_000 };
    connection.busy_timeout(Duration::from_millis(patience))?;
    if role == Role::Writer {
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        let limit = i64::try_from(options.wal_bytes).unwrap_or(i64::MAX).saturating_mul(2);
        connection.pragma_update(None, "journal_size_limit", limit)?;
    }
    if role != Role::Reader {
        let planted = options.planted == Some(crate::options::Planted::AckBeforeSync);
        connection.pragma_update(None, "synchronous", if planted { "off" } else { "full" })?;
    }
    Ok(connection)
}

/// Creates or checks everything, in one transaction.
pub(crate) fn prepare(
    connection: &mut Connection,
    options: &Options,
    declared: &Declared,
) -> Result<(), OpenError> {
    let path = options.path.as_path();
    let failed = |error| OpenError::sqlite(path, error);
    let transaction = connection.transaction().map_err(failed)?;
    let number = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(failed)?;
    let objects: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if application == 0 && objects == 0 {
        transaction.execute_batch(TABLES).map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
        transaction.pragma_update(None, "user_version", FORMAT).map_err(failed)?;
        let meta = "INSERT INTO sb_meta VALUES ('source', ?1), ('incarnation', 1), ('position', 0)";
        transaction.execute(meta, [options.source.as_str()]).map_err(failed)?;
    } else if application != APPLICATION {
        return Err(OpenError::NotAStore { path: path.to_owned() });
    }
    let found = number("user_version").map_err(failed)?;
    if found > FORMAT {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found, known: FORMAT });
    }
    check_source(&transaction, path, &options.source)?;
    for table in declared.tables() {
        declare(&transaction, path, table)?;
    }
    transaction.commit().map_err(failed)
}

fn check_source(connection: &Connection, path: &Path, expected: &Name) -> Result<(), OpenError> {
    let found: String = connection
        .query_row("SELECT value FROM sb_meta WHERE name = 'source'", [], |row| row.get(0))
        .map_err(|error| OpenError::sqlite(path, error))?;
    if *expected != found.as_str() {
        let (path, expected) = (path.to_owned(), expected.clone());
        return Err(OpenError::OtherSource { path, found, expected });
    }
    Ok(())
}

fn declare(connection: &Connection, path: &Path, table: &'static Table) -> Result<(), OpenError> {
    let failed = |error| OpenError::sqlite(path, error);
    let name = table.name;
    let columns: String =
        table.columns.iter().map(|c| format!(", \"{}\" {}", c.name, kind(c.kind))).collect();
    let create = format!(
        "CREATE TABLE IF NOT EXISTS \"{name}\" (key TEXT NOT NULL PRIMARY KEY, \
         version INTEGER NOT NULL{columns}) STRICT, WITHOUT ROWID"
    );
    connection.execute_batch(&create).map_err(failed)?;
    for column in table.columns {
        let found: Option<String> = connection
            .query_row(
                "SELECT type FROM pragma_table_info(?1) WHERE name = ?2",
                params![name, column.name],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed)?;
        match found {
            Some(found) if found == kind(column.kind) => {}
            Some(found) => {
                let column = column.name;
                let problem = format!("`{column}` is {found} in the file: declare a new column");
                return Err(InvalidTable { table: name, problem }.into());
            }
            None => {
                let (column, kind) = (column.name, kind(column.kind));
                let add = format!("ALTER TABLE \"{name}\" ADD COLUMN \"{column}\" {kind}");
                connection.execute_batch(&add).map_err(failed)?;
            }
        }
    }
    for index in table.indexes {
        let suffix = index.join("_");
        let columns = index.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ");
        let create =
            format!("CREATE INDEX IF NOT EXISTS \"{name}_by_{suffix}\" ON \"{name}\" ({columns})");
        connection.execute_batch(&create).map_err(failed)?;
    }
    Ok(())
}

fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "INTEGER",
        ColumnType::Text => "TEXT",
        ColumnType::Blob => "BLOB",
    }
}
