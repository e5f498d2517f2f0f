//! A query of rows as SQL text, for the backends that speak it: one text, so that they cannot come to mean different things.
//!
//! What filters and orders mean is written in [`query`](crate::query); nulls come first, and last in
//! a descending order. A backend brings its [`Dialect`] and binds the values in their order; a null
//! is never bound, but written into the text, where it has a meaning of its own.

use std::fmt::Write;

use crate::{Compare, Filter, Select, Table, Value};

/// What differs between the texts.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Stands before the number of a parameter: `?1` or `$1`.
    pub parameter: char,
    /// Stands before the name of a table.
    pub table: &'static str,
}

/// A descending page that begins below a value is read in two parts, each of them along an index:
/// the cells below the value, then the nulls, which come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but those nulls.
    First,
    /// The nulls behind it, if [`has_nulls_behind`] says so.
    Nulls,
}

/// Whether the page has a second part.
pub fn has_nulls_behind(select: &Select) -> bool {
    let is_descending = matches!(select.order, Some((_, true)));
    is_descending && select.after.as_ref().is_some_and(|(value, _)| *value != Value::Null)
}

// === impl Dialect ===

impl Dialect {
    /// One row by its key, the only parameter.
    pub fn row(self, table: &'static Table) -> String {
        format!("{} WHERE key = {}1", self.columns(table), self.parameter)
    }

    /// One part of a page, with the values of its parameters.
    pub fn page(self, select: &Select, part: Part) -> (String, Vec<Value>) {
        let mut sql = self.columns(select.table);
        let mut values = Vec::new();
        sql.push_str(" WHERE true");
        for filter in &select.filters {
            self.narrow(filter, &mut sql, &mut values);
        }
        self.after(select, part, &mut sql, &mut values);
        let order = match select.order {
            Some((column, false)) => format!("\"{column}\" NULLS FIRST, key"),
            Some((column, true)) => format!("\"{column}\" DESC NULLS LAST, key DESC"),
            None => "key".to_owned(),
        };
        values.push(Value::Integer(i64::try_from(select.limit).unwrap_or(i64::MAX)));
        // Writing to a text cannot fail.
        let _ = write!(sql, " ORDER BY {order} LIMIT {}{}", self.parameter, values.len());
        (sql, values)
    }

    fn columns(self, table: &'static Table) -> String {
        let columns: String =
            table.columns.iter().map(|column| format!(", \"{}\"", column.name)).collect();
        format!("SELECT key, version{columns} FROM {}\"{}\"", self.table, table.name)
    }

    fn narrow(self, filter: &Filter, sql: &mut String, values: &mut Vec<Value>) {
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
        let _ = write!(sql, " AND \"{column}\" {compare} {}{}", self.parameter, values.len());
    }

    /// Where the page begins. Each form bounds the column itself, so that an index can be used.
    fn after(self, select: &Select, part: Part, sql: &mut String, values: &mut Vec<Value>) {
        let Some((value, key)) = &select.after else { return };
        let number = |values: &mut Vec<Value>, value: Value| {
            values.push(value);
            format!("{}{}", self.parameter, values.len())
        };
        let Some((column, descending)) = select.order else {
            let k = number(values, Value::Text(key.clone()));
            let _ = write!(sql, " AND key > {k}");
            return;
        };
        let c = format!("\"{column}\"");
        if part == Part::Nulls {
            let _ = write!(sql, " AND {c} IS NULL");
            return;
        }
        let k = number(values, Value::Text(key.clone()));
        let _ = match (value, descending) {
            (Value::Null, false) => write!(sql, " AND ({c} IS NOT NULL OR key > {k})"),
            (Value::Null, true) => write!(sql, " AND {c} IS NULL AND key < {k}"),
            (value, descending) => {
                let v = number(values, value.clone());
                let side = if descending { '<' } else { '>' };
                write!(sql, " AND {c} {side}= {v} AND ({c} {side} {v} OR key {side} {k})")
            }
        };
    }
}
