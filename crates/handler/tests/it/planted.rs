//! A bug that is planted on purpose, found by the check that would find it by accident.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Position;
use switchboard_handler::planted::Planted;
use switchboard_message::Broker;
use switchboard_store::memory::Fault;
use switchboard_store::{NewMessage, Outbox};
use tokio_util::sync::CancellationToken;

use crate::support::*;

/// Ends everything around the first commit of a message, runs again from what the store has, and
/// answers the effects.
async fn effects_after_a_crash(bug: Planted, fault: Fault) -> Vec<u64> {
    let world = World::new().await;
    world.send("a", 1).await;
    world.store.inject(fault);
    let group = world.notes(|note| Ok(effect(note))).with_planted_bug(bug);
    let crashed = group.run(CancellationToken::new());
    let _ = tokio::time::timeout(Duration::from_secs(1), crashed).await;

    world.store.reopen();
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    world.send("a", 2).await;
    seconds(60).await;
    running.stop().await;
    world.effects("a").await
}

#[tokio::test(start_paused = true)]
async fn planted_handled_mark_before_commit_is_found() {
    let lost = effects_after_a_crash(Planted::MarkBeforeCommit, Fault::LoseAck).await;
    assert_eq!(lost, [2], "the check must see the bug");
    for fault in [Fault::LoseAck, Fault::CrashBefore] {
        assert_eq!(effects_after_a_crash(Planted::Nothing, fault).await, [1, 2], "{fault:?}");
    }
}

/// How often the message of an effect was published, when the commit of the effect fails once.
async fn published(bug: impl FnOnce(&World) -> Planted) -> u64 {
    let world = World::new().await;
    world.send("a", 1).await;
    world.store.inject(Fault::Refuse);
    let tells = |note: &Note| {
        let told = Note { about: note.about.clone(), number: 100 + note.number };
        let told = NewMessage { topic: "others".into(), ..NewMessage::of(&told) };
        Ok(effect(note).send(told))
    };
    let running = Running::of(world.notes(tells).with_planted_bug(bug(&world)));
    world.until("a", 1).await;
    running.stop().await;
    let topics = world.broker.inspect().unwrap().topics().await.unwrap();
    let others = topics.iter().find(|topic| topic.name == "others").unwrap();
    let published: u64 = others.partitions.iter().map(|partition| partition.last.0).sum();
    let waits = world.store.outgoing(Position::START, 9).await.unwrap().len();
    published + u64::try_from(waits).unwrap()
}

#[tokio::test(start_paused = true)]
async fn planted_publish_before_commit_is_found() {
    let early = |world: &World| Planted::PublishBeforeCommit(Arc::new(world.broker.clone()));
    assert_eq!(published(early).await, 2, "the check must see the bug");
    assert_eq!(published(|_| Planted::Nothing).await, 1);
}
