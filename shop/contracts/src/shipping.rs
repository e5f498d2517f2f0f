//! What the order saga asks of shipping.

use serde::{Deserialize, Serialize};
use switchboard_core::impl_message;

use crate::inventory::Item;

/// The topic of commands to shipping.
pub const COMMANDS: &str = "shipping.commands";

/// Where a parcel goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipTo {
    /// Who receives it.
    pub name: String,
    /// Street and number.
    pub address: String,
    /// City.
    pub city: String,
    /// ISO 3166-1, two capital letters.
    pub country: String,
}

/// Send the parcel: the pivot of the order saga. Rejected with `country_not_served`.
/// The answer carries [`Shipped`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ship {
    /// The order.
    pub order_id: String,
    /// Who placed it.
    pub user_id: String,
    /// Where to.
    pub ship_to: ShipTo,
    /// What is in it.
    pub items: Vec<Item>,
}

/// The content of a positive answer to [`Ship`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// The shipment, readable at `/api/v1/shipments/{id}`.
    pub shipment_id: String,
    /// What the carrier calls it.
    pub tracking_number: String,
}

impl_message!(Ship, COMMANDS, "shipping.ship", key = order_id);
