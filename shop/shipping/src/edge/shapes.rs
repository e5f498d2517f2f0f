//! What shipments look like on the wire, for the document: see [`openapi`](super::document::openapi).
//!
//! Handlers write their answers themselves; a test of the platform holds them to these shapes.

use serde::Serialize;
use shop_edge::openapi::{ID, Item, Link, Links, Shape, ShipTo, WHEN, links};
use utoipa::ToSchema;

/// A parcel.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Shipment {
    /// Its id.
    pub id: String,
    /// The order that it belongs to.
    pub order_id: String,
    /// Where it is.
    pub status: ShipmentStatus,
    /// What the carrier calls it.
    pub tracking_number: String,
    /// Who carries it.
    pub carrier: String,
    /// Where it goes.
    pub ship_to: ShipTo,
    /// What is in it.
    pub items: Vec<Item>,
    /// When it was given to the carrier.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// Where a parcel is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// With the carrier.
    Shipped,
}

impl Shape for Shipment {
    fn example() -> Self {
        Self {
            id: ID.to_owned(),
            order_id: ID.to_owned(),
            status: ShipmentStatus::Shipped,
            tracking_number: "SB-4F2A-90C1".to_owned(),
            carrier: "Switchboard Parcels".to_owned(),
            ship_to: ShipTo::example(),
            items: vec![Item::example()],
            created_at: WHEN.to_owned(),
            links: links([
                ("self", &format!("/api/v1/shipments/{ID}")),
                ("order", &format!("/api/v1/orders/{ID}")),
            ]),
        }
    }
}
