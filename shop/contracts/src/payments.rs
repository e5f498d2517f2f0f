//! What the order saga asks of payments. Every command of one account is handled in order.

use serde::{Deserialize, Serialize};
use switchboard_core::impl_message;

use crate::Money;

/// The topic of commands to payments.
pub const COMMANDS: &str = "payments.commands";

/// May this account pay? Rejected with `unknown_account`, `not_the_owner`, `wrong_currency` or
/// `account_closed`; says nothing about the balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyAccount {
    /// The order that wants to be paid.
    pub order_id: String,
    /// The account.
    pub account_id: String,
    /// Who placed the order.
    pub user_id: String,
    /// The currency of the order.
    pub currency: String,
}

/// Take the money. Rejected with `insufficient_funds`, or what [`VerifyAccount`] is rejected with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The order that is paid.
    pub order_id: String,
    /// The account.
    pub account_id: String,
    /// Who placed the order.
    pub user_id: String,
    /// How much.
    pub amount: Money,
}

/// Give the money back: the undo of [`Charge`]. Fails for a closed account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The order that was paid.
    pub order_id: String,
    /// The account.
    pub account_id: String,
    /// How much.
    pub amount: Money,
}

impl_message!(VerifyAccount, COMMANDS, "payments.verify_account", key = account_id);
impl_message!(Charge, COMMANDS, "payments.charge", key = account_id);
impl_message!(Refund, COMMANDS, "payments.refund", key = account_id);
