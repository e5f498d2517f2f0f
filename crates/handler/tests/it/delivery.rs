//! Every message has its effect once, in the order of its key, however it is delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use switchboard_core::{Context, Rng};
use switchboard_handler::{Failure, Options};
use switchboard_message::Broker;
use switchboard_store::{Expect, Inbox, Journal, NewMessage, Outbox, Unit};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_every_message_changes_nothing() {
    let world = World::new().await;
    world.broker.faults().duplicate_deliveries(usize::MAX);
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    let mut sent = Vec::new();
    for number in 0..100 {
        let envelope = world.envelope(&format!("k{}", number % 5), number);
        world.publish(&envelope).await;
        sent.push(envelope);
    }
    world.until("k4", 20).await;
    for envelope in &sent {
        world.publish(envelope).await;
    }
    seconds(60).await;
    for key in 0..5 {
        let expected: Vec<u64> = (0..20).map(|round| round * 5 + key).collect();
        assert_eq!(world.effects(&format!("k{key}")).await, expected);
    }
    running.stop().await;
}

/// A stranger's message has no dense identity: its id is remembered instead.
#[tokio::test(start_paused = true)]
async fn a_duplicate_of_a_foreign_message_changes_nothing() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    let mut envelope = world.envelope("a", 1);
    envelope.identity = None;
    world.publish(&envelope).await;
    world.publish(&envelope).await;
    world.send("a", 2).await;
    world.until("a", 2).await;
    assert_eq!(world.effects("a").await, [1, 2]);
    running.stop().await;
}

/// Proof 3 and acceptance test 7: there is no time after which a duplicate is taken for new.
#[tokio::test(start_paused = true)]
async fn a_message_replayed_after_a_year_changes_nothing() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    let envelope = world.envelope("a", 1);
    world.publish(&envelope).await;
    world.until("a", 1).await;
    seconds(365 * 24 * 3600).await;
    world.publish(&envelope).await;
    world.send("a", 2).await;
    world.until("a", 2).await;
    assert_eq!(world.effects("a").await, [1, 2]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn keys_run_side_by_side_and_each_stays_in_order() {
    let world = World::new().await;
    world.broker.faults().reorder(Some(Rng::from_seed(5)));
    let (running_now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let group = {
        let most = most.clone();
        world.group(GROUP).on(move |note: Note, _| {
            let (now, most) = (running_now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(effect(&note))
            }
        })
    };
    for number in 0..200 {
        world.send(&format!("k{}", number % 10), number).await;
    }
    let running = Running::of(group.with_options(Options { concurrency: 4, ..Options::default() }));
    for key in 0..10 {
        let name = format!("k{key}");
        world.until(&name, 20).await;
        assert!(world.effects(&name).await.is_sorted(), "{name}");
    }
    assert_eq!(most.load(Ordering::SeqCst), 4, "no more than the settings allow, and no fewer");
    running.stop().await;
}

/// A slow handler of one key holds nobody else up.
#[tokio::test(start_paused = true)]
async fn a_slow_key_does_not_delay_others() {
    let world = World::new().await;
    let running = Running::of(world.group(GROUP).on(|note: Note, _| async move {
        if note.about == "slow" {
            seconds(30).await;
        }
        Ok(effect(&note))
    }));
    world.send("slow", 1).await;
    for number in 2..500 {
        world.send(&format!("k{}", number % 50), number).await;
    }
    tokio::time::timeout(Duration::from_secs(5), world.until("k49", 9)).await.unwrap();
    assert!(world.effects("slow").await.is_empty());
    world.until("slow", 1).await;
    running.stop().await;
}

/// Two groups, even of one process and one store, are two consumers of each message.
#[tokio::test(start_paused = true)]
async fn each_group_has_its_own_marks() {
    let world = World::new().await;
    let other = world.group("others").on(|mut note: Note, _| async move {
        note.about.push_str("-other");
        Ok(effect(&note))
    });
    let (one, two) = (Running::of(world.notes(|note| Ok(effect(note)))), Running::of(other));
    world.send("a", 1).await;
    world.until("a", 1).await;
    world.until("a-other", 1).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_conditions_fail_runs_again() {
    let world = World::new().await;
    let store = world.store.clone();
    let group = world.group(GROUP).on(move |note: Note, _| {
        let store = store.clone();
        async move {
            // Every handler of every key fights for one stream.
            let version = store.stream("shared", 0, 10_000).await?.len() as u64;
            tokio::task::yield_now().await;
            let note = Note { about: "shared".to_owned(), number: note.number };
            let stream = "shared".into();
            Ok::<_, Failure>(effect(&note).expect(Expect::StreamAt { stream, version }))
        }
    });
    let running = Running::of(group);
    for number in 0..60 {
        world.send(&format!("k{number}"), number).await;
    }
    world.until("shared", 60).await;
    let mut numbers = world.effects("shared").await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
    assert!(world.gates().await.is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_follows_is_caused_by_the_message() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| {
        let mut message = NewMessage::of(note);
        message.topic = "others".into();
        Ok(effect(note).send(message))
    }));
    let cause = world.envelope("a", 1);
    world.publish(&cause).await;
    world.until("a", 1).await;
    let outgoing = world.store.outgoing(switchboard_core::Position::START, 10).await.unwrap();
    assert_eq!(outgoing[0].envelope.context, Context::caused_by(&cause));
    let event = &world.store.stream("a", 0, 1).await.unwrap()[0];
    assert_eq!(event.context, Some(Context::caused_by(&cause)));
    running.stop().await;
}

/// Types that nobody registered are marked and passed, so that the group's progress moves on.
#[tokio::test(start_paused = true)]
async fn a_type_that_nobody_handles_is_passed() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    let mut strange = world.envelope("a", 1);
    strange.kind = "strange".into();
    world.publish(&strange).await;
    world.send("a", 2).await;
    world.until("a", 1).await;
    running.stop().await;
    let partition = switchboard_core::Slot::of(&"a".into()).partition(8);
    let progress = world.store.progress(GROUP, "notes", partition).await.unwrap().unwrap();
    assert_eq!(progress.position.0, 2);
    assert_eq!(world.effects("a").await, [2]);
}

#[tokio::test(start_paused = true)]
async fn one_handler_can_take_all_other_types_of_a_topic() {
    let world = World::new().await;
    let group = world.notes(|note| Ok(effect(note))).on_any("notes", |envelope| async move {
        let number = envelope.payload.len() as u64;
        Ok(effect(&Note { about: "any".to_owned(), number }))
    });
    let pairs: Vec<_> =
        group.describe().consumes.iter().map(|(topic, kind)| format!("{topic}/{kind}")).collect();
    assert_eq!(pairs, ["notes/note", "notes/*"]);
    let running = Running::of(group);
    let mut other = world.envelope("a", 1);
    other.kind = "strange".into();
    other.payload = "four".into();
    world.publish(&other).await;
    world.send("a", 2).await;
    world.until("any", 1).await;
    world.until("a", 1).await;
    assert_eq!(world.effects("any").await, [4]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_message_is_handled_unless_the_options_say_otherwise() {
    for (drop_expired, expected) in [(false, vec![1, 2]), (true, vec![2])] {
        let world = World::new().await;
        let options = Options { drop_expired, ..Options::default() };
        let group = world.notes(|note| Ok(effect(note))).with_options(options);
        let mut late = world.envelope("a", 1);
        late.context.deadline = Some(late.time);
        world.publish(&late).await;
        seconds(1).await;
        world.send("a", 2).await;
        let running = Running::of(group);
        world.until("a", expected.len()).await;
        seconds(1).await;
        assert_eq!(world.effects("a").await, expected);
        running.stop().await;
    }
}

/// Two members share the partitions; one joins late and one leaves early.
#[tokio::test(start_paused = true)]
async fn members_that_come_and_go_neither_lose_nor_repeat_nor_reorder() {
    let world = World::new().await;
    let group = || {
        world.group(GROUP).on(|note: Note, _| async move {
            tokio::time::sleep(Duration::from_millis(note.number % 7)).await;
            Ok(effect(&note))
        })
    };
    let first = Running::of(group());
    let mut second = None;
    for number in 0..600 {
        world.send(&format!("k{}", number % 30), number).await;
        match number {
            150 => second = Some(Running::of(group())),
            300 => second.take().unwrap().crash().await,
            450 => second = Some(Running::of(group())),
            _ => {}
        }
        if number % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for key in 0..30 {
        let name = format!("k{key}");
        world.until(&name, 20).await;
        let expected: Vec<u64> = (0..20).map(|round| round * 30 + key).collect();
        assert_eq!(world.effects(&name).await, expected, "{name}");
    }
    first.stop().await;
    second.unwrap().stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_unit_settles_the_message() {
    let world = World::new().await;
    let running = Running::of(world.notes(|_| Ok(Unit::new())));
    world.send("a", 1).await;
    seconds(1).await;
    let lags = world.broker.inspect().unwrap().groups().await.unwrap();
    assert_eq!(lags.iter().map(|lag| lag.lag).sum::<u64>(), 0);
    running.stop().await;
}
