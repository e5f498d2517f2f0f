//! Load, decide, commit.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shop_edge::{Deps, Seek, Stored, idempotency::Ticket};
use switchboard_core::{Clock, Context, Id, Rng, Timestamp};
use switchboard_store::{
    CommitError, Expect, Row, Select, Store, StoreError, StoredEvent, Unit, Value,
    table::SELECT_LIMIT,
};

use crate::domain::open::{self, Owner};
use crate::domain::{Account, AccountEvent, Refusal, deposit, withdraw};
use crate::tables::{ACCOUNTS, OWNERS, TOTALS};

/// Events that are read at once when an account's past is looked at.
const EVENTS_AT_ONCE: usize = 1_000;
/// Tries to commit to an account that others keep changing.
const TRIES: u32 = 50;

/// What the service can do, whoever asks.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    rng: Arc<Mutex<Rng>>,
}

/// Money that is moved by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// In.
    Deposit,
    /// Out.
    Withdrawal,
}

/// Which moment of an account is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Now.
    Now,
    /// After so many events.
    Version(u64),
    /// At this time.
    At(Timestamp),
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A refusal: the account says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such account, or not at that moment.
    #[error("there is no such account")]
    NotFound,
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Commit(#[from] CommitError),
}

/// An account with its id and what is only in its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its id.
    pub id: String,
    /// What it is.
    pub account: Account,
    /// When it was opened.
    pub created_at: Timestamp,
}

// === impl App ===

impl App {
    /// On these seams.
    pub fn new(deps: &Deps) -> Self {
        let rng = Arc::new(Mutex::new(deps.rng.clone().fork()));
        Self { store: deps.store.clone(), clock: deps.clock.clone(), rng }
    }

    /// Opens an account.
    ///
    /// # Errors
    /// [`Error::Refused`], or the store's.
    pub async fn open(&self, context: Context, owner: &str, currency: &str) -> Result<View, Error> {
        self.open_with(context, owner, currency, |unit, _| unit).await
    }

    /// The same; with the account is stored what `remember` adds to its unit.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn open_with(
        &self,
        context: Context,
        owner: &str,
        currency: &str,
        remember: impl Fn(Unit, &View) -> Unit,
    ) -> Result<View, Error> {
        let id = Id::new(&*self.clock, &mut self.rng.lock()).to_string();
        let created_at = self.clock.now();
        let mut tries = 0;
        loop {
            let (known, unchanged) = self.owner(owner).await?;
            let created = open::decide(known, owner, currency)?;
            let account = Account::default();
            let unit = happened(&id, &account, &created)
                .with_context(context.clone())
                .at(created_at)
                .expect(unchanged)
                .add(&OWNERS, owner, "accounts", 1)
                .put(&ACCOUNTS, &*id, [("created_at", Value::from(created_at))]);
            let view = View { id: id.clone(), account: account.evolve(created), created_at };
            tries += 1;
            match self.store.commit(remember(unit, &view)).await {
                Ok(_) => return Ok(view),
                Err(CommitError::Conflict(_)) if tries < TRIES => self.stand_back(tries).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What is known of an owner, with the condition that it is still so.
    pub(crate) async fn owner(&self, id: &str) -> Result<(Owner, Expect), StoreError> {
        Ok(match self.store.row(&OWNERS, id).await? {
            None => (Owner::default(), Expect::row_absent(&OWNERS, id)),
            Some(row) => {
                let departed = row.integer("departed") != 0;
                let owner = Owner { accounts: row.integer("accounts"), departed };
                (owner, Expect::row_at(&OWNERS, id, row.version))
            }
        })
    }

    /// Lets others go first: not at all at first, then some random milliseconds.
    async fn stand_back(&self, tries: u32) {
        if tries > 3 {
            let micros = self.rng.lock().below(500 * u64::from(tries));
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }

    /// Moves money. The answer is built from the account after it, or from its refusal, and is
    /// stored with the effect when there is a ticket for it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn move_money(
        &self,
        context: Context,
        account_id: &str,
        movement: Movement,
        amount: i64,
        ticket: Option<Arc<Ticket>>,
        answer: impl Fn(Result<&View, Refusal>) -> Stored,
    ) -> Result<Stored, Error> {
        let mut tries = 0;
        loop {
            let view = self.account(account_id, Moment::Now).await?;
            let decided = match movement {
                Movement::Deposit => deposit::decide(&view.account, amount),
                Movement::Withdrawal => withdraw::decide(&view.account, amount),
            };
            let (unit, answer) = match decided {
                Ok(event) => {
                    let unit = happened(account_id, &view.account, &event);
                    let after = View { account: view.account.evolve(event), ..view };
                    (unit, answer(Ok(&after)))
                }
                Err(refusal) => (Unit::new(), answer(Err(refusal))),
            };
            let unit = match &ticket {
                Some(ticket) => ticket.remember(unit, &answer),
                None if unit.is_empty() => return Ok(answer),
                None => unit,
            };
            let unit = unit.with_context(context.clone());
            tries += 1;
            match self.store.commit(unit).await {
                Ok(_) => return Ok(answer),
                Err(CommitError::Conflict(_)) if tries < TRIES => self.stand_back(tries).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// An account at some moment. Now is one row; the past is read from the events.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it did not exist then, or the store's.
    pub async fn account(&self, id: &str, moment: Moment) -> Result<View, Error> {
        let row = self.store.row(&ACCOUNTS, id).await?.ok_or(Error::NotFound)?;
        let mut view = View::of(&row);
        if moment == Moment::Now {
            return Ok(view);
        }
        let past = self.past(id, moment).await?;
        let reached = match moment {
            Moment::Version(version) => past.version == version,
            _ => past.exists(),
        };
        view.account = past;
        if reached { Ok(view) } else { Err(Error::NotFound) }
    }

    /// The account as its events up to this moment make it.
    async fn past(&self, id: &str, moment: Moment) -> Result<Account, StoreError> {
        let mut past = Account::default();
        loop {
            let events = self.events(id, past.version, EVENTS_AT_ONCE).await?;
            let is_last = events.len() < EVENTS_AT_ONCE;
            for event in events {
                let later = match moment {
                    Moment::Version(version) => event.version > version,
                    Moment::At(time) => event.time > time,
                    Moment::Now => false,
                };
                if later {
                    return Ok(past);
                }
                past = past.evolve(event.decode()?);
            }
            if is_last {
                return Ok(past);
            }
        }
    }

    /// What happened to an account after so many events, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn events(
        &self,
        id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.stream(&stream(id), after, limit).await
    }

    /// The accounts of one owner, from there on.
    ///
    /// # Errors
    /// The store's.
    pub async fn accounts(
        &self,
        owner: &str,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<View>, Error> {
        let select =
            Select::all(&ACCOUNTS).only("owner_id", owner).ascending("created_at").limit(limit);
        let rows = self.store.select(seek.into().of(select)).await?;
        Ok(rows.iter().map(View::of).collect())
    }

    /// The sums over all accounts.
    ///
    /// # Errors
    /// The store's.
    pub async fn totals(&self) -> Result<Option<Row>, StoreError> {
        self.store.row(&TOTALS, "all").await
    }

    /// What is on all accounts together, added up row by row.
    ///
    /// # Errors
    /// The store's.
    pub async fn balances(&self) -> Result<i64, StoreError> {
        let (mut sum, mut after) = (0_i64, None);
        loop {
            let mut select = Select::all(&ACCOUNTS).limit(SELECT_LIMIT);
            select.after = after;
            let rows = self.store.select(select).await?;
            sum = rows.iter().fold(sum, |sum, row| sum.saturating_add(row.integer("balance")));
            match rows.last() {
                Some(last) if rows.len() == SELECT_LIMIT => {
                    after = Some((Value::Null, last.key.clone()));
                }
                _ => return Ok(sum),
            }
        }
    }

    /// The account as its events make it: what decisions of the saga are made from.
    pub(crate) async fn load(&self, id: &str) -> Result<Account, StoreError> {
        let row = self.store.row(&ACCOUNTS, id).await?;
        Ok(row.map(|row| View::of(&row).account).unwrap_or_default())
    }
}

/// The stream of an account.
pub fn stream(id: &str) -> String {
    format!("account:{id}")
}

/// The unit of one more event: the event, the account's row, the sums.
pub(crate) fn happened(id: &str, before: &Account, event: &AccountEvent) -> Unit {
    let after = before.clone().evolve(event.clone());
    let (sum, amount) = match event {
        AccountEvent::Created { .. } => ("accounts", 1),
        AccountEvent::Deposited { amount } => ("deposits", *amount),
        AccountEvent::Withdrawn { amount } => ("withdrawals", *amount),
        AccountEvent::Charged { amount, .. } => ("charged", *amount),
        AccountEvent::Refunded { amount, .. } => ("refunded", *amount),
        AccountEvent::Closed => ("accounts", 0),
    };
    Unit::new()
        .append(stream(id), before.version, [event.clone()])
        .put(
            &ACCOUNTS,
            id,
            [
                ("owner_id", Value::from(&*after.owner_id)),
                ("currency", Value::from(&*after.currency)),
                ("balance", Value::from(after.balance)),
                ("events", Value::from(after.version.cast_signed())),
                ("closed", Value::from(after.is_closed)),
            ],
        )
        .add(&TOTALS, "all", sum, amount)
}

/// A condition that holds as long as the account was not changed since it was loaded.
pub(crate) fn unchanged(id: &str, account: &Account) -> Expect {
    Expect::StreamAt { stream: stream(id).into(), version: account.version }
}

// === impl View ===

impl View {
    fn of(row: &Row) -> Self {
        Self {
            id: row.key.clone(),
            account: Account {
                owner_id: row.text("owner_id").to_owned(),
                currency: row.text("currency").to_owned(),
                balance: row.integer("balance"),
                version: row.integer("events").cast_unsigned(),
                is_closed: row.integer("closed") != 0,
            },
            created_at: Timestamp::from_micros(row.integer("created_at")),
        }
    }
}
