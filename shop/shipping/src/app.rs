//! Load, decide, commit.

use std::sync::Arc;

use shop_contracts::inventory::Item;
use shop_contracts::shipping::{Ship, ShipTo};
use shop_edge::{Deps, Seek};
use switchboard_core::{Clock, Timestamp};
use switchboard_store::{Expect, Row, Select, Store, StoreError, Unit, Value};

use crate::countries;
use crate::domain::{Refusal, Shipment, ship};
use crate::tables::SHIPMENTS;

/// What the service can do, whoever asks.
#[derive(Clone, Debug)]
pub struct App {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such shipment.
    #[error("there is no such shipment")]
    NotFound,
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
}

/// Whose shipments are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those of this user; of everybody if absent.
    pub user_id: Option<String>,
    /// Those of this order only.
    pub order_id: Option<String>,
}

// === impl App ===

impl App {
    /// On these seams.
    pub fn new(deps: &Deps) -> Self {
        Self { store: deps.store.clone(), clock: deps.clock.clone() }
    }

    /// Sends a parcel: the unit that makes it true, and the shipment. A parcel that is on its way
    /// already is answered as it is.
    ///
    /// # Errors
    /// The store's.
    pub async fn ship(&self, command: &Ship) -> Result<Result<(Unit, Shipment), Refusal>, Error> {
        let id = ship::shipment_id(&command.order_id);
        if let Some(row) = self.store.row(&SHIPMENTS, &id).await? {
            return Ok(Ok((Unit::new(), Shipment::of(&row)?)));
        }
        let decided = ship::decide(command, countries::is_served, self.clock.now());
        Ok(decided.map(|shipment| {
            let unit = Unit::new().expect(Expect::row_absent(&SHIPMENTS, &*id)).put(
                &SHIPMENTS,
                id,
                shipment.cells(),
            );
            (unit, shipment)
        }))
    }

    /// One shipment.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn shipment(&self, id: &str) -> Result<Shipment, Error> {
        let row = self.store.row(&SHIPMENTS, id).await?.ok_or(Error::NotFound)?;
        Ok(Shipment::of(&row)?)
    }

    /// Shipments, newest first, from there on.
    ///
    /// # Errors
    /// The store's.
    pub async fn shipments(
        &self,
        wanted: &Wanted,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Shipment>, Error> {
        let mut select = Select::all(&SHIPMENTS).descending("created_at").limit(limit);
        if let Some(user) = &wanted.user_id {
            select = select.only("user_id", &**user);
        }
        if let Some(order) = &wanted.order_id {
            select = select.only("order_id", &**order);
        }
        let rows = self.store.select(seek.into().of(select)).await?;
        Ok(rows.iter().map(Shipment::of).collect::<Result<_, _>>()?)
    }
}

// === impl Shipment ===

/// A parcel that was handed over is on its way; carriers that report back come later.
pub const STATUS: &str = "shipped";

impl Shipment {
    fn cells(&self) -> [(&'static str, Value); 8] {
        [
            ("order_id", Value::from(&*self.order_id)),
            ("user_id", Value::from(&*self.user_id)),
            ("status", Value::from(STATUS)),
            ("tracking_number", Value::from(&*self.tracking_number)),
            ("carrier", Value::from(&*self.carrier)),
            ("ship_to", Value::from(serde_json::json!(self.ship_to).to_string())),
            ("items", Value::from(serde_json::json!(self.items).to_string())),
            ("created_at", Value::from(self.created_at)),
        ]
    }

    fn of(row: &Row) -> Result<Self, StoreError> {
        let undecodable = |source: serde_json::Error| StoreError::Undecodable {
            what: format!("shipment `{}`", row.key),
            source: source.into(),
        };
        let ship_to: ShipTo = serde_json::from_str(row.text("ship_to")).map_err(undecodable)?;
        let items: Vec<Item> = serde_json::from_str(row.text("items")).map_err(undecodable)?;
        Ok(Self {
            id: row.key.clone(),
            order_id: row.text("order_id").to_owned(),
            user_id: row.text("user_id").to_owned(),
            tracking_number: row.text("tracking_number").to_owned(),
            carrier: row.text("carrier").to_owned(),
            ship_to,
            items,
            created_at: Timestamp::from_micros(row.integer("created_at")),
        })
    }
}
