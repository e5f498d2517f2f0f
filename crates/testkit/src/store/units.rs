//! Units: whole or not at all, conditions, limits.

use std::sync::Arc;

use switchboard_core::{Context, Id, Position};
use switchboard_store::limits::{NAME_BYTES, RECORD_BYTES, UNIT_EVENTS, UNIT_MESSAGES};
use switchboard_store::{Column, Custody, Expect, Progress, Store, Table, TimerOp, Unit, Value};

use super::{
    ITEMS, Subject, appending, conflicts, event, handled, is_invalid, known, message, micros,
    names, together,
};

/// A unit with something of every kind.
fn everything() -> Unit {
    let timer = TimerOp::Set {
        id: "timer".into(),
        due: micros(5),
        message: Box::new(message("late", "a")),
    };
    let mut unit = appending("stream", 2)
        .send(message("topic", "a"))
        .put(&ITEMS, "row", [("amount", Value::from(1))])
        .timer(timer)
        .handled(handled("group", "a", known(1), Custody::Effect));
    unit.progress.push(Progress {
        group: "group".into(),
        topic: "payments".into(),
        partition: 0,
        epoch: 1,
        position: Position(9),
    });
    unit
}

async fn traces(store: &Arc<dyn Store>) -> [usize; 6] {
    [
        store.events(Position::START, 10).await.unwrap().len(),
        store.outgoing(Position::START, 10).await.unwrap().len(),
        usize::from(store.row(&ITEMS, "row").await.unwrap().is_some()),
        store.due_timers(micros(10), 10).await.unwrap().0.len(),
        usize::from(store.progress("group", "payments", 0).await.unwrap().is_some()),
        store.sequences().await.unwrap().len(),
    ]
}

/// Rules 1 and 4 of the contract.
pub async fn a_unit_happens_whole_or_not_at_all(subject: &dyn Subject) {
    let store = subject.open();
    let bad = everything().expect(Expect::StreamAt { stream: "stream".into(), version: 1 });
    conflicts(store.commit(bad).await);
    assert_eq!(traces(&store).await, [0; 6], "a failed unit leaves nothing");
    let committed = store.commit(everything()).await.unwrap();
    assert_eq!(traces(&store).await, [2, 1, 1, 1, 1, 1]);
    assert_eq!((committed.position, committed.messages.len()), (Position(3), 1));
    assert!(store.commit(everything()).await.unwrap().duplicate, "the mark was written too");
}

/// Rule 2, streams.
pub async fn a_stream_is_where_it_is_expected_or_the_unit_conflicts(subject: &dyn Subject) {
    let store = subject.open();
    let at = |version| Expect::StreamAt { stream: "s".into(), version };
    conflicts(store.commit(appending("s", 1).expect(at(1))).await);
    store.commit(appending("s", 2).expect(at(0))).await.unwrap();
    conflicts(store.commit(appending("s", 1).expect(at(0))).await);
    conflicts(store.commit(appending("other", 1).expect(at(3))).await);
    store.commit(appending("other", 1).expect(at(2))).await.unwrap();
    store.commit(appending("s", 1)).await.unwrap();
    let versions: Vec<u64> =
        store.stream("s", 0, 10).await.unwrap().iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3], "an append without a condition goes on where the stream is");
}

/// A store that has just been opened knows nothing by heart, and still does not take an old stream
/// for a new one; nor do its neighbours in the batch suffer.
pub async fn an_old_stream_is_not_taken_for_a_new_one(subject: &dyn Subject) {
    let create = |stream: &str| {
        let expect = Expect::StreamAt { stream: stream.into(), version: 0 };
        appending(stream, 2).expect(expect).add(&ITEMS, "n", "amount", 1)
    };
    let store = subject.open();
    for stream in ["s-3", "s-7"] {
        store.commit(create(stream)).await.unwrap();
    }
    drop(store);
    let store = subject.open();
    let answers = together(&store, (0..10).map(|n| create(&format!("s-{n}")))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        if n == 3 || n == 7 {
            conflicts(answer);
        } else {
            answer.unwrap();
        }
        assert_eq!(store.stream(&format!("s-{n}"), 0, 10).await.unwrap().len(), 2);
    }
    assert_eq!(store.row(&ITEMS, "n").await.unwrap().unwrap().integer("amount"), 10);
    // What a failed condition has looked at is not remembered as new either.
    drop(store);
    let store = subject.open();
    conflicts(store.commit(create("s-3").expect(Expect::row_at(&ITEMS, "none", 1))).await);
    let third = Expect::StreamAt { stream: "s-3".into(), version: 2 };
    store.commit(appending("s-3", 1).expect(third)).await.unwrap();
}

/// Rule 2, rows.
pub async fn rows_are_what_is_expected_or_the_unit_conflicts(subject: &dyn Subject) {
    let store = subject.open();
    let put = |amount: i64| Unit::new().put(&ITEMS, "a", [("amount", Value::from(amount))]);
    let least = |value| {
        let key = "a".to_owned();
        Expect::AtLeast { table: &ITEMS, key, column: "amount", value }
    };
    conflicts(store.commit(put(1).expect(Expect::row_at(&ITEMS, "a", 1))).await);
    conflicts(store.commit(put(1).expect(least(0))).await);
    store.commit(put(1).expect(Expect::row_absent(&ITEMS, "a"))).await.unwrap();
    conflicts(store.commit(put(2).expect(Expect::row_absent(&ITEMS, "a"))).await);
    conflicts(store.commit(put(2).expect(Expect::row_at(&ITEMS, "a", 2))).await);
    store.commit(put(2).expect(Expect::row_at(&ITEMS, "a", 1))).await.unwrap();
    conflicts(store.commit(put(3).expect(least(3))).await);
    store.commit(put(3).expect(least(2))).await.unwrap();
    assert_eq!(store.row(&ITEMS, "a").await.unwrap().unwrap().integer("amount"), 3);
}

/// A decision over a query: no event of these kinds with all of these tags after that position.
pub async fn nothing_matching_guards_a_decision(subject: &dyn Subject) {
    let store = subject.open();
    let tagged = |kind: &str, tags: &[&str]| {
        let mut unit = Unit::new();
        unit.events.push(event("s", kind).with_tags(names(tags)));
        unit
    };
    let expect = |kinds: &[&str], tags: &[&str], after: u64| Expect::NothingMatching {
        kinds: names(kinds),
        tags: names(tags),
        after: Position(after),
    };
    store.commit(tagged("Booked", &["seat:1", "user:a"])).await.unwrap();
    for (kinds, tags, after, matches) in [
        (&["Booked"][..], &["seat:1"][..], 0, true),
        (&["Booked", "Moved"], &["seat:1", "user:a"], 0, true),
        (&[], &["user:a"], 0, true),
        (&["Booked"], &[], 0, true),
        (&[], &[], 0, true),
        (&["Moved"], &["seat:1"], 0, false),
        (&["Booked"], &["seat:1", "user:b"], 0, false),
        (&["Booked"], &["seat:2"], 0, false),
        (&["Booked"], &["seat:1"], 1, false),
        (&[], &[], 1, false),
    ] {
        let answer = store.commit(Unit::new().expect(expect(kinds, tags, after))).await;
        assert_eq!(answer.is_err(), matches, "{kinds:?} {tags:?} after {after}: {answer:?}");
    }
    let book = |n: usize| tagged("Booked", &["seat:2"]).put(&ITEMS, n.to_string(), []);
    let rivals = (0..20).map(|n| book(n).expect(expect(&["Booked"], &["seat:2"], 0)));
    let booked = together(&store, rivals).await.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(booked, 1, "a seat is booked once");
}

/// Rule 2: earlier units of the same batch are seen.
pub async fn of_many_rivals_in_one_batch_exactly_one_passes(subject: &dyn Subject) {
    let store = subject.open();
    for round in 0..10 {
        let stream = format!("round-{round}");
        let expect = Expect::StreamAt { stream: stream.as_str().into(), version: 0 };
        let rivals = (0..32).map(|_| appending(&stream, 1).expect(expect.clone()));
        let answers = together(&store, rivals).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert_eq!(store.stream(&stream, 0, 10).await.unwrap().len(), 1);
    }
}

/// Rule 4.
pub async fn a_unit_that_fails_does_not_fail_its_neighbours(subject: &dyn Subject) {
    let store = subject.open();
    let units = (0..100).map(|n| {
        let unit = appending(&format!("s-{n}"), 1).add(&ITEMS, "sum", "amount", 1);
        if n % 3 == 0 { unit.expect(Expect::row_at(&ITEMS, "none", 1)) } else { unit }
    });
    let answers = together(&store, units).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let events = store.stream(&format!("s-{n}"), 0, 10).await.unwrap().len();
        assert_eq!(events, usize::from(n % 3 != 0));
        assert_eq!(answer.is_ok(), n % 3 != 0, "{answer:?}");
    }
    assert_eq!(store.row(&ITEMS, "sum").await.unwrap().unwrap().integer("amount"), 66);
}

/// Rule 4, for the one refusal that a database finds only while it writes.
pub async fn an_overflow_fails_its_own_unit_only(subject: &dyn Subject) {
    let store = subject.open();
    let add = |delta| Unit::new().add(&ITEMS, "a", "amount", delta);
    store.commit(add(i64::MAX)).await.unwrap();
    let units = (0..30).map(|n| appending(&format!("s-{n}"), 1).and(add(i64::from(n % 10 == 0))));
    let answers = together(&store, units).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let events = store.stream(&format!("s-{n}"), 0, 10).await.unwrap().len();
        assert_eq!(events, usize::from(n % 10 != 0), "{answer:?}");
        if n % 10 == 0 {
            is_invalid(answer);
        }
    }
    store.commit(add(i64::MIN)).await.unwrap();
    store.commit(add(i64::MIN + 1)).await.unwrap();
    is_invalid(store.commit(add(-1_000)).await);
    let row = store.row(&ITEMS, "a").await.unwrap().unwrap();
    assert_eq!(row.integer("amount"), i64::MIN);
    let positions: Vec<u64> =
        store.events(Position::START, 100).await.unwrap().iter().map(|e| e.position.0).collect();
    assert!(positions.is_sorted_by(|a, b| a < b));
}

/// Everything that has a limit says so, and the store goes on.
pub async fn limits_are_kept_and_named(subject: &dyn Subject) {
    let store = subject.open();
    let mut large = event("s", "Large");
    large.data = vec![b'x'; RECORD_BYTES + 1].into();
    let mut large_event = Unit::new();
    large_event.events.push(large);
    let mut messages = Unit::new();
    messages.messages.extend((0..=UNIT_MESSAGES).map(|_| message("t", "k")));
    let long = "n".repeat(NAME_BYTES + 1);
    is_invalid(store.commit(large_event).await);
    is_invalid(store.commit(appending("s", UNIT_EVENTS + 1)).await);
    is_invalid(store.commit(messages).await);
    is_invalid(store.commit(appending(&long, 1)).await);
    is_invalid(store.commit(Unit::new().put(&ITEMS, long, [])).await);
    assert_eq!(store.events(Position::START, 10).await.unwrap().len(), 0);
    store.commit(appending("s", UNIT_EVENTS)).await.unwrap();
    assert_eq!(store.stream("s", 0, usize::MAX).await.unwrap().len(), UNIT_EVENTS);
}

/// A mistake of the program is told as one, and not tried again.
pub async fn what_is_not_declared_is_invalid(subject: &dyn Subject) {
    static UNKNOWN: Table =
        Table { name: "suite_unknown", columns: &[Column::integer("n")], indexes: &[] };
    static OTHER: Table =
        Table { name: "suite_items", columns: &[Column::text("amount")], indexes: &[] };
    let store = subject.open();
    is_invalid(store.commit(Unit::new().put(&UNKNOWN, "a", [("n", 1.into())])).await);
    is_invalid(store.commit(Unit::new().put(&OTHER, "a", [("amount", "x".into())])).await);
    is_invalid(store.commit(Unit::new().put(&ITEMS, "a", [("amount", "x".into())])).await);
    is_invalid(store.commit(Unit::new().add(&ITEMS, "a", "owner", 1)).await);
    is_invalid(store.commit(Unit::new().expect(Expect::row_absent(&UNKNOWN, "a"))).await);
    assert!(store.row(&ITEMS, "a").await.unwrap().is_none());
    assert!(store.row(&UNKNOWN, "a").await.is_err());
}

/// An empty unit is no error, and its conditions count.
pub async fn a_unit_that_changes_nothing_is_answered(subject: &dyn Subject) {
    let store = subject.open();
    let committed = store.commit(Unit::new()).await.unwrap();
    assert_eq!(committed.position, Position::START);
    conflicts(store.commit(Unit::new().expect(Expect::row_at(&ITEMS, "a", 1))).await);
}

/// Rule 1: `Ok` means durable.
pub async fn what_is_answered_is_there_after_opening_again(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(everything()).await.unwrap();
    drop(store);
    let store = subject.open();
    assert_eq!(traces(&store).await, [2, 1, 1, 1, 1, 1]);
    let committed = store.commit(appending("stream", 1).send(message("topic", "a"))).await.unwrap();
    assert_eq!(committed.position, Position(5), "positions go on where they were");
    assert_eq!(store.stream("stream", 2, 10).await.unwrap()[0].version, 3);
    assert_eq!(store.sequences().await.unwrap()[0].last, 2, "and so do sequences");
    assert_eq!(*store.watch().borrow(), Position(5));
}

/// What a unit leads to is caused by what the unit was caused by.
pub async fn messages_and_events_inherit_the_context(subject: &dyn Subject) {
    let store = subject.open();
    let (units, own) = (Context::of(Id::from_bytes([1; 16])), Context::of(Id::from_bytes([2; 16])));
    let mut with_own = message("t", "a");
    with_own.context = Some(own.clone());
    let unit = appending("s", 1).send(message("t", "a")).send(with_own);
    store.commit(unit.with_context(units.clone())).await.unwrap();
    store.commit(Unit::new().send(message("t", "a"))).await.unwrap();
    let contexts: Vec<_> = store
        .outgoing(Position::START, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|outgoing| (outgoing.envelope.id, outgoing.envelope.context))
        .collect();
    assert_eq!((&contexts[0].1, &contexts[1].1), (&units, &own));
    assert_eq!(contexts[2].1.correlation, contexts[2].0, "without any, an action begins");
    let event = store.stream("s", 0, 1).await.unwrap().remove(0);
    assert_eq!(event.context, Some(units));
}

/// What was shown before the commit is what is recorded.
pub async fn a_unit_may_say_when_it_happened(subject: &dyn Subject) {
    let store = subject.open();
    let unit = appending("s", 2).send(message("t", "a")).at(micros(7));
    store.commit(unit).await.unwrap();
    store.commit(appending("other", 1)).await.unwrap();
    let times = store.stream("s", 0, 9).await.unwrap().into_iter().map(|event| event.time);
    assert_eq!(times.collect::<Vec<_>>(), [micros(7); 2]);
    let sent = store.outgoing(Position::START, 9).await.unwrap().remove(0);
    assert_eq!(sent.envelope.time, micros(7));
    let other = store.stream("other", 0, 1).await.unwrap().remove(0);
    assert_ne!(other.time, micros(7), "else it is the moment of the commit");
}
