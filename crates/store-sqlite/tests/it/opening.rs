//! What keeps a store from opening, and what opening changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use switchboard_core::{ManualClock, Rng};
use switchboard_store::{Column, Journal, Rows, Select, Table, Unit, Value};
use switchboard_store_sqlite::{OpenError, Options, SqliteStore};

static V1: Table = Table { name: "things", columns: &[Column::integer("a")], indexes: &[&["a"]] };
static V2: Table = Table {
    name: "things",
    columns: &[Column::integer("a"), Column::text("b")],
    indexes: &[&["a"], &["b", "a"]],
};
static CHANGED: Table = Table { name: "things", columns: &[Column::text("a")], indexes: &[] };

fn options(path: &Path) -> Options {
    let clock = Arc::new(ManualClock::default());
    Options::new(path, "suite", clock, Rng::from_seed(1)).with_wal_bytes(256 << 10)
}

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(options(path))
}

fn refused(path: &Path) -> OpenError {
    open(path).expect_err("it opens")
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/a.db");
    let store = open(&path).unwrap();
    let handle = store.clone();
    drop(store);
    let error = refused(&path);
    assert!(
        matches!(&error, OpenError::Locked { by, .. } if *by == std::process::id().to_string())
    );
    assert!(error.to_string().contains("stop it first"), "{error}");
    drop(handle);
    open(&path).unwrap();
}

#[test]
fn the_store_of_another_service_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(open(&path).unwrap());
    let clock = Arc::new(ManualClock::default());
    let other = SqliteStore::open(Options::new(&path, "other", clock, Rng::from_seed(1)));
    assert!(matches!(other, Err(OpenError::OtherSource { found, .. }) if found == "suite"));
    open(&path).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(refused(&path), OpenError::NewerFormat { found: 99, .. }));
}

#[test]
fn the_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    assert!(matches!(refused(&path), OpenError::NotAStore { .. }));
    let tables = "SELECT group_concat(name) FROM sqlite_schema";
    let tables: String =
        Connection::open(&path).unwrap().query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(tables, "mine");
}

#[test]
fn a_damaged_file_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    fs::write(&path, "this is no database, and longer than a header has to be ".repeat(40))
        .unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("backup"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let below = refused(&file.join("a.db"));
    assert!(matches!(below, OpenError::NotWritable { .. }), "{below:?}");
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write anywhere.
    if fs::write(closed.join("probe"), "x").is_err() {
        let error = refused(&closed.join("a.db"));
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn missing_columns_and_indexes_are_added_and_rows_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = SqliteStore::open(options(&path).with_tables(&[&V1])).unwrap();
    store.commit(Unit::new().put(&V1, "x", [("a", Value::from(7))])).await.unwrap();
    drop(store);
    let store = SqliteStore::open(options(&path).with_tables(&[&V2])).unwrap();
    store.commit(Unit::new().put(&V2, "y", [("b", Value::from("new"))])).await.unwrap();
    let rows = store.select(Select::all(&V2).ascending("b")).await.unwrap();
    let cells: Vec<_> =
        rows.iter().map(|row| (&*row.key, row.integer("a"), row.text("b"))).collect();
    assert_eq!(cells, [("x", 7, ""), ("y", 0, "new")]);
    assert!(store.select(Select::all(&V1)).await.is_err(), "the old declaration is not declared");
}

#[test]
fn a_column_of_another_type_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(SqliteStore::open(options(&path).with_tables(&[&V1])).unwrap());
    let error = SqliteStore::open(options(&path).with_tables(&[&CHANGED])).expect_err("it opens");
    assert!(matches!(error, OpenError::Table(_)), "{error:?}");
    assert!(error.to_string().contains("`a` is INTEGER"), "{error}");
}

#[test]
fn names_that_are_the_stores_own_are_refused() {
    static OWN: Table = Table { name: "sb_events", columns: &[], indexes: &[] };
    static KEY: Table = Table { name: "things", columns: &[Column::text("key")], indexes: &[] };
    static INJECTED: Table = Table { name: "a\" (x); --", columns: &[], indexes: &[] };
    let folder = tempfile::tempdir().unwrap();
    for table in [&OWN, &KEY, &INJECTED] {
        let path = folder.path().join("a.db");
        let error = SqliteStore::open(options(&path).with_tables(&[table])).expect_err("it opens");
        assert!(matches!(error, OpenError::Table(_)), "{error:?}");
    }
}

#[tokio::test]
async fn closing_leaves_a_database_that_is_complete_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let wal = folder.path().join("a.db-wal");
    let store = SqliteStore::open(options(&path).with_tables(&[&V1])).unwrap();
    store.commit(Unit::new().put(&V1, "x", [("a", Value::from(7))])).await.unwrap();
    let grown = fs::metadata(&wal).unwrap().len();
    assert!(grown >= 256 << 10, "{grown}");
    drop(store);
    assert_eq!(fs::metadata(&wal).unwrap().len(), grown, "and the file beside it stays as grown");
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let store = SqliteStore::open(options(&copy).with_tables(&[&V1])).unwrap();
    assert_eq!(store.row(&V1, "x").await.unwrap().unwrap().integer("a"), 7);
}
