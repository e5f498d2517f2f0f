//! The rows of the service.

use shop_edge::IDEMPOTENCY;
use switchboard_saga::SAGAS;
use switchboard_store::{Column, Table};

/// One row per order, by id: what lists and single orders show.
pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        Column::text("user_id"),
        Column::text("account_id"),
        Column::text("status"),
        Column::text("reason"),
        Column::integer("total"),
        Column::text("currency"),
        Column::text("items"),
        Column::text("ship_to"),
        Column::text("shipment_id"),
        Column::text("tracking_number"),
        Column::integer("cancelling"),
        Column::integer("created_at"),
    ],
    indexes: &[&["user_id", "created_at"], &["created_at"], &["status"]],
};

/// What is sold, by sku, as inventory has told.
pub static PRODUCTS: Table = Table {
    name: "products",
    columns: &[
        Column::text("name"),
        Column::integer("price"),
        Column::text("currency"),
        Column::integer("of"),
    ],
    indexes: &[],
};

/// All of them.
pub static TABLES: &[&Table] = &[&ORDERS, &PRODUCTS, &SAGAS, &IDEMPOTENCY];
