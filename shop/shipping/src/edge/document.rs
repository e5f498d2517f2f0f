//! The service's part of the interface's document.

use serde_json::json;
use shop_edge::openapi::{ID, Operation, Part, operators};

use super::shapes::Shipment;

/// Every operation of the service.
pub fn openapi() -> Part {
    let order = json!({ "type": "string" });
    let part = Part::new("shipments", "Parcels, and where they are.")
        .with(
            Operation::get("/api/v1/shipments", "listShipments")
                .says("List shipments", "One's own; everybody's for the operator. Newest first.")
                .page_of::<Shipment>("The shipments.")
                .query("order_id", "Only those of this order.", order, ID),
        )
        .with(
            Operation::get("/api/v1/shipments/{id}", "getShipment")
                .at_id("id", "The shipment. Others' shipments are hidden: 404.")
                .says("Show a shipment", "With its tracking number.")
                .ok::<Shipment>("The shipment."),
        );
    operators(part, "/api/v1/operator/shipping", "Shipping")
}
