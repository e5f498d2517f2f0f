//! Several processes on one schema: forced interleavings of two stores and of foreign sessions.
//!
//! Tests that are named after a bug hold this store to the catalogue of what others have shipped.

use std::collections::{BTreeMap, HashSet};

use switchboard_core::{Identity, Key, Name, Position, Slot};
use switchboard_store::{
    Column, CommitError, Custody, Expect, Handled, Inbox, Journal, Mark, Outbox, Reading, Rows,
    Table, TimerOp, Timers, Unit,
};
use switchboard_store_postgres::PostgresStore;
use switchboard_testkit::store::ITEMS;

use crate::server::{TestSchema, appending, eventually, is_waiting, message};

fn effect(sequence: u64) -> Unit {
    let identity = Identity { source: "orders".into(), incarnation: 1, sequence, slot: Slot(7) };
    let mark = Mark::Known { topic: "payments".into(), identity };
    appending(&format!("effect-{sequence}"), 1).add(&ITEMS, "effects", "amount", 1).handled(
        Handled { group: "group".into(), mark, key: Key::from("k"), custody: Custody::Effect },
    )
}

async fn all_positions(store: &PostgresStore) -> Vec<u64> {
    let events = store.events(Position::START, 10_000).await.unwrap();
    let outgoing = store.outgoing(Position::START, 10_000).await.unwrap();
    let mut all: Vec<u64> = events.iter().map(|event| event.position.0).collect();
    all.extend(outgoing.iter().map(|outgoing| outgoing.position.0));
    all.sort_unstable();
    all
}

/// Follows the log of one store until it has seen so many records.
async fn follow(store: PostgresStore, most: usize) -> Vec<u64> {
    let mut watch = store.watch();
    let (mut events, mut messages) = (Position::START, Position::START);
    let mut seen = Vec::new();
    while seen.len() < most {
        let newest = *watch.borrow_and_update();
        for event in store.events(events, 50).await.unwrap() {
            events = event.position;
            seen.push(events.0);
        }
        for outgoing in store.outgoing(messages, 50).await.unwrap() {
            messages = outgoing.position;
            seen.push(messages.0);
        }
        if events.max(messages) >= newest && seen.len() < most {
            watch.changed().await.unwrap();
        }
    }
    seen.sort_unstable();
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_two_busy_stores_miss_no_position_and_sequences_are_dense() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    const RECORDS: usize = 20 * 15 * 2;
    let readers: Vec<_> =
        stores.iter().map(|store| tokio::spawn(follow(store.clone(), RECORDS))).collect();
    let writers: Vec<_> = (0..20)
        .map(|writer| {
            let store = stores[writer % 2].clone();
            tokio::spawn(async move {
                for n in 0..15 {
                    let unit = appending(&format!("s-{writer}"), 1);
                    let topic = if n % 2 == 0 { "even" } else { "odd" };
                    store.commit(unit.send(message(topic, "a"))).await.unwrap();
                }
            })
        })
        .collect();
    for task in writers {
        task.await.unwrap();
    }
    let all: Vec<u64> = (1..=RECORDS as u64).collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), all, "each position once, whoever has committed it");
    }
    let mut found: BTreeMap<Name, Vec<u64>> = BTreeMap::new();
    for outgoing in stores[0].outgoing(Position::START, 1_000).await.unwrap() {
        let sequence = outgoing.envelope.identity.unwrap().sequence;
        found.entry(outgoing.envelope.topic).or_default().push(sequence);
    }
    for (topic, sequences) in found {
        let dense: Vec<u64> = (1..=sequences.len() as u64).collect();
        assert_eq!(sequences, dense, "{topic}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_copies_that_two_processes_handle_one_has_an_effect() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    let copies: Vec<_> = (0..160)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.commit(effect(1 + n as u64 / 4)).await.unwrap() })
        })
        .collect();
    let mut new = 0;
    for copy in copies {
        new += usize::from(!copy.await.unwrap().duplicate);
    }
    assert_eq!(new, 40);
    let row = stores[0].row(&ITEMS, "effects").await.unwrap().unwrap();
    assert_eq!((row.integer("amount"), row.version), (40, 40));
    assert_eq!(stores[1].events(Position::START, 100).await.unwrap().len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rivals_in_two_processes_exactly_one_passes_each_round() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    for round in 0..20_i64 {
        let rivals: Vec<_> = (0..8)
            .map(|n| {
                let store = stores[n % 2].clone();
                let expect = match round {
                    0 => Expect::row_absent(&ITEMS, "a"),
                    version => Expect::row_at(&ITEMS, "a", version.unsigned_abs()),
                };
                let unit = appending(&format!("r-{round}-{n}"), 1);
                let unit = unit.put(&ITEMS, "a", [("amount", round.into())]).expect(expect);
                tokio::spawn(async move { store.commit(unit).await })
            })
            .collect();
        let mut passed = 0;
        for rival in rivals {
            match rival.await.unwrap() {
                Ok(_) => passed += 1,
                Err(CommitError::Conflict(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(passed, 1, "round {round}");
    }
    let events = stores[0].events(Position::START, 1_000).await.unwrap();
    assert_eq!(events.len(), 20, "and whoever did not pass has left nothing");
    assert_eq!(all_positions(&stores[1]).await, (1..=20).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_change_the_same_rows_never_take_a_stock_below_its_floor() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    let unit = Unit::new().add(&ITEMS, "x", "amount", 30).add(&ITEMS, "y", "amount", 30);
    stores[0].commit(unit).await.unwrap();
    let takes: Vec<_> = (0..120)
        .map(|n| {
            let store = stores[n % 2].clone();
            // Half of them name the rows in the other order.
            let keys = if n % 4 < 2 { ["x", "y"] } else { ["y", "x"] };
            let unit = keys.into_iter().fold(Unit::new(), |unit, key| {
                let floor = Expect::AtLeast {
                    table: &ITEMS,
                    key: key.to_owned(),
                    column: "amount",
                    value: 1,
                };
                unit.expect(floor).add(&ITEMS, key, "amount", -1)
            });
            tokio::spawn(async move { store.commit(unit).await })
        })
        .collect();
    let mut taken = 0;
    for take in takes {
        match take.await.unwrap() {
            Ok(_) => taken += 1,
            Err(CommitError::Conflict(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(taken, 30);
    for key in ["x", "y"] {
        assert_eq!(stores[0].row(&ITEMS, key).await.unwrap().unwrap().integer("amount"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_fires_in_one_process_only_and_gates_are_shared() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    let mut woken = stores[1].rescheduled();
    woken.mark_unchanged();
    for n in 0..10 {
        let id: Name = format!("t-{n}").into();
        let due = switchboard_core::Timestamp::from_micros(5);
        let set = TimerOp::Set { id: id.clone(), due, message: Box::new(message("late", "a")) };
        stores[0].commit(Unit::new().timer(set)).await.unwrap();
        let fires: Vec<_> = stores
            .iter()
            .map(|store| {
                let (store, id) = (store.clone(), id.clone());
                let fire = Unit::new().timer(TimerOp::Fire { id });
                tokio::spawn(async move { store.commit(fire).await.is_ok() })
            })
            .collect();
        let mut fired = 0;
        for fire in fires {
            fired += usize::from(fire.await.unwrap());
        }
        assert_eq!(fired, 1);
    }
    assert_eq!(stores[1].outgoing(Position::START, 100).await.unwrap().len(), 10);
    eventually(async || woken.has_changed().unwrap()).await;
}

/// Acceptance test 1: whoever was to commit first commits second, and no reader loses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_3_whoever_begins_first_and_commits_second_has_the_later_position() {
    let schema = TestSchema::new();
    let (slow, fast) = (schema.open().await, schema.open().await);
    slow.commit(Unit::new().add(&ITEMS, "held", "amount", 1)).await.unwrap();
    let mut holder = schema.connect().await;
    schema.run(&mut holder, "BEGIN; SELECT * FROM @suite_items FOR UPDATE").await;
    let first = {
        let (store, unit) = (slow.clone(), appending("first", 1).add(&ITEMS, "held", "amount", 1));
        tokio::spawn(async move { store.commit(unit).await })
    };
    schema.until_waiting(1).await;
    let second = fast.commit(appending("second", 1)).await.unwrap();
    let seen = fast.events(Position::START, 10).await.unwrap();
    assert_eq!((seen.len(), &*seen[0].stream), (1, "second"), "nobody waits for the first");
    let cursor = seen[0].position;
    schema.run(&mut holder, "COMMIT").await;
    let first = first.await.unwrap().unwrap();
    assert!(first.position > second.position);
    let seen = fast.events(cursor, 10).await.unwrap();
    assert_eq!((seen.len(), &*seen[0].stream), (1, "first"), "and it is found behind the cursor");
}

/// Conditions are judged by a statement that begins when the lock is there: it sees the commit of
/// whoever had the lock before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_1_and_2_conditions_see_what_was_committed_while_the_lock_was_waited_for() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    store.commit(appending("s", 1)).await.unwrap();
    let mut other = schema.lock_store().await;
    let append = "INSERT INTO @sb_events VALUES (2, 2, 0, 1, 's', 'Moved', '\\x0100', '{}'); \
                  UPDATE @sb_meta SET position = 2, commits = commits + 1";
    schema.run(&mut other, append).await;
    let guarded = |expect| {
        let (store, unit) = (store.clone(), appending("t", 1).expect(expect));
        tokio::spawn(async move { store.commit(unit).await })
    };
    let kinds = vec![Name::from("Moved")];
    let mut tasks = [
        guarded(Expect::StreamAt { stream: "s".into(), version: 1 }),
        guarded(Expect::NothingMatching { kinds, tags: Vec::new(), after: Position(1) }),
        guarded(Expect::StreamAt { stream: "s".into(), version: 2 }),
    ];
    assert!(is_waiting(&mut tasks[0]).await);
    schema.run(&mut other, "COMMIT").await;
    let [stale, blind, right] = tasks;
    assert!(matches!(stale.await.unwrap(), Err(CommitError::Conflict(_))));
    assert!(matches!(blind.await.unwrap(), Err(CommitError::Conflict(_))));
    assert_eq!(right.await.unwrap().unwrap().position, Position(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_4_and_5_what_is_rolled_back_leaves_no_gap_not_even_before_the_first_record() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let failing = |n| appending(&format!("f-{n}"), 3).add(&ITEMS, "full", "amount", i64::MAX);
    let fill = Unit::new().add(&ITEMS, "full", "amount", i64::MAX);
    store.commit(fill).await.unwrap();
    for n in 0..5 {
        assert!(matches!(store.commit(failing(n)).await, Err(CommitError::Invalid(_))));
    }
    let first = store.commit(appending("s", 1)).await.unwrap();
    assert_eq!(first.position, Position(1), "nothing was taken by what never happened");
    let other = schema.open().await;
    let seen = other.events(Position::START, 10).await.unwrap();
    assert_eq!(seen[0].position, Position(1));
}

/// Sessions that do nothing, and those of other stores, hold nobody up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_6_an_idle_transaction_makes_readers_neither_wait_nor_skip() {
    let schema = TestSchema::new();
    let (store, watching) = (schema.open().await, schema.open().await);
    let mut idle = schema.connect().await;
    // It has an identity and a snapshot, and has written; and it stays for as long as it likes.
    schema
        .run(
            &mut idle,
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM @sb_events; \
             INSERT INTO @suite_items (key, version) VALUES ('idle', 1)",
        )
        .await;
    let mut team = schema.connect().await;
    schema.run(&mut team, "BEGIN").await;
    store.enqueue(&mut team, vec![message("staged", "a")]).await.unwrap();
    let reader = tokio::spawn(follow(watching.clone(), 100));
    for n in 0..50 {
        store.commit(appending(&format!("s-{n}"), 1).send(message("t", "a"))).await.unwrap();
    }
    assert_eq!(reader.await.unwrap(), (1..=100).collect::<Vec<u64>>());
    schema.run(&mut team, "COMMIT").await;
    eventually(async || *watching.watch().borrow() == Position(101)).await;
    let late = watching.outgoing(Position(100), 10).await.unwrap();
    assert_eq!((late.len(), &*late[0].envelope.topic), (1, "staged"));
    schema.run(&mut idle, "ROLLBACK").await;
}

/// A listener that has died looks like one that has caught up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_7_watchers_see_commits_of_others_after_their_listener_was_killed() {
    let schema = TestSchema::new();
    let (store, watching) = (schema.open().await, schema.open().await);
    let mut watch = watching.watch();
    store.commit(appending("s", 1)).await.unwrap();
    watch.wait_for(|position| position.0 == 1).await.unwrap();
    for n in 2..6 {
        schema.terminate("LISTEN%").await;
        store.commit(appending("s", 1)).await.unwrap();
        watch.wait_for(|position| position.0 == n).await.unwrap();
    }
}

/// Two nodes that believe to own one projection: only one moves it on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_8_two_processes_do_not_move_one_reading() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    for from in 0..20 {
        let moves: Vec<_> = (0..6)
            .map(|n| {
                let store = stores[n % 2].clone();
                let mut unit = Unit::new().add(&ITEMS, "projected", "amount", 1);
                let (name, to) = ("by-day-v1".into(), Position(from + 1));
                unit.readings.push(Reading { name, from: Position(from), to });
                tokio::spawn(async move { store.commit(unit).await.is_ok() })
            })
            .collect();
        let mut moved = 0;
        for one in moves {
            moved += usize::from(one.await.unwrap());
        }
        assert_eq!(moved, 1);
    }
    let row = stores[1].row(&ITEMS, "projected").await.unwrap().unwrap();
    assert_eq!(row.integer("amount"), 20);
    assert_eq!(stores[0].reading("by-day-v1").await.unwrap(), Position(20));
}

/// Two services in one database have the same numbers for different things.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_9_stores_of_two_schemas_do_not_meet() {
    let (one, two) = (TestSchema::new(), TestSchema::new());
    let (a, b) = (one.open().await, two.open().await);
    for store in [&a, &b] {
        let unit = appending("s", 1).send(message("t", "k")).add(&ITEMS, "n", "amount", 1);
        store.commit(unit).await.unwrap();
    }
    let mut passing = Unit::new();
    passing.checkpoints.push((Slot::of(&"k".into()), Position(2)));
    a.commit(passing).await.unwrap();
    assert_eq!(a.sweep(10).await.unwrap(), 1);
    assert_eq!(b.outgoing(Position::START, 10).await.unwrap().len(), 1);
    // Nor does the lock of one keep the other waiting.
    let mut held = one.lock_store().await;
    b.commit(appending("s", 1)).await.unwrap();
    one.run(&mut held, "COMMIT").await;
}

/// A hint costs a lock of the whole cluster: one for many units, and none inside their commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_38_many_units_are_one_hint_at_most_for_each_commit() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let channel = format!("switchboard_{:016x}", schema.lock());
    let mut listener = sqlx::postgres::PgListener::connect(&schema.url).await.unwrap();
    listener.listen(&channel).await.unwrap();
    let units: Vec<_> = (0..300)
        .map(|n| {
            let (store, unit) = (store.clone(), appending(&format!("s-{n}"), 1));
            tokio::spawn(async move { store.commit(unit).await.unwrap().position })
        })
        .collect();
    let mut newest = Position::START;
    for unit in units {
        newest = newest.max(unit.await.unwrap());
    }
    let commits = schema.number("SELECT commits FROM @sb_meta").await;
    let (mut hints, mut told) = (0, 0);
    while told < newest.0 {
        let hint = listener.recv().await.unwrap();
        told = hint.payload().split(' ').next().unwrap().parse().unwrap();
        hints += 1;
    }
    assert!(hints <= commits && commits < 150, "{hints} hints for {commits} commits");
}

/// Handing a schema's tables over to a team must not let it in the way of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds_keeps_only_its_own_unit_waiting_for_a_time() {
    static HELD: Table =
        Table { name: "held", columns: &[Column::integer("amount")], indexes: &[] };
    static HELD_TABLES: &[&Table] = &[&HELD];
    let schema = TestSchema::new();
    let wait = std::time::Duration::from_millis(300);
    let options = schema.options_with(HELD_TABLES).with_lock_wait(wait);
    let store = PostgresStore::open(options).await.unwrap();
    store.commit(Unit::new().add(&HELD, "x", "amount", 1)).await.unwrap();
    let mut holder = schema.connect().await;
    schema.run(&mut holder, "BEGIN; UPDATE @held SET version = version").await;
    let (blocked, free) = tokio::join!(
        store.commit(Unit::new().add(&HELD, "x", "amount", 1)),
        store.commit(appending("free", 1)),
    );
    assert!(matches!(blocked, Err(CommitError::Unavailable(_))), "{blocked:?}");
    free.unwrap();
    schema.run(&mut holder, "ROLLBACK").await;
    store.commit(Unit::new().add(&HELD, "x", "amount", 1)).await.unwrap();
    let row = store.row(&HELD, "x").await.unwrap().unwrap();
    assert_eq!((row.integer("amount"), row.version), (2, 2));
}

/// Whoever looks at nothing but positions still knows what it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_incarnation_is_noticed_by_every_process() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    stores[1].commit(Unit::new().send(message("t", "a"))).await.unwrap();
    let next = stores[0].reincarnate().await.unwrap();
    stores[1].commit(Unit::new().send(message("t", "a"))).await.unwrap();
    assert_eq!(stores[1].identity(), next);
    let outgoing = stores[0].outgoing(Position::START, 10).await.unwrap();
    let identities: HashSet<(u32, u64)> = outgoing
        .iter()
        .map(|outgoing| outgoing.envelope.identity.clone().unwrap())
        .map(|identity| (identity.incarnation, identity.sequence))
        .collect();
    assert_eq!(identities, HashSet::from([(1, 1), (2, 1)]));
}
