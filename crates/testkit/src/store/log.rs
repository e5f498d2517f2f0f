//! Positions, sequences, checkpoints, sweeping, incarnations.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Name, Position, Slot};
use switchboard_store::{Store, Unit};

use super::{ITEMS, Subject, appending, at_once, message, together};

/// Events and messages share one count.
pub async fn streams_and_positions_are_counted_from_one(subject: &dyn Subject) {
    let store = subject.open();
    let first = store.commit(appending("a", 2).send(message("t", "k"))).await.unwrap();
    let second = store.commit(appending("b", 1).and(appending("a", 1))).await.unwrap();
    assert_eq!((first.position, second.position), (Position(3), Position(5)));
    let events = store.events(Position::START, 10).await.unwrap();
    let seen: Vec<_> =
        events.iter().map(|e| (e.position.0, e.stream.as_str(), e.version)).collect();
    assert_eq!(seen, [(1, "a", 1), (2, "a", 2), (4, "b", 1), (5, "a", 3)]);
    assert_eq!(store.outgoing(Position::START, 10).await.unwrap()[0].position, Position(3));
    assert_eq!(store.events(Position(2), 1).await.unwrap()[0].position, Position(4));
    assert_eq!(store.stream("a", 1, 1).await.unwrap()[0].version, 2);
    assert_eq!(store.stream("a", 3, 9).await.unwrap(), []);
    assert_eq!(store.stream("none", 0, 9).await.unwrap(), []);
}

/// Rule 5: two writers, the later position first, and a reader that goes on behind it would never
/// see the earlier one (acceptance test 1; Marten's gap problem).
pub async fn a_reader_never_misses_a_position(subject: &dyn Subject) {
    /// Forty writers of ten units: a message each, and one to three events.
    const RECORDS: usize = 40 * (10 + 19);
    let store = subject.open();
    let reader = tokio::spawn(read_until(store.clone(), RECORDS));
    at_once((0..40).map(|writer| {
        let store = store.clone();
        async move {
            for n in 0..10 {
                let unit = appending(&format!("s-{writer}"), 1 + n % 3).send(message("t", "k"));
                store.commit(unit).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    }))
    .await;
    let seen = reader.await.unwrap();
    assert!(seen.is_sorted_by(|a, b| a < b), "positions are read in order");
    let all: HashSet<u64> = (1..=RECORDS as u64).collect();
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), all, "and none is missing");
}

/// Follows events and messages, each after the newest one read, until all are there or nothing
/// comes any more.
async fn read_until(store: Arc<dyn Store>, most: usize) -> Vec<u64> {
    let mut watch = store.watch();
    let (mut events, mut messages) = (Position::START, Position::START);
    let mut seen = Vec::new();
    while seen.len() < most {
        watch.mark_unchanged();
        let before = seen.len();
        for event in store.events(events, 100).await.unwrap() {
            events = event.position;
            seen.push(event.position.0);
        }
        for outgoing in store.outgoing(messages, 100).await.unwrap() {
            messages = outgoing.position;
            seen.push(outgoing.position.0);
        }
        // A full page of one may hide that there is more of it, however far the other has come.
        let wait = tokio::time::timeout(Duration::from_secs(2), watch.changed());
        if seen.len() == before && wait.await.is_err() {
            break;
        }
    }
    let total = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), total, "nothing is read twice");
    seen
}

/// The identity of a message is dense, so that a consumer knows what it has not seen yet.
pub async fn sequences_are_dense_in_each_topic_and_slot(subject: &dyn Subject) {
    let store = subject.open();
    let failing = |unit: Unit| unit.expect(switchboard_store::Expect::row_at(&ITEMS, "none", 1));
    let units = (0..200).map(|n| {
        let key = format!("key-{}", n % 20);
        let topic = if n % 2 == 0 { "even" } else { "odd" };
        let unit = Unit::new().send(message(topic, &key)).send(message(topic, &key));
        if n % 5 == 4 { failing(unit) } else { unit }
    });
    together(&store, units).await;
    let mut keyless = message("even", "");
    keyless.key = None;
    store.commit(Unit::new().send(keyless)).await.unwrap();
    let mut found: BTreeMap<(Name, Slot), Vec<u64>> = BTreeMap::new();
    for outgoing in store.outgoing(Position::START, 1_000).await.unwrap() {
        let identity = outgoing.envelope.identity.unwrap();
        assert_eq!((identity.slot, &*identity.source), (outgoing.slot, "suite"));
        if let Some(key) = &outgoing.envelope.key {
            assert_eq!(identity.slot, Slot::of(key));
        }
        let slot = (outgoing.envelope.topic, outgoing.slot);
        found.entry(slot).or_default().push(identity.sequence);
    }
    for (slot, sequences) in &found {
        let dense: Vec<u64> = (1..=sequences.len() as u64).collect();
        assert_eq!(sequences, &dense, "{slot:?}, in position order");
    }
    let told = store.sequences().await.unwrap();
    let told: BTreeMap<_, _> =
        told.into_iter().map(|sequence| ((sequence.topic, sequence.slot), sequence.last)).collect();
    let counted = found.into_iter().map(|(slot, sequences)| (slot, sequences.len() as u64));
    assert_eq!(told, counted.collect());
}

fn passing(slot: Slot, position: u64) -> Unit {
    let mut unit = Unit::new();
    unit.checkpoints.push((slot, Position(position)));
    unit
}

/// Confirmations that overtake each other do not take the relay back.
pub async fn checkpoints_only_rise(subject: &dyn Subject) {
    let store = subject.open();
    assert_eq!(store.checkpoints().await.unwrap(), []);
    for (position, expected) in [(5, 5), (3, 5), (8, 8)] {
        let mut unit = passing(Slot(9), position);
        unit.lazy = true;
        store.commit(unit).await.unwrap();
        let checkpoints = store.checkpoints().await.unwrap();
        assert_eq!(checkpoints.len(), 1);
        assert_eq!((checkpoints[0].slot, checkpoints[0].position), (Slot(9), Position(expected)));
    }
    drop(store);
    assert_eq!(subject.open().checkpoints().await.unwrap()[0].position, Position(8));
}

/// A message is safe in its sender's store until its slot's checkpoint has passed it.
pub async fn sweeping_keeps_what_a_checkpoint_has_not_passed(subject: &dyn Subject) {
    let store = subject.open();
    for n in 0..30 {
        let key = ["a", "b", "c"][n % 3];
        store.commit(Unit::new().send(message("t", key))).await.unwrap();
    }
    assert_eq!(store.sweep(100).await.unwrap(), 0);
    let slot = |key: &str| Slot::of(&key.into());
    store.commit(passing(slot("a"), 10)).await.unwrap();
    store.commit(passing(slot("b"), 29)).await.unwrap();
    let mut swept = 0;
    loop {
        match store.sweep(3).await.unwrap() {
            0 => break,
            some if some <= 3 => swept += some,
            more => panic!("{more} is more than was asked for"),
        }
    }
    let left: Vec<u64> = store
        .outgoing(Position::START, 100)
        .await
        .unwrap()
        .iter()
        .map(|outgoing| outgoing.position.0)
        .collect();
    let expected: Vec<u64> = (1..=30)
        .filter(|position| match (position - 1) % 3 {
            0 => *position > 10,
            1 => *position > 29,
            _ => true,
        })
        .collect();
    assert_eq!(left, expected);
    assert_eq!(swept, 30 - expected.len());
}

/// A position names one record for ever, also when the newest ones have been swept.
pub async fn positions_are_not_given_again_after_a_sweep(subject: &dyn Subject) {
    let store = subject.open();
    let slot = Slot::of(&"a".into());
    store.commit(Unit::new().send(message("t", "a")).send(message("t", "a"))).await.unwrap();
    store.commit(passing(slot, 2)).await.unwrap();
    assert_eq!(store.sweep(10).await.unwrap(), 2);
    drop(store);
    let store = subject.open();
    assert_eq!(*store.watch().borrow(), Position(2));
    let committed = store.commit(Unit::new().send(message("t", "a"))).await.unwrap();
    assert_eq!(committed.position, Position(3));
    let outgoing = store.outgoing(Position::START, 10).await.unwrap();
    assert_eq!(outgoing[0].envelope.identity.as_ref().unwrap().sequence, 3);
}

/// A store that was put back to an older copy must not give old identities to new messages.
pub async fn a_new_incarnation_begins_its_sequences_again(subject: &dyn Subject) {
    let store = subject.open();
    let one = || Unit::new().send(message("t", "a"));
    store.commit(one()).await.unwrap();
    let first = store.identity();
    assert_eq!((&*first.source, first.incarnation), ("suite", 1));
    let second = store.reincarnate().await.unwrap();
    assert_eq!((second.incarnation, store.identity().incarnation), (2, 2));
    assert_eq!(store.sequences().await.unwrap(), []);
    store.commit(one()).await.unwrap();
    drop(store);
    let store = subject.open();
    assert_eq!(store.identity(), second);
    store.commit(one()).await.unwrap();
    let identities: Vec<(u32, u64)> = store
        .outgoing(Position::START, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|outgoing| outgoing.envelope.identity.unwrap())
        .map(|identity| (identity.incarnation, identity.sequence))
        .collect();
    assert_eq!(identities, [(1, 1), (2, 1), (2, 2)], "what is on its way keeps its identity");
}

/// Push right after the commit: the relay need not poll.
pub async fn watchers_see_what_was_answered(subject: &dyn Subject) {
    let store = subject.open();
    let mut watch = store.watch();
    watch.mark_unchanged();
    let committed = store.commit(appending("s", 3)).await.unwrap();
    assert!(watch.has_changed().unwrap());
    assert_eq!(*watch.borrow_and_update(), committed.position);
    store.commit(Unit::new().add(&ITEMS, "n", "amount", 1)).await.unwrap();
    assert!(!watch.has_changed().unwrap(), "and nobody is woken for nothing");
}

/// A lazy unit waits for company, not for ever.
pub async fn lazy_units_are_committed_soon(subject: &dyn Subject) {
    let store = subject.open();
    let lazy = || {
        let mut unit = Unit::new().add(&ITEMS, "n", "amount", 1);
        unit.lazy = true;
        unit
    };
    let soon = Duration::from_secs(5);
    tokio::time::timeout(soon, store.commit(lazy())).await.unwrap().unwrap();
    let units = (0..20).map(|n| if n == 7 { appending("s", 1) } else { lazy() });
    let answers = tokio::time::timeout(soon, together(&store, units)).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let row = store.row(&ITEMS, "n").await.unwrap().unwrap();
    assert_eq!(row.integer("amount"), 20);
}
