//! Read models declared once for every backend: a table, its rows, and queries as data.
//!
//! Rows and queries are data, so that one declaration serves SQLite, PostgreSQL and memory alike. Every table has a text key and,
//! maintained by the store, a `version` that counts the changes of each row.

use bytes::Bytes;

/// A table. Declare it as a `static`; the store creates it and adds missing columns.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Table {
    /// Lower-case letters, digits and `_`.
    pub name: &'static str,
    /// Its columns beside `key` and `version`.
    pub columns: &'static [Column],
    /// Columns that queries filter or order by, each list one index.
    pub indexes: &'static [&'static [&'static str]],
}

/// A column. Every column may be null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Lower-case letters, digits and `_`.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnType,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// A signed 64-bit integer: amounts, counts, times in microseconds, flags.
    Integer,
    /// Text, compared byte by byte.
    Text,
    /// Bytes.
    Blob,
}

/// What one cell holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Nothing. Sorts first; equal to nothing in a filter but itself.
    Null,
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Bytes),
}

/// A change of a row. Each raises the row's version by one.
#[derive(Clone, Debug, PartialEq)]
pub enum RowOp {
    /// Sets these columns; creates the row if absent; other columns keep their values.
    Put {
        /// The table.
        table: &'static Table,
        /// The row's key.
        key: String,
        /// Columns and their new values.
        values: Vec<(&'static str, Value)>,
    },
    /// Deletes the row if it exists.
    Delete {
        /// The table.
        table: &'static Table,
        /// The row's key.
        key: String,
    },
    /// Adds to an integer column; an absent row or null counts as 0.
    Add {
        /// The table.
        table: &'static Table,
        /// The row's key.
        key: String,
        /// The column.
        column: &'static str,
        /// What is added.
        delta: i64,
    },
}

/// A row as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The table it is from.
    pub table: &'static Table,
    /// Its key.
    pub key: String,
    /// How many times it was changed; 1 when just created.
    pub version: u64,
    /// Its cells in the order of the table's columns.
    pub values: Vec<Value>,
}

/// A query of one table. Ordered by the columns given, ties by key, so that pages are stable.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// The table.
    pub table: &'static Table,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// A column, and whether it descends; ties are ordered by key in the same direction.
    pub order: Option<(&'static str, bool)>,
    /// Where the last page ended: the value of the order column (if any) and the key.
    pub after: Option<(Value, String)>,
    /// At most this many rows. Default 100, limit 1 000.
    pub limit: usize,
}

/// A filter on one column; `key` is a column too.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The column.
    pub column: &'static str,
    /// How it is compared.
    pub compare: Compare,
    /// With what.
    pub value: Value,
}

/// How a column is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Is,
    /// Not equal.
    Not,
    /// Less.
    Below,
    /// Greater or equal.
    AtLeast,
}

/// The most rows that one [`Select`] returns.
pub const SELECT_LIMIT: usize = 1_000;

// === impl Table ===

impl Table {
    /// The place of a column in [`Row::values`].
    pub fn index_of(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.name == column)
    }

    /// The declared column of this name.
    pub fn column(&self, column: &str) -> Option<&'static Column> {
        self.columns.iter().find(|candidate| candidate.name == column)
    }
}

// === impl Column ===

impl Column {
    /// A column of integers.
    pub const fn integer(name: &'static str) -> Self {
        Self { name, kind: ColumnType::Integer }
    }

    /// A column of texts.
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: ColumnType::Text }
    }

    /// A column of bytes.
    pub const fn blob(name: &'static str) -> Self {
        Self { name, kind: ColumnType::Blob }
    }
}

// === impl RowOp ===

impl RowOp {
    /// [`RowOp::Put`], with column names resolved against the table.
    ///
    /// # Panics
    /// When a column is not declared: a mistake in the program, not in its input.
    pub fn put<'a>(
        table: &'static Table,
        key: impl Into<String>,
        values: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Self {
        let values = values.into_iter().map(|(name, value)| match table.column(name) {
            Some(column) => (column.name, value),
            None => panic!("table `{}` declares no column `{name}`", table.name),
        });
        Self::Put { table, key: key.into(), values: values.collect() }
    }

    /// The table that is changed.
    pub const fn table(&self) -> &'static Table {
        match self {
            Self::Put { table, .. } | Self::Delete { table, .. } | Self::Add { table, .. } => table,
        }
    }

    /// The key of the row that is changed.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } | Self::Add { key, .. } => key,
        }
    }
}

// === impl Row ===

impl Row {
    /// A cell; `Null` when the table has no such column.
    pub fn get(&self, column: &str) -> &Value {
        self.table.index_of(column).and_then(|index| self.values.get(index)).unwrap_or(&Value::Null)
    }

    /// An integer cell; 0 when it is null.
    pub fn integer(&self, column: &str) -> i64 {
        match self.get(column) {
            Value::Integer(number) => *number,
            _ => 0,
        }
    }

    /// A text cell; empty when it is null.
    pub fn text(&self, column: &str) -> &str {
        match self.get(column) {
            Value::Text(text) => text,
            _ => "",
        }
    }
}

// === impl Select ===

impl Select {
    /// All rows of a table, by key.
    pub fn all(table: &'static Table) -> Self {
        Self { table, filters: Vec::new(), order: None, after: None, limit: 100 }
    }

    /// One more filter.
    #[must_use]
    pub fn filter(
        mut self,
        column: &'static str,
        compare: Compare,
        value: impl Into<Value>,
    ) -> Self {
        self.filters.push(Filter { column, compare, value: value.into() });
        self
    }

    /// Only rows whose column is this.
    #[must_use]
    pub fn only(self, column: &'static str, value: impl Into<Value>) -> Self {
        self.filter(column, Compare::Is, value)
    }

    /// Ordered by a column, smallest first.
    #[must_use]
    pub fn ascending(mut self, column: &'static str) -> Self {
        self.order = Some((column, false));
        self
    }

    /// Ordered by a column, largest first.
    #[must_use]
    pub fn descending(mut self, column: &'static str) -> Self {
        self.order = Some((column, true));
        self
    }

    /// The page after a row of this value (of the order column; ignored without one) and key.
    #[must_use]
    pub fn after(mut self, value: impl Into<Value>, key: impl Into<String>) -> Self {
        self.after = Some((value.into(), key.into()));
        self
    }

    /// At most this many rows, clamped to [`SELECT_LIMIT`].
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.min(SELECT_LIMIT);
        self
    }
}

// === impl Value ===

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Integer(flag.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes.into())
    }
}

impl From<switchboard_core::Timestamp> for Value {
    fn from(time: switchboard_core::Timestamp) -> Self {
        Self::Integer(time.as_micros())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
