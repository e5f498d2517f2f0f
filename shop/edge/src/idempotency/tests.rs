//! E7: same key, same answer; one effect whoever repeats, races, refuses or restarts.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Body, json};
use switchboard_core::{Clock, ManualClock, Rng};
use switchboard_store::{MemoryStore, Select, Store};
use tokio::sync::oneshot;

use super::*;

static COUNTS: Table = Table { name: "counts", columns: &[Column::integer("n")], indexes: &[] };

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let time: Arc<dyn Clock> = clock.clone();
        let store = MemoryStore::new("test", &[&IDEMPOTENCY, &COUNTS], time, Rng::from_seed(1));
        Self { store: Arc::new(store), clock }
    }

    /// A process of its own on the same store.
    fn process(&self) -> Idempotent {
        Idempotent::new(self.store.clone(), self.clock.clone())
    }

    async fn effects(&self) -> i64 {
        self.store.row(&COUNTS, "all").await.unwrap().map_or(0, |row| row.integer("n"))
    }

    async fn count(&self, process: &Idempotent, key: &str, body: Body) -> Result<Stored, Problem> {
        let effect = |ticket| commit(self.store.clone(), ticket);
        process.once("ann", "count", key, &body, effect).await
    }
}

async fn commit(store: Arc<dyn Store>, ticket: Arc<Ticket>) -> Result<Stored, Problem> {
    let answer = Stored::created("/counts/all", json!({ "counted": true }));
    let unit = Unit::new().add(&COUNTS, "all", "n", 1);
    store.commit(ticket.remember(unit, &answer)).await?;
    Ok(answer)
}

#[tokio::test]
async fn e7_a_repeat_answers_what_was_stored_and_does_nothing() {
    let bench = Bench::new();
    let first = bench.count(&bench.process(), "k", json!({"a": 1, "b": 2})).await.unwrap();
    // Another process, the same body in another order: after a restart it is still known.
    let again = bench.process();
    let second = bench.count(&again, "k", serde_json::from_str(r#"{"b":2,"a":1}"#).unwrap()).await;
    assert_eq!(second.unwrap(), Stored { replayed: true, ..first });
    assert_eq!(bench.effects().await, 1);
}

#[tokio::test]
async fn e7_another_body_is_422_and_another_caller_or_operation_is_somebody_elses() {
    let bench = Bench::new();
    let process = bench.process();
    bench.count(&process, "k", json!({"a": 1})).await.unwrap();
    let other = bench.count(&process, "k", json!({"a": 2})).await.unwrap_err();
    assert_eq!(other.status(), 422);
    for (user, operation) in [("bob", "count"), ("ann", "discount")] {
        let effect = |ticket| commit(bench.store.clone(), ticket);
        let answer = process.once(user, operation, "k", &json!({"a": 2}), effect).await.unwrap();
        assert!(!answer.replayed, "{user} {operation}");
    }
    assert_eq!(bench.effects().await, 3);
}

#[tokio::test]
async fn e7_while_the_first_call_runs_a_second_is_409_and_nothing_stays_in_flight() {
    let bench = Bench::new();
    let process = bench.process();
    let (go, wait) = oneshot::channel::<()>();
    let (begun, is_begun) = oneshot::channel::<()>();
    let (body, store) = (json!({}), bench.store.clone());
    let first = process.once("ann", "count", "k", &body, |ticket| async move {
        let _ = begun.send(());
        let _ = wait.await;
        commit(store, ticket).await
    });
    let second = async {
        is_begun.await.unwrap();
        let problem = bench.count(&process, "k", json!({})).await.unwrap_err();
        go.send(()).unwrap();
        problem
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().replayed, second.status().as_u16()), (false, 409));
    assert!(bench.count(&process, "k", json!({})).await.unwrap().replayed);
    assert!(process.in_flight.lock().is_empty());
}

#[tokio::test]
async fn e7_the_loser_of_the_commit_answers_what_the_winner_stored() {
    let bench = Bench::new();
    let (mine, theirs) = (bench.process(), bench.process());
    let body = json!({});
    let answer = mine.once("ann", "count", "k", &body, |ticket| async {
        // Between the look-up and the commit another process is faster.
        bench.count(&theirs, "k", json!({})).await.unwrap();
        commit(bench.store.clone(), ticket).await
    });
    assert!(answer.await.unwrap().replayed);
    assert_eq!(bench.effects().await, 1);
}

#[tokio::test]
async fn e7_a_refusal_is_kept_and_a_fault_is_not() {
    let bench = Bench::new();
    let process = bench.process();
    let fault = |_| async { Err(Problem::unavailable("the disk is full")) };
    let answer = process.once("ann", "pay", "k", &json!({}), fault).await;
    assert_eq!(answer.unwrap_err().status(), 503);
    let refuse = |ticket: Arc<Ticket>| async move {
        let answer = Stored::refused(&Problem::conflict("too little money"));
        bench.store.commit(ticket.remember(Unit::new(), &answer)).await?;
        Ok(answer)
    };
    let first = process.once("ann", "pay", "k", &json!({}), refuse).await.unwrap();
    let never = |_| async { panic!("must not run again") };
    let second = process.once("ann", "pay", "k", &json!({}), never).await.unwrap();
    assert_eq!((first.status.as_u16(), second.replayed, &second.body), (409, true, &first.body));
}

#[tokio::test]
async fn e7_after_a_day_a_key_is_as_new_and_its_row_is_swept_in_bounded_steps() {
    let bench = Bench::new();
    let process = bench.process();
    bench.count(&process, "old", json!({"a": 1})).await.unwrap();
    bench.clock.advance(KEPT);
    assert!(bench.count(&process, "old", json!({"a": 1})).await.unwrap().replayed);
    bench.clock.advance(Duration::from_secs(1));
    let renewed = bench.count(&process, "old", json!({"a": 2})).await.unwrap();
    assert!(!renewed.replayed);
    assert!(bench.count(&process, "old", json!({"a": 2})).await.unwrap().replayed);

    for number in 0..200 {
        bench.count(&process, &format!("k{number}"), json!({})).await.unwrap();
    }
    bench.clock.advance(KEPT + Duration::from_secs(1));
    for number in 0..2 * SWEEP_EVERY {
        bench.count(&process, &format!("n{number}"), json!({})).await.unwrap();
    }
    let oldest = process.oldest();
    let old = Select::all(&IDEMPOTENCY).filter("at", Compare::Below, oldest).limit(1_000);
    assert_eq!(bench.store.select(old).await.unwrap().len(), 0);
}

#[test]
fn bodies_have_one_fingerprint_however_they_are_written() {
    let body = |text| serde_json::from_str::<Body>(text).unwrap();
    let one = fingerprint(&body(r#"{"b":[1,{"y":1,"x":2}],"a":"\u0041"}"#));
    assert_eq!(one, fingerprint(&body(r#"{ "a": "A", "b": [1, {"x":2, "y":1}] }"#)));
    assert_ne!(one, fingerprint(&body(r#"{"a":"A","b":[{"x":2,"y":1},1]}"#)));
}
