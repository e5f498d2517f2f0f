//! Orders, what is in them, how far they have come, and their parcels.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use shop_contracts::rpc::{common, orders, shipping};

use super::super::loaders::{AccountId, OrderId, ShipmentOf};
use super::account::Account;
use super::product::Product;
use super::scalars::{DateTime, Long, Money};
use super::{Answer, Nullable, found, nullable};

/// What a customer has ordered.
pub(super) struct Order(orders::Order);
/// One line of an order.
pub(super) struct OrderItem(common::Item);

/// The states of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum OrderStatus {
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
    /// One that this gateway does not know yet.
    Unknown,
}

/// A state that an order came to.
#[derive(SimpleObject)]
pub(super) struct StatusChange {
    /// The state.
    status: OrderStatus,
    /// When.
    at: DateTime,
    /// Why, when it went wrong.
    reason: Option<String>,
}

/// Where a parcel goes.
#[derive(SimpleObject)]
pub(super) struct ShipTo {
    /// Who gets it.
    name: String,
    /// The street and the number.
    address: String,
    /// The city.
    city: String,
    /// Two capital letters (ISO 3166).
    country: String,
}

/// A parcel.
#[derive(SimpleObject)]
pub(super) struct Shipment {
    /// Its id.
    id: ID,
    /// What the carrier calls it.
    tracking_number: String,
    /// Who carries it.
    carrier: String,
    /// Where it goes.
    ship_to: ShipTo,
    /// When it was handed over.
    created_at: DateTime,
}

// === impl Order ===

impl Order {
    pub(super) fn of(order: orders::Order) -> Self {
        Self(order)
    }

    /// The order of this id, if the caller has it.
    pub(super) async fn find(ctx: &Context<'_>, id: String) -> Answer<Option<Self>> {
        Ok(found(ctx, OrderId(id)).await?.map(Self))
    }
}

/// What a customer has ordered.
#[Object]
impl Order {
    /// Its id.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// The state now.
    async fn status(&self) -> OrderStatus {
        OrderStatus::of(self.0.status)
    }

    /// What it costs.
    async fn total(&self) -> Money {
        self.0.total.clone().into()
    }

    /// What is ordered, each product once: 50 at most.
    #[graphql(complexity = "super::super::meter::list(50, child_complexity)")]
    async fn items(&self) -> Vec<OrderItem> {
        self.0.items.iter().cloned().map(OrderItem).collect()
    }

    /// Where it goes.
    async fn ship_to(&self) -> ShipTo {
        ShipTo::of(self.0.ship_to.clone())
    }

    /// The states that it came to, oldest first. Null, with an error, while the orders service is
    /// away.
    #[graphql(complexity = "super::super::meter::list(10, child_complexity)")]
    async fn history(&self, ctx: &Context<'_>) -> Nullable<Vec<StatusChange>> {
        nullable(async {
            // Orders in lists come without.
            let history = if self.0.history.is_empty() {
                let whole = found(ctx, OrderId(self.0.id.clone())).await?;
                whole.map(|order| order.history).unwrap_or_default()
            } else {
                self.0.history.clone()
            };
            Ok(Some(history.into_iter().map(StatusChange::of).collect()))
        })
        .await
    }

    /// When it was placed.
    async fn created_at(&self) -> DateTime {
        DateTime::of(self.0.created_at.as_ref())
    }

    /// Whether it may still be cancelled.
    async fn cancellable(&self) -> bool {
        self.0.cancellable
    }

    /// What the carrier calls its parcel, once there is one.
    async fn tracking_number(&self) -> Option<&str> {
        self.0.tracking_number.as_deref()
    }

    /// Its parcel, once there is one. Null, with an error, while the shipping service is away.
    async fn shipment(&self, ctx: &Context<'_>) -> Nullable<Shipment> {
        nullable(async {
            let shipment = found(ctx, ShipmentOf(self.0.id.clone())).await?;
            Ok(shipment.map(Shipment::of))
        })
        .await
    }

    /// The account that pays. Null, with an error, while the payments service is away.
    async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
        nullable(async {
            let account = found(ctx, AccountId(self.0.account_id.clone())).await?;
            Ok(account.map(Account::of))
        })
        .await
    }
}

/// One line of an order.
#[Object]
impl OrderItem {
    /// The product's name in orders.
    async fn sku(&self) -> &str {
        &self.0.sku
    }

    /// How many.
    async fn quantity(&self) -> Long {
        Long(self.0.quantity)
    }

    /// The product. Null when it is not sold any more, and, with an error, while the inventory
    /// service is away.
    async fn product(&self, ctx: &Context<'_>) -> Nullable<Product> {
        nullable(Product::find(ctx, self.0.sku.clone())).await
    }
}

// === impl OrderStatus ===

impl OrderStatus {
    fn of(status: i32) -> Self {
        use orders::OrderStatus as Wire;
        match Wire::try_from(status) {
            Ok(Wire::Started) => Self::Started,
            Ok(Wire::PaymentProcessing) => Self::PaymentProcessing,
            Ok(Wire::InventoryReserved) => Self::InventoryReserved,
            Ok(Wire::ShippingProcessing) => Self::ShippingProcessing,
            Ok(Wire::Completed) => Self::Completed,
            Ok(Wire::Failed) => Self::Failed,
            Ok(Wire::PaymentCancelled) => Self::PaymentCancelled,
            Ok(Wire::CompensateInventory) => Self::CompensateInventory,
            Ok(Wire::UndoFailed) => Self::UndoFailed,
            Ok(Wire::Unspecified) | Err(_) => Self::Unknown,
        }
    }
}

// === impl StatusChange ===

impl StatusChange {
    fn of(change: orders::StatusChange) -> Self {
        Self {
            status: OrderStatus::of(change.status),
            at: DateTime::of(change.at.as_ref()),
            reason: change.reason,
        }
    }
}

// === impl ShipTo ===

impl ShipTo {
    fn of(to: Option<common::ShipTo>) -> Self {
        let common::ShipTo { name, address, city, country } = to.unwrap_or_default();
        Self { name, address, city, country }
    }
}

// === impl Shipment ===

impl Shipment {
    pub(super) fn of(shipment: shipping::Shipment) -> Self {
        Self {
            id: ID(shipment.id),
            tracking_number: shipment.tracking_number,
            carrier: shipment.carrier,
            ship_to: ShipTo::of(shipment.ship_to),
            created_at: DateTime::of(shipment.created_at.as_ref()),
        }
    }
}
