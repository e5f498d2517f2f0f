//! An order is fulfilled: the account is looked at, the money is taken, the items are set aside, the parcel is sent, the stock is taken.
//!
//! Sending the parcel is the pivot. Whatever is refused before it is undone in reverse: items are put back, then the money is returned.
//! After it the order only goes forward. The customer sees other words than the saga: a state is entered in the very unit that makes it
//! true, so that stock, balance and shipment already agree with it.

use std::sync::Arc;

use shop_contracts::inventory::{Release, Reserve, TakeStock};
use shop_contracts::orders::{OrderStatus, REPLIES};
use shop_contracts::payments::{Charge, Refund, VerifyAccount};
use shop_contracts::shipping::{Ship, Shipped};
use shop_edge::Deps;
use switchboard_handler::Group;
use switchboard_saga::{self as saga, Change, Definition, Orchestrator, Outcome, Phase, Step};
use switchboard_store::{NewMessage, Unit, Value};

use crate::app::Error;
use crate::domain::order::{OrderData, OrderEvent, entered, recorded};
use crate::tables::ORDERS;

/// The saga's name: it is in the stream of every run, and never changes.
const NAME: &str = "order";

/// The steps by their place.
const VERIFY: usize = 0;
const CHARGE: usize = 1;
const SHIP: usize = 3;

/// The order saga, ready to run.
#[derive(Clone, Debug)]
pub struct Fulfilment(Orchestrator<OrderData>);

/// The steps, each do beside its undo.
fn definition() -> Result<Arc<Definition<OrderData>>, saga::InvalidDefinition> {
    Definition::new(NAME, REPLIES)
        .step(Step::new("verify", verify).changes_nothing())
        .step(Step::new("charge", charge).undo(refund))
        .step(Step::new("reserve", reserve).undo(release))
        .step(Step::new("ship", ship).pivot())
        .step(Step::new("take stock", take_stock))
        .on_change(visible)
        .build()
}

/// What the customer sees of a change.
fn visible(order: &OrderData, change: &Change) -> Unit {
    use OrderStatus as Status;
    let reason = || change.reason.clone();
    let states = match (change.from, change.to) {
        (Some(Phase::Doing(VERIFY)), Phase::Doing(CHARGE)) => {
            vec![(Status::PaymentProcessing, None)]
        }
        (Some(Phase::Doing(from)), Phase::Doing(SHIP)) if from != SHIP => {
            vec![(Status::InventoryReserved, None), (Status::ShippingProcessing, None)]
        }
        (Some(Phase::Doing(SHIP)), Phase::Undoing(_)) => {
            vec![(Status::CompensateInventory, reason())]
        }
        (Some(Phase::Doing(VERIFY)), Phase::Undone) => vec![(Status::Failed, reason())],
        (Some(_), Phase::Undone) => vec![(Status::PaymentCancelled, reason())],
        (Some(_), Phase::Completed) => vec![(Status::Completed, None)],
        (Some(_), Phase::Stuck { .. }) => vec![(Status::UndoFailed, reason())],
        _ => Vec::new(),
    };
    let unit = entered(order, &states);
    match (change.from, change.outcome) {
        (Some(Phase::Doing(SHIP)), Some(Outcome::Done)) => unit.and(shipped(order, change)),
        _ => unit,
    }
}

/// The carrier's answer becomes part of the order.
fn shipped(order: &OrderData, change: &Change) -> Unit {
    let Ok(Shipped { shipment_id, tracking_number }) = serde_json::from_value(change.data.clone())
    else {
        return Unit::new();
    };
    let cells = [
        ("shipment_id", Value::from(&*shipment_id)),
        ("tracking_number", Value::from(&*tracking_number)),
    ];
    recorded(&order.order_id, &OrderEvent::Shipped { shipment_id, tracking_number }).put(
        &ORDERS,
        &*order.order_id,
        cells,
    )
}

// === the steps, in their order ===

fn verify(order: &OrderData) -> NewMessage {
    NewMessage::of(&VerifyAccount {
        order_id: order.order_id.clone(),
        account_id: order.account_id.clone(),
        user_id: order.user_id.clone(),
        currency: order.total.currency.clone(),
    })
}

fn charge(order: &OrderData) -> NewMessage {
    NewMessage::of(&Charge {
        order_id: order.order_id.clone(),
        account_id: order.account_id.clone(),
        user_id: order.user_id.clone(),
        amount: order.total.clone(),
    })
}

fn refund(order: &OrderData) -> NewMessage {
    NewMessage::of(&Refund {
        order_id: order.order_id.clone(),
        account_id: order.account_id.clone(),
        amount: order.total.clone(),
    })
}

fn reserve(order: &OrderData) -> NewMessage {
    let (order_id, items) = (order.order_id.clone(), order.items.clone());
    NewMessage::of(&Reserve { order_id, items })
}

fn release(order: &OrderData) -> NewMessage {
    let (order_id, items) = (order.order_id.clone(), order.items.clone());
    NewMessage::of(&Release { order_id, items })
}

fn ship(order: &OrderData) -> NewMessage {
    NewMessage::of(&Ship {
        order_id: order.order_id.clone(),
        user_id: order.user_id.clone(),
        ship_to: order.ship_to.clone(),
        items: order.items.clone(),
    })
}

fn take_stock(order: &OrderData) -> NewMessage {
    let (order_id, items) = (order.order_id.clone(), order.items.clone());
    NewMessage::of(&TakeStock { order_id, items })
}

// === impl Fulfilment ===

impl Fulfilment {
    /// Over the service's store.
    ///
    /// # Panics
    /// When the definition above is not one; its test would have said so.
    #[allow(clippy::expect_used, reason = "a constant of the program, which its test builds")]
    pub fn new(deps: &Deps) -> Self {
        let definition = definition().expect("the definition is checked by a test");
        Self(Orchestrator::new(definition, deps.store.clone(), deps.clock.clone()))
    }

    /// The saga itself.
    pub fn saga(&self) -> &Orchestrator<OrderData> {
        &self.0
    }

    /// The unit that begins it.
    pub fn start(&self, order: &OrderData) -> Unit {
        self.0.start(&order.order_id, order)
    }

    /// The unit that asks for it to be undone.
    ///
    /// # Errors
    /// [`Error::Refused`] once shipping has been asked for, or the store's.
    pub async fn cancel(&self, order_id: &str) -> Result<Unit, Error> {
        self.0.cancel(order_id).await.map_err(|error| match error {
            saga::Error::NotFound => Error::NotFound,
            saga::Error::Read(error) => error.into(),
            other => Error::Refused(other.to_string()),
        })
    }

    /// The group that hears the answers.
    pub fn group(&self, deps: &Deps) -> Group {
        self.0.register(deps.group("orders.saga"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_one_and_draws_itself() {
        let definition = definition().unwrap();
        let steps: Vec<_> = definition.step_names().collect();
        assert_eq!(steps, ["verify", "charge", "reserve", "ship", "take stock"]);
        assert_eq!((steps[VERIFY], steps[CHARGE], steps[SHIP]), ("verify", "charge", "ship"));
        assert!(definition.mermaid().contains("reserve --> undo_charge : refused"));
        assert!(definition.svg(None).contains("undo reserve"));
    }
}
