//! Each message that crosses a wire between the shop's services, once.
//!
//! | topic | key | carries |
//! |---|---|---|
//! | `users.events` | user | [`users`] |
//! | `content.events` | post | [`content`] |
//! | `payments.commands` | account | [`payments`] |
//! | `inventory.commands` | order | [`inventory`] reservations |
//! | `inventory.products` | sku | [`inventory::ProductListed`] |
//! | `shipping.commands` | order | [`shipping`] |
//! | `orders.replies` | order | answers of participants to the order saga |
//! | `orders.events` | order | [`orders`] |
//! | `notifications.email`, `.analytics`, `.notification` | as it came | what the event router passes on |
//!
//! [`rpc`] holds what the services answer over gRPC.

pub mod content;
pub mod inventory;
pub mod money;
pub mod orders;
pub mod payments;
pub mod rpc;
pub mod shipping;
pub mod users;

pub use money::Money;
