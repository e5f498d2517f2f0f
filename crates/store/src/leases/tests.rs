//! Rivals, shares, clocks that disagree: keepers of one store in memory, on paused time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use switchboard_core::{Clock, Rng, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{LEASE_EPOCHS, LEASES, Lease, Sharing, TTL};
use crate::leases::Keeper;
use crate::memory::Fault;
use crate::{CommitError, Journal, MemoryStore, Rows, Select, Store, Unit};

/// A process's clock: paused time, and how far it is off.
#[derive(Debug)]
struct OffClock(Instant, AtomicI64);

impl Clock for OffClock {
    fn now(&self) -> Timestamp {
        let true_time = Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed());
        Timestamp::from_micros(true_time.as_micros() + self.1.load(Ordering::SeqCst))
    }
}

struct Process {
    keeper: Arc<Keeper>,
    task: JoinHandle<CommitError>,
}

fn clock(off_by_seconds: i64) -> Arc<dyn Clock> {
    Arc::new(OffClock(Instant::now(), AtomicI64::new(off_by_seconds * 1_000_000)))
}

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new("orders", &[], clock(0), Rng::from_seed(1)))
}

fn start(store: &Arc<MemoryStore>, name: &str, clock: &Arc<dyn Clock>) -> Process {
    let seam: Arc<dyn Store> = store.clone();
    run(Sharing::leased(name).keeper_of_share(&seam, clock, "pool", 16).unwrap())
}

fn start_single(store: &Arc<MemoryStore>, name: &str, clock: &Arc<dyn Clock>) -> Process {
    let seam: Arc<dyn Store> = store.clone();
    run(Sharing::leased(name).keeper(&seam, clock, "timers").unwrap())
}

fn run(keeper: Arc<Keeper>) -> Process {
    let running = keeper.clone();
    Process { keeper, task: tokio::spawn(async move { running.run().await }) }
}

impl Process {
    fn held(&self) -> BTreeSet<usize> {
        let held = self.keeper.held().borrow().clone();
        let places = held.iter().enumerate();
        places.filter_map(|(index, holding)| holding.as_ref().map(|_| index)).collect()
    }

    /// Hands over at once what others should have, as a worker does.
    async fn hand_over(&self) {
        let held = self.keeper.held().borrow().clone();
        let leaving = held.iter().flatten().filter(|holding| holding.leaving);
        let leases: Vec<Lease> = leaving.map(|holding| holding.lease.clone()).collect();
        self.keeper.release(&leases).await.unwrap();
    }

    fn kill(&self) {
        self.task.abort();
    }
}

/// Time passes, and everybody hands over what it should.
async fn pass(processes: &[&Process], time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for process in processes {
            process.hand_over().await;
        }
    }
}

fn shares(processes: &[&Process]) -> Vec<usize> {
    processes.iter().map(|process| process.held().len()).collect()
}

#[tokio::test(start_paused = true)]
async fn of_two_rivals_one_holds_a_single_lease_and_the_other_follows_its_release_at_once() {
    let (store, clock) = (store(), clock(0));
    let (a, b) = (start_single(&store, "a", &clock), start_single(&store, "b", &clock));
    pass(&[], TTL * 5).await;
    assert_eq!(shares(&[&a, &b]), [1, 0]);
    let first = a.keeper.current().unwrap();
    assert_eq!((first.name(), first.epoch()), ("timers", 1), "renewing is no taking");
    a.keeper.leave().await.unwrap();
    pass(&[], TTL / 9).await;
    assert_eq!(shares(&[&a, &b]), [0, 1]);
    assert_eq!(b.keeper.current().unwrap().epoch(), 2);
    pass(&[], TTL * 2).await;
    assert_eq!(shares(&[&a, &b]), [0, 1], "who has left takes nothing");
}

/// Acceptance test 3, at its root: the fence of a former holder holds nothing any more.
#[tokio::test(start_paused = true)]
async fn a_dead_holders_lease_is_taken_after_its_time_and_its_fence_is_refused() {
    let (store, clock) = (store(), clock(0));
    let (a, b) = (start_single(&store, "a", &clock), start_single(&store, "b", &clock));
    pass(&[], TTL).await;
    let stale = a.keeper.current().unwrap();
    store.commit(Unit::new().expect(stale.fence())).await.unwrap();
    a.kill();
    pass(&[], TTL * 2 / 3 - Duration::from_millis(200)).await;
    assert_eq!(b.held().len(), 0, "not before its time is over");
    pass(&[], TTL / 2).await;
    assert_eq!(b.held().len(), 1);
    let refused = store.commit(Unit::new().expect(stale.fence())).await;
    assert!(matches!(refused, Err(CommitError::Conflict(_))));
    assert!(!a.keeper.still(&stale).await);
    assert_eq!(a.held().len(), 0, "it has stepped down");
    assert!(b.keeper.still(&b.keeper.current().unwrap()).await);
}

#[tokio::test(start_paused = true)]
async fn members_that_join_and_leave_keep_all_leases_owned_and_shared_evenly() {
    let (store, clock) = (store(), clock(0));
    let a = start(&store, "a", &clock);
    pass(&[&a], TTL / 10).await;
    assert_eq!(shares(&[&a]), [16]);
    let b = start(&store, "b", &clock);
    pass(&[&a, &b], TTL / 2).await;
    assert_eq!(shares(&[&a, &b]), [8, 8], "half a time to live later at most");
    let c = start(&store, "c", &clock);
    pass(&[&a, &b, &c], TTL / 2).await;
    assert_eq!(shares(&[&a, &b, &c]), [6, 5, 5]);
    b.keeper.leave().await.unwrap();
    pass(&[&a, &c], TTL / 2).await;
    assert_eq!(shares(&[&a, &b, &c]), [8, 0, 8]);
    a.kill();
    pass(&[&c], TTL * 3 / 2).await;
    assert_eq!(c.held(), (0..16).collect(), "a member that died is missed after its time");
    let epochs = store.select(Select::all(&LEASE_EPOCHS)).await.unwrap();
    assert_eq!(epochs.len(), 16);
    pass(&[&c], TTL * 20).await;
    let rows = store.select(Select::all(&LEASES)).await.unwrap();
    assert_eq!(rows.len(), 17, "rows of members that are long gone are deleted");
}

#[tokio::test(start_paused = true)]
async fn members_that_start_together_find_their_shares() {
    let (store, clock) = (store(), clock(0));
    let names: Vec<String> = (0..7).map(|number| format!("p{number}")).collect();
    let all: Vec<Process> = names.iter().map(|name| start(&store, name, &clock)).collect();
    let all: Vec<&Process> = all.iter().collect();
    pass(&all, TTL).await;
    assert_eq!(shares(&all), [3, 3, 2, 2, 2, 2, 2]);
    let owned: BTreeSet<usize> = all.iter().flat_map(|process| process.held()).collect();
    assert_eq!(owned.len(), 16);
}

/// Clocks decide how soon, never who is right.
#[tokio::test(start_paused = true)]
async fn clocks_that_disagree_cost_time_and_nothing_else() {
    for off in [-3_600, -7, 7, 3_600] {
        let store = store();
        let (a, b) = (start(&store, "a", &clock(0)), start(&store, "b", &clock(off)));
        pass(&[&a, &b], TTL * 3).await;
        assert_eq!(shares(&[&a, &b]), [8, 8], "{off} s apart");
        let mine: BTreeSet<usize> = a.held().union(&b.held()).copied().collect();
        assert_eq!(mine.len(), 16, "{off} s apart");
        b.kill();
        pass(&[&a], TTL * 2).await;
        assert_eq!(shares(&[&a]), [16], "{off} s apart: seen to pass, whatever it says");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_long_ends_the_tenure_and_a_lost_one_ends_the_keeper() {
    let (store, clock) = (store(), clock(0));
    let a = start_single(&store, "a", &clock);
    pass(&[], TTL / 10).await;
    assert_eq!(a.held().len(), 1);
    for _ in 0..200 {
        store.inject(Fault::Refuse);
    }
    pass(&[], TTL / 2).await;
    assert_eq!(a.held().len(), 1, "an outage shorter than the lease is outlived");
    pass(&[], TTL).await;
    assert_eq!(a.held().len(), 0, "others may have it by now");
    store.reopen();
    pass(&[], TTL / 5).await;
    assert_eq!(a.held().len(), 1);
    store.inject(Fault::CrashBefore);
    let lost = a.task.await.unwrap();
    assert!(matches!(lost, CommitError::Unknown(_)));
    assert!(a.keeper.current().is_none());
}

#[test]
fn a_service_cannot_declare_the_tables_of_the_store() {
    let declared = crate::limits::Declared::new(&[]).unwrap();
    assert_eq!(declared.tables().count(), super::TABLES.len(), "every store has them");
    assert!(crate::limits::Declared::new(&[&LEASES]).is_err());
}
