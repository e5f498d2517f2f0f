//! The rows of the service.

use switchboard_saga::EFFECTS;
use switchboard_store::{Column, Table};

/// One row per shipment, by its id, which follows from the order's: an order has one at most.
pub static SHIPMENTS: Table = Table {
    name: "shipments",
    columns: &[
        Column::text("order_id"),
        Column::text("user_id"),
        Column::text("status"),
        Column::text("tracking_number"),
        Column::text("carrier"),
        Column::text("ship_to"),
        Column::text("items"),
        Column::integer("created_at"),
    ],
    indexes: &[&["user_id", "created_at"], &["order_id"]],
};

/// All of them.
pub static TABLES: &[&Table] = &[&SHIPMENTS, &EFFECTS];
