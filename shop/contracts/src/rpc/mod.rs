//! What the services answer over gRPC: messages, clients and servers, made of the Protocol Buffers in `proto`.
//!
//! The meaning is that of the REST interface, and so are names, limits and page tokens. A version in a package's name is a promise:
//! `buf breaking` compares with what was published.

#[path = "gen/mod.rs"]
#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    reason = "made by a program, from descriptions that a linter of their own holds to their form"
)]
mod generated;
mod time;

pub use generated::common::v1 as common;
pub use generated::content::v1 as content;
pub use generated::inventory::v1 as inventory;
pub use generated::orders::v1 as orders;
pub use generated::payments::v1 as payments;
pub use generated::shipping::v1 as shipping;
pub use generated::users::v1 as users;
pub use time::{from_timestamp, timestamp};

/// The descriptions of all packages, encoded as a `google.protobuf.FileDescriptorSet`: what server
/// reflection hands out.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptor.bin");

impl From<crate::Money> for common::Money {
    fn from(money: crate::Money) -> Self {
        Self { amount: money.amount, currency: money.currency }
    }
}

impl From<crate::inventory::Item> for common::Item {
    fn from(item: crate::inventory::Item) -> Self {
        Self { sku: item.sku, quantity: item.quantity }
    }
}

impl From<crate::shipping::ShipTo> for common::ShipTo {
    fn from(to: crate::shipping::ShipTo) -> Self {
        Self { name: to.name, address: to.address, city: to.city, country: to.country }
    }
}

impl From<crate::orders::OrderStatus> for orders::OrderStatus {
    fn from(status: crate::orders::OrderStatus) -> Self {
        use crate::orders::OrderStatus as Ours;
        match status {
            Ours::Started => Self::Started,
            Ours::PaymentProcessing => Self::PaymentProcessing,
            Ours::InventoryReserved => Self::InventoryReserved,
            Ours::ShippingProcessing => Self::ShippingProcessing,
            Ours::Completed => Self::Completed,
            Ours::Failed => Self::Failed,
            Ours::PaymentCancelled => Self::PaymentCancelled,
            Ours::CompensateInventory => Self::CompensateInventory,
            Ours::UndoFailed => Self::UndoFailed,
        }
    }
}
