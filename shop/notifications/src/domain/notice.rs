//! Which notification an event leads to.

use shop_contracts::orders::{OrderStatus, OrderStatusChanged};

use super::{Happening, words};

/// What a customer sees in the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Stable, for programs: `order.completed`.
    pub kind: &'static str,
    /// The headline.
    pub title: String,
    /// The text.
    pub body: String,
}

/// The notification about an event, if it is worth one.
pub fn about(happening: &Happening) -> Option<Notice> {
    match happening {
        Happening::UserCreated(user) => Some(Notice {
            kind: "user.welcome",
            title: format!("Welcome, {}", user.name),
            body: "Here you see what happens to your orders.".to_owned(),
        }),
        Happening::OrderPlaced(order) => Some(Notice {
            kind: "order.placed",
            title: "Order received".to_owned(),
            body: format!("We are working on it: {}.", words::money(&order.total)),
        }),
        Happening::OrderChanged(order) => changed(order),
        Happening::UserChanged(_) | Happening::UserDeleted(_) => None,
    }
}

fn changed(order: &OrderStatusChanged) -> Option<Notice> {
    let reason = words::reason(order.reason.as_deref());
    let (kind, title, body) = match order.status {
        OrderStatus::ShippingProcessing => (
            "order.shipping",
            "Being shipped",
            "It is paid and packed. From here it cannot be cancelled any more.".to_owned(),
        ),
        OrderStatus::Completed => (
            "order.completed",
            "Order completed",
            format!("The parcel is on its way: {}.", words::money(&order.total)),
        ),
        OrderStatus::Failed => ("order.failed", "Order not accepted", format!("{reason}.")),
        OrderStatus::PaymentCancelled => {
            ("order.payment_cancelled", "Order undone", format!("{reason}. Nothing is charged."))
        }
        OrderStatus::UndoFailed => (
            "order.undo_failed",
            "We are looking into it",
            "Not everything could be undone by itself. Somebody takes care of it.".to_owned(),
        ),
        OrderStatus::Started
        | OrderStatus::PaymentProcessing
        | OrderStatus::InventoryReserved
        | OrderStatus::CompensateInventory => return None,
    };
    Some(Notice { kind, title: title.to_owned(), body })
}
