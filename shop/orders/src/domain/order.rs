//! An order, what is recorded of it, and how a new state becomes visible: row, audit trail and message in one unit.

use serde::{Deserialize, Serialize};
use shop_contracts::Money;
use shop_contracts::inventory::Item;
use shop_contracts::orders::{OrderStatus, OrderStatusChanged};
use shop_contracts::shipping::ShipTo;
use switchboard_core::{Event, Timestamp};
use switchboard_store::{NewEvent, Row, StoreError, StoredEvent, Unit, Value};

use crate::tables::ORDERS;

/// What is ordered, by whom, paid from where, sent where: the input of the order saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderData {
    /// The order.
    pub order_id: String,
    /// Who placed it.
    pub user_id: String,
    /// The account that pays.
    pub account_id: String,
    /// Each product once.
    pub items: Vec<Item>,
    /// What it costs.
    pub total: Money,
    /// Where it goes.
    pub ship_to: ShipTo,
}

/// What is recorded of an order: its audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// It was accepted.
    Placed(Box<OrderData>),
    /// It came to another state.
    Entered {
        /// The state.
        status: OrderStatus,
        /// Why, when it went wrong.
        reason: Option<String>,
    },
    /// Its owner wants it undone.
    CancellationRequested,
    /// It was given to the carrier.
    Shipped {
        /// The shipment.
        shipment_id: String,
        /// What the carrier calls it.
        tracking_number: String,
    },
}

/// One line of an order's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Past {
    /// The state it came to.
    pub status: OrderStatus,
    /// When.
    pub at: Timestamp,
    /// Why, when it went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Event for OrderEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::Placed(_) => "Placed",
            Self::Entered { .. } => "Entered",
            Self::CancellationRequested => "CancellationRequested",
            Self::Shipped { .. } => "Shipped",
        }
    }
}

/// The stream of an order's audit trail.
pub fn stream(order_id: &str) -> String {
    format!("order:{order_id}")
}

/// The unit that records one more fact. It claims no version: the saga's own stream is what keeps
/// two deciders apart.
pub fn recorded(order_id: &str, event: &OrderEvent) -> Unit {
    Unit { events: vec![NewEvent::of(stream(order_id), event)], ..Unit::new() }
}

/// The unit in which an order comes to these states, in this order: a state is visible only with
/// everything that belongs to it.
pub fn entered(order: &OrderData, states: &[(OrderStatus, Option<String>)]) -> Unit {
    let mut unit = Unit::new();
    for (status, reason) in states {
        let event = OrderEvent::Entered { status: *status, reason: reason.clone() };
        unit = unit.and(recorded(&order.order_id, &event)).publish(&OrderStatusChanged {
            order_id: order.order_id.clone(),
            user_id: order.user_id.clone(),
            status: *status,
            reason: reason.clone(),
            total: order.total.clone(),
        });
    }
    match states.last() {
        Some((status, reason)) => unit.put(
            &ORDERS,
            &*order.order_id,
            [("status", Value::from(status.as_str())), ("reason", Value::from(reason.clone()))],
        ),
        None => unit,
    }
}

/// The history of an order, read off its audit trail.
///
/// # Errors
/// When a stored event cannot be read.
pub fn history(events: &[StoredEvent]) -> Result<Vec<Past>, StoreError> {
    let mut history = Vec::new();
    for event in events {
        let at = event.time;
        match event.decode()? {
            OrderEvent::Placed(_) => {
                history.push(Past { status: OrderStatus::Started, at, reason: None });
            }
            // An undo that an operator has tried again in vain is another fact, not another state.
            OrderEvent::Entered { status, .. } if is_last(&history, status) => {}
            OrderEvent::Entered { status, reason } => history.push(Past { status, at, reason }),
            OrderEvent::CancellationRequested | OrderEvent::Shipped { .. } => {}
        }
    }
    Ok(history)
}

fn is_last(history: &[Past], status: OrderStatus) -> bool {
    history.last().is_some_and(|past| past.status == status)
}

/// Whether its owner may still cancel it, as its row shows it.
pub fn may_be_cancelled(row: &Row) -> bool {
    let status = row.text("status");
    row.integer("cancelling") == 0
        && [OrderStatus::Started, OrderStatus::PaymentProcessing]
            .iter()
            .any(|allowed| allowed.as_str() == status)
}
