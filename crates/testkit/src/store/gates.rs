//! Gates: keys that are blocked behind a failed message.

use std::sync::Arc;

use switchboard_core::{Key, Timestamp};
use switchboard_store::{CommitError, GateOp, Store, Unit, Waiting, gate::FAILURES_KEPT};

use super::{Subject, behind, blocks, body, effect, failure, micros, together};

fn release(key: &str, entry: u64) -> Unit {
    working(GateOp::Release { group: "group".into(), key: Key::from(key), entry })
}

fn defer(key: &str, entry: u64, due: Option<Timestamp>, attempt: u32) -> Unit {
    let (group, key) = ("group".into(), Key::from(key));
    working(GateOp::Defer { group, key, entry, due, failure: failure(attempt) })
}

fn wake(key: &str, at: Timestamp) -> Unit {
    working(GateOp::Wake { group: "group".into(), key: Key::from(key), at })
}

fn working(op: GateOp) -> Unit {
    let mut unit = Unit::new();
    unit.gates.push(op);
    unit
}

async fn waiting(store: &Arc<dyn Store>, key: &str) -> Vec<Waiting> {
    store.waiting("group", &Key::from(key), 1_000).await.unwrap()
}

async fn bodies(store: &Arc<dyn Store>, key: &str) -> Vec<u64> {
    let waiting = waiting(store, key).await;
    waiting.iter().map(|w| std::str::from_utf8(&w.bytes).unwrap().parse().unwrap()).collect()
}

async fn due(store: &Arc<dyn Store>, key: &str) -> Option<Timestamp> {
    store.gate("group", &Key::from(key)).await.unwrap().unwrap().due
}

async fn is_open(store: &Arc<dyn Store>, key: &str) -> bool {
    store.gate("group", &Key::from(key)).await.unwrap().is_none()
}

/// Custody is taken by the unit that fits the state of the key, and by no other.
pub async fn a_blocked_key_takes_no_effects_and_an_open_one_no_waiters(subject: &dyn Subject) {
    let store = subject.open();
    assert!(matches!(store.commit(behind("a", 2)).await, Err(CommitError::KeyOpen)));
    store.commit(effect("a", 2)).await.unwrap();
    store.commit(blocks("a", 3, None)).await.unwrap();
    assert!(matches!(store.commit(effect("a", 4)).await, Err(CommitError::KeyBlocked)));
    store.commit(effect("b", 5)).await.unwrap();
    store.commit(behind("a", 4)).await.unwrap();
    assert_eq!(bodies(&store, "a").await, [3, 4]);
    let gate = store.gate("group", &Key::from("a")).await.unwrap().unwrap();
    assert_eq!((gate.depth, gate.due), (2, None));
    for again in [effect("a", 2), behind("a", 3), behind("a", 4), blocks("a", 4, None)] {
        assert!(store.commit(again).await.unwrap().duplicate, "whoever waits is marked");
    }
    assert_eq!(store.gates(Some("other"), 10).await.unwrap(), []);
    assert_eq!(store.gates(None, 10).await.unwrap(), [gate]);
}

/// Only key order matters, and it survives opening again.
pub async fn what_waits_keeps_its_order_and_is_released_in_it(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(blocks("a", 1, None)).await.unwrap();
    for sequence in [2, 3] {
        store.commit(behind("a", sequence)).await.unwrap();
    }
    // One that fails while the key is blocked waits behind, with its failure.
    store.commit(blocks("a", 4, Some(micros(5)))).await.unwrap();
    assert_eq!(due(&store, "a").await, None, "the head alone says when it is tried");
    drop(store);
    let store = subject.open();
    let mut released = Vec::new();
    while let Some(head) = waiting(&store, "a").await.first() {
        released.push(bodies(&store, "a").await[0]);
        store.commit(release("a", head.entry)).await.unwrap();
    }
    assert_eq!(released, [1, 2, 3, 4]);
    assert!(is_open(&store, "a").await, "the last one opens the key, in its own unit");
    store.commit(effect("a", 5)).await.unwrap();
}

/// Whoever has worked on another head finds out.
pub async fn only_the_head_can_be_worked_on(subject: &dyn Subject) {
    let store = subject.open();
    let moved = |answer| matches!(answer, Err(CommitError::GateMoved));
    assert!(moved(store.commit(release("a", 1)).await));
    assert!(moved(store.commit(wake("a", micros(1))).await));
    store.commit(blocks("a", 1, None)).await.unwrap();
    store.commit(behind("a", 2)).await.unwrap();
    let entries: Vec<u64> = waiting(&store, "a").await.iter().map(|w| w.entry).collect();
    assert!(moved(store.commit(release("a", entries[1])).await));
    assert!(moved(store.commit(defer("a", entries[1], None, 2)).await));
    let answers = together(&store, (0..10).map(|_| release("a", entries[0]))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "released once");
    assert!(moved(store.commit(release("a", entries[0])).await));
    store.commit(release("a", entries[1])).await.unwrap();
    assert!(moved(store.commit(release("a", entries[1])).await));
}

/// Release may drain a key to empty and open it in one transaction.
pub async fn one_unit_may_drain_a_queue(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(blocks("a", 1, None)).await.unwrap();
    store.commit(behind("a", 2)).await.unwrap();
    store.commit(behind("a", 3)).await.unwrap();
    let entries: Vec<u64> = waiting(&store, "a").await.iter().map(|w| w.entry).collect();
    let wrong = release("a", entries[0]).and(release("a", entries[2]));
    assert!(matches!(store.commit(wrong).await, Err(CommitError::GateMoved)));
    assert_eq!(bodies(&store, "a").await, [1, 2, 3], "and nothing of it has happened");
    let all = entries.iter().fold(Unit::new(), |unit, entry| unit.and(release("a", *entry)));
    store.commit(all).await.unwrap();
    assert!(is_open(&store, "a").await);
    assert!(waiting(&store, "a").await.is_empty());
}

/// A retry later, again, and then parked.
pub async fn a_deferred_head_is_due_when_it_says(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(blocks("a", 1, Some(micros(10)))).await.unwrap();
    store.commit(behind("a", 2)).await.unwrap();
    let head = waiting(&store, "a").await[0].entry;
    store.commit(defer("a", head, Some(micros(20)), 2)).await.unwrap();
    assert_eq!(due(&store, "a").await, Some(micros(20)));
    store.commit(defer("a", head, None, 3)).await.unwrap();
    assert_eq!(due(&store, "a").await, None);
    let waiting = waiting(&store, "a").await;
    let attempts: Vec<u32> = waiting[0].failures.iter().map(|failure| failure.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(waiting[0].failures[2], failure(3));
    assert!(waiting[1].failures.is_empty());
}

/// What is due comes first, and one knows until when to sleep.
pub async fn due_gates_come_in_order_with_the_next_one(subject: &dyn Subject) {
    let store = subject.open();
    for (sequence, (key, at)) in
        (1..).zip([("c", Some(30)), ("a", Some(10)), ("p", None), ("b", Some(20))])
    {
        store.commit(blocks(key, sequence, at.map(micros))).await.unwrap();
    }
    let due = async |now, limit| {
        let (gates, next) = store.due_gates("group", micros(now), limit).await.unwrap();
        let keys: String = gates.iter().map(|gate| gate.key.to_string()).collect();
        (keys, next.map(Timestamp::as_micros))
    };
    assert_eq!(due(5, 10).await, (String::new(), Some(10)));
    assert_eq!(due(20, 10).await, ("ab".into(), Some(30)));
    assert_eq!(due(20, 1).await, ("a".into(), Some(20)));
    assert_eq!(due(99, 10).await, ("abc".into(), None));
    assert_eq!(store.due_gates("other", micros(99), 10).await.unwrap(), (vec![], None));
}

/// A parked key is tried again when somebody says so.
pub async fn an_operator_wakes_a_parked_key(subject: &dyn Subject) {
    let store = subject.open();
    let mut rescheduled = store.rescheduled();
    store.commit(blocks("a", 1, None)).await.unwrap();
    rescheduled.mark_unchanged();
    store.commit(wake("a", micros(7))).await.unwrap();
    assert!(rescheduled.has_changed().unwrap(), "whoever waits for gates looks again");
    assert_eq!(due(&store, "a").await, Some(micros(7)));
    let (gates, _) = store.due_gates("group", micros(7), 10).await.unwrap();
    assert_eq!(gates.len(), 1);
}

/// The history of attempts does not grow without end (ServiceControl #2916).
pub async fn the_first_and_the_last_failures_are_remembered(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(blocks("a", 1, None)).await.unwrap();
    let head = waiting(&store, "a").await[0].entry;
    for attempt in 2..=30 {
        store.commit(defer("a", head, None, attempt)).await.unwrap();
    }
    let waiting = waiting(&store, "a").await;
    let attempts: Vec<u32> = waiting[0].failures.iter().map(|failure| failure.attempt).collect();
    assert_eq!(attempts.len(), FAILURES_KEPT);
    assert_eq!((attempts[0], attempts[1], attempts[9]), (1, 22, 30));
}

/// One unreadable body hid 37 dead letters for 19 days (Wolverine, commit b031f8a38).
pub async fn one_undecodable_message_hides_no_other(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(blocks("a", 1, None)).await.unwrap();
    store.commit(behind("a", 2)).await.unwrap();
    let waiting = waiting(&store, "a").await;
    assert!(waiting[0].envelope().is_err());
    assert_eq!(waiting[0].bytes, body(1), "and its bytes are kept as they are");
    assert_eq!(waiting.len(), 2);
    assert_eq!(store.gates(None, 10).await.unwrap().len(), 1);
}

/// Joining and opening are judged under one lock: nobody waits behind an open key, where no sweep
/// would ever find it (Wolverine GH-3680).
pub async fn a_message_that_joins_while_the_key_opens_is_not_stranded(subject: &dyn Subject) {
    let store = subject.open();
    for round in 0..20u64 {
        let key = format!("key-{round}");
        let first = round * 100 + 1;
        store.commit(blocks(&key, first, None)).await.unwrap();
        let head = waiting(&store, &key).await[0].entry;
        let units =
            std::iter::once(release(&key, head)).chain((1..=6).map(|n| behind(&key, first + n)));
        let answers = together(&store, units).await;
        let joined = answers[1..].iter().filter(|answer| answer.is_ok()).count();
        let refused = answers[1..]
            .iter()
            .filter(|answer| matches!(answer, Err(CommitError::KeyOpen)))
            .count();
        assert_eq!(joined + refused, 6);
        let queue = waiting(&store, &key).await.len();
        let gate = store.gate("group", &Key::from(key.as_str())).await.unwrap();
        assert_eq!(queue, gate.map_or(0, |gate| usize::try_from(gate.depth).unwrap()));
        let opened = answers[0].is_ok() && joined == 0;
        assert_eq!(queue, if opened { 0 } else { joined });
    }
}

/// A worker that was away for long cannot release somebody else's entry.
pub async fn entries_are_never_given_twice(subject: &dyn Subject) {
    let store = subject.open();
    let mut seen = Vec::new();
    for sequence in 1..=5 {
        store.commit(blocks("a", sequence, None)).await.unwrap();
        let entry = waiting(&store, "a").await[0].entry;
        store.commit(release("a", entry)).await.unwrap();
        seen.push(entry);
    }
    drop(store);
    let store = subject.open();
    store.commit(blocks("a", 6, None)).await.unwrap();
    seen.push(waiting(&store, "a").await[0].entry);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}
