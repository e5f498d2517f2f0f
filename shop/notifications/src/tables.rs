//! The rows of the service.

use switchboard_store::{Column, Table};

/// Whom letters go to, by user. A row may come before its user's event: then it only counts the
/// letters that wait for the address.
pub static CONTACTS: Table = Table {
    name: "contacts",
    columns: &[
        Column::text("name"),
        Column::text("email"),
        Column::text("state"),
        Column::integer("waiting"),
    ],
    indexes: &[],
};

/// Every letter, by what it tells of: writing it twice changes nothing.
pub static MAILBOX: Table = Table {
    name: "mailbox",
    columns: &[
        Column::text("user_id"),
        Column::text("recipient"),
        Column::text("subject"),
        Column::text("body"),
        Column::text("order_id"),
        Column::text("status"),
        Column::integer("at"),
    ],
    indexes: &[&["at"], &["user_id", "at"]],
};

/// What customers see in the shop, by what it tells of.
pub static NOTIFICATIONS: Table = Table {
    name: "notifications",
    columns: &[
        Column::text("user_id"),
        Column::text("type"),
        Column::text("title"),
        Column::text("body"),
        Column::text("order_id"),
        Column::integer("at"),
    ],
    indexes: &[&["at"], &["user_id", "at"]],
};

/// Counters by day and name; the day `all` holds the sums.
pub static COUNTERS: Table = Table {
    name: "counters",
    columns: &[Column::text("day"), Column::text("name"), Column::integer("value")],
    indexes: &[&["day"]],
};

/// Groups that an operator has stopped or started, by name: remembered over a restart.
pub static SWITCHES: Table =
    Table { name: "switches", columns: &[Column::integer("running")], indexes: &[] };

/// All of them.
pub static TABLES: &[&Table] = &[&CONTACTS, &MAILBOX, &NOTIFICATIONS, &COUNTERS, &SWITCHES];
