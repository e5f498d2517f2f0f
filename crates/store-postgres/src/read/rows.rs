//! Rows of declared tables. What filters and orders mean is written in `switchboard_store::query`.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres};
use switchboard_store::sql::{Dialect, Part, has_nulls_behind};
use switchboard_store::{ColumnType, Row, Rows, Select, StoreError, Table, Value};

use crate::PostgresStore;
use crate::error::read_error;
use crate::sql::Schema;

/// `@` is where the schema comes.
const SQL: Dialect = Dialect { parameter: '$', table: "@" };

#[async_trait]
impl Rows for PostgresStore {
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError> {
        self.declared().check_table(table)?;
        let sql = SQL.row(table);
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

async fn page(
    pool: &PgPool,
    schema: &Schema,
    select: &Select,
    part: Part,
) -> Result<Vec<Row>, StoreError> {
    let (sql, values) = SQL.page(select, part);
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
        // Never asked for: a null is written into the text.
        Value::Null => query,
    }
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
