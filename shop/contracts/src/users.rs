//! What the users service tells the others.

use serde::{Deserialize, Serialize};
use switchboard_core::impl_message;

/// The topic of everything about users.
pub const EVENTS: &str = "users.events";

/// Somebody signed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCreated {
    /// The new user.
    pub user_id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// Somebody changed their name or address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserChanged {
    /// The user.
    pub user_id: String,
    /// The name now.
    pub name: String,
    /// The e-mail address now.
    pub email: String,
}

/// Somebody left: payments closes their accounts to new charges and to refunds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDeleted {
    /// Who left.
    pub user_id: String,
}

impl_message!(UserCreated, EVENTS, "users.created", key = user_id);
impl_message!(UserChanged, EVENTS, "users.changed", key = user_id);
impl_message!(UserDeleted, EVENTS, "users.deleted", key = user_id);
