//! Each message that crosses a wire between the shop's services, once.
//!
//! | topic | key | carries |
//! |---|---|---|
//! | `users.events` | user | [`users`] |
//! | `payments.commands` | account | [`payments`] |
//! | `inventory.commands` | order | [`inventory`] reservations |
//! | `inventory.products` | sku | [`inventory::ProductListed`] |
//! | `shipping.commands` | order | [`shipping`] |
//! | `orders.replies` | order | answers of participants to the order saga |
//! | `orders.events` | order | [`orders`] |
//! | `notifications.email`, `.analytics`, `.notification` | as it came | what the event router passes on |

pub mod inventory;
pub mod money;
pub mod orders;
pub mod payments;
pub mod shipping;
pub mod users;

pub use money::Money;

/// Implements [`switchboard_core::Message`] for a struct keyed by one of its fields.
macro_rules! message {
    ($type:ty, $topic:expr, $kind:literal, key = $field:ident) => {
        impl switchboard_core::Message for $type {
            const TOPIC: &'static str = $topic;
            const KIND: &'static str = $kind;
            fn key(&self) -> Option<switchboard_core::Key> {
                Some(switchboard_core::Key::from(self.$field.as_str()))
            }
        }
    };
}
pub(crate) use message;
