//! Which letter an event leads to.

use shop_contracts::orders::{OrderStatus, OrderStatusChanged};

use super::{Happening, words};

/// A letter without its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// The letter about an event, if it is worth one: on the way to its end an order writes none.
pub fn about(happening: &Happening) -> Option<Letter> {
    match happening {
        Happening::UserCreated(user) => Some(Letter {
            subject: "Welcome to the shop".to_owned(),
            body: format!(
                "Hello {},\n\nyour account is ready. Open a money account, put something in, and \
                 look around.\n",
                user.name
            ),
        }),
        Happening::OrderPlaced(order) => Some(Letter {
            subject: format!("We have your order {}", order.order_id),
            body: format!(
                "Thank you. Your order {} over {} has arrived, and we are working on it.\n",
                order.order_id,
                words::money(&order.total)
            ),
        }),
        Happening::OrderChanged(order) => ended(order),
        Happening::UserChanged(_) | Happening::UserDeleted(_) => None,
    }
}

fn ended(order: &OrderStatusChanged) -> Option<Letter> {
    let (id, reason) = (&order.order_id, words::reason(order.reason.as_deref()));
    let (subject, body) = match order.status {
        OrderStatus::Completed => (
            format!("Your order {id} is on its way"),
            format!("We have charged {} and sent the parcel.\n", words::money(&order.total)),
        ),
        OrderStatus::Failed => (
            format!("Your order {id} could not be accepted"),
            format!("The reason: {reason}. No money has moved.\n"),
        ),
        OrderStatus::PaymentCancelled => (
            format!("Your order {id} was undone"),
            format!("The reason: {reason}. Nothing is charged; what was taken is back.\n"),
        ),
        OrderStatus::UndoFailed => (
            format!("We are looking into your order {id}"),
            "It could not be completed, and not everything could be undone by itself. Somebody \
             takes care of it.\n"
                .to_owned(),
        ),
        OrderStatus::Started
        | OrderStatus::PaymentProcessing
        | OrderStatus::InventoryReserved
        | OrderStatus::ShippingProcessing
        | OrderStatus::CompensateInventory => return None,
    };
    Some(Letter { subject, body })
}
