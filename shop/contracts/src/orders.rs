//! What the orders service tells the others, and the states of an order.

use serde::{Deserialize, Serialize};
use switchboard_core::impl_message;

use crate::Money;

/// The topic of everything about orders.
pub const EVENTS: &str = "orders.events";
/// The topic on which participants answer the order saga.
pub const REPLIES: &str = "orders.replies";

/// The states of an order, exactly as `history` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Accepted; the account is being looked at.
    Started,
    /// The money is being taken.
    PaymentProcessing,
    /// The money is taken and the items are set aside.
    InventoryReserved,
    /// Shipping has been asked for: no way to cancel any more.
    ShippingProcessing,
    /// Shipped, and the stock is taken. Final.
    Completed,
    /// Refused or cancelled before any money moved. Final.
    Failed,
    /// The money was not taken, or is back. Final.
    PaymentCancelled,
    /// The items are being put back.
    CompensateInventory,
    /// Something could not be undone: an operator has to act.
    UndoFailed,
}

/// An order was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: String,
    /// Who placed it.
    pub user_id: String,
    /// What it costs.
    pub total: Money,
}

/// An order came to another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatusChanged {
    /// The order.
    pub order_id: String,
    /// Who placed it.
    pub user_id: String,
    /// The state now.
    pub status: OrderStatus,
    /// Why, when it went wrong.
    pub reason: Option<String>,
    /// What it costs.
    pub total: Money,
}

impl_message!(OrderPlaced, EVENTS, "orders.placed", key = order_id);
impl_message!(OrderStatusChanged, EVENTS, "orders.status_changed", key = order_id);

impl OrderStatus {
    /// The name in responses: `payment_processing`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::PaymentProcessing => "payment_processing",
            Self::InventoryReserved => "inventory_reserved",
            Self::ShippingProcessing => "shipping_processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::PaymentCancelled => "payment_cancelled",
            Self::CompensateInventory => "compensate_inventory",
            Self::UndoFailed => "undo_failed",
        }
    }

    /// Whether nothing will happen to the order any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::PaymentCancelled)
    }
}
