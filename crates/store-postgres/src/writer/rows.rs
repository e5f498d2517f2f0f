//! Changes of rows: all that a batch does to a row comes to one change of it, and all changes of
//! one shape to one statement.
//!
//! Rows are written before the store's lock is taken, table by table and key by key in order, so
//! that processes which change the same rows wait for each other without a deadlock.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row, SqlStr};
use switchboard_store::{ColumnType, Expect, RowOp, Table, Unit, Value};

use crate::sql::Schema;

/// Statements that are kept, at most. A program has a handful for each of its tables.
const KEPT: usize = 1_000;

/// Changes by table and key, in the order in which they are written.
pub(super) type Changes<'u> = BTreeMap<(&'static str, &'u str), Change<'u>>;

/// All that is done to one row.
#[derive(Debug)]
pub(super) struct Change<'u> {
    table: &'static Table,
    net: Net<'u>,
}

#[derive(Debug)]
enum Net<'u> {
    Delete,
    Upsert {
        /// The row is deleted first, if it is there.
        anew: bool,
        /// By how much its version rises.
        count: i64,
        cells: Vec<Option<Cell<'u>>>,
    },
}

#[derive(Clone, Copy, Debug)]
enum Cell<'u> {
    Set(&'u Value),
    SetInteger(i64),
    Add(i64),
}

/// Changes of one shape are one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Shape {
    Delete,
    /// A bit for each column that is set, and for each that is added to.
    Upsert {
        anew: bool,
        set: u64,
        add: u64,
    },
}

/// What conditions ask of rows: the table, and a bit for each integer column.
pub(super) type Asked<'u> = BTreeMap<(&'static str, &'u str), (&'static Table, u64)>;

/// A row as conditions see it; absent when it has no version.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) version: Option<u64>,
    pub(super) integers: HashMap<usize, i64>,
}

/// Rows as conditions see them.
pub(super) type Rows = HashMap<(&'static str, String), Seen>;

/// The statements that were needed so far.
#[derive(Debug, Default)]
pub(super) struct RowSql(HashMap<(&'static str, Kind), SqlStr>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Change(Shape),
    /// With a bit for each integer column.
    Lock(u64),
    Look(u64),
}

/// An addition has left the range of 64 bits.
#[derive(Debug)]
pub(super) struct Overflow(pub(super) String);

/// Adds what the unit does to what is done already.
pub(super) fn fold<'u>(changes: &mut Changes<'u>, unit: &'u Unit) -> Result<(), Overflow> {
    for op in &unit.rows {
        let table = op.table();
        let change = changes.entry((table.name, op.key())).or_insert_with(|| Change {
            table,
            net: Net::Upsert { anew: false, count: 0, cells: vec![None; table.columns.len()] },
        });
        change.apply(op)?;
    }
    Ok(())
}

/// Adds what the unit's conditions ask.
pub(super) fn ask<'u>(asked: &mut Asked<'u>, unit: &'u Unit) {
    for condition in &unit.conditions {
        let (table, key, column) = match condition {
            Expect::RowAbsent { table, key } | Expect::RowAt { table, key, .. } => {
                (table, key, None)
            }
            Expect::AtLeast { table, key, column, .. } => (table, key, table.index_of(column)),
            Expect::StreamAt { .. } | Expect::NothingMatching { .. } => continue,
        };
        let entry = asked.entry((table.name, key)).or_insert((table, 0));
        entry.1 |= column.map_or(0, |index| 1 << index);
    }
}

// === impl Change ===

impl<'u> Change<'u> {
    fn apply(&mut self, op: &'u RowOp) -> Result<(), Overflow> {
        if let RowOp::Delete { .. } = op {
            self.net = Net::Delete;
            return Ok(());
        }
        if let Net::Delete = self.net {
            let cells = vec![None; self.table.columns.len()];
            self.net = Net::Upsert { anew: true, count: 0, cells };
        }
        let Net::Upsert { count, cells, .. } = &mut self.net else { return Ok(()) };
        *count += 1;
        match op {
            RowOp::Delete { .. } => {}
            RowOp::Put { table, values, .. } => {
                for (column, value) in values {
                    if let Some(index) = table.index_of(column) {
                        cells[index] = Some(Cell::Set(value));
                    }
                }
            }
            RowOp::Add { table, key, column, delta } => {
                let Some(index) = table.index_of(column) else { return Ok(()) };
                let sum = |a: i64| {
                    let text = || overflow(table, key, column);
                    a.checked_add(*delta).ok_or_else(text)
                };
                cells[index] = Some(match cells[index] {
                    None => Cell::Add(*delta),
                    Some(Cell::Add(a)) => Cell::Add(sum(a)?),
                    Some(Cell::Set(Value::Integer(a))) => Cell::SetInteger(sum(*a)?),
                    Some(Cell::SetInteger(a)) => Cell::SetInteger(sum(a)?),
                    Some(Cell::Set(_)) => Cell::SetInteger(*delta),
                });
            }
        }
        Ok(())
    }

    fn shape(&self) -> Shape {
        let Net::Upsert { anew, cells, .. } = &self.net else { return Shape::Delete };
        let bits = |pick: fn(&Cell<'_>) -> bool| {
            let picked =
                cells.iter().enumerate().filter(|(_, cell)| cell.as_ref().is_some_and(pick));
            picked.fold(0, |mask, (index, _)| mask | (1_u64 << index))
        };
        let add = bits(|cell| matches!(cell, Cell::Add(_)));
        // Nothing is left to add to in a row that was just deleted.
        if *anew {
            return Shape::Upsert { anew: true, set: (1 << cells.len()) - 1, add: 0 };
        }
        Shape::Upsert { anew: false, set: bits(|cell| !matches!(cell, Cell::Add(_))), add }
    }

    /// The row is known to be absent: then it is created, which shows if somebody else has created
    /// it meanwhile.
    fn create(&mut self) {
        if let Net::Upsert { anew, .. } = &mut self.net {
            *anew = false;
        }
    }

    /// The version that the row has if it was absent before; `None` when it is absent again.
    fn version_of_new(&self) -> Option<u64> {
        match &self.net {
            Net::Delete => None,
            Net::Upsert { count, .. } => Some(count.cast_unsigned()),
        }
    }
}

fn overflow(table: &Table, key: &str, column: &str) -> Overflow {
    let name = table.name;
    Overflow(format!("`{name}.{column}` of `{key}` would leave the range of 64 bits"))
}

// === impl Seen ===

impl Seen {
    /// What a change leaves.
    pub(super) fn apply(&mut self, op: &RowOp) {
        match op {
            RowOp::Delete { .. } => *self = Self::default(),
            RowOp::Put { table, values, .. } => {
                self.version = Some(self.version.unwrap_or(0) + 1);
                for (column, value) in values {
                    if let (Some(index), Value::Integer(number)) = (table.index_of(column), value) {
                        self.integers.insert(index, *number);
                    } else if let Some(index) = table.index_of(column) {
                        self.integers.remove(&index);
                    }
                }
            }
            RowOp::Add { table, column, delta, .. } => {
                self.version = Some(self.version.unwrap_or(0) + 1);
                if let Some(index) = table.index_of(column) {
                    let number = self.integers.entry(index).or_default();
                    // The statement has found an overflow already.
                    *number = number.saturating_add(*delta);
                }
            }
        }
    }
}

// === impl RowSql ===

impl RowSql {
    fn statement(&mut self, schema: &Schema, table: &'static Table, kind: Kind) -> SqlStr {
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        let text = || match kind {
            Kind::Change(Shape::Delete) => {
                format!("DELETE FROM @\"{}\" WHERE key = ANY($1::text[])", table.name)
            }
            Kind::Change(Shape::Upsert { anew, set, add }) => upsert(table, anew, set, add),
            Kind::Lock(mask) => {
                format!("{} ORDER BY key FOR UPDATE", look(table, mask))
            }
            Kind::Look(mask) => look(table, mask),
        };
        self.0.entry((table.name, kind)).or_insert_with(|| schema.sql(&text())).clone()
    }

    /// Writes all changes. Rows that conditions ask for are locked and read before; those among
    /// them that were absent are returned with the version that they must have afterwards.
    pub(super) async fn write(
        &mut self,
        connection: &mut PgConnection,
        schema: &Schema,
        changes: &mut Changes<'_>,
        asked: &Asked<'_>,
        rows: &mut Rows,
    ) -> Result<Vec<Created>, sqlx::Error> {
        let mut created = Vec::new();
        let mut names: Vec<&'static str> = changes.keys().map(|(name, _)| *name).collect();
        names.dedup();
        for name in names {
            let table = self.lock(connection, schema, name, changes, asked, rows).await?;
            let of_table = changes.range_mut((name, "")..).take_while(|((n, _), _)| *n == name);
            let mut shapes: BTreeMap<Shape, Vec<(&str, &Change<'_>)>> = BTreeMap::new();
            for ((_, key), change) in of_table {
                let key = *key;
                if asked.contains_key(&(name, key)) {
                    let seen = rows.entry((name, key.to_owned())).or_default();
                    if seen.version.is_none() {
                        change.create();
                        let version = change.version_of_new();
                        created.push(Created { table, key: key.to_owned(), version });
                    }
                }
                shapes.entry(change.shape()).or_default().push((key, change));
            }
            for (shape, list) in shapes {
                let sql = self.statement(schema, table, Kind::Change(shape));
                bind(sqlx::query(sql), table, shape, &list).execute(&mut *connection).await?;
            }
        }
        Ok(created)
    }

    /// Locks rows in order, where their changes are not one statement that does it, or where
    /// conditions ask for them.
    async fn lock(
        &mut self,
        connection: &mut PgConnection,
        schema: &Schema,
        name: &'static str,
        changes: &Changes<'_>,
        asked: &Asked<'_>,
        rows: &mut Rows,
    ) -> Result<&'static Table, sqlx::Error> {
        let of_table = || changes.range((name, "")..).take_while(|((n, _), _)| *n == name);
        let (mut mask, mut keys, mut table) = (0, Vec::new(), None);
        let (mut shape, mut is_mixed) = (None, false);
        for ((_, key), change) in of_table() {
            table = Some(change.table);
            if let Some((_, columns)) = asked.get(&(name, *key)) {
                mask |= columns;
                keys.push(*key);
            }
            is_mixed |= shape.is_some_and(|shape| shape != change.shape());
            shape = Some(change.shape());
        }
        let Some(table) = table else {
            return Err(sqlx::Error::Protocol(format!("no change of {name}")));
        };
        if is_mixed || matches!(shape, Some(Shape::Delete)) {
            keys = of_table().map(|((_, key), _)| *key).collect();
        }
        if !keys.is_empty() {
            let sql = self.statement(schema, table, Kind::Lock(mask));
            read(connection, sql, table, mask, &keys, rows).await?;
        }
        Ok(table)
    }

    /// Reads what conditions ask of rows that are not locked. The store's lock is held.
    pub(super) async fn look(
        &mut self,
        connection: &mut PgConnection,
        schema: &Schema,
        asked: &Asked<'_>,
        rows: &mut Rows,
    ) -> Result<(), sqlx::Error> {
        let mut of_tables: BTreeMap<&'static str, (&'static Table, u64, Vec<&str>)> =
            BTreeMap::new();
        for ((name, key), (table, columns)) in asked {
            let is_known = rows.contains_key(&(*name, (*key).to_owned()));
            if !is_known {
                let (_, mask, keys) = of_tables.entry(name).or_insert((table, 0, Vec::new()));
                *mask |= columns;
                keys.push(key);
            }
        }
        for (_, (table, mask, keys)) in of_tables {
            let sql = self.statement(schema, table, Kind::Look(mask));
            read(connection, sql, table, mask, &keys, rows).await?;
        }
        Ok(())
    }

    /// Whether those that were to be created had not been created by somebody else. The store's
    /// lock is held, and this transaction sees what it has written.
    pub(super) async fn are_created(
        &mut self,
        connection: &mut PgConnection,
        schema: &Schema,
        created: &[Created],
    ) -> Result<bool, sqlx::Error> {
        for chunk in created.chunk_by(|a, b| std::ptr::eq(a.table, b.table)) {
            let table = chunk[0].table;
            let keys: Vec<&str> = chunk.iter().map(|created| &*created.key).collect();
            let mut rows = Rows::new();
            let sql = self.statement(schema, table, Kind::Look(0));
            read(connection, sql, table, 0, &keys, &mut rows).await?;
            let is_raced = chunk.iter().any(|created| {
                let found = rows.get(&(table.name, created.key.clone()));
                found.and_then(|seen| seen.version) != created.version
            });
            if is_raced {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A row that was absent when it was asked for, and what it must be after it was written.
#[derive(Debug)]
pub(super) struct Created {
    table: &'static Table,
    key: String,
    version: Option<u64>,
}

async fn read(
    connection: &mut PgConnection,
    sql: SqlStr,
    table: &'static Table,
    mask: u64,
    keys: &[&str],
    rows: &mut Rows,
) -> Result<(), sqlx::Error> {
    for row in sqlx::query(sql).bind(keys).fetch_all(connection).await? {
        let mut seen = Seen { version: Some(number(&row, 1)?), integers: HashMap::new() };
        for (place, index) in bits(mask).enumerate() {
            if let Some(number) = row.try_get::<Option<i64>, _>(place + 2)? {
                seen.integers.insert(index, number);
            }
        }
        rows.insert((table.name, row.try_get(0)?), seen);
    }
    Ok(())
}

fn number(row: &sqlx::postgres::PgRow, index: usize) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(index).map(i64::cast_unsigned)
}

fn bits(mask: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |index| mask & (1 << index) != 0)
}

fn look(table: &'static Table, mask: u64) -> String {
    let columns: String =
        bits(mask).map(|index| format!(", \"{}\"", table.columns[index].name)).collect();
    format!("SELECT key, version{columns} FROM @\"{}\" WHERE key = ANY($1::text[])", table.name)
}

fn upsert(table: &'static Table, anew: bool, set: u64, add: u64) -> String {
    let (mut names, mut values) = (String::new(), String::new());
    let mut updates = String::from(if anew {
        "version = excluded.version"
    } else {
        "version = t.version + excluded.version"
    });
    for (place, index) in bits(set | add).enumerate() {
        let (c, kind) = (table.columns[index].name, kind(table.columns[index].kind));
        // Writing to a text cannot fail.
        let _ = write!(names, ", \"{c}\"");
        let _ = write!(values, ", ${}::{kind}[]", place + 3);
        let _ = if add & (1 << index) == 0 {
            write!(updates, ", \"{c}\" = excluded.\"{c}\"")
        } else {
            write!(updates, ", \"{c}\" = coalesce(t.\"{c}\", 0) + excluded.\"{c}\"")
        };
    }
    format!(
        "INSERT INTO @\"{}\" AS t (key, version{names}) \
         SELECT * FROM unnest($1::text[], $2::int8[]{values}) \
         ON CONFLICT (key) DO UPDATE SET {updates}",
        table.name
    )
}

fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "int8",
        ColumnType::Text => "text",
        ColumnType::Blob => "bytea",
    }
}

fn bind<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    table: &'static Table,
    shape: Shape,
    list: &[(&'q str, &Change<'q>)],
) -> Query<'q, Postgres, PgArguments> {
    query = query.bind(list.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    let Shape::Upsert { set, add, .. } = shape else { return query };
    let counts = list.iter().map(|(_, change)| change.version_of_new().unwrap_or(0).cast_signed());
    query = query.bind(counts.collect::<Vec<_>>());
    for index in bits(set | add) {
        let cells = list.iter().map(|(_, change)| match &change.net {
            Net::Upsert { cells, .. } => cells[index],
            Net::Delete => None,
        });
        query = match table.columns[index].kind {
            ColumnType::Integer => query.bind(cells.map(integer).collect::<Vec<_>>()),
            ColumnType::Text => {
                let text = |cell| match cell {
                    Some(Cell::Set(Value::Text(text))) => Some(text.as_str()),
                    _ => None,
                };
                query.bind(cells.map(text).collect::<Vec<_>>())
            }
            ColumnType::Blob => {
                let blob = |cell| match cell {
                    Some(Cell::Set(Value::Blob(bytes))) => Some(&bytes[..]),
                    _ => None,
                };
                query.bind(cells.map(blob).collect::<Vec<_>>())
            }
        };
    }
    query
}

fn integer(cell: Option<Cell<'_>>) -> Option<i64> {
    match cell? {
        Cell::Set(Value::Integer(number)) => Some(*number),
        Cell::SetInteger(number) | Cell::Add(number) => Some(number),
        Cell::Set(_) => None,
    }
}
