//! A view follows its store, survives a restart, stops at what it cannot read, and can be built again beside itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_core::{Event, ManualClock, Position, Rng};
use switchboard_projection::{Error, Projection};
use switchboard_store::{Column, Inbox, Journal, MemoryStore, Rows, Table, Unit};
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
