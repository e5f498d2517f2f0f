//! What becomes of a message that fails, of its key, and of everybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use switchboard_core::{Key, Verdict};
use switchboard_handler::{Failure, Options, operator};
use switchboard_store::Inbox;
use tokio::time::Instant;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_is_tried_again_at_once() {
    let world = World::new().await;
    let tries = Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let running = Running::of(world.notes(move |note| {
        let is_bad = note.number == 1 && counted.fetch_add(1, Ordering::SeqCst) < 3;
        if is_bad { Err(Failure::retry("not yet")) } else { Ok(effect(note)) }
    }));
    let begun = Instant::now();
    world.send("a", 1).await;
    world.send("a", 2).await;
    world.until("a", 2).await;
    assert_eq!(world.effects("a").await, [1, 2]);
    assert!(begun.elapsed() < Duration::from_millis(400));
    assert!(world.gates().await.is_empty());
    running.stop().await;
}

/// Section 2.4: neither the order of the key nor the flow of others is the price of a retry.
#[tokio::test(start_paused = true)]
async fn a_delayed_retry_blocks_its_key_in_order_and_nobody_else() {
    let world = World::new().await;
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let running = Running::of(world.notes(move |note| {
        let is_bad = note.about == "bad" && broken.load(Ordering::SeqCst);
        if is_bad { Err(Failure::retry("not yet")) } else { Ok(effect(note)) }
    }));
    let begun = Instant::now();
    for number in 1..=3 {
        world.send("bad", number).await;
        world.send("good", number).await;
    }
    world.until("good", 3).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.gate("bad").await.unwrap().depth, 3);
    is_broken.store(false, Ordering::SeqCst);
    world.until("bad", 3).await;
    let took = begun.elapsed().as_secs_f64();
    assert!((4.0..7.0).contains(&took), "the first delay is 5 s, give or take: {took}");
    assert_eq!(world.effects("bad").await, [1, 2, 3]);
    assert!(world.gates().await.is_empty());
    world.send("bad", 4).await;
    world.until("bad", 4).await;
    running.stop().await;
}

/// Section 2.4: the arithmetic of retries, which nobody shows, is what the options say.
#[tokio::test(start_paused = true)]
async fn attempts_are_used_up_after_exactly_as_many_tries_as_the_options_say() {
    let world = World::new().await;
    let tries = Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let running = Running::of(world.notes(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Err(Failure::retry("never"))
    }));
    world.send("a", 1).await;
    seconds(600).await;
    assert_eq!(tries.load(Ordering::SeqCst), Options::default().tries());
    let gate = world.gate("a").await.unwrap();
    assert_eq!((gate.due, gate.depth), (None, 1));
    let waiting = world.store.waiting(GROUP, &Key::from("a"), 1).await.unwrap();
    let attempts: Vec<_> = waiting[0].failures.iter().map(|failure| failure.attempt).collect();
    assert_eq!(attempts, [4, 8, 12, 16]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_terminal_failure_a_stuck_one_and_a_panic_park_at_once() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| match note.about.as_str() {
        "terminal" => Err(Failure::terminal("no")),
        "stuck" => Err(Failure::stuck("help")),
        "panic" => panic!("a bug"),
        _ => Ok(effect(note)),
    }));
    for about in ["terminal", "stuck", "panic", "fine"] {
        world.send(about, 1).await;
        world.send(about, 2).await;
    }
    world.until("fine", 2).await;
    seconds(1).await;
    for (about, verdict, text) in [
        ("terminal", Verdict::Terminal, "no"),
        ("stuck", Verdict::Stuck, "help"),
        ("panic", Verdict::Terminal, "the handler panicked: a bug"),
    ] {
        let gate = world.gate(about).await.unwrap();
        assert_eq!((gate.due, gate.depth), (None, 2), "{about}");
        let waiting = world.store.waiting(GROUP, &Key::from(about), 2).await.unwrap();
        let failures = &waiting[0].failures;
        assert_eq!(failures.len(), 1, "{about}");
        assert_eq!((failures[0].verdict, failures[0].error.as_str()), (verdict, text));
        assert!(waiting[1].failures.is_empty());
    }
    running.stop().await;
}

/// Acceptance test 8: what cannot be decoded is parked at once, and the process goes on.
#[tokio::test(start_paused = true)]
async fn undecodable_bytes_park_their_key_or_themselves() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    world.broker.publish_raw("notes", Some(Key::from("a")), vec![255, 1, 2]).unwrap();
    world.broker.publish_raw("notes", None, vec![1, 255]).unwrap();
    world.broker.publish_raw("notes", None, Vec::new()).unwrap();
    world.send("a", 1).await;
    world.send("b", 1).await;
    world.until("b", 1).await;
    seconds(1).await;
    assert_eq!(world.gate("a").await.unwrap().depth, 2, "the next one of the key waits");
    assert_eq!(world.gates().await.len(), 3);
    assert!(world.effects("a").await.is_empty());
    running.stop().await;
}

/// A payload that is not what its type says is found by the group, not by every handler.
#[tokio::test(start_paused = true)]
async fn a_payload_that_is_not_its_type_parks_the_key() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    let mut wrong = world.envelope("a", 1);
    wrong.payload = "[]".into();
    world.publish(&wrong).await;
    seconds(1).await;
    assert_eq!(world.gate("a").await.unwrap().due, None);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_key_park_alone() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| match note.number % 2 {
        0 => Err(Failure::terminal("even")),
        _ => Ok(effect(note)),
    }));
    for number in 0..10 {
        world.send("", number).await;
    }
    world.until("keyless", 5).await;
    seconds(1).await;
    let gates = world.gates().await;
    assert_eq!(gates.len(), 5);
    assert!(gates.iter().all(|gate| gate.depth == 1));
    running.stop().await;
}

/// Acceptance test 7: a replay, however late, handles each message once, in order, and starts its
/// attempts anew.
#[tokio::test(start_paused = true)]
async fn a_replay_releases_in_order_and_a_poisoned_head_parks_again() {
    let world = World::new().await;
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let running = Running::of(
        world
            .notes(move |note| {
                let is_bad = note.number == 2 && broken.load(Ordering::SeqCst);
                if is_bad { Err(Failure::retry("not yet")) } else { Ok(effect(note)) }
            })
            .with_options(delays(&[1, 1])),
    );
    for number in 1..=40 {
        world.send("a", number).await;
    }
    seconds(10).await;
    assert_eq!(world.effects("a").await, [1]);
    assert_eq!(world.gate("a").await.unwrap().due, None);

    operator::replay(&*world.store, &*world.clock, GROUP, &Key::from("a")).await.unwrap();
    seconds(10).await;
    assert_eq!(world.gate("a").await.unwrap().due, None, "it parked again");
    let waiting = world.store.waiting(GROUP, &Key::from("a"), 1).await.unwrap();
    let attempts: Vec<_> = waiting[0].failures.iter().map(|failure| failure.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 1, 2, 3], "its attempts started anew");

    is_broken.store(false, Ordering::SeqCst);
    seconds(30 * 24 * 3600).await;
    operator::replay(&*world.store, &*world.clock, GROUP, &Key::from("a")).await.unwrap();
    for number in 41..=60 {
        world.send("a", number).await;
    }
    world.until("a", 60).await;
    assert_eq!(world.effects("a").await, (1..=60).collect::<Vec<_>>());
    assert!(world.gates().await.is_empty());
    running.stop().await;
}

/// While a key is worked off, newly arriving messages join behind.
#[tokio::test(start_paused = true)]
async fn messages_that_arrive_while_a_key_is_worked_off_wait_their_turn() {
    let world = World::new().await;
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let group = world.group(GROUP).on(move |note: Note, _| {
        let is_bad = broken.load(Ordering::SeqCst);
        async move {
            if is_bad {
                return Err(Failure::retry("not yet"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(effect(&note))
        }
    });
    let running = Running::of(group.with_options(delays(&[2])));
    for number in 1..=20 {
        world.send("a", number).await;
    }
    seconds(1).await;
    is_broken.store(false, Ordering::SeqCst);
    for number in 21..=120 {
        world.send("a", number).await;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    world.until("a", 120).await;
    assert_eq!(world.effects("a").await, (1..=120).collect::<Vec<_>>());
    running.stop().await;
}

/// Many keys fail at once: they are worked off a bounded number at a time.
#[tokio::test(start_paused = true)]
async fn many_blocked_keys_are_worked_off_within_their_bound() {
    let world = World::new().await;
    let (is_broken, most) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let (broken, peak, now) = (is_broken.clone(), most.clone(), Arc::new(AtomicU32::new(0)));
    let group = world.group(GROUP).on(move |note: Note, _| {
        let (is_bad, peak, now) = (broken.load(Ordering::SeqCst), peak.clone(), now.clone());
        async move {
            if is_bad {
                return Err(Failure::retry("not yet"));
            }
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(effect(&note))
        }
    });
    let options = Options { drains: 3, ..delays(&[5]) };
    let running = Running::of(group.with_options(options));
    for number in 0..100 {
        world.send(&format!("k{number}"), number).await;
    }
    seconds(2).await;
    assert_eq!(world.gates().await.len(), 100);
    is_broken.store(false, Ordering::SeqCst);
    for number in 0..100 {
        world.until(&format!("k{number}"), 1).await;
    }
    assert!(world.gates().await.is_empty());
    assert_eq!(most.load(Ordering::SeqCst), 3);
    running.stop().await;
}
