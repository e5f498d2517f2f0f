//! Rows of declared tables. What filters and orders mean is written in `switchboard_store::query`.

use std::fmt::Write;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use switchboard_store::{Compare, Row, Rows, Select, StoreError, Table, Value};

use super::limit_of;
use crate::SqliteStore;
use crate::error::read_error;
use crate::writer::rows::Cell;

#[async_trait]
impl Rows for SqliteStore {
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError> {
        self.declared().check_table(table)?;
        let sql = format!("{} WHERE key = ?1", columns(table));
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(read_error)?;
            let row = statement.query_row([key], |row| self::row(table, row)).optional();
            row.map_err(read_error)
        })
    }

    async fn select(&self, select: Select) -> Result<Vec<Row>, StoreError> {
        self.declared().check_select(&select)?;
        if select.limit == 0 {
            return Ok(Vec::new());
        }
        self.read_page(select.limit, move |connection| {
            let mut rows = page(connection, &select, Part::First)?;
            let missing = select.limit - rows.len();
            if missing > 0 && has_nulls_behind(&select) {
                let rest = Select { limit: missing, ..select };
                rows.extend(page(connection, &rest, Part::Nulls)?);
            }
            Ok(rows)
        })
        .await
    }
}

/// A descending page that begins below a value is read in two parts, each of them along an index:
/// the cells below the value, then the nulls, which come last.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    First,
    Nulls,
}

fn has_nulls_behind(select: &Select) -> bool {
    let is_descending = matches!(select.order, Some((_, true)));
    is_descending && select.after.as_ref().is_some_and(|(value, _)| *value != Value::Null)
}

fn page(connection: &Connection, select: &Select, part: Part) -> Result<Vec<Row>, StoreError> {
    let (sql, values) = query(select, part);
    let mut statement = connection.prepare_cached(&sql).map_err(read_error)?;
    let values = params_from_iter(values.iter().map(Cell));
    let rows = statement.query_map(values, |row| self::row(select.table, row));
    rows.and_then(Iterator::collect).map_err(read_error)
}

fn query(select: &Select, part: Part) -> (String, Vec<Value>) {
    let mut sql = columns(select.table);
    let mut values = Vec::new();
    sql.push_str(" WHERE 1");
    for filter in &select.filters {
        let compare = match filter.compare {
            Compare::Is => "IS",
            Compare::Not => "IS NOT",
            Compare::Below => "<",
            Compare::AtLeast => ">=",
        };
        values.push(filter.value.clone());
        // Writing to a text cannot fail.
        let _ = write!(sql, " AND \"{}\" {compare} ?{}", filter.column, values.len());
    }
    after(select, part, &mut sql, &mut values);
    match select.order {
        Some((column, false)) => {
            let _ = write!(sql, " ORDER BY \"{column}\", key");
        }
        Some((column, true)) => {
            let _ = write!(sql, " ORDER BY \"{column}\" DESC, key DESC");
        }
        None => sql.push_str(" ORDER BY key"),
    }
    values.push(Value::Integer(limit_of(select.limit)));
    let _ = write!(sql, " LIMIT ?{}", values.len());
    (sql, values)
}

/// Where the page begins. Each form bounds the column itself, so that an index can be used.
fn after(select: &Select, part: Part, sql: &mut String, values: &mut Vec<Value>) {
    let Some((value, key)) = &select.after else { return };
    let number = |values: &mut Vec<Value>, value: Value| {
        values.push(value);
        values.len()
    };
    let Some((column, descending)) = select.order else {
        let k = number(values, Value::Text(key.clone()));
        let _ = write!(sql, " AND key > ?{k}");
        return;
    };
    let c = format!("\"{column}\"");
    if part == Part::Nulls {
        let _ = write!(sql, " AND {c} IS NULL");
        return;
    }
    let k = number(values, Value::Text(key.clone()));
    let _ = match (value, descending) {
        (Value::Null, false) => write!(sql, " AND ({c} IS NOT NULL OR key > ?{k})"),
        (Value::Null, true) => write!(sql, " AND {c} IS NULL AND key < ?{k}"),
        (value, descending) => {
            let v = number(values, value.clone());
            let side = if descending { '<' } else { '>' };
            write!(sql, " AND {c} {side}= ?{v} AND ({c} {side} ?{v} OR key {side} ?{k})")
        }
    };
}

fn columns(table: &'static Table) -> String {
    let columns: String =
        table.columns.iter().map(|column| format!(", \"{}\"", column.name)).collect();
    format!("SELECT key, version{columns} FROM \"{}\"", table.name)
}

fn row(table: &'static Table, row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let cells = (0..table.columns.len()).map(|index| {
        Ok(match row.get_ref(index + 2)? {
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Value::Blob(Bytes::copy_from_slice(bytes)),
            ValueRef::Null | ValueRef::Real(_) => Value::Null,
        })
    });
    Ok(Row {
        table,
        key: row.get(0)?,
        version: row.get::<_, i64>(1)?.cast_unsigned(),
        values: cells.collect::<rusqlite::Result<_>>()?,
    })
}
