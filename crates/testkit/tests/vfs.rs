//! The disk under SQLite does what it says: keeps what was synced, and catches whoever answers before the sync.
#![cfg(feature = "vfs")]
#![allow(clippy::unwrap_used, reason = "a test ends where its disk is not as it must be")]

use rusqlite::{Connection, OpenFlags};
use switchboard_testkit::vfs::FaultyDisk;

/// Commits rows, cuts the power at some moment, and counts what was acknowledged and is gone.
fn lost(seed: u64, synchronous: &str, cycles: u32) -> u32 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let disk = FaultyDisk::register(seed);
    let open = || {
        let connection =
            Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), disk.name()).unwrap();
        connection
            .execute_batch(&format!(
                "pragma journal_mode = wal; pragma synchronous = {synchronous};
                 pragma wal_autocheckpoint = 20; create table if not exists t(n integer primary key)"
            ))
            .unwrap();
        connection
    };
    drop(open());
    let mut lost = 0;
    let mut next = 0i64;
    for cycle in 0..cycles {
        let connection = open();
        for _ in 0..(cycle % 17) {
            connection.execute("insert into t values (?1)", [next]).unwrap();
            next += 1;
        }
        disk.crash();
        drop(connection);
        disk.settle().unwrap();
        let kept: i64 = open()
            .query_row("select coalesce(max(n) + 1, 0) from t", [], |row| row.get(0))
            .unwrap();
        lost += u32::try_from(next - kept).unwrap();
        next = kept;
    }
    lost
}

#[test]
fn what_was_synced_survives_every_power_cut() {
    assert_eq!(lost(1, "full", 200), 0);
}

#[test]
fn an_answer_before_the_sync_is_caught() {
    assert!(lost(2, "normal", 50) > 0, "synchronous=normal acknowledges before the sync");
}

#[test]
fn a_failed_sync_is_an_error_and_what_it_held_never_reaches_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let disk = FaultyDisk::register(3);
    let open =
        || Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), disk.name()).unwrap();
    let connection = open();
    connection
        .execute_batch("pragma journal_mode = wal; pragma synchronous = full; create table t(n)")
        .unwrap();
    disk.fail_sync_after(0);
    assert!(connection.execute("insert into t values (1)", []).is_err());
    disk.crash();
    drop(connection);
    disk.settle().unwrap();
    let rows: i64 = open().query_row("select count(*) from t", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn a_full_disk_is_an_error_and_works_again_after_it_has_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::register(4);
    let connection = Connection::open_with_flags_and_vfs(
        folder.path().join("a.db"),
        OpenFlags::default(),
        disk.name(),
    )
    .unwrap();
    connection.execute_batch("pragma journal_mode = wal; create table t(x)").unwrap();
    disk.fill_after(Some(10_000));
    let mut refused = 0;
    for _ in 0..10 {
        refused +=
            u32::from(connection.execute("insert into t values (randomblob(5000))", []).is_err());
    }
    assert!(refused > 0);
    disk.fill_after(None);
    connection.execute("insert into t values (1)", []).unwrap();
}
