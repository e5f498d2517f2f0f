//! The rows of the service.

use switchboard_store::{Column, Table};

/// One row per user, by id.
pub static USERS: Table = Table {
    name: "users",
    columns: &[
        Column::text("name"),
        Column::text("email"),
        Column::text("password"),
        Column::integer("created_at"),
        Column::integer("updated_at"),
        // Where the name is parted: characters of the given name. Null when nobody has said.
        Column::integer("given"),
    ],
    indexes: &[&["created_at"]],
};

/// Who has an address, by the address in lower case: what makes it unique.
pub static EMAILS: Table =
    Table { name: "emails", columns: &[Column::text("user_id")], indexes: &[] };

/// All of them.
pub static TABLES: &[&Table] = &[&USERS, &EMAILS];
