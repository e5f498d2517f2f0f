//! The rows of the service.

use switchboard_saga::EFFECTS;
use switchboard_store::{Column, Table};

/// One row per product, by sku.
pub static PRODUCTS: Table = Table {
    name: "products",
    columns: &[Column::text("name"), Column::integer("price"), Column::text("currency")],
    indexes: &[],
};

/// One row per product, by sku. Orders only add to its columns, and so never conflict over it;
/// `available` is a column of its own, so that a unit can demand that enough is left.
pub static STOCK: Table = Table {
    name: "stock",
    columns: &[
        Column::integer("on_hand"),
        Column::integer("reserved"),
        Column::integer("available"),
    ],
    indexes: &[],
};

/// One row per order that ever set something aside, by order: the items (JSON) and what became of
/// them. Kept for ever: it is what makes each step of an order happen once.
pub static RESERVATIONS: Table = Table {
    name: "reservations",
    columns: &[Column::text("items"), Column::text("state"), Column::integer("at")],
    indexes: &[],
};

/// All of them.
pub static TABLES: &[&Table] = &[&PRODUCTS, &STOCK, &RESERVATIONS, &EFFECTS];
