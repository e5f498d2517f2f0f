//! The rows of the service. The truth is the stream `account:<id>`; rows are written in its units.

use shop_edge::IDEMPOTENCY;
use switchboard_saga::EFFECTS;
use switchboard_store::{Column, Table};

/// One row per account, by id: its balance now.
pub static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[
        Column::text("owner_id"),
        Column::text("currency"),
        Column::integer("balance"),
        Column::integer("events"),
        Column::integer("closed"),
        Column::integer("created_at"),
    ],
    indexes: &[&["owner_id", "created_at"]],
};

/// One row per user who ever opened an account or has left, by user. Opening and closing both
/// change it, so that neither can overlook the other.
pub static OWNERS: Table = Table {
    name: "owners",
    columns: &[Column::integer("accounts"), Column::integer("departed")],
    indexes: &[],
};

/// One row, `all`: sums over every account, for whoever audits.
pub static TOTALS: Table = Table {
    name: "totals",
    columns: &[
        Column::integer("accounts"),
        Column::integer("deposits"),
        Column::integer("withdrawals"),
        Column::integer("charged"),
        Column::integer("refunded"),
    ],
    indexes: &[],
};

/// All of them.
pub static TABLES: &[&Table] = &[&ACCOUNTS, &OWNERS, &TOTALS, &EFFECTS, &IDEMPOTENCY];
