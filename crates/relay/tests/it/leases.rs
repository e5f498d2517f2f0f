//! Several relays of one service over one store: the slots are shared, and nobody does another's work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchboard_core::{Clock, Key, Slot};
use switchboard_relay::planted::Planted;
use switchboard_relay::{GROUP, Options};
use switchboard_store::leases::{LEASES, TTL, metrics as names};
use switchboard_store::{GateOp, Inbox, Journal, MemoryStore, Outbox, Rows, Select, TimerOp, Unit};
use tokio::time::Instant;

use crate::processes::*;
use crate::support::*;

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

fn all_sorted(wire: &Wire, keys: usize, each: usize) {
    let by_key = wire.by_key();
    assert_eq!(by_key.len(), keys);
    for (key, numbers) in by_key {
        assert_eq!(numbers.len(), each, "{key}");
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
}

async fn positions(store: &MemoryStore) -> BTreeMap<u8, u64> {
    let all = store.checkpoints().await.unwrap();
    all.into_iter().map(|checkpoint| (checkpoint.slot.0, checkpoint.position.0)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_relay_alone_takes_no_leases() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    commit(&store, "a", 1).await;
    wire.until(1).await;
    seconds(3_600).await;
    assert!(store.select(Select::all(&LEASES)).await.unwrap().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_relays_share_the_slots_and_publish_each_message_once() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let a = Process::start("a", &store, &wire, &clock);
    let b = Process::start("b", &store, &wire, &clock);
    seconds(10).await;
    assert_eq!(shares(&store).await, BTreeMap::from([("a".into(), 8), ("b".into(), 8)]));
    let begun = Instant::now();
    for number in 0..1_000 {
        commit(&store, &format!("k{}", number % 50), number).await;
    }
    wire.until(1_000).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(wire.taken().len(), 1_000, "nothing leaves twice");
    all_sorted(&wire, 50, 20);
    a.stop().await;
    commit(&store, "k0", 1_000).await;
    commit(&store, "k1", 1_001).await;
    seconds(2).await;
    assert_eq!(wire.taken().len(), 1_002, "whoever takes over begins where the other ended");
    b.stop().await;
    let free = holders(&store).await.into_values().all(|holder| holder.is_empty());
    assert!(free, "both have given up what they held");
}

/// Acceptance test 2, its first half.
#[tokio::test(start_paused = true)]
async fn acceptance_2_a_backed_off_record_holds_its_key_in_order_and_no_other_key() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let a = Process::start("a", &store, &wire, &clock);
    let b = Process::start("b", &store, &wire, &clock);
    seconds(10).await;
    let begun = Instant::now();
    let bad_until = begun + Duration::from_secs(30);
    wire.script(move |envelope| {
        let is_bad = envelope.key == Some("k3".into()) && *envelope.payload == *b"3";
        (is_bad && Instant::now() < bad_until).then(unavailable)
    });
    for number in 0..400 {
        commit(&store, &format!("k{}", number % 20), number).await;
    }
    wire.until(380).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(!wire.by_key().contains_key("k3"));
    wire.until(400).await;
    all_sorted(&wire, 20, 20);
    assert_eq!(wire.taken().len(), 400);
    a.stop().await;
    b.stop().await;
}

/// Acceptance test 2, its second half: a relay is killed between sending and settling.
#[tokio::test(start_paused = true)]
async fn acceptance_2_a_relay_killed_between_send_and_settle_repeats_and_never_reorders() {
    for millis in 0..25 {
        let clock = clock();
        let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
        let a = Process::start("a", &store, &wire, &clock);
        let b = Process::start("b", &store, &wire, &clock);
        seconds(10).await;
        wire.inner.faults().lose_acks(3);
        for number in 0..120 {
            commit(&store, &format!("k{}", number % 12), number).await;
        }
        tokio::time::sleep(Duration::from_millis(millis)).await;
        a.kill().await;
        for number in 120..240 {
            commit(&store, &format!("k{}", number % 12), number).await;
        }
        let begun = Instant::now();
        wire.until(240).await;
        assert!(begun.elapsed() < TTL * 3 / 2, "killed at {millis} ms: {:?}", begun.elapsed());
        all_sorted(&wire, 12, 20);
        assert_eq!(shares(&store).await, BTreeMap::from([("b".into(), 16)]));
        b.stop().await;
    }
}

/// What came of a relay that was frozen while the broker had its messages, and woke after another
/// had taken its slots: how many commits were refused, and whether it changed anything.
async fn wakes_after_takeover(parks: bool, planted: Planted) -> (u64, bool) {
    let meter = Meter::default();
    let _guard = meter.install();
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let options = Options { checkpoint_every: Duration::ZERO, ..Options::default() };
    let a = Process::with("a", &store, &wire, &clock, options, planted);
    seconds(1).await;
    if parks {
        wire.script(|envelope| (*envelope.payload == *b"0").then(refused));
    }
    for number in 0..100 {
        commit(&store, &format!("k{}", number % 10), number).await;
    }
    // The broker has the first messages, and its answer is on its way.
    until("the first call", || !wire.taken().is_empty()).await;
    a.freeze();
    // The other one takes the slots and cannot do anything with them.
    wire.script(|_| Some(unavailable()));
    let b = Process::start("b", &store, &wire, &clock);
    seconds(15).await;
    assert_eq!(shares(&store).await, BTreeMap::from([("b".into(), 16)]));
    assert_eq!(meter.read(names::REFUSED), 0);
    a.thaw();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let refused = meter.read(names::REFUSED);
    let has_changed = !positions(&store).await.is_empty()
        || !store.gates(Some(GROUP), 9).await.unwrap().is_empty();
    wire.script(|_| None);
    if planted == Planted::Nothing {
        wire.until(100).await;
        seconds(10).await;
        all_sorted(&wire, 10, 10);
        assert_eq!(shares(&store).await, BTreeMap::from([("a".into(), 8), ("b".into(), 8)]));
        let taken = wire.taken().len();
        for number in 100..120 {
            commit(&store, &format!("k{}", number % 10), number).await;
        }
        wire.until(120).await;
        assert_eq!(wire.taken().len(), taken + 20, "each knows its slots again");
        all_sorted(&wire, 10, 12);
    }
    a.stop().await;
    b.stop().await;
    (refused, has_changed)
}

/// Acceptance test 3.
#[tokio::test(start_paused = true)]
async fn acceptance_3_a_stale_holder_wakes_after_the_takeover_and_its_settlement_is_refused() {
    let (refused, has_changed) = wakes_after_takeover(false, Planted::Nothing).await;
    assert!(refused >= 1, "the refusal is counted");
    assert!(!has_changed);
}

/// The same for a message that it would park although another relay has it now.
#[tokio::test(start_paused = true)]
async fn acceptance_3_a_stale_holder_parks_nothing() {
    let (refused, has_changed) = wakes_after_takeover(true, Planted::Nothing).await;
    assert!(refused >= 1, "the refusal is counted");
    assert!(!has_changed);
}

#[tokio::test(start_paused = true)]
async fn planted_units_without_a_fence_are_found() {
    for parks in [false, true] {
        let (_, has_changed) = wakes_after_takeover(parks, Planted::Unfenced).await;
        assert!(has_changed, "the check must see the bug");
    }
}

/// Acceptance test 5: a process whose session was ended stops by itself, and at most one process
/// fires timers, by epoch.
#[tokio::test(start_paused = true)]
async fn acceptance_5_a_leader_whose_session_is_ended_is_followed_by_one_other() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let a = Process::start("a", &store, &wire, &clock);
    seconds(1).await;
    let b = Process::start("b", &store, &wire, &clock);
    let holder = async || {
        let row = store.row(&LEASES, "timers").await.unwrap().unwrap();
        row.text("holder").to_owned()
    };
    seconds(10).await;
    assert_eq!(holder().await, "a");
    for number in 0..600_u64 {
        let due = clock.now().plus(Duration::from_millis(number * 100));
        let message = Box::new(message(&format!("k{}", number % 5), number));
        let set = TimerOp::Set { id: format!("t{number}").into(), due, message };
        store.commit(Unit::new().timer(set)).await.unwrap();
    }
    seconds(10).await;
    a.session.cut.store(true, Ordering::SeqCst);
    seconds(15).await;
    assert_eq!(holder().await, "b");
    a.session.cut.store(false, Ordering::SeqCst);
    seconds(40).await;
    assert_eq!(holder().await, "b", "who comes back waits");
    let ids: BTreeSet<String> = wire.ids().into_iter().collect();
    assert_eq!(ids.len(), 600, "each timer has fired once");
    all_sorted(&wire, 5, 120);
    a.stop().await;
    b.stop().await;
}

/// Acceptance test 6 has its timers fired by whoever holds the lease: none is fired twice, and a
/// timer that another process sets is noticed.
#[tokio::test(start_paused = true)]
async fn acceptance_6_timers_of_every_process_fire_once_and_in_time() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let a = Process::start("a", &store, &wire, &clock);
    let b = Process::start("b", &store, &wire, &clock);
    seconds(10).await;
    for number in 0..50_u64 {
        let due = clock.now().plus(Duration::from_secs(3));
        let message = Box::new(message("k", number));
        let set = TimerOp::Set { id: format!("t{number}").into(), due, message };
        store.commit(Unit::new().timer(set)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    seconds(4).await;
    assert_eq!(wire.by_key()["k"], (0..50).collect::<Vec<_>>());
    assert_eq!(wire.taken().len(), 50);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(start_paused = true)]
async fn members_that_come_and_go_leave_no_slot_alone() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let mut running = vec![Process::start("p0", &store, &wire, &clock)];
    let mut number = 0;
    for round in 1..=8 {
        // A rolling deployment: the next one comes, the oldest goes, now and then by a crash.
        running.push(Process::start(&format!("p{round}"), &store, &wire, &clock));
        for step in 0..80 {
            commit(&store, &format!("k{}", number % 40), number).await;
            number += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
            if step == 40 && round % 2 == 0 {
                let oldest = running.remove(0);
                if round % 4 == 0 { oldest.kill().await } else { oldest.stop().await }
            }
        }
    }
    let total = usize::try_from(number).unwrap();
    let last = Instant::now();
    wire.until(total).await;
    assert!(last.elapsed() < TTL * 3 / 2, "{:?}", last.elapsed());
    all_sorted(&wire, 40, total / 40);
    seconds(20).await;
    let shares = shares(&store).await;
    assert_eq!(shares.values().sum::<usize>(), 16, "{shares:?}");
    assert_eq!(shares.len(), running.len(), "{shares:?}");
    assert!(shares.values().all(|share| (3..=4).contains(share)), "{shares:?}");
    for process in running {
        process.stop().await;
    }
}

/// A slot that changes hands in good order waits for a moment, not for a time to live.
#[tokio::test(start_paused = true)]
async fn a_hand_over_takes_about_a_second() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let a = Process::start("a", &store, &wire, &clock);
    seconds(5).await;
    let b = Process::start("b", &store, &wire, &clock);
    let (mut number, mut longest) = (0_u64, Duration::ZERO);
    for step in 0..2_000 {
        commit(&store, &format!("k{step}"), number).await;
        number += 1;
        let begun = Instant::now();
        wire.until(usize::try_from(number).unwrap()).await;
        longest = longest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(longest < Duration::from_millis(1_200), "{longest:?}");
    assert_eq!(wire.taken().len(), 2_000);
    a.stop().await;
    b.stop().await;
}

/// Parked keys belong to whoever holds their slots: woken anywhere, worked off once and in order.
#[tokio::test(start_paused = true)]
async fn a_key_that_is_woken_is_worked_off_by_the_holder_of_its_slot() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"1").then(refused));
    let a = Process::start("a", &store, &wire, &clock);
    let b = Process::start("b", &store, &wire, &clock);
    seconds(10).await;
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    let slots: BTreeSet<u8> = keys.iter().map(|key| Slot::of(&Key::from(&**key)).0 / 128).collect();
    assert_eq!(slots.len(), 2, "keys of both shares");
    for key in &keys {
        for number in 1..=5 {
            commit(&store, key, number).await;
        }
    }
    seconds(2).await;
    assert!(wire.taken().is_empty());
    assert_eq!(store.gates(Some(GROUP), 99).await.unwrap().len(), 20);
    wire.script(|_| None);
    for key in &keys {
        let (group, key) = (GROUP.into(), Key::from(&**key));
        let wake = GateOp::Wake { group, key, at: clock.now() };
        store.commit(Unit { gates: vec![wake], ..Unit::new() }).await.unwrap();
    }
    seconds(3).await;
    assert!(store.gates(Some(GROUP), 99).await.unwrap().is_empty());
    assert_eq!(wire.taken().len(), 100);
    all_sorted(&wire, 20, 5);
    a.stop().await;
    b.stop().await;
}

/// Acceptance test 10: a downtime has left 100 000 timers due.
#[tokio::test(start_paused = true)]
async fn acceptance_10_100_000_due_timers_fire_in_bounded_batches_in_order_beside_others() {
    const TIMERS: u64 = 100_000;
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let past = clock.now();
    for start in 0..TIMERS / 500 {
        let mut unit = Unit::new();
        for number in start * 500..(start + 1) * 500 {
            // Set in an order that is not the one in which they are due.
            let number = (number * 7) % TIMERS;
            let due = past.plus(Duration::from_millis(number));
            let message = Box::new(message(&format!("k{}", number % 1_000), number));
            unit = unit.timer(TimerOp::Set { id: format!("t{number}").into(), due, message });
        }
        store.commit(unit).await.unwrap();
    }
    seconds(3_600).await;
    let begun = Instant::now();
    let options = Options { timers_per_second: 10_000, ..Options::default() };
    let a = Process::with("a", &store, &wire, &clock, options.clone(), Planted::Nothing);
    let b = Process::with("b", &store, &wire, &clock, options, Planted::Nothing);
    let mut longest = Duration::ZERO;
    for number in 0..8 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        commit(&store, "other", number).await;
        let committed = Instant::now();
        while !wire.has(&format!("other:{number}")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        longest = longest.max(committed.elapsed());
    }
    assert!(longest < Duration::from_millis(200), "others are not starved: {longest:?}");
    let total = usize::try_from(TIMERS).unwrap() + 8;
    until("all timers on the wire", || wire.count() >= total).await;
    let took = begun.elapsed().as_secs_f64();
    assert!((9.5..14.0).contains(&took), "at the rate that was set: {took}");
    let most = [&a, &b].map(|process| process.session.most_timers.load(Ordering::SeqCst));
    assert!(most.into_iter().all(|most| most <= 256), "{most:?}");
    let by_key = wire.by_key();
    assert_eq!(by_key.len(), 1_001);
    for (key, numbers) in by_key.iter().filter(|(key, _)| *key != "other") {
        assert_eq!(numbers.len(), 100);
        assert!(numbers.is_sorted(), "{key} is in the order in which its timers were due");
    }
    a.stop().await;
    b.stop().await;
}
