//! Random failures, crashes, duplicates and replays from a seed: each effect once, each key in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::Rng;
use switchboard_handler::{Failure, Group, operator};
use switchboard_store::memory::Fault;

use crate::support::*;

/// A group whose handlers fail at random.
fn unlucky(world: &World, chance: &Arc<Mutex<Rng>>) -> Group {
    let chance = Arc::clone(chance);
    world
        .group(GROUP)
        .on(move |note: Note, _| {
            let luck = chance.lock().below(20);
            let wait = chance.lock().below(5);
            async move {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                match luck {
                    0..3 => Err(Failure::retry("not yet")),
                    3 => Err(Failure::terminal("no")),
                    _ => Ok(effect(&note)),
                }
            }
        })
        .with_options(delays(&[1, 2]))
}

/// One run: 300 messages of 15 keys, up to two members that crash at random, then calm.
async fn run(seed: u64) {
    let world = World::new().await;
    let mut rng = Rng::from_seed(seed);
    let chance = Arc::new(Mutex::new(rng.fork()));
    world.broker.faults().reorder(Some(rng.fork()));
    let mut expected: HashMap<String, Vec<u64>> = HashMap::new();
    let mut members = [None, None];
    for number in 0..300 {
        let key = format!("k{}", rng.below(15));
        let envelope = world.envelope(&key, number);
        expected.entry(key).or_default().push(number);
        match rng.below(10) {
            0 => world.broker.faults().duplicate_deliveries(3),
            1 => world.broker.faults().duplicate_publishes(2),
            2 => world.store.inject(Fault::Refuse),
            3 => {
                let member = &mut members[usize::from(rng.below(2) == 1)];
                match member.take() {
                    Some(running) => Running::crash(running).await,
                    None => *member = Some(Running::of(unlucky(&world, &chance))),
                }
            }
            _ => {}
        }
        world.publish(&envelope).await;
        tokio::time::sleep(Duration::from_millis(rng.below(10))).await;
    }
    for member in members.into_iter().flatten() {
        member.crash().await;
    }
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    let (store, clock) = (&*world.store, &*world.clock);
    seconds(60).await;
    operator::replay_where(store, clock, Some(GROUP), 1_000, |_| true).await.unwrap();
    seconds(60).await;
    for (key, numbers) in expected {
        assert_eq!(world.effects(&key).await, numbers, "seed {seed}, {key}");
    }
    assert!(world.gates().await.is_empty(), "seed {seed}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_each_effect_happens_once_and_in_order() {
    for seed in 0..60 {
        run(seed).await;
    }
}
