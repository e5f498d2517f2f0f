//! What orders and their sagas look like on the wire, for the document: see [`openapi`](super::document::openapi).
//!
//! Handlers write their answers themselves; a test of the platform holds them to these shapes.

use serde::Serialize;
use serde_json::{Value, json};
use shop_edge::openapi::{ID, Item, Link, Links, Money, Shape, ShipTo, Text, WHEN, links};
use utoipa::ToSchema;

/// Where an order stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
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

/// An order in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderSummary {
    /// Its id.
    pub id: String,
    /// Who placed it.
    pub user_id: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// What it costs.
    pub total: Money,
    /// When it was placed.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// The whole order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// Who placed it.
    pub user_id: String,
    /// The account that pays.
    pub account_id: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// What it costs.
    pub total: Money,
    /// What is ordered.
    #[schema(min_items = 1, max_items = 50)]
    pub items: Vec<Item>,
    /// Where it goes.
    pub ship_to: ShipTo,
    /// The states that it came to, oldest first.
    pub history: Vec<PastStatus>,
    /// When it was placed.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// The shipment, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub shipment_id: Option<String>,
    /// What the carrier calls it, once it is shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tracking_number: Option<String>,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// A state that an order came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PastStatus {
    /// The state.
    pub status: OrderStatus,
    /// When.
    #[schema(format = "date-time")]
    pub at: String,
    /// Why, when it went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What is needed to place an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// The account that pays: one of the caller's, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub account_id: String,
    /// What is ordered, each product once.
    #[schema(min_items = 1, max_items = 50)]
    pub items: Vec<Item>,
    /// Where it goes.
    pub ship_to: ShipTo,
}

/// A run of the order saga, in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SagaSummary {
    /// Which run: the order's id.
    pub instance: String,
    /// Where it stands.
    pub phase: SagaPhase,
    /// The step it is about; empty if it is about none.
    pub step: String,
    /// Why it goes back; empty if it does not.
    pub reason: String,
    /// When it last moved.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// A run of the order saga.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Saga {
    /// Which run: the order's id.
    pub instance: String,
    /// Where it stands.
    pub phase: SagaPhase,
    /// The step that was asked for and is not answered; null if there is none.
    pub step: Option<String>,
    /// Whether its customer wants it undone.
    pub cancelling: bool,
    /// Why it goes back; null if it does not.
    pub reason: Option<String>,
    /// When the last question was asked.
    #[schema(format = "date-time")]
    pub waiting_since: String,
    /// What an operator can do about it now.
    pub actions: Vec<SagaAction>,
    /// How it came here, oldest first.
    pub events: Vec<SagaHappening>,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// Where a run of a saga stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SagaPhase {
    /// It goes forward.
    Doing,
    /// It goes back.
    Undoing,
    /// Something could not be undone: an operator has to act.
    Stuck,
    /// It has come to its end.
    Completed,
    /// All that was done is undone.
    Undone,
}

/// What an operator can do about a run.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SagaAction {
    /// Try the step again.
    Retry,
    /// Say that it was done by hand.
    Resolve,
}

/// Something that happened to a run of a saga.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SagaHappening {
    /// Its number, from 1 without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// What happened.
    pub r#type: String,
    /// When.
    #[schema(format = "date-time")]
    pub at: String,
    /// What belongs to it; which fields depends on the type.
    pub data: Value,
}

/// Why a step counts as done.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveSaga {
    /// What was done by hand, 3 to 500 characters; it is recorded.
    #[schema(value_type = Text<3, 500>, inline)]
    pub reason: String,
}

impl Shape for OrderSummary {
    fn example() -> Self {
        Self {
            id: ID.to_owned(),
            user_id: ID.to_owned(),
            status: OrderStatus::Started,
            total: Money { amount: 11_800, currency: "USD".to_owned() },
            created_at: WHEN.to_owned(),
            links: links([("self", &format!("/api/v1/orders/{ID}"))]),
        }
    }
}

impl Shape for Order {
    fn example() -> Self {
        let OrderSummary { id, user_id, status, total, created_at, mut links } =
            OrderSummary::example();
        let href = format!("/api/v1/orders/{ID}/cancellation");
        links.insert("cancellation".to_owned(), Link { href, method: Some("POST".to_owned()) });
        let PlaceOrder { account_id, items, ship_to } = PlaceOrder::example();
        let history = vec![PastStatus { status, at: WHEN.to_owned(), reason: None }];
        Self {
            id,
            user_id,
            account_id,
            status,
            total,
            items,
            ship_to,
            history,
            created_at,
            shipment_id: None,
            tracking_number: None,
            links,
        }
    }
}

impl Shape for PlaceOrder {
    fn example() -> Self {
        let (items, ship_to) = (vec![Item::example()], ShipTo::example());
        Self { account_id: ID.to_owned(), items, ship_to }
    }
}

impl Shape for SagaSummary {
    fn example() -> Self {
        Self {
            instance: ID.to_owned(),
            phase: SagaPhase::Doing,
            step: "reserve".to_owned(),
            reason: String::new(),
            updated_at: WHEN.to_owned(),
        }
    }
}

impl Shape for Saga {
    fn example() -> Self {
        Self {
            instance: ID.to_owned(),
            phase: SagaPhase::Stuck,
            step: Some("pay".to_owned()),
            cancelling: true,
            reason: Some("cancelled".to_owned()),
            waiting_since: WHEN.to_owned(),
            actions: vec![SagaAction::Retry, SagaAction::Resolve],
            events: vec![SagaHappening {
                seq: 1,
                r#type: "CancelRequested".to_owned(),
                at: WHEN.to_owned(),
                data: json!("CancelRequested"),
            }],
            links: links([("order", &format!("/api/v1/orders/{ID}"))]),
        }
    }
}

impl Shape for ResolveSaga {
    fn example() -> Self {
        Self { reason: "refunded by hand, ticket 4711".to_owned() }
    }
}
