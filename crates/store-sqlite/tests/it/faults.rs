//! Full disks, failed syncs, busy readers: what is answered, and what is left.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use switchboard_core::{ManualClock, Position, Rng};
use switchboard_store::{CommitError, Journal, NewEvent, Unit};
use switchboard_store_sqlite::{Options, SqliteStore};
use switchboard_testkit::vfs::FaultyDisk;

fn open(path: &Path, disk: &FaultyDisk) -> SqliteStore {
    let clock = Arc::new(ManualClock::default());
    let options = Options::new(path, "suite", clock, Rng::from_seed(1))
        .with_wal_bytes(256 << 10)
        .with_vfs(disk.name());
    SqliteStore::open(options).unwrap()
}

fn event(stream: &str, bytes: usize) -> Unit {
    let mut unit = Unit::new();
    unit.events.push(NewEvent {
        stream: stream.into(),
        kind: "Filled".into(),
        schema: 1,
        tags: Vec::new(),
        data: Bytes::from(vec![b'x'; bytes]),
    });
    unit
}

async fn count(store: &SqliteStore) -> usize {
    store.events(Position::START, 10_000).await.unwrap().len()
}

#[tokio::test]
async fn a_full_disk_refuses_units_loses_none_and_works_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::register(1);
    let path = folder.path().join("a.db");
    let store = open(&path, &disk);
    // Room for 28 to 56 units: a checkpoint takes room as well, and runs when it runs.
    disk.fill_after(Some(600_000));
    let (mut kept, mut refused) = (0, 0);
    for n in 0..100 {
        match store.commit(event(&format!("s-{n}"), 10_000)).await {
            Ok(_) => kept += 1,
            Err(CommitError::Unavailable(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(kept > 10 && refused > 10, "{kept} kept, {refused} refused");
    assert_eq!(count(&store).await, kept, "what was refused has not happened");
    disk.fill_after(None);
    assert!(store.can_write().await, "a small unit was tried");
    let next = store.commit(event("after", 10)).await.unwrap();
    assert_eq!(next.position.0 as usize, kept + 1, "no position was taken");
    drop(store);
    disk.crash();
    disk.settle().unwrap();
    assert_eq!(count(&open(&path, &disk)).await, kept + 1);
}

/// A sync that has failed is never tried again: the next one would succeed and prove nothing.
#[tokio::test]
async fn after_a_failed_sync_nothing_is_taken_until_the_store_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::register(2);
    let path = folder.path().join("a.db");
    let store = open(&path, &disk);
    store.commit(event("a", 10)).await.unwrap();
    disk.fail_sync_after(0);
    let failed = store.commit(event("b", 10)).await;
    assert!(matches!(failed, Err(CommitError::Unknown(_))), "{failed:?}");
    assert!(!store.can_write().await);
    let syncs = disk.syncs();
    for _ in 0..3 {
        let refused = store.commit(event("c", 10)).await;
        assert!(matches!(refused, Err(CommitError::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(disk.syncs(), syncs, "and nothing is synced meanwhile");
    disk.crash();
    drop(store);
    disk.settle().unwrap();
    let store = open(&path, &disk);
    let streams: Vec<String> = store
        .events(Position::START, 10)
        .await
        .unwrap()
        .iter()
        .map(|event| event.stream.to_string())
        .collect();
    assert_eq!(streams[0], "a");
    assert!(!streams.contains(&"c".to_owned()), "{streams:?}");
    store.commit(event("d", 10)).await.unwrap();
}

/// The units that share a transaction with the one that cannot be synced are told the same.
#[tokio::test]
async fn everything_in_a_failed_commit_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::register(3);
    let store = open(&folder.path().join("a.db"), &disk);
    disk.fail_sync_after(0);
    let units = (0..20).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(event(&format!("s-{n}"), 10)).await })
    });
    let mut unknown = 0;
    for task in units.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Err(CommitError::Unknown(_)) => unknown += 1,
            Err(CommitError::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(unknown >= 1);
    disk.crash();
}

/// Checkpoints keep up with a busy writer, and the file is used again from its beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_file_does_not_grow_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::register(4);
    let path = folder.path().join("a.db");
    let store = open(&path, &disk);
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..200 {
                store.commit(event(&format!("s-{writer}"), 4_000)).await.unwrap();
            }
        })
    });
    for task in writers.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let length = std::fs::metadata(folder.path().join("a.db-wal")).unwrap().len();
    assert!(length < 4 << 20, "over 6 MiB were written, and it has {length} bytes");
    assert_eq!(count(&store).await, 1_600);
}

/// Whoever waits when the store closes is answered, and what was answered is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_was_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::register(5);
    let path = folder.path().join("a.db");
    let store = open(&path, &disk);
    let units = (0..100).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(event(&format!("s-{n}"), 10)).await })
    });
    let tasks: Vec<_> = units.collect();
    drop(store);
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(count(&open(&path, &disk)).await, 100);
}

/// One wake-up answers a whole batch; that must not make anybody wait for a runtime that stands
/// still, nor for a future that was dropped.
#[test]
fn nobody_waits_for_somebody_elses_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::register(6);
    let store = open(&folder.path().join("a.db"), &disk);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (still, lively) = (runtime(), runtime());
    for round in 0..50 {
        let (first, dropped) = (store.clone(), store.clone());
        let waits = still.spawn(async move { first.commit(event("still", 10)).await });
        let goes = still.spawn(async move { dropped.commit(event("dropped", 10)).await });
        // Both are handed over, and the runtime stands still.
        still.block_on(tokio::task::yield_now());
        goes.abort();
        let answers = lively.block_on(async {
            let tasks: Vec<_> = (0..8)
                .map(|n| {
                    let store = store.clone();
                    tokio::spawn(async move { store.commit(event(&format!("s-{n}"), 10)).await })
                })
                .collect();
            let mut answers = 0;
            for task in tasks {
                let soon = std::time::Duration::from_secs(20);
                tokio::time::timeout(soon, task).await.unwrap().unwrap().unwrap();
                answers += 1;
            }
            answers
        });
        assert_eq!(answers, 8, "round {round}");
        still.block_on(waits).unwrap().unwrap();
    }
}
