//! Leases: the store's own tables are there, rivals cannot both win, and a stale epoch is refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Clock;
use switchboard_store::leases::{Keeper, LEASE_EPOCHS, LEASES};
use switchboard_store::{
    CommitError, Compare, Expect, Lease, Select, Sharing, Store, TimerOp, Unit, Value,
};

use super::{Subject, at_once, conflicts, message, micros, together};

/// A taking of the lease `name`, as its rows were read.
fn taking(name: &str, holder: &str, row: Option<u64>, epoch: Option<u64>) -> Unit {
    let at = |table, version: Option<u64>| match version {
        Some(version) => Expect::row_at(table, name, version),
        None => Expect::row_absent(table, name),
    };
    Unit::new()
        .expect(at(&LEASES, row))
        .expect(at(&LEASE_EPOCHS, epoch))
        .put(&LEASES, name, [("holder", Value::from(holder)), ("until", Value::from(9))])
        .add(&LEASE_EPOCHS, name, "taken", 1)
}

async fn epoch(store: &Arc<dyn Store>, name: &str) -> u64 {
    store.row(&LEASE_EPOCHS, name).await.unwrap().map_or(0, |row| row.version)
}

fn keeper(store: &Arc<dyn Store>, holder: &str) -> Arc<Keeper> {
    let clock: Arc<dyn Clock> = Arc::new(switchboard_core::SystemClock);
    let sharing = Sharing::Leased { holder: holder.into(), ttl: Duration::from_secs(2) };
    sharing.keeper(store, &clock, "work").unwrap()
}

async fn until_held(keeper: &Keeper) -> Lease {
    let mut held = keeper.held();
    let is_held = |held: &switchboard_store::leases::Held| held[0].is_some();
    let _ = held.wait_for(is_held).await.unwrap();
    keeper.current().unwrap()
}

/// The tables are there without being declared, and are read and queried like any other.
pub async fn every_store_has_the_tables_of_leases(subject: &dyn Subject) {
    let store = subject.open();
    assert!(store.row(&LEASES, "pool/00").await.unwrap().is_none());
    for name in ["pool/00", "pool/01", "pool-members/a", "poor/00"] {
        store.commit(taking(name, "a", None, None)).await.unwrap();
    }
    let row = store.row(&LEASES, "pool/01").await.unwrap().unwrap();
    assert_eq!((row.text("holder"), row.integer("until"), row.version), ("a", 9, 1));
    let pool = Select::all(&LEASES).filter("key", Compare::AtLeast, "pool/").filter(
        "key",
        Compare::Below,
        "pool0",
    );
    let keys: Vec<String> =
        store.select(pool).await.unwrap().into_iter().map(|row| row.key).collect();
    assert_eq!(keys, ["pool/00", "pool/01"]);
    drop(store);
    assert_eq!(epoch(&subject.open(), "pool/00").await, 1, "kept like any other row");
}

/// Units of many processes meet in one batch; one of them takes the lease.
pub async fn of_rivals_for_a_lease_exactly_one_wins(subject: &dyn Subject) {
    let store = subject.open();
    for round in 0..10_u64 {
        let (row, known) = ((round > 0).then_some(round), (round > 0).then_some(round));
        let rivals = (0..8).map(|rival| taking("work", &format!("r{rival}"), row, known));
        let answers = together(&store, rivals).await;
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, 1, "round {round}: {answers:?}");
        answers.into_iter().filter(Result::is_err).for_each(conflicts);
        assert_eq!(epoch(&store, "work").await, round + 1);
    }
}

/// Nothing of a unit happens whose epoch is not the newest: no checkpoint moves, no timer fires.
pub async fn a_unit_of_a_former_holder_changes_nothing(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(taking("work", "a", None, None)).await.unwrap();
    let (fence, due) = (Expect::row_at(&LEASE_EPOCHS, "work", 1), micros(5));
    let set = TimerOp::Set { id: "t".into(), due, message: Box::new(message("late", "t")) };
    store.commit(Unit::new().timer(set)).await.unwrap();
    let checkpoints = vec![(switchboard_core::Slot(3), switchboard_core::Position(1))];
    let settle = Unit { checkpoints, ..Unit::new().expect(fence.clone()) };
    let fire = Unit::new().expect(fence).timer(TimerOp::Fire { id: "t".into() });
    // The takeover and the stale units are rivals too: whatever passes was before it.
    let units = [taking("work", "b", Some(1), Some(1)), settle.clone(), fire.clone()];
    let answers = together(&store, units).await;
    assert!(answers[0].is_ok(), "{answers:?}");
    let (settled, fired) = (answers[1].is_ok(), answers[2].is_ok());
    assert_eq!(!store.checkpoints().await.unwrap().is_empty(), settled);
    assert_eq!(store.due_timers(due, 9).await.unwrap().0.is_empty(), fired);
    conflicts(store.commit(settle).await);
    let fire = store.commit(fire).await;
    if fired {
        assert!(matches!(fire, Err(CommitError::TimerGone(_))));
    } else {
        conflicts(fire);
        assert_eq!(store.due_timers(due, 9).await.unwrap().0.len(), 1, "still set");
    }
}

/// Four processes in real time: the lease goes from one to the next, and each epoch is one
/// process's alone.
pub async fn a_lease_passes_from_one_process_to_the_next(subject: &dyn Subject) {
    let store = subject.open();
    let keepers: Vec<_> = (0..4).map(|number| keeper(&store, &format!("p{number}"))).collect();
    let running = keepers.iter().cloned();
    let running = running.map(|keeper| tokio::spawn(async move { keeper.run().await }));
    let running: Vec<_> = running.collect();
    let work = keepers.into_iter().map(|keeper| {
        let store = store.clone();
        async move {
            let mut epoch = None;
            // A machine that stands still for a time to live may lose a lease in between.
            while epoch.is_none() {
                let lease = until_held(&keeper).await;
                match store.commit(Unit::new().expect(lease.fence())).await {
                    Ok(_) => epoch = Some(lease.epoch()),
                    Err(_) => assert!(!keeper.still(&lease).await),
                }
            }
            keeper.leave().await.unwrap();
            epoch
        }
    });
    let epochs = at_once(work).await;
    let distinct: BTreeSet<_> = epochs.iter().collect();
    assert_eq!(distinct.len(), 4, "{epochs:?}");
    running.iter().for_each(|task| task.abort());
}
