//! What an order is. Pure: no store, no clock.

pub mod order;
pub mod place_order;
