//! Rows of declared tables. What filters and orders mean is written in `switchboard_store::query`.

use std::fmt::Write;

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres};
use switchboard_store::{ColumnType, Compare, Filter, Row, Rows, Select, StoreError, Table, Value};

use super::limit_of;
use crate::PostgresStore;
use crate::error::read_error;
use crate::sql::Schema;

#[async_trait]
impl Rows for PostgresStore {
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError> {
        self.declared().check_table(table)?;
        let sql = format!("{} WHERE key = $1", columns(table));
        let query = sqlx::query(self.sql(&sql)).bind(key);
        let found = query.fetch_optional(self.pool()).await.map_err(read_error)?;
        found.map(|found| row(table, &found)).transpose().map_err(read_error)
    }

    async fn select(&self, select: Select) -> Result<Vec<Row>, StoreError> {
        self.declared().check_select(&select)?;
        if select.limit == 0 {
            return Ok(Vec::new());
        }
        let mut rows = page(self.pool(), self.schema_of(), &select, Part::First).await?;
        let missing = select.limit.saturating_sub(rows.len());
        if missing > 0 && has_nulls_behind(&select) {
            let rest = Select { limit: missing, ..select };
            rows.extend(page(self.pool(), self.schema_of(), &rest, Part::Nulls).await?);
        }
        Ok(rows)
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

async fn page(
    pool: &PgPool,
    schema: &Schema,
    select: &Select,
    part: Part,
) -> Result<Vec<Row>, StoreError> {
    let (sql, values) = query(select, part);
    let mut query = sqlx::query(schema.sql(&sql));
    for value in values {
        query = bind(query, value);
    }
    let rows = query.fetch_all(pool).await.map_err(read_error)?;
    let rows = rows.iter().map(|found| row(select.table, found));
    rows.collect::<Result<_, _>>().map_err(read_error)
}

fn bind(query: Query<'_, Postgres, PgArguments>, value: Value) -> Query<'_, Postgres, PgArguments> {
    match value {
        Value::Integer(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Blob(bytes) => query.bind(bytes.to_vec()),
        // A null is written into the text, where it has a meaning of its own.
        Value::Null => query,
    }
}

fn query(select: &Select, part: Part) -> (String, Vec<Value>) {
    let mut sql = columns(select.table);
    let mut values = Vec::new();
    sql.push_str(" WHERE true");
    for filter in &select.filters {
        narrow(filter, &mut sql, &mut values);
    }
    after(select, part, &mut sql, &mut values);
    let order = match select.order {
        Some((column, false)) => format!("\"{column}\" NULLS FIRST, key"),
        Some((column, true)) => format!("\"{column}\" DESC NULLS LAST, key DESC"),
        None => "key".to_owned(),
    };
    values.push(Value::Integer(limit_of(select.limit)));
    // Writing to a text cannot fail.
    let _ = write!(sql, " ORDER BY {order} LIMIT ${}", values.len());
    (sql, values)
}

fn narrow(filter: &Filter, sql: &mut String, values: &mut Vec<Value>) {
    let column = filter.column;
    if filter.value == Value::Null {
        sql.push_str(&match filter.compare {
            Compare::Is => format!(" AND \"{column}\" IS NULL"),
            Compare::Not => format!(" AND \"{column}\" IS NOT NULL"),
            // Nothing is below null, and nothing at least null.
            Compare::Below | Compare::AtLeast => " AND false".to_owned(),
        });
        return;
    }
    let compare = match filter.compare {
        Compare::Is => "=",
        Compare::Not => "IS DISTINCT FROM",
        Compare::Below => "<",
        Compare::AtLeast => ">=",
    };
    values.push(filter.value.clone());
    let _ = write!(sql, " AND \"{column}\" {compare} ${}", values.len());
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
        let _ = write!(sql, " AND key > ${k}");
        return;
    };
    let c = format!("\"{column}\"");
    if part == Part::Nulls {
        let _ = write!(sql, " AND {c} IS NULL");
        return;
    }
    let k = number(values, Value::Text(key.clone()));
    let _ = match (value, descending) {
        (Value::Null, false) => write!(sql, " AND ({c} IS NOT NULL OR key > ${k})"),
        (Value::Null, true) => write!(sql, " AND {c} IS NULL AND key < ${k}"),
        (value, descending) => {
            let v = number(values, value.clone());
            let side = if descending { '<' } else { '>' };
            write!(sql, " AND {c} {side}= ${v} AND ({c} {side} ${v} OR key {side} ${k})")
        }
    };
}

fn columns(table: &'static Table) -> String {
    let columns: String =
        table.columns.iter().map(|column| format!(", \"{}\"", column.name)).collect();
    format!("SELECT key, version{columns} FROM @\"{}\"", table.name)
}

fn row(table: &'static Table, row: &PgRow) -> Result<Row, sqlx::Error> {
    let cells = table.columns.iter().enumerate().map(|(index, column)| {
        let index = index + 2;
        let cell = match column.kind {
            ColumnType::Integer => row.try_get::<Option<i64>, _>(index)?.map(Value::Integer),
            ColumnType::Text => row.try_get::<Option<String>, _>(index)?.map(Value::Text),
            ColumnType::Blob => row
                .try_get::<Option<&[u8]>, _>(index)?
                .map(|bytes| Value::Blob(Bytes::copy_from_slice(bytes))),
        };
        Ok(cell.unwrap_or(Value::Null))
    });
    Ok(Row {
        table,
        key: row.try_get(0)?,
        version: row.try_get::<i64, _>(1)?.cast_unsigned(),
        values: cells.collect::<Result<_, sqlx::Error>>()?,
    })
}
