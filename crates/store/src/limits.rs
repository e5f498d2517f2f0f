//! How large a unit may be, and the checks of a unit or query that need no state at all.
//!
//! Everything here runs in the caller's task, before the store's lock: a unit that can never be
//! committed costs its neighbours nothing.

use std::collections::HashMap;

use crate::{
    Column, ColumnType, CommitError, Custody, Expect, Mark, NewEvent, NewMessage, RowOp, Select,
    StoreError, Table, TimerOp, Unit, Value, leases,
};

/// Events in one unit.
pub const UNIT_EVENTS: usize = 1_000;
/// Messages in one unit, fired timers included.
pub const UNIT_MESSAGES: usize = 1_000;
/// Changes of rows in one unit.
pub const UNIT_ROWS: usize = 10_000;
/// Conditions, timers, gates, readings in one unit, each.
pub const UNIT_OTHERS: usize = 1_000;
/// Positions of groups and of slots in one unit, each.
pub const UNIT_POSITIONS: usize = 10_000;
/// Bytes of an event's content, a message's payload or a waiting message: 1 MiB, and some for the
/// envelope around it.
pub const RECORD_BYTES: usize = (1 << 20) + (64 << 10);
/// Bytes of all cells that one row operation sets: 4 MiB.
pub const ROW_BYTES: usize = 4 << 20;
/// Bytes of a name, a stream, a tag, a timer's id, a row's key or a message's key.
pub const NAME_BYTES: usize = 1_024;

/// The tables that a store was opened with, and those that every store has ([`leases::TABLES`]).
///
/// ```
/// use switchboard_store::limits::Declared;
/// use switchboard_store::{Column, Table, Unit, Value};
///
/// static KNOWN: Table = Table { name: "known", columns: &[Column::integer("n")], indexes: &[] };
/// static OTHER: Table = Table { name: "other", columns: &[Column::integer("n")], indexes: &[] };
///
/// let declared = Declared::new(&[&KNOWN]).unwrap();
/// assert!(declared.check(&Unit::new().put(&KNOWN, "a", [("n", Value::from(1))])).is_ok());
/// assert!(declared.check(&Unit::new().put(&OTHER, "a", [("n", Value::from(1))])).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Declared {
    tables: HashMap<&'static str, &'static Table>,
}

/// A declaration that no backend can keep: a bad name, or two tables of one name.
#[derive(Debug, thiserror::Error)]
#[error("table `{table}`: {problem}")]
pub struct InvalidTable {
    /// The table.
    pub table: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

// === impl Declared ===

impl Declared {
    /// Checks the declarations: names, reserved names, indexes over declared columns. The store's
    /// own tables are added.
    ///
    /// # Errors
    /// [`InvalidTable`] names the first one that cannot be kept.
    pub fn new(tables: &[&'static Table]) -> Result<Self, InvalidTable> {
        let own = leases::TABLES.iter().map(|&table| (table.name, table));
        let mut declared: HashMap<&'static str, &'static Table> = own.collect();
        for &table in tables {
            check_table(table).map_err(|problem| InvalidTable { table: table.name, problem })?;
            if declared.insert(table.name, table).is_some_and(|other| other != table) {
                let problem = "declared twice, and differently".to_owned();
                return Err(InvalidTable { table: table.name, problem });
            }
        }
        Ok(Self { tables: declared })
    }

    /// All tables that a backend has to create, the store's own included, in no particular order.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> + '_ {
        self.tables.values().copied()
    }

    /// Whether the unit can ever be committed, as far as that is known without the state.
    ///
    /// # Errors
    /// [`CommitError::Invalid`] says what exceeds which limit, or what is not declared.
    pub fn check(&self, unit: &Unit) -> Result<(), CommitError> {
        counts(unit).map_err(CommitError::Invalid)?;
        self.contents(unit).map_err(CommitError::Invalid)
    }

    /// Whether the query asks only for what is declared.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names the table or column.
    pub fn check_select(&self, select: &Select) -> Result<(), StoreError> {
        self.select(select).map_err(StoreError::Invalid)
    }

    /// Whether the table is declared.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names it.
    pub fn check_table(&self, table: &'static Table) -> Result<(), StoreError> {
        self.table(table).map_err(StoreError::Invalid)
    }

    fn table(&self, table: &'static Table) -> Result<(), String> {
        match self.tables.get(table.name) {
            Some(&declared) if std::ptr::eq(declared, table) || declared == table => Ok(()),
            Some(_) => Err(format!("table `{}` was declared with other columns", table.name)),
            None => Err(format!("table `{}` was not declared when the store opened", table.name)),
        }
    }

    fn contents(&self, unit: &Unit) -> Result<(), String> {
        unit.events.iter().try_for_each(event)?;
        unit.messages.iter().try_for_each(message)?;
        unit.conditions.iter().try_for_each(|condition| self.condition(condition))?;
        unit.rows.iter().try_for_each(|op| self.row_op(op))?;
        for timer in &unit.timers {
            match timer {
                TimerOp::Set { id, message: carried, .. } => {
                    name("a timer's id", id.len())?;
                    message(carried)?;
                }
                TimerOp::Cancel { id } | TimerOp::Fire { id } => name("a timer's id", id.len())?,
            }
        }
        if let Some(handled) = &unit.handled {
            name("a key", handled.key.as_bytes().len())?;
            if let Mark::Foreign { id, .. } = &handled.mark {
                name("a message's id", id.len())?;
            }
            if let Custody::Behind { bytes } | Custody::Blocks { bytes, .. } = &handled.custody {
                at_most("a waiting message", bytes.len(), RECORD_BYTES, "bytes")?;
            }
        }
        Ok(())
    }

    fn condition(&self, condition: &Expect) -> Result<(), String> {
        match condition {
            Expect::StreamAt { stream, .. } => name("a stream", stream.len()),
            Expect::NothingMatching { kinds, tags, .. } => {
                at_most("a condition", kinds.len() + tags.len(), 100, "kinds and tags")
            }
            Expect::RowAbsent { table, .. } | Expect::RowAt { table, .. } => self.table(table),
            Expect::AtLeast { table, column, .. } => {
                self.table(table)?;
                integer(table, column).map(drop)
            }
        }
    }

    fn row_op(&self, op: &RowOp) -> Result<(), String> {
        self.table(op.table())?;
        name("a row's key", op.key().len())?;
        match op {
            RowOp::Delete { .. } => Ok(()),
            RowOp::Add { table, column, .. } => integer(table, column).map(drop),
            RowOp::Put { table, values, .. } => {
                let bytes = values.iter().map(|(_, value)| size(value)).sum();
                at_most("a row", bytes, ROW_BYTES, "bytes")?;
                values
                    .iter()
                    .try_for_each(|(column, value)| fits(known(table, column)?, value, table.name))
            }
        }
    }

    fn select(&self, select: &Select) -> Result<(), String> {
        self.table(select.table)?;
        at_most("a query", select.filters.len(), 32, "filters")?;
        for filter in &select.filters {
            match (filter.column, &filter.value) {
                ("key", Value::Text(_)) => {}
                ("key", _) => return Err("`key` is compared with a text".to_owned()),
                (column, value) => fits(known(select.table, column)?, value, select.table.name)?,
            }
        }
        match &select.order {
            Some((column, _)) => {
                let column = known(select.table, column)?;
                match &select.after {
                    Some((value, _)) => fits(column, value, select.table.name),
                    None => Ok(()),
                }
            }
            None => Ok(()),
        }
    }
}

fn counts(unit: &Unit) -> Result<(), String> {
    let fired = unit.timers.iter().filter(|timer| matches!(timer, TimerOp::Fire { .. })).count();
    for (what, count, limit) in [
        ("events", unit.events.len(), UNIT_EVENTS),
        ("messages", unit.messages.len() + fired, UNIT_MESSAGES),
        ("changes of rows", unit.rows.len(), UNIT_ROWS),
        ("conditions", unit.conditions.len(), UNIT_OTHERS),
        ("timers", unit.timers.len(), UNIT_OTHERS),
        ("gates", unit.gates.len(), UNIT_OTHERS),
        ("readings", unit.readings.len(), UNIT_OTHERS),
        ("positions of groups", unit.progress.len(), UNIT_POSITIONS),
        ("checkpoints", unit.checkpoints.len(), UNIT_POSITIONS),
    ] {
        at_most("a unit", count, limit, what)?;
    }
    Ok(())
}

fn event(event: &NewEvent) -> Result<(), String> {
    name("a stream", event.stream.len())?;
    name("an event's kind", event.kind.len())?;
    at_most("an event", event.tags.len(), 100, "tags")?;
    event.tags.iter().try_for_each(|tag| name("a tag", tag.len()))?;
    at_most("an event", event.data.len(), RECORD_BYTES, "bytes")
}

fn message(message: &NewMessage) -> Result<(), String> {
    name("a topic", message.topic.len())?;
    name("a message's kind", message.kind.len())?;
    if let Some(key) = &message.key {
        at_most("a key", key.as_bytes().len(), NAME_BYTES, "bytes")?;
    }
    at_most("a message", message.payload.len(), RECORD_BYTES, "bytes")
}

fn check_table(table: &'static Table) -> Result<(), String> {
    identifier(table.name)?;
    if table.name.starts_with("sb_") || table.name.starts_with("sqlite_") {
        return Err("names that begin with `sb_` or `sqlite_` are the store's own".to_owned());
    }
    at_most("a table", table.columns.len(), 60, "columns")?;
    for (index, column) in table.columns.iter().enumerate() {
        identifier(column.name)?;
        if matches!(column.name, "key" | "version") {
            return Err(format!("the column `{}` is the store's own", column.name));
        }
        if table.index_of(column.name) != Some(index) {
            return Err(format!("the column `{}` is declared twice", column.name));
        }
    }
    table.indexes.iter().flat_map(|index| index.iter()).try_for_each(|column| {
        if *column == "key" { Ok(()) } else { known(table, column).map(drop) }
    })
}

fn identifier(text: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.is_empty() || text.len() > 60 || !text.chars().all(allowed) {
        return Err(format!("`{text}` is no name: use 1 to 60 of `a`-`z`, `0`-`9` and `_`"));
    }
    Ok(())
}

fn known(table: &'static Table, column: &str) -> Result<&'static Column, String> {
    table
        .column(column)
        .ok_or_else(|| format!("table `{}` declares no column `{column}`", table.name))
}

fn integer(table: &'static Table, column: &str) -> Result<&'static Column, String> {
    match known(table, column)? {
        column if column.kind == ColumnType::Integer => Ok(column),
        column => Err(format!("`{}.{}` holds no integers", table.name, column.name)),
    }
}

fn fits(column: &Column, value: &Value, table: &str) -> Result<(), String> {
    match (column.kind, value) {
        (_, Value::Null)
        | (ColumnType::Integer, Value::Integer(_))
        | (ColumnType::Text, Value::Text(_))
        | (ColumnType::Blob, Value::Blob(_)) => Ok(()),
        (kind, _) => Err(format!("`{table}.{}` holds {kind:?} and nothing else", column.name)),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}

fn name(what: &str, bytes: usize) -> Result<(), String> {
    at_most(what, bytes, NAME_BYTES, "bytes")
}

fn at_most(what: &str, count: usize, limit: usize, unit: &str) -> Result<(), String> {
    if count > limit {
        return Err(format!("{what} has {count} {unit}, and the limit is {limit}"));
    }
    Ok(())
}
