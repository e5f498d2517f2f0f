//! Rows of declared tables. What filters and orders mean is written in `switchboard_store::query`.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use switchboard_store::sql::{Dialect, Part, has_nulls_behind};
use switchboard_store::{Row, Rows, Select, StoreError, Table, Value};

use crate::SqliteStore;
use crate::error::read_error;
use crate::writer::rows::Cell;

const SQL: Dialect = Dialect { parameter: '?', table: "" };

#[async_trait]
impl Rows for SqliteStore {
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError> {
        self.declared().check_table(table)?;
        let sql = SQL.row(table);
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

fn page(connection: &Connection, select: &Select, part: Part) -> Result<Vec<Row>, StoreError> {
    let (sql, values) = SQL.page(select, part);
    let mut statement = connection.prepare_cached(&sql).map_err(read_error)?;
    let values = params_from_iter(values.iter().map(Cell));
    let rows = statement.query_map(values, |row| self::row(select.table, row));
    rows.and_then(Iterator::collect).map_err(read_error)
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
