//! Handlers that ask something outside: an outage costs time and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use switchboard_handler::{Failure, Group, Guard, Options, WhenOpen};
use switchboard_resilience::breaker::{Breaker, Environment, Options as Policy, State};
use switchboard_resilience::budget::{Budget, Policy as Paying};
use switchboard_resilience::control::Controlled;
use tokio::time::Instant;

use crate::support::*;

/// What handlers ask: it works or not, and counts how often it was asked.
#[derive(Clone, Default)]
struct Server {
    is_down: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

impl Server {
    fn down(self) -> Self {
        self.is_down.store(true, Ordering::SeqCst);
        self
    }

    fn repair(&self) {
        self.is_down.store(false, Ordering::SeqCst);
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn group(&self, world: &World) -> Group {
        let server = self.clone();
        world.notes(move |note| {
            server.asked.fetch_add(1, Ordering::SeqCst);
            match server.is_down.load(Ordering::SeqCst) {
                true => Err(Failure::retry("no answer")),
                false => Ok(effect(note)),
            }
        })
    }
}

fn breaker() -> Breaker {
    Breaker::new("mail", Policy::classic(), Environment::seeded(7))
}

/// The classic breaker opens after five failures in a row and asks once every 60 s.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_pauses_the_group_and_no_message_uses_up_its_tries() {
    let (world, server, breaker) = (World::new().await, Server::default().down(), breaker());
    let guard = Guard::new(breaker.clone());
    let running = Running::of(server.group(&world).guarded_by(guard));
    for number in 1..=20 {
        world.send(&format!("key {number}"), number).await;
    }
    // An hour of outage: by itself a message is parked after less than three minutes.
    seconds(3_600).await;
    assert!(server.asked() < 100, "asked {} times", server.asked());
    assert_eq!(breaker.state(), State::Open);
    let gates = world.gates().await;
    assert!(gates.iter().all(|gate| gate.due.is_some()), "nothing is parked: {gates:?}");
    server.repair();
    let repaired = Instant::now();
    for number in 1..=20 {
        let about = format!("key {number}");
        world.until(&about, 1).await;
        assert_eq!(world.effects(&about).await, [number]);
    }
    assert!(repaired.elapsed() < Duration::from_secs(200), "{:?}", repaired.elapsed());
    assert_eq!(breaker.state(), State::Closed);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_paused_ends_at_once_and_its_messages_come_again() {
    let (world, server, breaker) = (World::new().await, Server::default(), breaker());
    breaker.isolate("ann", "maintenance");
    let group = |world: &World| server.group(world).guarded_by(Guard::new(breaker.clone()));
    let running = Running::of(group(&world));
    world.send("a", 1).await;
    seconds(30).await;
    assert_eq!(server.asked(), 0);
    let begun = Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
    breaker.release("ann", "done");
    let running = Running::of(group(&world));
    world.until("a", 1).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_other_messages_must_not_wait_parks_instead() {
    let (world, server, breaker) = (World::new().await, Server::default(), breaker());
    breaker.isolate("ann", "maintenance");
    let guard = Guard::new(breaker.clone()).when_open(WhenOpen::Park);
    let running = Running::of(server.group(&world).guarded_by(guard));
    world.send("a", 1).await;
    seconds(1).await;
    let gate = world.gate("a").await.unwrap();
    assert_eq!((gate.due, gate.depth, server.asked()), (None, 1, 0));
    running.stop().await;
}

/// What cannot be handled says nothing about whom the handler would have asked (B4).
#[tokio::test(start_paused = true)]
async fn b4_a_message_that_cannot_be_handled_does_not_move_the_breaker() {
    let (world, breaker) = (World::new().await, breaker());
    let group = world.notes(|_| Err(Failure::terminal("nonsense")));
    let running = Running::of(group.guarded_by(Guard::new(breaker.clone())));
    for number in 1..=10 {
        world.send(&format!("key {number}"), number).await;
    }
    seconds(1).await;
    assert_eq!(world.gates().await.len(), 10);
    assert_eq!((breaker.state(), breaker.totals().ignored), (State::Closed, 10));
    running.stop().await;
}

/// R4: whoever asks the same dependency shares its budget, so a consumer cannot spend more of it
/// than there is; what is not paid for waits for its delayed retry.
#[tokio::test(start_paused = true)]
async fn r4_tries_at_once_are_paid_from_the_budget_that_edges_share() {
    let (world, server) = (World::new().await, Server::default().down());
    let empty = Paying::recommended().with_floor_per_second(0.0).unwrap();
    let budget = Budget::new("mail budget", empty);
    // A breaker that never opens, so that the budget alone decides.
    let breaker = breaker();
    breaker.disable("ann", "only the budget is looked at");
    let guard = Guard::new(breaker).with_budget(budget);
    let options = Options { delays: vec![Duration::from_secs(3_600)], ..Options::default() };
    let running = Running::of(server.group(&world).with_options(options).guarded_by(guard));
    for number in 1..=100 {
        world.send(&format!("key {number}"), number).await;
    }
    seconds(60).await;
    // A fifth of the first tries, instead of three more for each.
    assert!((100..=121).contains(&server.asked()), "asked {} times", server.asked());
    assert_eq!(world.gates().await.len(), 100, "each waits for its delayed retry");
    running.stop().await;
}

/// D4: an effect that nobody waits for any more is not made, also when the time ran out while the
/// message was held back.
#[tokio::test(start_paused = true)]
async fn d4_a_message_that_expires_behind_an_open_breaker_is_dropped() {
    let (world, server, breaker) = (World::new().await, Server::default(), breaker());
    breaker.isolate("ann", "maintenance");
    let options = Options { drop_expired: true, ..Options::default() };
    let group = server.group(&world).with_options(options);
    let running = Running::of(group.guarded_by(Guard::new(breaker.clone())));
    let mut urgent = world.envelope("a", 1);
    urgent.context.deadline = Some(urgent.time.plus(Duration::from_secs(60)));
    world.publish(&urgent).await;
    world.send("a", 2).await;
    seconds(120).await;
    breaker.release("ann", "done");
    world.until("a", 1).await;
    assert_eq!((world.effects("a").await, server.asked()), (vec![2], 1));
    running.stop().await;
}

/// A message earns its part of a retry once, however often it comes back.
#[tokio::test(start_paused = true)]
async fn r4_delayed_retries_earn_nothing() {
    let (world, server) = (World::new().await, Server::default().down());
    let empty = Paying::recommended().with_floor_per_second(0.0).unwrap();
    let budget = Budget::new("mail budget", empty);
    let breaker = breaker();
    breaker.disable("ann", "only the budget is looked at");
    let guard = Guard::new(breaker).with_budget(budget.clone());
    let options = Options { delays: vec![Duration::from_secs(60); 9], ..Options::default() };
    let running = Running::of(server.group(&world).with_options(options).guarded_by(guard));
    for number in 1..=10 {
        world.send(&format!("key {number}"), number).await;
    }
    seconds(3_600).await;
    assert!(server.asked() > 300, "asked {} times", server.asked());
    let figures = budget.view().figures;
    let charged = figures.iter().find(|(name, _)| *name == "charged").unwrap().1;
    assert!((1.0..=2.0).contains(&charged), "ten first tries have paid for {charged}");
    running.stop().await;
}
