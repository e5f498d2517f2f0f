//! Output: tables for people, JSON for programs, and a pipe that is closed early is no error.

use std::io::{IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, ContentArrangement, Table};
use serde_json::Value;

/// Prints a line on stdout, at once. Whoever reads may have left, as `| head` does.
pub fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _reader_has_left = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Prints a value as indented JSON.
pub fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// Rows under their names; as wide as the terminal, if there is one.
pub fn table<const N: usize>(
    names: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(names.map(|name| Cell::new(name.to_uppercase())));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// A text field of a JSON object; empty when it is absent.
pub fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An amount as people write it: `129.00 USD`.
pub fn money(value: &Value) -> String {
    let amount = value["amount"].as_i64().unwrap_or_default();
    format!("{} {}", minor(amount), value["currency"].as_str().unwrap_or_default())
}

/// Minor units with two decimals.
pub fn minor(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", amount.unsigned_abs() / 100, amount.unsigned_abs() % 100)
}

/// A time without its date's obvious parts: `12:03:55.120`.
pub fn clock(time: &str) -> String {
    let Some((_, rest)) = time.split_once('T') else { return time.to_owned() };
    let rest = rest.trim_end_matches('Z');
    match rest.split_once('.') {
        Some((seconds, fraction)) => {
            let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
            format!("{seconds}.{millis}")
        }
        None => format!("{rest}.000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_read_well() {
        assert_eq!(minor(12_900), "129.00");
        assert_eq!(minor(-5), "-0.05");
        assert_eq!(clock("2026-01-01T12:03:55.12Z"), "12:03:55.120");
        assert_eq!(clock("2026-01-01T12:03:55Z"), "12:03:55.000");
    }

    #[test]
    fn a_table_has_its_names_above_its_rows() {
        let table = table(["one", "two"], [["a".to_owned(), "b".to_owned()]]);
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[0].contains("ONE") && lines[1].contains('b'), "{table}");
    }
}
