//! SQL for rows of declared tables, built once for each shape of change.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, Statement, ToSql};
use switchboard_store::{RowOp, Table, Value};

/// Statements that are kept, at most. A program has a handful for each of its tables.
const KEPT: usize = 1_000;

/// The statements that were needed so far.
#[derive(Debug)]
pub(super) struct RowSql<'c> {
    connection: &'c Connection,
    statements: HashMap<(&'static str, Shape), Statement<'c>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Version,
    Cell(usize),
    Delete,
    Add(usize),
    /// A bit for each column that is set.
    Put(u64),
}

// === impl RowSql ===

impl<'c> RowSql<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, statements: HashMap::new() }
    }

    /// The version of a row, if it exists.
    pub(super) fn version(&mut self, table: &'static Table, key: &str) -> Result<Option<u64>> {
        let statement = self.statement(table, Shape::Version)?;
        let version: Option<i64> = statement.query_row([key], |row| row.get(0)).optional()?;
        Ok(version.map(i64::cast_unsigned))
    }

    /// An integer cell of a row, if the row exists.
    pub(super) fn integer(
        &mut self,
        table: &'static Table,
        key: &str,
        column: &str,
    ) -> Result<Option<i64>> {
        let shape = Shape::Cell(table.index_of(column).unwrap_or_default());
        let statement = self.statement(table, shape)?;
        let cell: Option<Option<i64>> = statement.query_row([key], |row| row.get(0)).optional()?;
        Ok(cell.map(Option::unwrap_or_default))
    }

    /// Carries out a change.
    pub(super) fn apply(&mut self, op: &RowOp) -> Result<()> {
        match op {
            RowOp::Delete { table, key } => {
                self.statement(table, Shape::Delete)?.execute([key])?;
            }
            RowOp::Add { table, key, column, delta } => {
                let shape = Shape::Add(table.index_of(column).unwrap_or_default());
                self.statement(table, shape)?.execute((key, delta))?;
            }
            RowOp::Put { table, key, values } => {
                let indexes = values.iter().filter_map(|(column, _)| table.index_of(column));
                let mask = indexes.fold(0_u64, |mask, index| mask | (1 << index));
                let statement = self.statement(table, Shape::Put(mask))?;
                statement.raw_bind_parameter(1, key)?;
                for (column, value) in values {
                    let Some(index) = table.index_of(column) else { continue };
                    // Its place among the columns that are set; a later value of one wins.
                    let place = (mask & ((1 << index) - 1)).count_ones() as usize + 2;
                    statement.raw_bind_parameter(place, Cell(value))?;
                }
                statement.raw_execute()?;
            }
        }
        Ok(())
    }

    fn statement(&mut self, table: &'static Table, shape: Shape) -> Result<&mut Statement<'c>> {
        if self.statements.len() >= KEPT {
            self.statements.clear();
        }
        match self.statements.entry((table.name, shape)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(self.connection.prepare(&text(table, shape))?)),
        }
    }
}

fn text(table: &'static Table, shape: Shape) -> String {
    let name = table.name;
    match shape {
        Shape::Version => format!("SELECT version FROM \"{name}\" WHERE key = ?1"),
        Shape::Cell(index) => {
            let column = table.columns[index].name;
            format!("SELECT \"{column}\" FROM \"{name}\" WHERE key = ?1")
        }
        Shape::Delete => format!("DELETE FROM \"{name}\" WHERE key = ?1"),
        Shape::Add(index) => {
            // SQLite turns an overflow into a float, which is rounded; a text is refused.
            let c = table.columns[index].name;
            let sum = format!("coalesce(\"{c}\", 0) + excluded.\"{c}\"");
            format!(
                "INSERT INTO \"{name}\" (key, version, \"{c}\") VALUES (?1, 1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET version = version + 1, \
                 \"{c}\" = iif(typeof({sum}) = 'integer', {sum}, 'overflow')"
            )
        }
        Shape::Put(mask) => put(table, mask),
    }
}

fn put(table: &'static Table, mask: u64) -> String {
    let set = table.columns.iter().enumerate().filter(|(index, _)| mask & (1 << index) != 0);
    let (mut names, mut values, mut updates) = (String::new(), String::new(), String::new());
    for (number, (_, column)) in set.enumerate() {
        let c = column.name;
        // Writing to a text cannot fail.
        let _ = write!(names, ", \"{c}\"");
        let _ = write!(values, ", ?{}", number + 2);
        let _ = write!(updates, ", \"{c}\" = excluded.\"{c}\"");
    }
    format!(
        "INSERT INTO \"{}\" (key, version{names}) VALUES (?1, 1{values}) \
         ON CONFLICT (key) DO UPDATE SET version = version + 1{updates}",
        table.name
    )
}

/// A cell on its way into SQLite.
pub(crate) struct Cell<'a>(pub(crate) &'a Value);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
