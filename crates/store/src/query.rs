//! What a filter and an order mean, for backends that have no SQL, and as the measure of those
//! that do.
//!
//! Null is equal to null and different from everything else; it is neither below nor at least
//! anything. When rows are ordered it comes first (last when descending).

use std::cmp::Ordering;

use crate::{Compare, Filter, Row, Select, Value};

/// Whether a row passes all filters and lies after the last page.
pub fn matches(select: &Select, row: &Row) -> bool {
    select.filters.iter().all(|filter| passes(filter, row)) && is_after(select, row)
}

/// The order of two rows in the answer.
pub fn compare(select: &Select, a: &Row, b: &Row) -> Ordering {
    match select.order {
        None => a.key.cmp(&b.key),
        Some((column, descending)) => {
            let ordering = a.get(column).cmp(b.get(column)).then_with(|| a.key.cmp(&b.key));
            if descending { ordering.reverse() } else { ordering }
        }
    }
}

fn passes(filter: &Filter, row: &Row) -> bool {
    let text;
    let cell = if filter.column == "key" {
        text = Value::Text(row.key.clone());
        &text
    } else {
        row.get(filter.column)
    };
    let comparable = *cell != Value::Null && filter.value != Value::Null;
    match filter.compare {
        Compare::Is => *cell == filter.value,
        Compare::Not => *cell != filter.value,
        Compare::Below => comparable && *cell < filter.value,
        Compare::AtLeast => comparable && *cell >= filter.value,
    }
}

fn is_after(select: &Select, row: &Row) -> bool {
    match (&select.after, select.order) {
        (None, _) => true,
        (Some((_, key)), None) => row.key > *key,
        (Some((value, key)), Some((column, descending))) => {
            let ordering = row.get(column).cmp(value).then_with(|| row.key.cmp(key));
            ordering == if descending { Ordering::Less } else { Ordering::Greater }
        }
    }
}
