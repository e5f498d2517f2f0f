//! One group in several processes over one store: the broker divides the deliveries, a lease says who works off blocked keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_handler::{Error, Failure, Group, Options, operator};
use switchboard_store::leases::{LEASES, TTL};
use switchboard_store::{Expect, Inbox, Journal, Rows, Select, Sharing};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::*;

/// A group in a process that can be stopped in the middle of whatever it does.
struct Process {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
    frozen: Arc<Mutex<(bool, Option<Waker>)>>,
}

impl Process {
    fn of(name: &str, group: Group, options: Options) -> Self {
        let options = Options { sharing: Sharing::leased(name), ..options };
        let shutdown = CancellationToken::new();
        let running = group.with_options(options).run(shutdown.clone());
        let frozen: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
        let state = frozen.clone();
        let task = tokio::spawn(async move {
            let mut running = std::pin::pin!(running);
            std::future::poll_fn(|context| {
                let mut state = state.lock();
                if state.0 {
                    state.1 = Some(context.waker().clone());
                    return Poll::Pending;
                }
                drop(state);
                running.as_mut().poll(context)
            })
            .await
        });
        Self { shutdown, task, frozen }
    }

    fn freeze(&self) {
        self.frozen.lock().0 = true;
    }

    fn thaw(&self) {
        let mut state = self.frozen.lock();
        state.0 = false;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn holder(world: &World) -> String {
    let row = world.store.row(&LEASES, &format!("gates/{GROUP}")).await.unwrap();
    row.map(|row| row.text("holder").to_owned()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_group_alone_takes_no_lease() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    world.send("a", 1).await;
    world.until("a", 1).await;
    seconds(3_600).await;
    assert!(world.store.select(Select::all(&LEASES)).await.unwrap().is_empty());
    running.stop().await;
}

/// Acceptance test 2 for handlers: whoever holds the lease drains, each message is tried as often
/// as by one process, and each key keeps its order.
#[tokio::test(start_paused = true)]
async fn blocked_keys_are_worked_off_by_one_of_two_processes_in_order() {
    let world = World::new().await;
    let is_broken = Arc::new(AtomicBool::new(true));
    let tries = Arc::new(AtomicU64::new(0));
    let start = |name: &str| {
        let (broken, tries) = (is_broken.clone(), tries.clone());
        let group = world.notes(move |note| {
            let is_bad = note.about.starts_with("bad") && broken.load(Ordering::SeqCst);
            tries.fetch_add(u64::from(note.about.starts_with("bad")), Ordering::SeqCst);
            if is_bad { Err(Failure::retry("not yet")) } else { Ok(effect(note)) }
        });
        Process::of(name, group, delays(&[5, 5, 60]))
    };
    let (a, b) = (start("a"), start("b"));
    seconds(5).await;
    for number in 1..=4 {
        for key in 0..10 {
            world.send(&format!("bad{key}"), number).await;
            world.send(&format!("good{key}"), number).await;
        }
    }
    for key in 0..10 {
        world.until(&format!("good{key}"), 4).await;
    }
    seconds(20).await;
    assert_eq!(tries.load(Ordering::SeqCst), 30, "ten heads, three tries each");
    is_broken.store(false, Ordering::SeqCst);
    for key in 0..10 {
        world.until(&format!("bad{key}"), 4).await;
        assert_eq!(world.effects(&format!("bad{key}")).await, [1, 2, 3, 4]);
    }
    assert_eq!(tries.load(Ordering::SeqCst), 30 + 40, "nobody works in vain");
    a.stop().await;
    b.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_or_dies_is_followed_by_the_other() {
    for dies in [false, true] {
        let world = World::new().await;
        let is_broken = Arc::new(AtomicBool::new(true));
        let start = |name: &str| {
            let broken = is_broken.clone();
            let group = world.notes(move |note| match broken.load(Ordering::SeqCst) {
                true => Err(Failure::terminal("no")),
                false => Ok(effect(note)),
            });
            Process::of(name, group, Options::default())
        };
        let a = start("a");
        seconds(1).await;
        let b = start("b");
        for number in 1..=3 {
            world.send("k", number).await;
        }
        seconds(1).await;
        assert_eq!((holder(&world).await, world.gate("k").await.unwrap().depth), ("a".into(), 3));
        is_broken.store(false, Ordering::SeqCst);
        if dies {
            a.kill().await
        } else {
            a.stop().await
        }
        operator::replay(&*world.store, &*world.clock, GROUP, &"k".into()).await.unwrap();
        let begun = Instant::now();
        world.until("k", 3).await;
        let limit = if dies { TTL * 3 / 2 } else { Duration::from_millis(1_100) };
        assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
        assert_eq!(world.effects("k").await, [1, 2, 3]);
        assert_eq!(holder(&world).await, "b");
        b.stop().await;
    }
}

/// Acceptance test 3 for handlers: frozen in the middle of a handler, it wakes after the other has
/// taken over, and its unit is refused although the head of the queue is still the same.
#[tokio::test(start_paused = true)]
async fn acceptance_3_a_stale_drainer_wakes_and_its_unit_is_refused() {
    let world = World::new().await;
    let commits = Arc::new(Mutex::new(Vec::new()));
    let start = |name: &'static str| {
        let commits = commits.clone();
        let tries = Arc::new(AtomicU64::new(0));
        let group = world.group(GROUP).on(move |note: Note, _| {
            let (commits, first) = (commits.clone(), tries.fetch_add(1, Ordering::SeqCst) == 0);
            async move {
                if name == "a" && first {
                    return Err(Failure::terminal("park it"));
                }
                // Time in which the process can be frozen, or in which its rival is at it too.
                tokio::time::sleep(Duration::from_secs(1)).await;
                commits.lock().push(name);
                Ok(effect(&note))
            }
        });
        Process::of(name, group, Options::default())
    };
    let a = start("a");
    world.send("k", 1).await;
    seconds(1).await;
    assert!(world.gate("k").await.is_some());
    operator::replay(&*world.store, &*world.clock, GROUP, &"k".into()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    a.freeze();
    let b = start("b");
    let taken = Instant::now();
    while holder(&world).await != "b" {
        assert!(taken.elapsed() < TTL * 2);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The other one is in the middle of the same message.
    tokio::time::sleep(Duration::from_millis(200)).await;
    a.thaw();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(*commits.lock(), ["a"], "it has handled it");
    assert!(world.effects("k").await.is_empty(), "and was refused");
    assert_eq!(world.gate("k").await.unwrap().depth, 1);
    world.until("k", 1).await;
    seconds(30).await;
    assert_eq!(world.effects("k").await, [1]);
    assert_eq!(*commits.lock(), ["a", "b"]);
    a.stop().await;
    b.stop().await;
}

/// Section 2.3: conflicts have a budget of their own. Two processes change one instance as fast
/// as they can, and no try is used up.
#[tokio::test(start_paused = true)]
async fn conflicts_of_two_processes_on_one_instance_use_up_no_tries() {
    let world = World::new().await;
    let runs = Arc::new(AtomicU64::new(0));
    let start = |name: &str| {
        let (store, runs) = (world.store.clone(), runs.clone());
        let group = world.group(GROUP).on(move |note: Note, _| {
            let (store, runs) = (store.clone(), runs.clone());
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                let version = store.stream("one", 0, 10_000).await?.len() as u64;
                tokio::time::sleep(Duration::from_millis(1)).await;
                let mut unit = effect(&Note { about: "one".into(), ..note });
                unit.conditions.push(Expect::StreamAt { stream: "one".into(), version });
                Ok::<_, Failure>(unit)
            }
        });
        // No second try: whoever counts a conflict as a failure parks the message.
        let options =
            Options { concurrency: 8, immediate: 0, delays: vec![], ..Options::default() };
        Process::of(name, group, options)
    };
    let (a, b) = (start("a"), start("b"));
    seconds(1).await;
    for number in 0..300 {
        world.send(&format!("k{number}"), number).await;
    }
    world.until("one", 300).await;
    seconds(10).await;
    let mut effects = world.effects("one").await;
    effects.sort_unstable();
    assert_eq!(effects, (0..300).collect::<Vec<_>>());
    assert!(runs.load(Ordering::SeqCst) > 400, "there were conflicts");
    assert!(world.gates().await.is_empty(), "and they parked nothing");
    a.stop().await;
    b.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_conflicts_for_another_reason_is_decided_again_by_the_holder() {
    let world = World::new().await;
    let tries = Arc::new(AtomicU64::new(0));
    let counted = tries.clone();
    let group = world.notes(move |note| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Failure::terminal("park it")),
        1 => Ok(effect(note).expect(Expect::StreamAt { stream: "none".into(), version: 3 })),
        _ => Ok(effect(note)),
    });
    let a = Process::of("a", group, Options::default());
    world.send("k", 1).await;
    seconds(1).await;
    operator::replay(&*world.store, &*world.clock, GROUP, &"k".into()).await.unwrap();
    world.until("k", 1).await;
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert!(world.store.gates(Some(GROUP), 9).await.unwrap().is_empty());
    assert_eq!(holder(&world).await, "a");
    a.stop().await;
}
