//! Parcels: pure decisions.

pub mod ship;

use shop_contracts::inventory::Item;
use shop_contracts::shipping::{ShipTo, Shipped};
use switchboard_core::Timestamp;

/// A parcel on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// Its id.
    pub id: String,
    /// The order.
    pub order_id: String,
    /// Who placed the order.
    pub user_id: String,
    /// What the carrier calls it.
    pub tracking_number: String,
    /// Who carries it.
    pub carrier: String,
    /// Where to.
    pub ship_to: ShipTo,
    /// What is in it.
    pub items: Vec<Item>,
    /// When it was handed over.
    pub created_at: Timestamp,
}

/// A domain "no".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No parcels go to this country.
    #[error("the country is not served")]
    CountryNotServed,
}

// === impl Shipment ===

impl Shipment {
    /// What the order saga is told.
    pub fn shipped(&self) -> Shipped {
        let (shipment_id, tracking_number) = (self.id.clone(), self.tracking_number.clone());
        Shipped { shipment_id, tracking_number }
    }
}

// === impl Refusal ===

impl Refusal {
    /// The stable name that the order saga and its history show.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CountryNotServed => "country_not_served",
        }
    }
}
