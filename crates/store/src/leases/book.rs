//! What a keeper knows of its pool, and what it therefore does: pure, so that every case can be tested.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Timestamp;
use tokio::time::Instant;

use super::{Held, Holding, Lease};
use crate::Row;

/// The memory of one keeper.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) mine: Vec<Option<Holding>>,
    /// By when a renewal must be committed; later the leases count as lost.
    pub(super) until: Instant,
    /// It has left: it takes nothing any more.
    pub(super) closed: bool,
    names: Vec<Arc<str>>,
    /// The key of the own row among the members, if the pool has members.
    member: Option<String>,
    ttl: Duration,
    /// How each row has moved as far as this process has seen.
    seen: HashMap<String, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    version: u64,
    since: Instant,
    /// It was seen to be renewed by a clock that does not agree with this process's: then only
    /// its changes tell whether its writer is alive.
    is_off: bool,
}

/// The rows of the pool as they were read.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) leases: Vec<Row>,
    pub(super) epochs: Vec<Row>,
    pub(super) members: Vec<Row>,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) claims: Vec<Claim>,
    /// Members that are long gone, with the versions of their rows.
    pub(super) gone: Vec<(String, u64)>,
    /// Whether the own share is not complete, so that it pays to look again soon.
    pub(super) hungry: bool,
}

/// A lease that may be taken, as its rows were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) index: usize,
    pub(super) row: Option<u64>,
    pub(super) epoch: Option<u64>,
    /// Whether somebody let it expire.
    pub(super) expired: bool,
}

/// After this many times to live a member's row is deleted.
const FORGET: u32 = 10;

// === impl Book ===

impl Book {
    pub(super) fn new(names: Vec<Arc<str>>, member: Option<String>, ttl: Duration) -> Self {
        let mine = vec![None; names.len()];
        let (until, seen) = (Instant::now(), HashMap::new());
        Self { mine, until, closed: false, names, member, ttl, seen }
    }

    /// The leases in hand.
    pub(super) fn held(&self) -> impl Iterator<Item = &Lease> {
        self.mine.iter().flatten().map(|holding| &holding.lease)
    }

    /// The leases in hand, for whoever works under them.
    pub(super) fn shown(&self) -> Held {
        self.mine.clone().into()
    }

    /// The place of a lease that is still thought to be held.
    pub(super) fn find(&self, lease: &Lease) -> Option<usize> {
        self.mine.iter().flatten().position(|holding| holding.lease == *lease)?;
        self.names.iter().position(|name| *name == lease.name)
    }

    /// Forgets everything when its time is over.
    pub(super) fn expire(&mut self, at: Instant) -> bool {
        let is_over = at >= self.until && self.held().next().is_some();
        if is_over {
            self.mine.fill(None);
        }
        is_over
    }

    /// Learns from a look what was lost, what is to be given up, and what may be taken.
    pub(super) fn plan(&mut self, look: &Look, now: Timestamp, at: Instant) -> Plan {
        self.forget_lost(look);
        self.observe(look, now, at);
        let mut plan = Plan::default();
        let (share, rank) = self.share(look, now, at, &mut plan);
        let mut kept = 0;
        for holding in self.mine.iter_mut().flatten() {
            kept += 1;
            holding.leaving = kept > share;
        }
        plan.hungry = kept < share;
        // Rivals begin at different places, so that they seldom want the same one.
        let count = self.names.len();
        let first = rank * share;
        for index in (0..count).map(|step| (first + step) % count) {
            if kept + plan.claims.len() >= share {
                break;
            }
            let row = look.leases.iter().find(|row| *row.key == *self.names[index]);
            let is_free = row.is_none_or(|row| !self.is_alive(row, now, at));
            if self.mine[index].is_none() && is_free {
                let epoch = look.epochs.iter().find(|row| *row.key == *self.names[index]);
                plan.claims.push(Claim {
                    index,
                    row: row.map(|row| row.version),
                    epoch: epoch.map(|row| row.version),
                    expired: row.is_some_and(|row| row.integer("until") != 0),
                });
            }
        }
        plan
    }

    /// The claim was committed: the lease is in hand.
    pub(super) fn take(&mut self, claim: &Claim) {
        let (name, epoch) = (self.names[claim.index].clone(), claim.epoch.unwrap_or(0) + 1);
        let lease = Lease { name, epoch };
        self.mine[claim.index] = Some(Holding { lease, leaving: false });
    }

    fn forget_lost(&mut self, look: &Look) {
        for holding in &mut self.mine {
            let is_lost = holding.as_ref().is_some_and(|holding| {
                let row = look.epochs.iter().find(|row| *row.key == *holding.lease.name);
                row.is_none_or(|row| row.version != holding.lease.epoch)
            });
            if is_lost {
                *holding = None;
            }
        }
    }

    /// Notes which rows have changed.
    fn observe(&mut self, look: &Look, now: Timestamp, at: Instant) {
        let rows = || look.leases.iter().chain(&look.members);
        for row in rows() {
            let new = Seen { version: row.version, since: at, is_off: false };
            let seen = self.seen.entry(row.key.clone()).or_insert(new);
            if seen.version != row.version {
                // What is renewed every third of its time and looked at as often has half of it
                // left, if the clocks agree.
                let is_off = until(row) < now.plus(self.ttl / 2);
                *seen = Seen { is_off, ..new };
            }
        }
        self.seen.retain(|key, _| rows().any(|row| row.key == *key));
    }

    /// How many leases are this member's, and its place among the members.
    fn share(&self, look: &Look, now: Timestamp, at: Instant, plan: &mut Plan) -> (usize, usize) {
        let Some(me) = &self.member else { return (self.names.len(), 0) };
        let mut members = vec![me];
        for row in look.members.iter().filter(|row| row.key != *me) {
            if self.is_alive(row, now, at) {
                members.push(&row.key);
            } else if until(row).plus(self.ttl * FORGET) < now {
                plan.gone.push((row.key.clone(), row.version));
            }
        }
        members.sort_unstable();
        let rank = members.iter().position(|member| *member == me).unwrap_or(0);
        let (leases, members) = (self.names.len(), members.len());
        (leases / members + usize::from(rank < leases % members), rank)
    }

    /// Whether somebody still renews the row: it has changed within a time to live, and is not
    /// over either, if the clocks agree.
    fn is_alive(&self, row: &Row, now: Timestamp, at: Instant) -> bool {
        let seen = self.seen.get(&row.key);
        let is_fresh = |seen: &Seen| at.saturating_duration_since(seen.since) < self.ttl;
        row.integer("until") != 0
            && seen.is_none_or(is_fresh)
            && (until(row) > now || seen.is_some_and(|seen| seen.is_off))
    }
}

fn until(row: &Row) -> Timestamp {
    Timestamp::from_micros(row.integer("until"))
}
