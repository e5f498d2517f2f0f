//! Marks, progress and readings.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Position, Rng};
use switchboard_store::{Custody, Expect, Mark, Progress, Reading, Store, Unit};

use super::{
    ITEMS, Subject, appending, conflicts, effect, handled, known, known_by, message, together,
};

fn progress(epoch: u64, position: u64) -> Progress {
    Progress {
        group: "group".into(),
        topic: "payments".into(),
        partition: 3,
        epoch,
        position: Position(position),
    }
}

async fn events(store: &Arc<dyn Store>) -> usize {
    store.events(Position::START, 10_000).await.unwrap().len()
}

/// Rule 3.
pub async fn a_duplicate_changes_nothing_but_progress(subject: &dyn Subject) {
    let store = subject.open();
    let unit = |position| {
        let mut unit = effect("a", 1).send(message("t", "a")).add(&ITEMS, "n", "amount", 1);
        unit.progress.push(progress(1, position));
        // A condition that holds only the first time must not hide the duplicate.
        unit.expect(Expect::StreamAt { stream: "effect-a-1".into(), version: 0 })
    };
    assert!(!store.commit(unit(5)).await.unwrap().duplicate);
    let again = store.commit(unit(6)).await.unwrap();
    assert!(again.duplicate);
    assert_eq!((again.position, again.messages.len()), (Position::START, 0));
    assert_eq!(events(&store).await, 1);
    assert_eq!(store.outgoing(Position::START, 10).await.unwrap().len(), 1);
    assert_eq!(store.row(&ITEMS, "n").await.unwrap().unwrap().version, 1);
    let progress = store.progress("group", "payments", 3).await.unwrap().unwrap();
    assert_eq!(progress.position, Position(6));
}

/// Whatever order messages come in, each is new once.
pub async fn marks_out_of_order_are_all_recognised(subject: &dyn Subject) {
    let store = subject.open();
    let mut rng = Rng::from_seed(3);
    let mut order: Vec<u64> = (1..=60).filter(|sequence| sequence % 7 != 0).collect();
    for index in (1..order.len()).rev() {
        let other = usize::try_from(rng.below(index as u64 + 1)).unwrap();
        order.swap(index, other);
    }
    for &sequence in &order {
        assert!(!store.commit(effect("a", sequence)).await.unwrap().duplicate, "{sequence}");
    }
    for &sequence in &order {
        assert!(store.commit(effect("a", sequence)).await.unwrap().duplicate, "{sequence}");
    }
    for sequence in (1..=60).filter(|sequence| sequence % 7 == 0) {
        let late = store.commit(effect("a", sequence)).await.unwrap();
        assert!(!late.duplicate, "{sequence} has never come: a hole is not closed by guess");
    }
}

/// The same message for two handlers of one process is not a duplicate (Wolverine 3.7).
pub async fn a_mark_belongs_to_one_group_topic_and_incarnation(subject: &dyn Subject) {
    let store = subject.open();
    let handle =
        |group: &str, mark| appending("s", 1).handled(handled(group, "a", mark, Custody::Effect));
    for (group, mark) in [
        ("email", known_by("orders", 1, "payments", 1)),
        ("analytics", known_by("orders", 1, "payments", 1)),
        ("email", known_by("orders", 1, "refunds", 1)),
        ("email", known_by("orders", 2, "payments", 1)),
        ("email", known_by("shipping", 1, "payments", 1)),
    ] {
        let first = store.commit(handle(group, mark.clone())).await.unwrap();
        assert!(!first.duplicate, "{group} {mark:?}");
        assert!(store.commit(handle(group, mark)).await.unwrap().duplicate);
    }
}

/// Two deliveries at the same moment: one effect.
pub async fn of_concurrent_copies_one_has_an_effect(subject: &dyn Subject) {
    let store = subject.open();
    let copies = (1..=20).flat_map(|sequence| (0..8).map(move |_| effect("a", sequence)));
    let answers = together(&store, copies).await;
    let new = answers.into_iter().filter(|answer| !answer.as_ref().unwrap().duplicate).count();
    assert_eq!((new, events(&store).await), (20, 20));
}

/// A batch insert reported its first row as the duplicate and acked an innocent one (Wolverine,
/// commit 284ca9ac0).
pub async fn a_duplicate_in_a_batch_does_not_accuse_an_innocent_one(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(effect("a", 5)).await.unwrap();
    let answers = together(&store, (1..=10).map(|sequence| effect("a", sequence))).await;
    for (sequence, answer) in (1..=10).zip(answers) {
        assert_eq!(answer.unwrap().duplicate, sequence == 5, "{sequence}");
    }
    assert_eq!(events(&store).await, 10);
}

/// The handled flag was set before the commit and outlived the rollback (Wolverine #3327).
pub async fn a_unit_that_fails_leaves_no_mark(subject: &dyn Subject) {
    let store = subject.open();
    for _ in 0..3 {
        conflicts(store.commit(effect("a", 1).expect(Expect::row_at(&ITEMS, "none", 1))).await);
    }
    assert!(!store.commit(effect("a", 1)).await.unwrap().duplicate);
}

/// Dedupe has no time limit, and a restart does not end it.
pub async fn marks_are_there_after_opening_again(subject: &dyn Subject) {
    let store = subject.open();
    for sequence in [1, 2, 9, 4] {
        store.commit(effect("a", sequence)).await.unwrap();
    }
    drop(store);
    let store = subject.open();
    subject.clock().advance(Duration::from_secs(400 * 24 * 3600));
    for sequence in 1..=9 {
        let answer = store.commit(effect("a", sequence)).await.unwrap();
        assert_eq!(answer.duplicate, [1, 2, 4, 9].contains(&sequence), "{sequence}");
    }
}

/// A message without a dense identity is remembered as long as is said, then swept in steps.
pub async fn a_strangers_mark_is_kept_for_its_time(subject: &dyn Subject) {
    let store = subject.open();
    let stranger = |id: &str| {
        let mark = Mark::Foreign { id: id.into(), keep: Duration::from_secs(60) };
        appending("s", 1).handled(handled("group", "a", mark, Custody::Effect))
    };
    assert!(!store.commit(stranger("x")).await.unwrap().duplicate);
    subject.clock().advance(Duration::from_secs(59));
    store.sweep(10).await.unwrap();
    assert!(store.commit(stranger("x")).await.unwrap().duplicate);
    assert!(!store.commit(stranger("y")).await.unwrap().duplicate);
    subject.clock().advance(Duration::from_secs(2));
    store.sweep(1).await.unwrap();
    assert!(!store.commit(stranger("x")).await.unwrap().duplicate, "its time is over");
    assert!(store.commit(stranger("y")).await.unwrap().duplicate);
}

/// Acks that overtake each other do not take a group back; a new epoch begins anew.
pub async fn progress_only_rises_within_an_epoch(subject: &dyn Subject) {
    let store = subject.open();
    assert_eq!(store.progress("group", "payments", 3).await.unwrap(), None);
    for (epoch, position, expected) in [
        (1, 10, (1, 10)),
        (1, 7, (1, 10)),
        (1, 11, (1, 11)),
        (2, 4, (2, 4)),
        (1, 99, (2, 4)),
        (2, 5, (2, 5)),
    ] {
        let mut unit = Unit::new();
        unit.lazy = position % 2 == 0;
        unit.progress.push(progress(epoch, position));
        store.commit(unit).await.unwrap();
        let present = store.progress("group", "payments", 3).await.unwrap().unwrap();
        assert_eq!((present.epoch, present.position.0), expected);
    }
    assert_eq!(store.progress("group", "payments", 4).await.unwrap(), None);
}

/// Two runners of one projection: only one moves it on.
pub async fn a_reading_moves_only_from_where_it_stands(subject: &dyn Subject) {
    let store = subject.open();
    let read = |from, to| {
        let mut unit = Unit::new().add(&ITEMS, "n", "amount", 1);
        let name = "by-day-v1".into();
        unit.readings.push(Reading { name, from: Position(from), to: Position(to) });
        unit
    };
    assert_eq!(store.reading("by-day-v1").await.unwrap(), Position::START);
    let answers = together(&store, (0..10).map(|_| read(0, 5))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    conflicts(store.commit(read(4, 6)).await);
    store.commit(read(5, 8)).await.unwrap();
    assert_eq!(store.reading("by-day-v1").await.unwrap(), Position(8));
    assert_eq!(store.row(&ITEMS, "n").await.unwrap().unwrap().integer("amount"), 2);
    // A stream that nobody has read is at the start, whatever the others do.
    assert_eq!(store.reading("by-day-v2").await.unwrap(), Position::START);
    let mut twice = read(8, 9);
    twice.readings.extend(read(9, 11).readings);
    store.commit(twice).await.unwrap();
    assert_eq!(store.reading("by-day-v1").await.unwrap(), Position(11));
    drop(store);
    assert_eq!(subject.open().reading("by-day-v1").await.unwrap(), Position(11));
    // `known` marks and readings do not meet.
    let unit = appending("s", 1).handled(handled("by-day-v1", "a", known(1), Custody::Effect));
    subject.open().commit(unit).await.unwrap();
}
