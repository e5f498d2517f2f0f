//! Lost sessions, lost answers, a lost server: nothing is half applied, nothing applied twice, and
//! an error without effect has had none.

use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

use switchboard_core::{Identity, Key, Position, Retryable, Slot, Verdict};
use switchboard_store::{CommitError, Custody, Handled, Journal, Mark, Outbox, Rows, Select, Unit};
use switchboard_store_postgres::PostgresStore;
use switchboard_testkit::store::ITEMS;

use crate::proxy::Proxy;
use crate::server::{ALONE, TestSchema, appending, eventually, is_waiting, message};

/// Something of every kind that is written before and after the lock.
fn whole(number: u64) -> Unit {
    let identity =
        Identity { source: "orders".into(), incarnation: 1, sequence: number, slot: Slot(3) };
    let mark = Mark::Known { topic: "payments".into(), identity };
    let (group, key) = ("group".into(), Key::from("k"));
    appending(&format!("s-{number}"), 2)
        .send(message("t", "a"))
        .put(&ITEMS, format!("row-{number:05}"), [("amount", 1.into())])
        .add(&ITEMS, "sum", "amount", 1)
        .handled(Handled { group, mark, key, custody: Custody::Effect })
}

/// Whether the unit is there as a whole; fails when only parts of it are.
async fn is_there(store: &PostgresStore, number: u64) -> bool {
    let events = store.stream(&format!("s-{number}"), 0, 10).await.unwrap().len();
    let row = store.row(&ITEMS, &format!("row-{number:05}")).await.unwrap();
    let row = row.map(|row| row.version);
    assert!(matches!((events, row), (0, None) | (2, Some(1))), "{number}: {events} {row:?}");
    events == 2
}

/// What all units together have left.
async fn count(store: &PostgresStore) -> usize {
    let mut rows = HashSet::new();
    let mut page = Select::all(&ITEMS).limit(1_000);
    loop {
        let found = store.select(page.clone()).await.unwrap();
        let Some(last) = found.last() else { break };
        page = Select::all(&ITEMS).limit(1_000).after(0, last.key.clone());
        rows.extend(found.into_iter().map(|row| row.key));
    }
    rows.remove("sum");
    let sum = store.row(&ITEMS, "sum").await.unwrap().map_or(0, |row| row.integer("amount"));
    assert_eq!(sum, i64::try_from(rows.len()).unwrap());
    let outgoing = store.outgoing(Position::START, 100_000).await.unwrap();
    let sequences: Vec<u64> = outgoing
        .iter()
        .map(|outgoing| outgoing.envelope.identity.as_ref().unwrap().sequence)
        .collect();
    assert_eq!(sequences, (1..=rows.len() as u64).collect::<Vec<u64>>(), "dense, in order");
    assert_eq!(store.events(Position::START, 100_000).await.unwrap().len(), 2 * rows.len());
    rows.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_terminated_before_its_commit_is_replaced_and_the_unit_runs_again() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let mut held = schema.lock_store().await;
    let mut commit = {
        let store = store.clone();
        tokio::spawn(async move { store.commit(whole(1)).await })
    };
    schema.until_waiting(1).await;
    // The one that waits for this very lock.
    let lock = schema.lock();
    let ended = schema
        .number(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted \
             AND locktype = 'advisory' AND (classid::int8 << 32) | objid::int8 = {lock}"
        ))
        .await;
    assert_eq!(ended, 1);
    assert!(is_waiting(&mut commit).await);
    schema.run(&mut held, "COMMIT").await;
    assert!(!commit.await.unwrap().unwrap().duplicate);
    assert_eq!(count(&store).await, 1);
}

/// The commit itself takes its time, and its session is terminated meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_terminated_during_its_commit_leaves_nothing_half() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let mut admin = schema.connect().await;
    let slow = "CREATE SEQUENCE @slow; CREATE FUNCTION @slow() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN IF nextval('@slow') = 1 THEN PERFORM pg_sleep(30); END IF; RETURN NULL; \
                END $$; CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON @sb_messages \
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @slow()";
    schema.run(&mut admin, slow).await;
    let commit = {
        let store = store.clone();
        tokio::spawn(async move { store.commit(whole(1)).await })
    };
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid IN \
                    (SELECT pid FROM pg_locks WHERE relation = '@sb_messages'::regclass)";
    eventually(async || schema.number(sleeping).await == 1).await;
    schema.number(&sleeping.replace("count(*)", "count(pg_terminate_backend(pid))")).await;
    let committed = commit.await.unwrap().unwrap();
    assert!(!committed.duplicate);
    assert_eq!(count(&store).await, 1);
    assert!(is_there(&store, 1).await);
}

/// The commit has happened and nobody was told: it is found out, and not done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_found_out_and_answered() {
    let mut schema = TestSchema::new();
    let direct = schema.open().await;
    let proxy = Proxy::before(&schema.url).await;
    schema.url.clone_from(&proxy.url);
    let store = schema.open().await;
    for number in 1..=10 {
        proxy.lose_answer();
        let committed = store.commit(whole(number)).await.unwrap();
        assert!(!committed.duplicate);
        assert_eq!(*store.watch().borrow(), committed.position);
        proxy.lose_commit();
        assert!(!store.commit(whole(100 + number)).await.unwrap().duplicate);
    }
    assert_eq!(proxy.faults(), 20);
    assert_eq!(count(&direct).await, 20);
}

/// When nobody can be asked, nobody says that nothing has happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_cannot_be_found_out_is_called_unknown() {
    let mut schema = TestSchema::new();
    let direct = schema.open().await;
    let proxy = Proxy::before(&schema.url).await;
    schema.url.clone_from(&proxy.url);
    let patience = Duration::from_millis(300);
    let store = PostgresStore::open(schema.options().with_patience(patience)).await.unwrap();
    for (number, loses_answer) in [(1, true), (2, false)] {
        if loses_answer {
            proxy.lose_answer()
        } else {
            proxy.lose_commit()
        }
        proxy.and_stay_down();
        let error = store.commit(whole(number)).await.unwrap_err();
        assert!(matches!(error, CommitError::Unknown(_)), "{error:?}");
        assert_eq!(error.verdict(), Verdict::Retry);
        assert_eq!(is_there(&direct, number).await, loses_answer);
        let error = store.commit(whole(10 + number)).await.unwrap_err();
        assert!(matches!(error, CommitError::Unavailable(_)), "{error:?}");
        proxy.come_up();
        // Whoever was in doubt asks again, and its mark tells.
        let again = store.commit(whole(number)).await.unwrap();
        assert_eq!(again.duplicate, loses_answer);
    }
    assert_eq!(count(&direct).await, 2);
}

/// Acceptance test 5, and the whole of it under load: sessions die at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_storm_of_terminated_sessions_every_answer_is_true() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    let tasks: Vec<_> = (0..16_u64)
        .map(|task| {
            let store = stores[task as usize % 2].clone();
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for n in 0..40 {
                    let number = 1 + task * 40 + n;
                    answers.push((number, store.commit(whole(number)).await));
                }
                answers
            })
        })
        .collect();
    let mut ended = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        let like = format!("%{}%", schema.name);
        ended += schema.terminate(&like).await;
        ended += schema.terminate("COMMIT").await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let (mut done, mut refused) = (0, 0);
    for task in tasks {
        for (number, answer) in task.await.unwrap() {
            match answer {
                Ok(committed) => {
                    assert!(!committed.duplicate, "{number}");
                    assert!(is_there(&stores[0], number).await, "{number} was answered");
                    done += 1;
                }
                Err(CommitError::Unavailable(error)) => {
                    assert!(!is_there(&stores[0], number).await, "{number}: {error}");
                    refused += 1;
                }
                Err(other) => panic!("{number}: {other:?}"),
            }
        }
    }
    assert!(ended > 3 && done > 300, "{ended} sessions ended, {done} done, {refused} refused");
    assert_eq!(count(&stores[1]).await, done);
}

fn command(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `cargo xtask test`, which can stop and start the server")
    })
}

fn run(name: &str) {
    let status = Command::new("sh").arg("-c").arg(command(name)).status().unwrap();
    assert!(status.success(), "{name}: {status}");
}

/// Acceptance test 4: the database is down in the middle of everything. Whatever was answered is
/// there afterwards, and whatever was refused is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_and_comes_back_has_lost_nothing() {
    let _alone = ALONE.write().await;
    let schema = TestSchema::alone();
    let patience = Duration::from_secs(60);
    let stores = [
        PostgresStore::open(schema.options().with_patience(patience)).await.unwrap(),
        PostgresStore::open(schema.options().with_patience(patience)).await.unwrap(),
    ];
    for (round, kill) in ["KILL", "STOP"].into_iter().enumerate() {
        let tasks: Vec<_> = (0..16_u64)
            .map(|task| {
                let store = stores[task as usize % 2].clone();
                tokio::spawn(async move {
                    for n in 0..60 {
                        let number = 1 + (round as u64 * 16 + task) * 60 + n;
                        // Retry, as whoever handles a message does.
                        loop {
                            match store.commit(whole(number)).await {
                                Ok(_) => break,
                                Err(error) => assert_eq!(error.verdict(), Verdict::Retry),
                            }
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                })
            })
            .collect();
        let (name, mut watch) = (format!("SWITCHBOARD_TEST_POSTGRES_{kill}"), stores[0].watch());
        let so_far = 100 + round as u64 * 16 * 60 * 3;
        watch.wait_for(|position| position.0 > so_far).await.unwrap();
        let restart = tokio::task::spawn_blocking(move || {
            run(&name);
            run("SWITCHBOARD_TEST_POSTGRES_START");
        });
        restart.await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(count(&stores[0]).await, (round + 1) * 16 * 60);
    }
    assert_eq!(stores[1].identity().incarnation, 1, "it is still the same server");
    drop(stores);
    let store = schema.open().await;
    for number in 1..=2 * 16 * 60 {
        assert!(is_there(&store, number).await, "{number}");
    }
}
