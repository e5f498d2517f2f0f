//! A view follows its store, survives a restart, stops at what it cannot read, and can be built again beside itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_core::{Clock, Event, ManualClock, Position, Retryable, Rng, SystemClock, Verdict};
use switchboard_projection::{Error, Projection};
use switchboard_store::leases::TTL;
use switchboard_store::memory::Fault;
use switchboard_store::{
    Column, Inbox, Journal, MemoryStore, NewMessage, Rows, Sharing, Table, Unit,
};
use tokio_util::sync::CancellationToken;

static COUNTS: Table = Table { name: "counts", columns: &[Column::integer("n")], indexes: &[] };

#[derive(Debug, Serialize, Deserialize)]
enum Fact {
    Good,
    Bad,
}

impl Event for Fact {
    fn kind(&self) -> &'static str {
        match self {
            Self::Good => "Good",
            Self::Bad => "Bad",
        }
    }
}

fn store() -> Arc<MemoryStore> {
    let clock = Arc::new(ManualClock::default());
    Arc::new(MemoryStore::new("facts", &[&COUNTS], clock, Rng::from_seed(1)))
}

async fn happen(store: &MemoryStore, stream: &str, facts: Vec<Fact>) {
    store.commit(Unit::new().append(stream, 0, facts)).await.unwrap();
}

/// Counts by view name, so that several versions can share the table.
fn counting(store: &Arc<MemoryStore>, name: &'static str) -> Projection {
    Projection::new(name, store.clone(), move |event, unit| match &*event.kind {
        "Bad" => Err("cannot count this".into()),
        _ => Ok(unit.add(&COUNTS, name, "n", 1)),
    })
}

async fn count(store: &MemoryStore, name: &str) -> i64 {
    store.row(&COUNTS, name).await.unwrap().map_or(0, |row| row.integer("n"))
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_commit_ended() {
    let store = store();
    happen(&store, "a", vec![Fact::Good, Fact::Good]).await;
    counting(&store, "v1").catch_up().await.unwrap();
    happen(&store, "b", vec![Fact::Good]).await;
    counting(&store, "v1").catch_up().await.unwrap();
    assert_eq!(count(&store, "v1").await, 3);
}

#[tokio::test]
async fn more_events_than_one_batch_are_each_counted_once() {
    let store = store();
    for stream in 0..40 {
        happen(&store, &format!("s{stream}"), (0..25).map(|_| Fact::Good).collect()).await;
    }
    counting(&store, "v1").catch_up().await.unwrap();
    assert_eq!(count(&store, "v1").await, 1_000);
}

/// Bug 34: a failing event stops the view, and is skipped only by an explicit act.
#[tokio::test]
async fn bug_34_stops_at_what_it_cannot_handle_until_it_is_skipped_on_purpose() {
    let store = store();
    happen(&store, "a", vec![Fact::Good, Fact::Bad, Fact::Good]).await;
    let view = counting(&store, "v1");
    assert!(matches!(view.catch_up().await, Err(Error::Event { position: Position(2), .. })));
    assert_eq!(view.skip("known bad").await.unwrap(), Some(Position(2)));
    view.catch_up().await.unwrap();
    assert_eq!(count(&store, "v1").await, 2);
    let records = store.stream("projections/v1", 0, 10).await.unwrap();
    assert_eq!(records.len(), 1, "the skip is recorded");
    assert!(String::from_utf8_lossy(&records[0].data).contains("known bad"));
    assert_eq!(view.skip("nothing to skip").await.unwrap(), None);
}

#[tokio::test]
async fn versions_are_built_side_by_side_from_the_first_event() {
    let store = store();
    happen(&store, "a", vec![Fact::Good]).await;
    counting(&store, "v1").catch_up().await.unwrap();
    counting(&store, "v2").catch_up().await.unwrap();
    assert_eq!((count(&store, "v1").await, count(&store, "v2").await), (1, 1));
}

/// Bug 15: catching up and following are one loop, so nothing falls between them.
#[tokio::test]
async fn bug_15_follows_what_is_committed_while_it_runs() {
    let store = store();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(counting(&store, "v1").run(shutdown.clone()));
    for stream in 0..100 {
        happen(&store, &format!("s{stream}"), vec![Fact::Good]).await;
        tokio::task::yield_now().await;
    }
    let head = *store.watch().borrow();
    let mut seen = store.reading("v1").await.unwrap();
    while seen < head {
        tokio::task::yield_now().await;
        seen = store.reading("v1").await.unwrap();
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(count(&store, "v1").await, 100);
}

/// Bug 8: two that run the same view do not both write it.
#[tokio::test]
async fn bug_8_a_second_runner_of_the_same_view_is_refused() {
    let store = store();
    happen(&store, "a", vec![Fact::Good]).await;
    let (one, other) = (counting(&store, "v1"), counting(&store, "v1"));
    let (a, b) = tokio::join!(one.catch_up(), other.catch_up());
    assert!(a.is_ok() || b.is_ok());
    assert_eq!(count(&store, "v1").await, 1);
}

/// Bug 8 with processes that know of each other: one writes, the others wait, and none stops.
#[tokio::test(start_paused = true)]
async fn bug_8_processes_that_share_a_view_take_turns_and_readers_of_each_see_their_writes() {
    let store = store();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let start = |name: &str| {
        let view = counting(&store, "v1").shared(&Sharing::leased(name), &clock);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(view.clone().run(shutdown.clone()));
        (view, shutdown, running)
    };
    let (a, b) = (start("a"), start("b"));
    tokio::time::sleep(TTL).await;
    let mut total = 0;
    let mut write = async |views: &[&Projection], wait: std::time::Duration| {
        for _ in 0..20 {
            total += 1;
            let unit = Unit::new().append(format!("s{total}"), 0, [Fact::Good]);
            let position = store.commit(unit).await.unwrap().position;
            for view in views {
                let seen = tokio::time::timeout(wait, view.wait_until(position)).await;
                seen.expect("in time").unwrap();
                assert_eq!(count(&store, "v1").await, total);
            }
        }
    };
    write(&[&a.0, &b.0], std::time::Duration::from_millis(100)).await;
    // The holder ends in good order: the other one goes on at once.
    a.1.cancel();
    a.2.await.unwrap().unwrap();
    write(&[&b.0], TTL / 9).await;
    // The holder dies: the next one goes on after its time.
    let c = start("c");
    tokio::time::sleep(TTL).await;
    b.2.abort();
    write(&[&c.0], TTL * 3 / 2).await;
    c.1.cancel();
    c.2.await.unwrap().unwrap();
}

/// A message and an event in one commit: its position is the message's, which no event carries.
#[tokio::test(start_paused = true)]
async fn a_reader_waits_for_its_own_write() {
    let store = store();
    let shutdown = CancellationToken::new();
    let view = counting(&store, "v1");
    let running = tokio::spawn(view.clone().run(shutdown.clone()));
    for stream in 0..50 {
        let message = NewMessage {
            topic: "t".into(),
            kind: "k".into(),
            version: 1,
            key: None,
            payload: "{}".into(),
            context: None,
            headers: Default::default(),
        };
        let unit = Unit::new().append(format!("s{stream}"), 0, [Fact::Good]).send(message);
        let committed = store.commit(unit).await.unwrap();
        view.wait_until(committed.position).await.unwrap();
        assert_eq!(count(&store, "v1").await, stream + 1);
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_projection_that_stops_is_told_why() {
    let store = store();
    let view = counting(&store, "v1");
    let running = tokio::spawn(view.clone().run(CancellationToken::new()));
    happen(&store, "a", vec![Fact::Good, Fact::Bad]).await;
    let waited = view.wait_until(Position(2)).await.unwrap_err();
    assert!(waited.to_string().contains("cannot count this"), "{waited}");
    let ended = running.await.unwrap().unwrap_err();
    assert_eq!(ended.verdict(), Verdict::Stuck);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_waited_for_and_one_that_is_lost_is_not() {
    let store = store();
    let view = counting(&store, "v1");
    happen(&store, "a", vec![Fact::Good]).await;
    for _ in 0..20 {
        store.inject(Fault::Refuse);
    }
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(view.clone().run(shutdown.clone()));
    view.wait_until(Position(1)).await.unwrap();
    shutdown.cancel();
    running.await.unwrap().unwrap();

    happen(&store, "b", vec![Fact::Good]).await;
    store.inject(Fault::CrashBefore);
    let ended = view.run(CancellationToken::new()).await;
    assert!(matches!(ended, Err(Error::Commit(_))));
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_begins_with_empty_tables_at_the_first_event() {
    let store = store();
    happen(&store, "a", vec![Fact::Good, Fact::Good]).await;
    let view = counting(&store, "v1");
    view.catch_up().await.unwrap();
    store.commit(Unit::new().put(&COUNTS, "v1", [("n", 99.into())])).await.unwrap();
    view.rebuild(&[&COUNTS]).await.unwrap();
    assert_eq!(count(&store, "v1").await, 0);
    view.catch_up().await.unwrap();
    assert_eq!(count(&store, "v1").await, 2);
}
