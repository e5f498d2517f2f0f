//! The table of promises: which backend keeps which, written and compared by the suites themselves.
//!
//! `CAPABILITIES.md` has a row for each promise of a suite and a column for each backend. A test of
//! a suite fails when its cell says something else; with [`WRITE`] set, it writes the cell instead.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use parking_lot::Mutex;

/// Set to anything, tests write the table instead of comparing themselves with it.
const WRITE: &str = "SWITCHBOARD_WRITE_CAPABILITIES";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/CAPABILITIES.md");
const KEPT: &str = "yes";
/// A cell that no suite has written.
const NOTHING: &str = "nothing";

/// The suites, in the order of the file, with what their backends are called there.
const SECTIONS: [(&str, &[&str]); 3] = [
    ("Topics", &["the broker in memory", "the embedded broker", "Kafka", "RabbitMQ"]),
    ("Queues", &["the broker in memory", "the embedded broker", "RabbitMQ"]),
    ("Stores", &["memory", "SQLite", "PostgreSQL"]),
];

const PREFACE: &str = "\
# What each backend keeps

Every row is a test of a conformance suite, run on every backend by `cargo xtask test`; a cell names
what a backend lacks where a promise rests on that. The suites write this file
(`SWITCHBOARD_WRITE_CAPABILITIES=1 cargo xtask test`) and fail when it says something else.
";

/// Cells by section, promise and backend.
type Cells = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

/// Compares a promise with its cell. It was kept, unless the backend lacks what it rests on.
///
/// # Panics
/// When the cell says something else.
pub(crate) fn compare(section: &str, promise: &str, backend: &str, lacks: Option<&str>) {
    let found = lacks.map_or_else(|| KEPT.to_owned(), |lacks| format!("no {lacks}"));
    if std::env::var_os(WRITE).is_some() {
        return write(section, promise, backend, found);
    }
    let text = fs::read_to_string(FILE).unwrap_or_default();
    let cells = parse(&text);
    let row = cells.get(section).and_then(|rows| rows.get(promise));
    let cell = row.and_then(|row| row.get(backend)).map_or(NOTHING, |cell| cell);
    assert_eq!(
        found, cell,
        "`{promise}` on {backend}: set {WRITE} and run the suite to write the table anew"
    );
}

/// Tests of one program run at once; programs run one after another.
fn write(section: &str, promise: &str, backend: &str, cell: String) {
    static FILE_IN_USE: Mutex<()> = Mutex::new(());
    let _in_use = FILE_IN_USE.lock();
    let mut cells = parse(&fs::read_to_string(FILE).unwrap_or_default());
    let rows = cells.entry(section.to_owned()).or_default();
    rows.entry(promise.to_owned()).or_default().insert(backend.to_owned(), cell);
    let replaced = Path::new(FILE).with_extension("md.new");
    fs::write(&replaced, render(&cells)).expect("the table can be written");
    fs::rename(replaced, FILE).expect("the table can be replaced");
}

fn parse(text: &str) -> Cells {
    let mut cells = Cells::new();
    let (mut section, mut backends) = ("", Vec::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            (section, backends) = (title, Vec::new());
        } else if let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) {
            let mut row = row.split(" | ");
            let promise = row.next().unwrap_or_default().trim_matches('`');
            if backends.is_empty() {
                backends = row.collect();
                continue;
            }
            let known = cells.entry(section.to_owned()).or_default();
            let known = known.entry(promise.to_owned()).or_default();
            known.extend(
                backends.iter().zip(row).map(|(b, cell)| ((*b).to_owned(), cell.to_owned())),
            );
        }
    }
    cells
}

/// Without what no suite promises any more.
fn render(cells: &Cells) -> String {
    let mut text = PREFACE.to_owned();
    for (section, backends) in SECTIONS {
        let _ = write!(text, "\n## {section}\n\n| promise | {} |\n", backends.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(backends.len()));
        let promises = promises(section);
        let is_made = |promise: &str| promises.is_none_or(|all| all.contains(&promise));
        for (promise, row) in cells.get(section).into_iter().flatten() {
            if is_made(promise) {
                let cell = |backend: &&str| row.get(*backend).map_or(NOTHING, |cell| cell);
                let row: Vec<&str> = backends.iter().map(cell).collect();
                let _ = writeln!(text, "| `{promise}` | {} |", row.join(" | "));
            }
        }
    }
    text
}

/// Every promise of a suite; `None` when this build leaves the suite out.
fn promises(section: &str) -> Option<&'static [&'static str]> {
    match section {
        #[cfg(feature = "message")]
        "Topics" => Some(topics::PROMISES),
        #[cfg(feature = "message")]
        "Queues" => Some(queues::PROMISES),
        #[cfg(feature = "store")]
        "Stores" => Some(stores::PROMISES),
        _ => None,
    }
}

#[cfg(feature = "message")]
mod topics {
    crate::__message_tests!(crate::__names, ());
}

#[cfg(feature = "message")]
mod queues {
    crate::__queue_tests!(crate::__names, ());
}

#[cfg(feature = "store")]
mod stores {
    crate::__store_tests!(crate::__names, ());
}

/// The names of a suite's promises.
#[doc(hidden)]
#[macro_export]
macro_rules! __names {
    ($with:expr; $($part:ident::$test:ident)*) => {
        pub(super) const PROMISES: &[&str] =
            &[$(concat!(stringify!($part), "::", stringify!($test)),)*];
    };
    ($with:expr; $($part:ident: [$($test:ident,)*],)*) => {
        pub(super) const PROMISES: &[&str] =
            &[$($(concat!(stringify!($part), "::", stringify!($test)),)*)*];
    };
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_promise_of_every_backend_and_no_other() {
        let text = fs::read_to_string(FILE).unwrap();
        let cells = parse(&text);
        assert_eq!(render(&cells), text, "written by the suites, not by hand");
        assert!(!text.contains(&format!("| {NOTHING} ")), "a cell was never written");
        for (section, _) in SECTIONS {
            for promise in promises(section).into_iter().flatten().copied() {
                assert!(cells[section].contains_key(promise), "{section}: `{promise}` has no row");
            }
        }
    }
}
