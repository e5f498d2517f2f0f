//! What operators see and do about dead letters.

use switchboard_core::Key;
use switchboard_handler::{Failure, operator};
use switchboard_store::{CommitError, Journal};

use crate::support::*;

async fn parked() -> (World, Running) {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| match note.number {
        1 => Err(Failure::terminal("no")),
        _ => Ok(effect(note)),
    }));
    for number in 1..=3 {
        world.send("a", number).await;
    }
    world.broker.publish_raw("notes", Some(Key::from("b")), vec![255; 10]).unwrap();
    seconds(1).await;
    (world, running)
}

/// Acceptance test 8: one unreadable body hides nothing.
#[tokio::test(start_paused = true)]
async fn the_list_shows_readable_and_unreadable_letters() {
    let (world, running) = parked().await;
    let mut all = operator::dead_letters(&*world.store, None, 100).await.unwrap();
    all.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(all.len(), 2);
    let (readable, unreadable) = (&all[0], &all[1]);
    assert_eq!((readable.key.as_str(), readable.depth, readable.letters.len()), ("a", 3, 1));
    let content = readable.letters[0].message.as_ref().unwrap();
    assert_eq!((content.kind.as_str(), content.source.as_str()), ("note", "writer"));
    assert!(content.payload.contains("\"number\":1"));
    assert_eq!(readable.letters[0].failures[0].error, "no");
    assert!(unreadable.letters[0].message.is_none());
    let error = unreadable.letters[0].undecodable.as_deref();
    assert_eq!(error, Some("unknown envelope format 255"));
    assert!(serde_json::to_string(&all).unwrap().contains("unknown envelope format"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_blast_radius_counts_what_a_replay_would_handle() {
    let (world, running) = parked().await;
    let radius = operator::blast_radius(&*world.store, GROUP, &"a".into()).await.unwrap().unwrap();
    assert_eq!((radius.messages, radius.hopeless), (3, false));
    assert_eq!(radius.kinds["note"], 3);
    let radius = operator::blast_radius(&*world.store, GROUP, &"b".into()).await.unwrap().unwrap();
    assert!(radius.hopeless);
    assert!(operator::blast_radius(&*world.store, GROUP, &"c".into()).await.unwrap().is_none());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_skip_drops_the_head_alone_and_records_why() {
    let (world, running) = parked().await;
    let key = Key::from("a");
    let shown = operator::show(&*world.store, GROUP, &key, 10).await.unwrap().unwrap();
    assert_eq!(shown.letters.len(), 3);
    let (head, second) = (shown.letters[0].entry, shown.letters[1].entry);
    let wrong = operator::skip(&*world.store, GROUP, &key, second, "oops").await;
    assert!(matches!(wrong, Err(CommitError::GateMoved)));
    operator::skip(&*world.store, GROUP, &key, head, "sent by mistake").await.unwrap();
    assert_eq!(world.gate("a").await.unwrap().depth, 2);
    let records = world.store.stream("gates/readers", 0, 10).await.unwrap();
    assert_eq!(records.len(), 1);
    assert!(String::from_utf8_lossy(&records[0].data).contains("sent by mistake"));

    operator::replay(&*world.store, &*world.clock, GROUP, &key).await.unwrap();
    world.until("a", 2).await;
    assert_eq!(world.effects("a").await, [2, 3]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_filtered_replay_says_what_became_of_each_key() {
    let (world, running) = parked().await;
    let (store, clock) = (&*world.store, &*world.clock);
    let only_a = |gate: &switchboard_store::Gate| gate.key == Key::from("a");
    let outcomes = operator::replay_where(store, clock, Some(GROUP), 10, only_a).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].1.is_ok());
    let nothing = operator::replay(store, clock, GROUP, &Key::from("c")).await;
    assert!(matches!(nothing, Err(CommitError::GateMoved)));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_letter_that_is_replayed_parks_again() {
    let (world, running) = parked().await;
    operator::replay(&*world.store, &*world.clock, GROUP, &"b".into()).await.unwrap();
    seconds(1).await;
    let gate = world.gate("b").await.unwrap();
    assert_eq!((gate.due, gate.depth), (None, 1));
    running.stop().await;
}
