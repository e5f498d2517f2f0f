//! Load, decide, commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shop_contracts::Money;
use shop_contracts::inventory::{Item, ProductListed};
use shop_edge::{Deps, Problem, Seek};
use switchboard_core::{Clock, Context, Retryable, Rng, Verdict};
use switchboard_store::{
    CommitError, Compare, Expect, Row, Select, Store, StoreError, Table, Unit, Value,
    table::SELECT_LIMIT,
};

use crate::catalogue::{CATALOGUE, CURRENCY, ON_HAND};
use crate::domain::{Delta, Refusal, Reservation, State, Step, Stock, adjust};
use crate::tables::{PRODUCTS, RESERVATIONS, STOCK};

/// Tries to set the stock of a product that orders keep changing.
const TRIES: u32 = 50;

/// What the service can do, whoever asks.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    rng: Arc<Mutex<Rng>>,
}

/// Something that is for sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// What orders call it.
    pub sku: String,
    /// What people call it.
    pub name: String,
    /// What one of it costs.
    pub price: Money,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A refusal: stock says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such product.
    #[error("there is no such product")]
    NotFound,
    /// The stock is not as the caller expects.
    #[error("the stock is not as the request expects")]
    Unexpected(Box<Problem>),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Commit(#[from] CommitError),
}

/// A reservation with the condition that it is still as it was when it was read.
pub(crate) struct Loaded {
    pub(crate) reservation: Option<Reservation>,
    pub(crate) unchanged: Expect,
}

// === impl Error ===

impl Retryable for Error {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused(_) | Self::NotFound | Self::Unexpected(_) => Verdict::Terminal,
            Self::Read(error) => error.verdict(),
            Self::Commit(error) => error.verdict(),
        }
    }
}

// === impl App ===

impl App {
    /// On these seams.
    pub fn new(deps: &Deps) -> Self {
        let rng = Arc::new(Mutex::new(deps.rng.clone().fork()));
        Self { store: deps.store.clone(), clock: deps.clock.clone(), rng }
    }

    /// Lists the products of the catalogue, in one unit, unless that was done before. Answers
    /// whether it was done now.
    ///
    /// # Errors
    /// The store's.
    pub async fn seed(&self) -> Result<bool, Error> {
        let Some(first) = CATALOGUE.first() else { return Ok(false) };
        if self.store.row(&PRODUCTS, first.sku).await?.is_some() {
            return Ok(false);
        }
        let of = u32::try_from(CATALOGUE.len()).unwrap_or(u32::MAX);
        let begin = Unit::new().expect(Expect::row_absent(&PRODUCTS, first.sku));
        let unit = CATALOGUE.iter().fold(begin, |unit, listing| {
            let price = Money::new(listing.price, CURRENCY);
            let (sku, name) = (listing.sku.to_owned(), listing.name.to_owned());
            let level = Stock { on_hand: ON_HAND, reserved: 0, available: ON_HAND };
            unit.put(
                &PRODUCTS,
                listing.sku,
                [
                    ("name", Value::from(listing.name)),
                    ("price", Value::from(listing.price)),
                    ("currency", Value::from(CURRENCY)),
                ],
            )
            .put(&STOCK, listing.sku, cells(level))
            .publish(&ProductListed { sku, name, price, of })
        });
        match self.store.commit(unit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// One product.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn product(&self, sku: &str) -> Result<Product, Error> {
        let row = self.store.row(&PRODUCTS, sku).await?.ok_or(Error::NotFound)?;
        Ok(Product::of(&row))
    }

    /// Products by sku, from there on.
    ///
    /// # Errors
    /// The store's.
    pub async fn products(
        &self,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Product>, Error> {
        let seek = seek.into();
        let Some((_, key)) = seek.after.as_ref().filter(|_| seek.backwards) else {
            let rows = self.store.select(seek.of(Select::all(&PRODUCTS).limit(limit))).await?;
            return Ok(rows.iter().map(Product::of).collect());
        };
        // Keys are read in one direction only, and the whole catalogue is not much.
        let before = Select::all(&PRODUCTS).filter("key", Compare::Below, key.as_str());
        let rows = self.store.select(before.limit(SELECT_LIMIT)).await?;
        Ok(rows.iter().rev().take(limit).map(Product::of).collect())
    }

    /// How much there is of a product.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn stock(&self, sku: &str) -> Result<Stock, Error> {
        let row = self.store.row(&STOCK, sku).await?.ok_or(Error::NotFound)?;
        Ok(Stock::of(&row))
    }

    /// Sets what is on hand of a product.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Refused`] below what is reserved, or the store's.
    pub async fn adjust(&self, context: Context, sku: &str, on_hand: i64) -> Result<Stock, Error> {
        self.adjust_if(context, sku, on_hand, |_| Ok(())).await
    }

    /// The same if that may be done with the stock that is there: the unit expects that very stock.
    ///
    /// # Errors
    /// As [`App::adjust`], and what `may` answers as [`Error::Unexpected`].
    pub async fn adjust_if(
        &self,
        context: Context,
        sku: &str,
        on_hand: i64,
        may: impl Fn(&Stock) -> Result<(), Problem>,
    ) -> Result<Stock, Error> {
        let mut tries = 0;
        loop {
            let row = self.store.row(&STOCK, sku).await?.ok_or(Error::NotFound)?;
            let before = Stock::of(&row);
            may(&before).map_err(|problem| Error::Unexpected(Box::new(problem)))?;
            let delta = adjust::decide(sku, before, on_hand)?;
            let unit = Unit::new()
                .with_context(context.clone())
                .expect(Expect::row_at(&STOCK, sku, row.version))
                .put(&STOCK, sku, cells(before.after(&delta)));
            tries += 1;
            match self.store.commit(unit).await {
                Ok(_) => return Ok(before.after(&delta)),
                Err(CommitError::Conflict(_)) if tries < TRIES => self.stand_back(tries).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets others go first: not at all at first, then some random milliseconds.
    async fn stand_back(&self, tries: u32) {
        if tries > 3 {
            let micros = self.rng.lock().below(1_000 * u64::from(tries));
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }

    /// What an order has set aside.
    pub(crate) async fn reservation(&self, order_id: &str) -> Result<Loaded, StoreError> {
        let Some(row) = self.store.row(&RESERVATIONS, order_id).await? else {
            let unchanged = Expect::row_absent(&RESERVATIONS, order_id);
            return Ok(Loaded { reservation: None, unchanged });
        };
        let reservation = Reservation::of(&row)?;
        let unchanged = Expect::row_at(&RESERVATIONS, order_id, row.version);
        Ok(Loaded { reservation: Some(reservation), unchanged })
    }

    /// The stock of the products of these items; unknown ones are left out.
    pub(crate) async fn levels(
        &self,
        items: &[Item],
    ) -> Result<BTreeMap<String, Stock>, StoreError> {
        let mut levels = BTreeMap::new();
        for item in items {
            if levels.contains_key(&item.sku) {
                continue;
            }
            if let Some(row) = self.store.row(&STOCK, &item.sku).await? {
                levels.insert(item.sku.clone(), Stock::of(&row));
            }
        }
        Ok(levels)
    }

    /// The unit of a step: the reservation, and each product's stock. What is taken away must
    /// still be there at the moment of the commit; nothing else is asked of a product's row, so
    /// orders for the same product do not conflict.
    pub(crate) fn stepped(&self, order_id: &str, unchanged: Expect, step: &Step) -> Unit {
        let Reservation { items, state } = &step.reservation;
        let items = serde_json::json!(items).to_string();
        let unit = Unit::new().expect(unchanged).put(
            &RESERVATIONS,
            order_id,
            [
                ("items", Value::from(items)),
                ("state", Value::from(state.as_str())),
                ("at", Value::from(self.clock.now())),
            ],
        );
        step.deltas.iter().fold(unit, changed)
    }
}

fn changed(unit: Unit, delta: &Delta) -> Unit {
    let Delta { sku, on_hand, reserved, available } = delta;
    let columns = [("on_hand", *on_hand), ("reserved", *reserved), ("available", *available)];
    columns.into_iter().filter(|(_, change)| *change != 0).fold(unit, |unit, (column, change)| {
        let unit =
            if change < 0 { unit.expect(at_least(&STOCK, sku, column, -change)) } else { unit };
        unit.add(&STOCK, sku.as_str(), column, change)
    })
}

fn at_least(table: &'static Table, key: &str, column: &'static str, value: i64) -> Expect {
    Expect::AtLeast { table, key: key.to_owned(), column, value }
}

fn cells(stock: Stock) -> [(&'static str, Value); 3] {
    [
        ("on_hand", Value::from(stock.on_hand)),
        ("reserved", Value::from(stock.reserved)),
        ("available", Value::from(stock.available)),
    ]
}

// === impl Stock, Product, Reservation ===

impl Stock {
    fn of(row: &Row) -> Self {
        Self {
            on_hand: row.integer("on_hand"),
            reserved: row.integer("reserved"),
            available: row.integer("available"),
        }
    }
}

impl Product {
    fn of(row: &Row) -> Self {
        Self {
            sku: row.key.clone(),
            name: row.text("name").to_owned(),
            price: Money::new(row.integer("price"), row.text("currency")),
        }
    }
}

impl Reservation {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let undecodable = |source| StoreError::Undecodable {
            what: format!("the reservation of order `{}`", row.key),
            source,
        };
        let items =
            serde_json::from_str(row.text("items")).map_err(|error| undecodable(error.into()))?;
        let state = State::parse(row.text("state"))
            .ok_or_else(|| undecodable("its state is unknown".into()))?;
        Ok(Self { items, state })
    }
}
