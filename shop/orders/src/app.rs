//! Load, decide, commit.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value as Json;
use shop_contracts::inventory::Item;
use shop_contracts::orders::{OrderPlaced, OrderStatus};
use shop_contracts::shipping::ShipTo;
use shop_edge::idempotency::Ticket;
use shop_edge::{Deps, Seek, Stored};
use switchboard_core::{Clock, Context, Id, Position, Rng, Timestamp};
use switchboard_store::{
    CommitError, Expect, Row, Select, Store, StoreError, StoredEvent, Unit, Value,
};
use tokio::sync::watch;

use crate::domain::order::{
    self, OrderData, OrderEvent, Past, entered, may_be_cancelled, recorded, stream,
};
use crate::domain::place_order::{self, Placed};
use crate::products::Products;
use crate::sagas::Fulfilment;
use crate::tables::ORDERS;

/// Facts that are recorded of one order, at most.
const EVENTS_MAX: usize = 1_000;
/// Tries to commit to an order that its saga keeps moving.
const TRIES: u32 = 20;

/// What the service can do, whoever asks.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) products: Products,
    pub(crate) fulfilment: Fulfilment,
    clock: Arc<dyn Clock>,
    rng: Arc<Mutex<Rng>>,
}

/// What somebody wants to order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Who.
    pub user_id: String,
    /// The account that pays.
    pub account_id: String,
    /// Each product once.
    pub items: Vec<Item>,
    /// Where it goes.
    pub ship_to: ShipTo,
}

/// An order as its row and its trail show it.
#[derive(Clone, Debug)]
pub struct View {
    /// The row.
    pub row: Row,
    /// The states it came to.
    pub history: Vec<Past>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such order.
    #[error("there is no such order")]
    NotFound,
    /// The order has come too far to be cancelled.
    #[error("the order is {0} and cannot be cancelled any more")]
    TooLate(String),
    /// The workflow refuses.
    #[error("{0}")]
    Refused(String),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Commit(#[from] CommitError),
}

// === impl App ===

impl App {
    /// On these seams.
    pub fn new(deps: &Deps) -> Self {
        Self {
            store: deps.store.clone(),
            products: Products::new(deps.store.clone()),
            fulfilment: Fulfilment::new(deps),
            clock: deps.clock.clone(),
            rng: Arc::new(Mutex::new(deps.rng.clone().fork())),
        }
    }

    /// Accepts an order: row, trail, first command and stored answer in one unit.
    ///
    /// # Errors
    /// The store's.
    pub async fn place(
        &self,
        context: Context,
        wanted: Wanted,
        ticket: &Ticket,
        answer: impl Fn(&View) -> Stored,
    ) -> Result<Stored, Error> {
        let prices = self.products.prices(&wanted.items).await?;
        let order_id = Id::new(&*self.clock, &mut self.rng.lock()).to_string();
        let (total, fails) = match place_order::decide(&wanted.items, &prices) {
            Placed::Begins(total) => (total, None),
            Placed::Fails { reason, total } => (total, Some(reason)),
        };
        let Wanted { user_id, account_id, items, ship_to } = wanted;
        let data = OrderData { order_id, user_id, account_id, items, total, ship_to };
        let now = self.clock.now();
        let mut view = View::placed(&data, now);
        let mut unit = self.placed(&data, now);
        match fails {
            Some(reason) => {
                let reason = Some(reason.to_owned());
                unit = unit.and(entered(&data, &[(OrderStatus::Failed, reason.clone())]));
                view.fail(reason, now);
            }
            None => unit = unit.and(self.fulfilment.start(&data)),
        }
        let answer = answer(&view);
        self.store.commit(ticket.remember(unit.with_context(context).at(now), &answer)).await?;
        Ok(answer)
    }

    fn placed(&self, data: &OrderData, now: Timestamp) -> Unit {
        let event = OrderEvent::Placed(Box::new(data.clone()));
        recorded(&data.order_id, &event)
            .expect(Expect::row_absent(&ORDERS, &*data.order_id))
            .put(&ORDERS, &*data.order_id, cells(data, now))
            .publish(&OrderPlaced {
                order_id: data.order_id.clone(),
                user_id: data.user_id.clone(),
                total: data.total.clone(),
            })
    }

    /// One order with its history.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn order(&self, id: &str) -> Result<View, Error> {
        let row = self.store.row(&ORDERS, id).await?.ok_or(Error::NotFound)?;
        let history = order::history(&self.events(id).await?)?;
        Ok(View { row, history })
    }

    /// The version of an order's row: it changes with its state.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn version(&self, id: &str) -> Result<u64, Error> {
        Ok(self.store.row(&ORDERS, id).await?.ok_or(Error::NotFound)?.version)
    }

    /// Everything that was recorded of an order, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn events(&self, id: &str) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.stream(&stream(id), 0, EVENTS_MAX).await
    }

    /// Moves with every commit of this service, whatever it is about: who waits for an order looks
    /// again then.
    pub fn commits(&self) -> watch::Receiver<Position> {
        self.store.watch()
    }

    /// Orders, newest first: of one user, or of all.
    ///
    /// # Errors
    /// The store's.
    pub async fn orders(
        &self,
        user_id: Option<&str>,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut select = Select::all(&ORDERS).descending("created_at").limit(limit);
        if let Some(user_id) = user_id {
            select = select.only("user_id", user_id);
        }
        self.store.select(seek.into().of(select)).await
    }

    /// Asks for an order to be undone. Before anything was asked of anybody it fails at once;
    /// otherwise the step in flight ends first. Asked again, it changes nothing.
    ///
    /// # Errors
    /// [`Error::TooLate`] once shipping has been asked for, [`Error::NotFound`], or the store's.
    pub async fn cancel(&self, context: Context, id: &str) -> Result<View, Error> {
        for _ in 0..TRIES {
            let view = self.order(id).await?;
            if view.row.integer("cancelling") != 0 {
                return Ok(view);
            }
            if !may_be_cancelled(&view.row) {
                return Err(Error::TooLate(view.row.text("status").to_owned()));
            }
            let unit = recorded(id, &OrderEvent::CancellationRequested)
                .expect(Expect::row_at(&ORDERS, id, view.row.version))
                .put(&ORDERS, id, [("cancelling", Value::from(true))])
                .and(self.fulfilment.cancel(id).await?);
            match self.store.commit(unit.with_context(context.clone())).await {
                Ok(_) => return self.order(id).await,
                Err(CommitError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict(format!("order {id} keeps moving")).into())
    }
}

fn cells(data: &OrderData, now: Timestamp) -> [(&'static str, Value); 8] {
    let json = |value: Result<String, serde_json::Error>| Value::from(value.unwrap_or_default());
    [
        ("user_id", Value::from(&*data.user_id)),
        ("account_id", Value::from(&*data.account_id)),
        ("status", Value::from(OrderStatus::Started.as_str())),
        ("total", Value::from(data.total.amount)),
        ("currency", Value::from(&*data.total.currency)),
        ("items", json(serde_json::to_string(&data.items))),
        ("ship_to", json(serde_json::to_string(&data.ship_to))),
        ("created_at", Value::from(now)),
    ]
}

// === impl View ===

impl View {
    /// An order as it will be once its first unit is committed.
    fn placed(data: &OrderData, now: Timestamp) -> Self {
        let mut row = Row {
            table: &ORDERS,
            key: data.order_id.clone(),
            version: 1,
            values: vec![Value::Null; ORDERS.columns.len()],
        };
        for (column, value) in cells(data, now) {
            if let Some(index) = ORDERS.index_of(column) {
                row.values[index] = value;
            }
        }
        let history = vec![Past { status: OrderStatus::Started, at: now, reason: None }];
        Self { row, history }
    }

    fn fail(&mut self, reason: Option<String>, now: Timestamp) {
        let status = OrderStatus::Failed;
        if let Some(index) = ORDERS.index_of("status") {
            self.row.values[index] = status.as_str().into();
        }
        self.history.push(Past { status, at: now, reason });
    }

    /// The order as it was when its history had so many lines.
    pub fn as_of(&self, lines: usize) -> Self {
        let mut view = self.clone();
        view.history.truncate(lines);
        if let (Some(past), Some(index)) = (view.history.last(), ORDERS.index_of("status")) {
            view.row.values[index] = past.status.as_str().into();
        }
        view
    }

    /// A text column that holds JSON.
    pub fn json(&self, column: &str) -> Json {
        serde_json::from_str(self.row.text(column)).unwrap_or_default()
    }
}
