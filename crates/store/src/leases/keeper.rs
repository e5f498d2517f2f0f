//! Takes leases, renews them, gives them up, and tells whoever works under them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, Name, Retryable, Verdict, chain};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;

use super::book::{Book, Claim, Look, Plan};
use super::metrics::Numbers;
use super::{LEASE_EPOCHS, LEASES, Lease};
use crate::table::SELECT_LIMIT;
use crate::{CommitError, Compare, Expect, Row, Select, Store, StoreError, Table, Unit, Value};

/// The leases of a pool as one keeper holds them, each at its place in the pool.
pub type Held = Arc<[Option<Holding>]>;

/// A lease in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The lease.
    pub lease: Lease,
    /// Another process should have it: end the work at a good moment, then
    /// [release](Keeper::release) it.
    pub leaving: bool,
}

/// Holds one lease, or an even share of several, for one process.
///
/// [`Keeper::run`] goes on beside the work. The work looks at [`Keeper::held`], puts
/// [`Lease::fence`] into every unit, and asks [`Keeper::still`] when such a unit conflicts.
pub struct Keeper {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    holder: Name,
    ttl: Duration,
    pool: String,
    /// The key of the own row among the members; `None` for a single lease.
    member: Option<String>,
    names: Vec<Arc<str>>,
    book: Mutex<Book>,
    held: watch::Sender<Held>,
    /// Something is to be looked at before the next beat.
    bell: Notify,
    numbers: Numbers,
}

/// Why a beat failed: the store is away, or it is lost.
enum Failed {
    Away(String),
    Lost(CommitError),
}

/// How often a beat looks again at once because somebody was faster.
const ROUNDS: usize = 4;

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        holder: &Name,
        ttl: Duration,
        pool: &str,
        names: Vec<Arc<str>>,
        is_shared: bool,
    ) -> Self {
        let ttl = ttl.clamp(Duration::from_millis(100), Duration::from_secs(600));
        let member = is_shared.then(|| format!("{pool}-members/{holder}"));
        let book = Book::new(names.clone(), member.clone(), ttl);
        let numbers = Numbers::of(&store.identity().source, pool);
        Self {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            holder: holder.clone(),
            ttl,
            pool: pool.to_owned(),
            member,
            names,
            held: watch::Sender::new(book.shown()),
            book: Mutex::new(book),
            bell: Notify::new(),
            numbers,
        }
    }

    /// What is held now, and every change of it. Nothing is held before the first beat of
    /// [`Keeper::run`], nor once the leases could not be renewed for their time to live.
    pub fn held(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    /// The lease of a keeper of one, if it is held now.
    pub fn current(&self) -> Option<Lease> {
        self.held.borrow().iter().flatten().next().map(|holding| holding.lease.clone())
    }

    /// Takes and renews leases: every third of their time to live, every tenth while others hold
    /// what this process should have. Ends only when the store is lost, and says how.
    ///
    /// # Cancel safety
    /// Dropping the future is as if the process had died, unless [`Keeper::leave`] was called:
    /// others wait until the leases expire.
    pub async fn run(&self) -> CommitError {
        loop {
            let limit = {
                let book = self.book.lock().await;
                let is_holding = book.held().next().is_some();
                if is_holding { book.until } else { Instant::now() + self.ttl }
            };
            let wait = match tokio::time::timeout_at(limit, self.beat()).await {
                Ok(Ok(false)) => self.ttl / 3,
                Ok(Ok(true)) => self.ttl / 10,
                Ok(Err(Failed::Lost(error))) => {
                    self.change(|book| book.mine.fill(None)).await;
                    return error;
                }
                Ok(Err(Failed::Away(why))) => {
                    tracing::warn!(pool = self.pool, why, "leases are not renewed; trying again");
                    self.ttl / 10
                }
                Err(_) => Duration::ZERO,
            };
            self.change(|book| {
                if book.expire(Instant::now()) {
                    tracing::warn!(pool = self.pool, "leases could not be renewed and are lost");
                }
            })
            .await;
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// After a unit with this lease's fence has conflicted: whether the lease is still held, so
    /// that the conflict has another reason. If not, the refusal is counted and the lease is gone
    /// from [`Keeper::held`] when this returns.
    pub async fn still(&self, lease: &Lease) -> bool {
        let mut book = self.book.lock().await;
        if book.find(lease).is_some() {
            let still = match self.store.row(&LEASE_EPOCHS, &lease.name).await {
                Ok(row) => row.is_some_and(|row| row.version == lease.epoch),
                // The next unit will tell.
                Err(_) => true,
            };
            if still {
                return true;
            }
        }
        self.numbers.refused.increment(1);
        tracing::warn!(lease = lease.name(), epoch = lease.epoch, "refused: the lease was lost");
        if let Some(index) = book.find(lease) {
            book.mine[index] = None;
        }
        self.show(&book);
        self.bell.notify_one();
        false
    }

    /// Gives leases up, so that others take them at once. They are gone from [`Keeper::held`] when
    /// this returns, whatever the store says.
    ///
    /// # Errors
    /// The store's; others then wait until the leases expire.
    pub async fn release(&self, leases: &[Lease]) -> Result<(), CommitError> {
        let mut book = self.book.lock().await;
        self.give_up(&mut book, leases, Unit::new()).await
    }

    /// Gives up everything and takes nothing any more: call it when the work has ended.
    ///
    /// # Errors
    /// The store's; others then wait until the leases expire.
    pub async fn leave(&self) -> Result<(), CommitError> {
        let mut book = self.book.lock().await;
        book.closed = true;
        let leases: Vec<Lease> = book.held().cloned().collect();
        let unit = match &self.member {
            Some(member) => Unit::new().delete(&LEASES, member.as_str()),
            None => Unit::new(),
        };
        self.give_up(&mut book, &leases, unit).await
    }

    async fn give_up(
        &self,
        book: &mut Book,
        leases: &[Lease],
        mut unit: Unit,
    ) -> Result<(), CommitError> {
        for lease in leases {
            let Some(index) = book.find(lease) else { continue };
            book.mine[index] = None;
            let free = [("holder", Value::Null), ("until", Value::from(0))];
            unit = unit.expect(lease.fence()).put(&LEASES, &*lease.name, free);
        }
        self.show(book);
        if unit.is_empty() {
            return Ok(());
        }
        match self.store.commit(unit).await {
            // Somebody has taken one of them already: the others expire.
            Ok(_) | Err(CommitError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Renews what is held and takes what is free. True while the own share is not complete.
    async fn beat(&self) -> Result<bool, Failed> {
        let mut book = self.book.lock().await;
        for _ in 0..ROUNDS {
            if book.closed {
                return Ok(false);
            }
            let is_renewed = self.renew(&mut book).await?;
            let look = self.look().await?;
            let plan = book.plan(&look, self.clock.now(), Instant::now());
            let is_claimed = is_renewed && self.claim(&mut book, &plan.claims).await?;
            self.show(&book);
            self.forget(&plan).await?;
            if is_claimed {
                return Ok(plan.hungry && plan.claims.is_empty());
            }
        }
        // Rivals are at it; they will be done soon.
        Ok(true)
    }

    /// False when another process holds one of the leases by now.
    async fn renew(&self, book: &mut Book) -> Result<bool, Failed> {
        let until = Instant::now() + self.ttl;
        let row = [
            ("holder", Value::from(&*self.holder)),
            ("until", Value::from(self.clock.now().plus(self.ttl))),
        ];
        let mut unit = Unit { lazy: true, ..Unit::new() };
        for lease in book.held() {
            unit = unit.expect(lease.fence()).put(&LEASES, &*lease.name, row.clone());
        }
        if let Some(member) = &self.member {
            unit = unit.put(&LEASES, member.as_str(), row);
        }
        if !unit.is_empty() && !self.commit(unit).await? {
            self.numbers.refused.increment(1);
            return Ok(false);
        }
        book.until = until;
        Ok(true)
    }

    /// False when a rival was faster.
    async fn claim(&self, book: &mut Book, claims: &[Claim]) -> Result<bool, Failed> {
        if claims.is_empty() {
            return Ok(true);
        }
        let until = self.clock.now().plus(self.ttl);
        let mut unit = Unit::new();
        for claim in claims {
            let name = &*self.names[claim.index];
            let at = |table, version: Option<u64>| match version {
                Some(version) => Expect::row_at(table, name, version),
                None => Expect::row_absent(table, name),
            };
            unit = unit
                .expect(at(&LEASES, claim.row))
                .expect(at(&LEASE_EPOCHS, claim.epoch))
                .put(
                    &LEASES,
                    name,
                    [("holder", Value::from(&*self.holder)), ("until", Value::from(until))],
                )
                .add(&LEASE_EPOCHS, name, "taken", 1);
        }
        if !self.commit(unit).await? {
            return Ok(false);
        }
        for claim in claims {
            book.take(claim);
            self.numbers.taken_over.increment(claim.expired.into());
        }
        let expired = claims.iter().filter(|claim| claim.expired).count();
        tracing::info!(pool = self.pool, taken = claims.len(), expired, "leases taken");
        Ok(true)
    }

    /// Deletes the rows of members that are long gone.
    async fn forget(&self, plan: &Plan) -> Result<(), Failed> {
        for (member, version) in &plan.gone {
            let unit = Unit::new()
                .expect(Expect::row_at(&LEASES, member.as_str(), *version))
                .delete(&LEASES, member.as_str());
            self.commit(unit).await?;
        }
        Ok(())
    }

    async fn look(&self) -> Result<Look, Failed> {
        let away = |error: StoreError| Failed::Away(chain(&error));
        let Some(_) = &self.member else {
            let (row, epoch) = (
                self.store.row(&LEASES, &self.pool).await.map_err(away)?,
                self.store.row(&LEASE_EPOCHS, &self.pool).await.map_err(away)?,
            );
            let (leases, epochs) = (row.into_iter().collect(), epoch.into_iter().collect());
            return Ok(Look { leases, epochs, members: Vec::new() });
        };
        Ok(Look {
            leases: self.under(&LEASES, &self.pool).await.map_err(away)?,
            epochs: self.under(&LEASE_EPOCHS, &self.pool).await.map_err(away)?,
            members: self.under(&LEASES, &format!("{}-members", self.pool)).await.map_err(away)?,
        })
    }

    /// The rows whose keys begin with `PREFIX/`.
    async fn under(&self, table: &'static Table, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let select = Select::all(table)
            .filter("key", Compare::AtLeast, format!("{prefix}/"))
            // The next character after the slash.
            .filter("key", Compare::Below, format!("{prefix}0"))
            .limit(SELECT_LIMIT);
        self.store.select(select).await
    }

    /// False when a condition did not hold.
    async fn commit(&self, unit: Unit) -> Result<bool, Failed> {
        match self.store.commit(unit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(_)) => Ok(false),
            Err(error @ CommitError::Unknown(_)) => Err(Failed::Lost(error)),
            Err(error) => {
                debug_assert_eq!(error.verdict(), Verdict::Retry, "{error}");
                Err(Failed::Away(chain(&error)))
            }
        }
    }

    async fn change(&self, change: impl FnOnce(&mut Book)) {
        let mut book = self.book.lock().await;
        change(&mut book);
        self.show(&book);
    }

    /// Tells whoever works under the leases, if anything has changed.
    fn show(&self, book: &Book) {
        let held = book.shown();
        self.numbers.held.set(held.iter().flatten().count() as f64);
        self.held.send_if_modified(|shown| {
            let is_new = *shown != held;
            *shown = held;
            is_new
        });
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("pool", &self.pool)
            .field("holder", &self.holder)
            .field("held", &*self.held.borrow())
            .finish_non_exhaustive()
    }
}
