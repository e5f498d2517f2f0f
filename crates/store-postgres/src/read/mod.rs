//! Reading: each read is one statement on a connection of the pool, and so one snapshot.

mod inbox;
mod journal;
mod outbox;
mod rows;

/// A limit as SQL takes it.
fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A position or version after which something is read.
fn after(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative.
fn unsigned(row: &sqlx::postgres::PgRow, index: usize) -> Result<u64, sqlx::Error> {
    sqlx::Row::try_get::<i64, _>(row, index).map(i64::cast_unsigned)
}
