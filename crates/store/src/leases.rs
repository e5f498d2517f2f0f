//! Leases: which process of a service does what only one of them should do, and how a process that
//! lost its lease without noticing is kept from doing harm.
//!
//! A service may run as several processes over one store. Handling needs no lease, because the
//! broker divides the partitions; but publishing a slot, firing timers and working off the blocked
//! keys of a group are each the work of one process at a time.
//!
//! - A lease is a **row** of [`LEASES`]: who holds it, and until when. It is taken by a unit whose
//!   condition is that row as it was read, so of two rivals one wins.
//! - Its **epoch** is the version of its row in [`LEASE_EPOCHS`], which every taking raises and
//!   nothing else touches. Every unit of a holder carries [`Lease::fence`]: the epoch is still that
//!   one. Whoever was paused, cut off or outvoted learns it from a conflict; nothing of its unit
//!   happens, the refusal is counted, and it steps down.
//!
//! So correctness hangs on the fence alone. Clocks only decide how soon a lease is free: one that
//! runs ahead may take a lease early, once; one that lags waits a whole time to live, as it has
//! seen it pass itself. Either costs repeated work, never a wrong effect.
//!
//! A store that one process has to itself (SQLite, where the folder's lock is the lease) uses none
//! of this: [`Sharing::Alone`] is the default, and then nothing ticks.
//!
//! **For backends:** [`TABLES`] exist in every store without being declared by a service.
//! [`Declared::new`](crate::limits::Declared::new) adds them, so a backend creates what
//! [`Declared::tables`](crate::limits::Declared::tables) lists and has nothing else to do.

mod book;
mod keeper;
pub mod metrics;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, Name};

use crate::{Column, Expect, Store, Table};

pub use keeper::{Held, Holding, Keeper};

/// Who holds each lease, and until when (microseconds; 0 when it was given up). A pool's members
/// have a row each as well.
pub static LEASES: Table = Table {
    name: "sb_leases",
    columns: &[Column::text("holder"), Column::integer("until")],
    indexes: &[],
};

/// How often each lease was taken: the version of the row is the lease's epoch. Rows are never
/// deleted, because a version that began again would let old epochs pass.
pub static LEASE_EPOCHS: Table =
    Table { name: "sb_lease_epochs", columns: &[Column::integer("taken")], indexes: &[] };

/// The tables that every store has beside those of its service.
pub const TABLES: &[&Table] = &[&LEASES, &LEASE_EPOCHS];

/// How long a lease lasts without being renewed, unless it is set otherwise.
pub const TTL: Duration = Duration::from_secs(10);

/// Whether other processes of the same service work on the same store.
///
/// ```
/// use switchboard_store::Sharing;
///
/// assert_eq!(Sharing::default(), Sharing::Alone);
/// let sharing = Sharing::leased("orders-7f9c-2");
/// # let _ = sharing;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// This process has the store to itself: no leases, and nothing ticks.
    #[default]
    Alone,
    /// Others may work on it too: whoever holds the lease does the work.
    Leased {
        /// Names this process among all that live: a pod's name, a host with a process id. Two of
        /// one name do no harm, but get uneven shares.
        holder: Name,
        /// How long a lease lasts without being renewed: the longest pause after a process has
        /// died. The same in all processes. Default 10 s, from 100 ms to 10 min.
        ttl: Duration,
    },
}

/// A lease, as whoever took it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    name: Arc<str>,
    epoch: u64,
}

// === impl Sharing ===

impl Sharing {
    /// Shared under this name, with the usual time to live.
    pub fn leased(holder: impl Into<Name>) -> Self {
        Self::Leased { holder: holder.into(), ttl: TTL }
    }

    /// The keeper of one lease, for work that one process does alone; `None` without sharing.
    pub fn keeper(
        &self,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        name: &str,
    ) -> Option<Arc<Keeper>> {
        let Self::Leased { holder, ttl } = self else { return None };
        let names = vec![Arc::from(name)];
        Some(Arc::new(Keeper::new(store, clock, holder, *ttl, name, names, false)))
    }

    /// The keeper of a share of `count` leases, `POOL/00` and so on, for work that is divided
    /// evenly among all processes that take part; `None` without sharing. At most 256.
    pub fn keeper_of_share(
        &self,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        pool: &str,
        count: usize,
    ) -> Option<Arc<Keeper>> {
        let Self::Leased { holder, ttl } = self else { return None };
        let names = (0..count.clamp(1, 256)).map(|index| format!("{pool}/{index:02}").into());
        let names = names.collect();
        Some(Arc::new(Keeper::new(store, clock, holder, *ttl, pool, names, true)))
    }
}

// === impl Lease ===

impl Lease {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it was taken so far, this time included.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The condition that nobody has taken it since. It belongs into every unit of its holder.
    pub fn fence(&self) -> Expect {
        Expect::row_at(&LEASE_EPOCHS, &*self.name, self.epoch)
    }
}
