//! What an event adds to which counter.

use shop_contracts::orders::OrderStatus;

use super::Happening;

/// Counters and what is added to each. Revenue is counted when an order is completed, by currency.
pub fn of(happening: &Happening) -> Vec<(String, i64)> {
    match happening {
        Happening::UserCreated(_) => vec![("users.created".to_owned(), 1)],
        Happening::UserDeleted(_) => vec![("users.deleted".to_owned(), 1)],
        Happening::UserChanged(_) => Vec::new(),
        Happening::OrderPlaced(_) => vec![("orders.placed".to_owned(), 1)],
        Happening::OrderChanged(order) => {
            let status = order.status;
            let mut counts = Vec::new();
            if status.is_final() || status == OrderStatus::UndoFailed {
                counts.push((format!("orders.{}", status.as_str()), 1));
            }
            if status == OrderStatus::Completed {
                counts.push((format!("revenue.{}", order.total.currency), order.total.amount));
            }
            counts
        }
    }
}
