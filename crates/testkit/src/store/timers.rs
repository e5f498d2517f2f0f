//! Timers: set, moved, cancelled, fired once.

use switchboard_core::{Context, Id, Position, Timestamp};
use switchboard_store::{CommitError, Expect, TimerOp, Unit};

use super::{ITEMS, Subject, conflicts, message, micros, together};

fn set(id: &str, due: i64) -> Unit {
    let message = Box::new(message("late", id));
    Unit::new().timer(TimerOp::Set { id: id.into(), due: micros(due), message })
}

fn cancel(id: &str) -> Unit {
    Unit::new().timer(TimerOp::Cancel { id: id.into() })
}

fn fire(id: &str) -> Unit {
    Unit::new().timer(TimerOp::Fire { id: id.into() })
}

fn is_gone<T>(answer: &Result<T, CommitError>) -> bool {
    matches!(answer, Err(CommitError::TimerGone(_)))
}

/// The timer and its message are in one transaction (Dapr #8323, #7751), and the timer is not
/// consumed before that (Dapr #8194).
pub async fn firing_deletes_the_timer_and_appends_its_message_in_one_unit(subject: &dyn Subject) {
    let store = subject.open();
    let context = Context::of(Id::from_bytes([3; 16]));
    store.commit(set("t", 5).with_context(context.clone())).await.unwrap();
    conflicts(store.commit(fire("t").expect(Expect::row_at(&ITEMS, "none", 1))).await);
    assert_eq!(store.due_timers(micros(9), 10).await.unwrap().0.len(), 1, "still set");
    drop(store);
    let store = subject.open();
    let committed = store.commit(fire("t")).await.unwrap();
    let outgoing = store.outgoing(Position::START, 10).await.unwrap();
    assert_eq!(outgoing.len(), 1);
    assert_eq!(committed.messages, [outgoing[0].envelope.id]);
    assert_eq!(committed.position, outgoing[0].position);
    assert_eq!(outgoing[0].envelope.context, context, "who has set it has caused it");
    assert_eq!(outgoing[0].envelope.identity.as_ref().unwrap().sequence, 1);
    assert!(is_gone(&store.commit(fire("t")).await));
    assert_eq!(store.due_timers(micros(9), 10).await.unwrap(), (vec![], None));
    assert_eq!(store.outgoing(Position::START, 10).await.unwrap().len(), 1);
}

/// What is cancelled never fires; cancelling what is gone is no error.
pub async fn a_cancelled_timer_is_gone(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(set("t", 5)).await.unwrap();
    store.commit(cancel("t")).await.unwrap();
    store.commit(cancel("t")).await.unwrap();
    assert!(is_gone(&store.commit(fire("t")).await));
    assert!(store.outgoing(Position::START, 10).await.unwrap().is_empty());
}

/// Many timer tasks after a long pause: each timer fires once at most (Wolverine #1272).
pub async fn of_cancelling_and_firing_one_wins(subject: &dyn Subject) {
    let store = subject.open();
    for round in 0..10 {
        let id = format!("t-{round}");
        store.commit(set(&id, 5)).await.unwrap();
        let before = store.outgoing(Position::START, 100).await.unwrap().len();
        let rivals = (0..6).map(|n| if n == 2 { cancel(&id) } else { fire(&id) });
        let answers = together(&store, rivals).await;
        let fired = answers.iter().enumerate().filter(|(n, a)| *n != 2 && a.is_ok()).count();
        let after = store.outgoing(Position::START, 100).await.unwrap().len();
        assert_eq!(after - before, fired);
        assert!(fired <= 1, "fired {fired} times");
    }
}

/// One id, one timer.
pub async fn setting_again_moves_the_timer(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(set("t", 5)).await.unwrap();
    store.commit(set("t", 50)).await.unwrap();
    let (due, next) = store.due_timers(micros(10), 10).await.unwrap();
    assert_eq!((due.len(), next), (0, Some(micros(50))));
}

/// What is due comes first, and one knows until when to sleep.
pub async fn due_timers_come_in_order_with_the_next_one(subject: &dyn Subject) {
    let store = subject.open();
    for (id, at) in [("c", 30), ("a", 10), ("b", 20)] {
        store.commit(set(id, at)).await.unwrap();
    }
    let due = async |now, limit| {
        let (timers, next) = store.due_timers(micros(now), limit).await.unwrap();
        let ids: String = timers.iter().map(|timer| &*timer.id).collect();
        (ids, next.map(Timestamp::as_micros))
    };
    assert_eq!(due(5, 10).await, (String::new(), Some(10)));
    assert_eq!(due(20, 10).await, ("ab".into(), Some(30)));
    assert_eq!(due(99, 2).await, ("ab".into(), Some(30)));
    assert_eq!(due(99, 10).await, ("abc".into(), None));
}

/// Nobody has to poll.
pub async fn whoever_waits_is_woken(subject: &dyn Subject) {
    let store = subject.open();
    let mut rescheduled = store.rescheduled();
    rescheduled.mark_unchanged();
    store.commit(set("t", 5)).await.unwrap();
    assert!(rescheduled.has_changed().unwrap());
    rescheduled.mark_unchanged();
    store.commit(Unit::new().add(&ITEMS, "n", "amount", 1)).await.unwrap();
    assert!(!rescheduled.has_changed().unwrap(), "and nobody is woken for nothing");
}

/// Steps of one unit see each other.
pub async fn one_unit_may_set_and_fire(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(set("t", 5).and(fire("t"))).await.unwrap();
    assert!(is_gone(&store.commit(set("u", 5).and(cancel("u")).and(fire("u"))).await));
    assert!(is_gone(&store.commit(set("v", 5).and(fire("v")).and(fire("v"))).await));
    store.commit(set("w", 5).and(fire("w")).and(set("w", 7))).await.unwrap();
    assert_eq!(store.outgoing(Position::START, 10).await.unwrap().len(), 2);
    let (timers, _) = store.due_timers(micros(9), 10).await.unwrap();
    assert_eq!(timers.iter().map(|timer| &*timer.id).collect::<Vec<_>>(), ["w"]);
}

/// A timer is part of its unit.
pub async fn a_timer_of_a_failed_unit_is_not_set(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(set("kept", 5)).await.unwrap();
    let failing = Expect::row_at(&ITEMS, "none", 1);
    conflicts(store.commit(set("t", 5).and(cancel("kept")).expect(failing)).await);
    let (timers, _) = store.due_timers(micros(9), 10).await.unwrap();
    assert_eq!(timers.iter().map(|timer| &*timer.id).collect::<Vec<_>>(), ["kept"]);
}
