//! A bug that is planted on purpose, found by the check that would find it by accident.

use std::time::Duration;

use switchboard_handler::planted::Planted;
use switchboard_store::memory::Fault;
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
