//! The tables of a store, and those that services declare.
//!
//! Everything is prepared in one transaction under a lock of its own, not the store's: a change of
//! a table waits for batches that use it, and these may wait for the store's lock.

use sqlx::{AssertSqlSafe, PgConnection, Row};
use switchboard_store::limits::{Declared, InvalidTable};
use switchboard_store::{Column, ColumnType, Table};

use crate::error::database;
use crate::sql::{Schema, quoted};
use crate::{OpenError, Options, lock};

/// Steps from an empty schema to the newest format; the format is how many were taken.
const MIGRATIONS: &[&str] = &[FIRST];

/// Tables that change in place leave room in their pages, so that a change need not touch an index.
const FIRST: &str = r#"
CREATE TABLE @sb_meta (
    one bool PRIMARY KEY CHECK (one), source text NOT NULL, incarnation int8 NOT NULL,
    system text, position int8 NOT NULL, commits int8 NOT NULL, reschedules int8 NOT NULL,
    format int4 NOT NULL) WITH (fillfactor = 10);
CREATE TABLE @sb_writers (id bytea PRIMARY KEY, batch int8 NOT NULL, at timestamptz NOT NULL)
    WITH (fillfactor = 10);
CREATE TABLE @sb_events (
    position int8 PRIMARY KEY, version int8 NOT NULL, time int8 NOT NULL, schema int4 NOT NULL,
    stream text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL,
    head bytea NOT NULL, data bytea NOT NULL);
CREATE UNIQUE INDEX sb_events_by_stream ON @sb_events (stream, version);
CREATE TABLE @sb_tags (
    tag text COLLATE "C" NOT NULL, position int8 NOT NULL, PRIMARY KEY (tag, position));
CREATE TABLE @sb_messages (position int8 PRIMARY KEY, slot int2 NOT NULL, envelope bytea NOT NULL)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE TABLE @sb_sequences (
    topic text COLLATE "C" NOT NULL, slot int2 NOT NULL, last int8 NOT NULL,
    PRIMARY KEY (topic, slot)) WITH (fillfactor = 40);
CREATE TABLE @sb_lanes (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, grp text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL, incarnation int8 NOT NULL, topic text COLLATE "C" NOT NULL,
    UNIQUE (grp, source, incarnation, topic));
CREATE TABLE @sb_marks (
    lane int8 NOT NULL, slot int2 NOT NULL, marks bytea NOT NULL, PRIMARY KEY (lane, slot))
    WITH (fillfactor = 40);
CREATE TABLE @sb_foreign (
    grp text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, until int8 NOT NULL,
    PRIMARY KEY (grp, id));
CREATE INDEX sb_foreign_by_until ON @sb_foreign (until);
CREATE TABLE @sb_progress (
    grp text COLLATE "C" NOT NULL, topic text COLLATE "C" NOT NULL, partition int8 NOT NULL,
    epoch int8 NOT NULL, position int8 NOT NULL, PRIMARY KEY (grp, topic, partition))
    WITH (fillfactor = 40);
CREATE TABLE @sb_readings (
    name text COLLATE "C" PRIMARY KEY, position int8 NOT NULL) WITH (fillfactor = 40);
CREATE TABLE @sb_checkpoints (slot int2 PRIMARY KEY, position int8 NOT NULL)
    WITH (fillfactor = 40);
CREATE TABLE @sb_gates (
    grp text COLLATE "C" NOT NULL, key bytea NOT NULL, due int8, since int8 NOT NULL,
    depth int8 NOT NULL, PRIMARY KEY (grp, key));
CREATE INDEX sb_gates_by_due ON @sb_gates (grp, due, key) WHERE due IS NOT NULL;
CREATE INDEX sb_gates_by_since ON @sb_gates (since, grp, key);
CREATE TABLE @sb_waiting (
    entry int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, since int8 NOT NULL,
    grp text COLLATE "C" NOT NULL, key bytea NOT NULL, failures bytea NOT NULL,
    bytes bytea NOT NULL);
CREATE INDEX sb_waiting_by_key ON @sb_waiting (grp, key, entry);
CREATE TABLE @sb_timers (id text COLLATE "C" PRIMARY KEY, due int8 NOT NULL, message bytea NOT NULL);
CREATE INDEX sb_timers_by_due ON @sb_timers (due, id);
CREATE TABLE @sb_staged (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message_id bytea NOT NULL,
    time int8 NOT NULL, message bytea NOT NULL);
"#;

/// Creates or checks everything.
pub(crate) async fn prepare(
    connection: &mut PgConnection,
    options: &Options,
) -> Result<(), OpenError> {
    let declared = Declared::new(options.tables)?;
    let failed = |error| failed(options, error);
    run(connection, "BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(failed)?;
    let result = steps(connection, options, &declared).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = run(connection, end).await;
    result?;
    ended.map_err(failed)
}

async fn steps(
    connection: &mut PgConnection,
    options: &Options,
    declared: &Declared,
) -> Result<(), OpenError> {
    let failed = |error| failed(options, error);
    let name = &options.schema;
    let wait = format!("SET LOCAL lock_timeout = {}", options.lock_wait.as_millis());
    run(connection, &wait).await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(lock::of_schema(name))
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    // Asked first, as even a creation that finds it there needs rights on the database.
    let exists: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(quoted(name))
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !exists {
        let create = format!("CREATE SCHEMA {}", quoted(name));
        run(connection, &create).await.map_err(failed)?;
    }
    let schema = Schema::new(name);
    migrate(connection, options, &schema).await?;
    // In the order in which batches use them.
    let mut tables: Vec<&'static Table> = declared.tables().collect();
    tables.sort_by_key(|table| table.name);
    for table in tables {
        declare(connection, options, &schema, table).await?;
    }
    let sql = schema.sql("DELETE FROM @sb_writers WHERE at < now() - interval '7 days'");
    sqlx::query(sql).execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn migrate(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
) -> Result<(), OpenError> {
    let failed = |error| failed(options, error);
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{}sb_meta", schema.prefix()))
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let mut found = 0;
    if exists {
        let row = sqlx::query(schema.sql("SELECT format, source FROM @sb_meta"))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        found = row.try_get(0).map_err(failed)?;
        let source: String = row.try_get(1).map_err(failed)?;
        if options.source != source.as_str() {
            return Err(OpenError::OtherSource {
                schema: options.schema.clone(),
                found: source,
                expected: options.source.clone(),
            });
        }
    }
    if found > known {
        return Err(OpenError::NewerFormat { schema: options.schema.clone(), found, known });
    }
    for step in &MIGRATIONS[usize::try_from(found).unwrap_or(0)..] {
        sqlx::raw_sql(schema.sql(step)).execute(&mut *connection).await.map_err(failed)?;
    }
    if exists {
        let sql = schema.sql("UPDATE @sb_meta SET format = $1 WHERE format < $1");
        sqlx::query(sql).bind(known).execute(connection).await.map_err(failed)?;
    } else {
        let sql = schema.sql("INSERT INTO @sb_meta VALUES (true, $1, 1, NULL, 0, 0, 0, $2)");
        let insert = sqlx::query(sql).bind(options.source.as_str()).bind(known);
        insert.execute(connection).await.map_err(failed)?;
    }
    Ok(())
}

async fn declare(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    table: &'static Table,
) -> Result<(), OpenError> {
    let failed = |error| failed(options, error);
    let name = table.name;
    let columns: String =
        table.columns.iter().map(|c| format!(", \"{}\" {}", c.name, kind(c.kind))).collect();
    let create = format!(
        "CREATE TABLE IF NOT EXISTS @\"{name}\" (key text COLLATE \"C\" PRIMARY KEY, \
         version int8 NOT NULL{columns}) WITH (fillfactor = 80)"
    );
    sqlx::raw_sql(schema.sql(&create)).execute(&mut *connection).await.map_err(failed)?;
    for column in missing(connection, options, schema, table).await? {
        let (column, kind) = (column.name, kind(column.kind));
        let add = format!("ALTER TABLE @\"{name}\" ADD COLUMN \"{column}\" {kind}");
        sqlx::raw_sql(schema.sql(&add)).execute(&mut *connection).await.map_err(failed)?;
    }
    for index in table.indexes {
        let index_name = quoted(&index_name(name, index));
        // Asked first, as even a creation that finds it there keeps writers waiting.
        let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(format!("{}{index_name}", schema.prefix()))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        if !exists {
            let columns: Vec<String> =
                index.iter().map(|column| format!("\"{column}\" NULLS FIRST")).collect();
            let columns = columns.join(", ");
            let create = format!("CREATE INDEX {index_name} ON @\"{name}\" ({columns})");
            sqlx::raw_sql(schema.sql(&create)).execute(&mut *connection).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// The columns that the table does not have yet; those that it has must fit.
async fn missing(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    table: &'static Table,
) -> Result<Vec<&'static Column>, OpenError> {
    let invalid = |problem| OpenError::from(InvalidTable { table: table.name, problem });
    let sql = "SELECT a.attname::text, format_type(a.atttypid, NULL) \
               || CASE WHEN c.collname IS NULL THEN '' ELSE ' COLLATE \"' || c.collname || '\"' END \
               FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation \
               WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";
    let found: Vec<(String, String)> = sqlx::query_as(sql)
        .bind(format!("{}\"{}\"", schema.prefix(), table.name))
        .fetch_all(connection)
        .await
        .map_err(|error| failed(options, error))?;
    let found = |column: &str| found.iter().find(|(name, _)| name == column).map(|(_, kind)| kind);
    for (column, expected) in [("key", ColumnType::Text), ("version", ColumnType::Integer)] {
        if found(column).map(String::as_str) != Some(stored(expected)) {
            let problem = format!("a table without a fitting `{column}` is there: rename one");
            return Err(invalid(problem));
        }
    }
    let mut missing = Vec::new();
    for column in table.columns {
        match found(column.name) {
            Some(found) if found == stored(column.kind) => {}
            Some(found) => {
                let column = column.name;
                let problem = format!("`{column}` is {found} in the schema: declare a new column");
                return Err(invalid(problem));
            }
            None => missing.push(column),
        }
    }
    Ok(missing)
}

/// A name of at most 63 bytes; the server would cut a longer one, and take two for one.
fn index_name(table: &str, columns: &[&str]) -> String {
    let name = format!("{table}_by_{}", columns.join("_"));
    if name.len() <= 63 {
        return name;
    }
    format!("{}_{:016x}", &name[..46], lock::of_name(&name))
}

/// How a column is declared.
fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "int8",
        ColumnType::Text => "text COLLATE \"C\"",
        ColumnType::Blob => "bytea",
    }
}

/// How the catalogue shows it.
fn stored(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "bigint",
        ColumnType::Text => "text COLLATE \"C\"",
        ColumnType::Blob => "bytea",
    }
}

async fn run(connection: &mut PgConnection, text: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.map(drop)
}

fn failed(options: &Options, error: sqlx::Error) -> OpenError {
    match database(&error).map(|error| error.code().to_owned()).as_deref() {
        Some("42501") => OpenError::Denied { schema: options.schema.clone(), source: error },
        _ => OpenError::Server(error),
    }
}
