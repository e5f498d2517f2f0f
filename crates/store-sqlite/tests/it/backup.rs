//! Copies of a store that goes on: as of one moment, whole, and comparable with what came later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rusqlite::Connection;
use switchboard_core::{Key, ManualClock, Position, Rng};
use switchboard_store::{
    Column, CommitError, Journal, NewEvent, NewMessage, Outbox, Rows, Table, Unit, Value,
};
use switchboard_store_sqlite::backup::CopyError;
use switchboard_store_sqlite::compare::{CompareError, compare};
use switchboard_store_sqlite::{Options, SqliteStore};

static SUMS: Table = Table { name: "sums", columns: &[Column::integer("sum")], indexes: &[] };

fn open(path: &std::path::Path, source: &str) -> SqliteStore {
    let clock = Arc::new(ManualClock::default());
    let options = Options::new(path, source, clock, Rng::from_seed(1))
        .with_tables(&[&SUMS])
        .with_wal_bytes(256 << 10);
    SqliteStore::open(options).unwrap()
}

/// Two sums that are equal in every commit, an event and a message.
fn unit(stream: &str) -> Unit {
    let mut unit = Unit::new()
        .add(&SUMS, "left", "sum", 1)
        .add(&SUMS, "right", "sum", 1)
        .send(message(Bytes::from_static(b"{}")));
    unit.events.push(NewEvent {
        stream: stream.into(),
        kind: "counted".into(),
        schema: 1,
        tags: Vec::new(),
        data: Bytes::from_static(b"{}"),
    });
    unit
}

fn message(payload: Bytes) -> NewMessage {
    NewMessage {
        topic: "topic".into(),
        kind: "kind".into(),
        version: 1,
        key: Some(Key::from("key")),
        payload,
        context: None,
        headers: BTreeMap::new(),
    }
}

async fn sum(store: &SqliteStore, key: &str) -> i64 {
    store.row(&SUMS, key).await.unwrap().map_or(0, |row| row.integer("sum"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_under_load_is_of_one_moment_and_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("a.db"), "suite");
    store.commit(unit("first")).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let (store, stop) = (store.clone(), stop.clone());
            tokio::spawn(async move {
                let mut committed = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    store.commit(unit(&format!("s{number}"))).await?;
                    committed += 1;
                }
                Ok::<_, CommitError>(committed)
            })
        })
        .collect();
    let mut last = Position::START;
    for number in 0..5 {
        let path = folder.path().join(format!("copy-{number}.db"));
        let (copying, target) = (store.clone(), path.clone());
        let (position, during) = tokio::task::spawn_blocking(move || {
            let snapshot = copying.snapshot().unwrap();
            let before = *copying.watch().borrow();
            snapshot.copy_to(&target, &mut |_| true).unwrap();
            (snapshot.position(), (before, *copying.watch().borrow()))
        })
        .await
        .unwrap();
        assert!(during.0 <= during.1 && position >= last, "{position:?} after {last:?}");
        last = position;
        let copy = open(&path, "suite");
        let (left, right) = (sum(&copy, "left").await, sum(&copy, "right").await);
        assert_eq!(left, right);
        assert_eq!(*copy.watch().borrow(), position);
        assert_eq!(position.0, 2 * u64::try_from(left).unwrap(), "an event and a message each");
        assert_eq!(copy.identity(), store.identity());
        let sequences: u64 = copy.sequences().await.unwrap().iter().map(|it| it.last).sum();
        assert_eq!(sequences, u64::try_from(left).unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let mut committed = 1;
    for writer in writers {
        committed += writer.await.unwrap().unwrap();
    }
    assert_eq!(sum(&store, "left").await, i64::try_from(committed).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_during_a_pause_and_everything_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("a.db"), "suite");
    store.commit(unit("s")).await.unwrap();
    let pausing = store.clone();
    let (paused, is_paused) = tokio::sync::oneshot::channel();
    let (go_on, wait) = std::sync::mpsc::channel();
    let pause = std::thread::spawn(move || {
        let pause = pausing.pause();
        paused.send(()).unwrap();
        wait.recv().unwrap();
        let snapshot = pausing.snapshot().unwrap();
        drop(pause);
        snapshot.position()
    });
    is_paused.await.unwrap();
    let committing = tokio::spawn({
        let store = store.clone();
        async move { store.commit(unit("s")).await }
    });
    // The commit cannot pass the pause, however long the writer is given.
    while store.watch().borrow().0 < 2 {
        tokio::task::yield_now().await;
    }
    assert!(!committing.is_finished());
    go_on.send(()).unwrap();
    assert_eq!(pause.join().unwrap(), Position(2));
    assert_eq!(committing.await.unwrap().unwrap().position, Position(4));
}

#[tokio::test]
async fn a_copy_that_nobody_wants_any_more_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("a.db"), "suite");
    let blob = message(vec![b'x'; 1 << 20].into());
    for _ in 0..10 {
        store.commit(Unit::new().send(blob.clone())).await.unwrap();
    }
    let mut asked = 0;
    let given_up = store.snapshot().unwrap().copy_to(&folder.path().join("b.db"), &mut |_| {
        asked += 1;
        false
    });
    assert!(matches!(given_up, Err(CopyError::GivenUp)), "{given_up:?}");
    assert_eq!(asked, 1);
    store.commit(unit("s")).await.unwrap();
}

#[tokio::test]
async fn the_difference_names_what_the_older_copy_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let (newer, older) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let store = open(&newer, "suite");
    let put = |key: &str| Unit::new().put(&SUMS, key, [("sum", Value::from(1))]);
    for key in ["same", "changed", "deleted"] {
        store.commit(put(key)).await.unwrap();
    }
    store.commit(unit("old")).await.unwrap();
    store.snapshot().unwrap().copy_to(&older, &mut |_| true).unwrap();
    store.commit(put("changed")).await.unwrap();
    store.commit(put("new")).await.unwrap();
    store.commit(Unit::new().delete(&SUMS, "deleted")).await.unwrap();
    store.commit(unit("old")).await.unwrap();
    store.commit(unit("young")).await.unwrap();
    drop(store);
    let difference = compare(&newer, &older).unwrap();
    assert_eq!(difference.events["counted"], 2);
    assert_eq!(difference.streams, ["old", "young"]);
    // `left` and `right` have changed with the two last units.
    assert_eq!((difference.rows["sums"].changed, difference.rows["sums"].deleted), (4, 1));
    assert!(compare(&older, &older).unwrap().is_empty());

    let stranger = folder.path().join("c.db");
    drop(open(&stranger, "other"));
    assert!(matches!(compare(&stranger, &older), Err(CompareError::Strangers { .. })));
    let text = folder.path().join("text");
    std::fs::write(&text, "no database").unwrap();
    assert!(matches!(compare(&newer, &text), Err(CompareError::Unreadable { .. })));
}

#[tokio::test]
async fn a_damaged_store_gives_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path, "suite");
    for number in 0..200 {
        store.commit(unit(&format!("stream-{number}"))).await.unwrap();
    }
    drop(store);
    let connection = Connection::open(&path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let root: u64 = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'sb_messages'", [], |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })
        .unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = usize::try_from((root - 1) * 4_096).unwrap();
    bytes[at..at + 4_096].fill(0xAB);
    std::fs::write(&path, bytes).unwrap();
    let Ok(store) = SqliteStore::open(Options::new(
        &path,
        "suite",
        Arc::new(ManualClock::default()),
        Rng::from_seed(1),
    )) else {
        return; // Refused even earlier.
    };
    let copied =
        store.snapshot().and_then(|it| it.copy_to(&folder.path().join("b.db"), &mut |_| true));
    assert!(matches!(copied, Err(CopyError::Damaged(_) | CopyError::Store(_))), "{copied:?}");
}
