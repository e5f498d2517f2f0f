//! Messages from a team's own transactions.

use sqlx::Connection;
use switchboard_core::{Position, Slot};
use switchboard_store::limits::RECORD_BYTES;
use switchboard_store::{Journal, NewMessage, Outbox, Unit};
use switchboard_store_postgres::{EnqueueError, PostgresStore};

use crate::server::{TestSchema, eventually, is_waiting, message};

fn numbered(key: &str, number: usize) -> NewMessage {
    NewMessage { payload: number.to_string().into(), ..message("teams", key) }
}

async fn payloads(store: &PostgresStore, key: &str) -> Vec<String> {
    let outgoing = store.outgoing(Position::START, 10_000).await.unwrap();
    let of_key = outgoing.iter().filter(|outgoing| outgoing.envelope.key == Some(key.into()));
    of_key.map(|outgoing| String::from_utf8(outgoing.envelope.payload.to_vec()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_team_commits_is_published_and_what_it_rolls_back_is_not() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let mut connection = schema.connect().await;
    let mut transaction = connection.begin().await.unwrap();
    let ids = store
        .enqueue(&mut transaction, vec![message("teams", "a"), message("teams", "b")])
        .await
        .unwrap();
    assert_eq!(store.outgoing(Position::START, 10).await.unwrap(), []);
    transaction.commit().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    store.enqueue(&mut transaction, vec![message("teams", "gone")]).await.unwrap();
    transaction.rollback().await.unwrap();
    let outgoing = store.outgoing(Position::START, 10).await.unwrap();
    let found: Vec<_> = outgoing.iter().map(|outgoing| outgoing.envelope.id).collect();
    assert_eq!(found, ids, "with the ids that were promised, in order");
    for outgoing in &outgoing {
        let identity = outgoing.envelope.identity.as_ref().unwrap();
        assert_eq!((identity.sequence, &*identity.source), (1, "suite"));
        assert_eq!(outgoing.envelope.context.correlation, outgoing.envelope.id);
    }
    assert_eq!(store.sequences().await.unwrap().len(), 2);
    assert_eq!(schema.number("SELECT count(*) FROM @sb_staged").await, 0);
}

/// Nobody has to ask: the hint of the commit moves the message, and the move moves the watch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_are_woken_by_a_teams_commit() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let mut watch = store.watch();
    watch.mark_unchanged();
    let mut connection = schema.connect().await;
    store.enqueue(&mut connection, vec![message("teams", "a")]).await.unwrap();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow(), Position(1));
}

/// Acceptance test 1: ids 100 and 101 are drawn, and 101 is committed first. Nobody loses 100.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_100_and_101_with_101_committed_first_lose_nothing() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let mut starter = schema.connect().await;
    schema.run(&mut starter, "ALTER TABLE @sb_staged ALTER id RESTART WITH 100").await;
    let (mut one, mut two) = (schema.connect().await, schema.connect().await);
    schema.run(&mut one, "BEGIN").await;
    store.enqueue(&mut one, vec![numbered("a", 100)]).await.unwrap();
    schema.run(&mut two, "BEGIN").await;
    store.enqueue(&mut two, vec![numbered("b", 101)]).await.unwrap();
    schema.run(&mut two, "COMMIT").await;
    let first = store.outgoing(Position::START, 10).await.unwrap();
    assert_eq!(first.len(), 1, "101 does not wait for 100");
    let cursor = first[0].position;
    // In the middle of the gap the process ends, and another goes on.
    store.close().await;
    let store = schema.open().await;
    schema.run(&mut one, "COMMIT").await;
    let second = store.outgoing(cursor, 10).await.unwrap();
    assert_eq!(second.len(), 1, "and 100 comes behind the cursor");
    assert_eq!(&second[0].envelope.payload[..], b"100");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_a_key_is_the_order_of_its_commits() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let (mut one, mut two) = (schema.connect().await, schema.connect().await);
    schema.run(&mut one, "BEGIN").await;
    store.enqueue(&mut one, vec![numbered("a", 1)]).await.unwrap();
    let mut second = {
        let (store, name) = (store.clone(), schema.name.clone());
        tokio::spawn(async move {
            let mut transaction = two.begin().await.unwrap();
            store.enqueue(&mut transaction, vec![numbered("a", 2)]).await.unwrap();
            transaction.commit().await.unwrap();
            name
        })
    };
    assert!(is_waiting(&mut second).await, "it draws no id before the first is committed");
    store.enqueue(&mut one, vec![numbered("a", 3)]).await.unwrap();
    schema.run(&mut one, "COMMIT").await;
    second.await.unwrap();
    assert_eq!(payloads(&store, "a").await, ["1", "3", "2"]);
}

/// Many transactions over the same keys, in any order: no deadlock, no inversion.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teams_that_name_the_same_keys_in_other_orders_do_not_deadlock() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    let teams: Vec<_> = (0..16)
        .map(|team| {
            let (store, url) = (stores[team % 2].clone(), schema.url.clone());
            tokio::spawn(async move {
                let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
                for n in 0..10 {
                    let mut keys = ["a", "b", "c"];
                    keys.rotate_left((team + n) % 3);
                    let mut transaction = connection.begin().await.unwrap();
                    let messages = keys.map(|key| numbered(key, team * 100 + n)).to_vec();
                    store.enqueue(&mut transaction, messages).await.unwrap();
                    transaction.commit().await.unwrap();
                }
            })
        })
        .collect();
    for team in teams {
        team.await.unwrap();
    }
    let a = payloads(&stores[0], "a").await;
    assert_eq!(a.len(), 160);
    // A transaction has all three keys or none, so all keys have the order of the commits.
    assert_eq!(payloads(&stores[1], "b").await, a);
    assert_eq!(payloads(&stores[1], "c").await, a);
    let outgoing = stores[0].outgoing(Position::START, 1_000).await.unwrap();
    let of_slot = outgoing.iter().filter(|outgoing| outgoing.slot == Slot::of(&"a".into()));
    let sequences: Vec<u64> =
        of_slot.map(|outgoing| outgoing.envelope.identity.as_ref().unwrap().sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_before_the_transaction_is_spoiled() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let mut connection = schema.connect().await;
    let mut transaction = connection.begin().await.unwrap();
    let large = NewMessage { payload: vec![0; RECORD_BYTES + 1].into(), ..message("teams", "a") };
    for bad in [vec![large], vec![message("teams", "a"); 1_001], vec![message("\0", "a")]] {
        let refused = store.enqueue(&mut transaction, bad).await;
        assert!(matches!(refused, Err(EnqueueError::Invalid(_))), "{refused:?}");
    }
    store.enqueue(&mut transaction, vec![message("teams", "a")]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.outgoing(Position::START, 10).await.unwrap().len(), 1);
}

/// Units go on while a thousand staged messages are moved, and none is moved twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_move_each_message_once() {
    let schema = TestSchema::new();
    let stores = [schema.open().await, schema.open().await];
    let mut connection = schema.connect().await;
    for chunk in 0..6 {
        let messages = (0..500).map(|n| numbered(&format!("k-{n}"), chunk)).collect();
        stores[0].enqueue(&mut connection, messages).await.unwrap();
        stores[1].commit(Unit::new().send(message("units", "a"))).await.unwrap();
    }
    eventually(async || stores[0].outgoing(Position::START, 10_000).await.unwrap().len() == 3_006)
        .await;
    let outgoing = stores[1].outgoing(Position::START, 10_000).await.unwrap();
    let positions: Vec<u64> = outgoing.iter().map(|outgoing| outgoing.position.0).collect();
    assert_eq!(positions, (1..=3_006).collect::<Vec<u64>>());
}
