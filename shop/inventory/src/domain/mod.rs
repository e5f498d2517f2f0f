//! Stock and reservations: pure decisions, one use-case a file.
//!
//! A decision answers by how much each number of a product's stock changes. Changes add up in any
//! order, which is why orders for one product do not get in each other's way.

pub mod adjust;
pub mod release;
pub mod reserve;
pub mod take;

use serde::{Deserialize, Serialize};
use shop_contracts::inventory::Item;

/// How much there is of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// In the warehouse.
    pub on_hand: i64,
    /// Of these, set aside for orders.
    pub reserved: i64,
    /// Of these, free: `on_hand - reserved`.
    pub available: i64,
}

/// By how much the stock of a product changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The product.
    pub sku: String,
    /// Change of what is in the warehouse.
    pub on_hand: i64,
    /// Change of what is set aside.
    pub reserved: i64,
    /// Change of what is free.
    pub available: i64,
}

/// What an order has set aside, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The items, each product once.
    pub items: Vec<Item>,
    /// What became of them.
    pub state: State,
}

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Set aside.
    Reserved,
    /// Put back.
    Released,
    /// Sold.
    Taken,
}

/// A reservation as it is after a step, with what that does to stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The reservation now.
    pub reservation: Reservation,
    /// What changes for each product.
    pub deltas: Vec<Delta>,
}

/// A domain "no".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such product.
    #[error("there is no product `{0}`")]
    UnknownProduct(String),
    /// There is not enough of it.
    #[error("there is not enough of `{0}`")]
    OutOfStock(String),
    /// An order for nothing, or for less than one of something.
    #[error("an order needs one or more of each of its items")]
    InvalidQuantity,
    /// The order's reservation has ended: it was released or sold.
    #[error("the reservation has ended")]
    ReservationEnded,
    /// The order has nothing set aside.
    #[error("nothing is reserved")]
    NothingReserved,
    /// Fewer on hand than orders have set aside.
    #[error("{0} are reserved for orders: there cannot be fewer on hand")]
    BelowReserved(i64),
}

// === impl Refusal ===

impl Refusal {
    /// The stable name that the order saga and its history show.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownProduct(_) => "unknown_product",
            Self::OutOfStock(_) => "out_of_stock",
            Self::InvalidQuantity => "invalid_quantity",
            Self::ReservationEnded => "reservation_ended",
            Self::NothingReserved => "nothing_reserved",
            Self::BelowReserved(_) => "below_reserved",
        }
    }
}

// === impl State ===

impl State {
    /// The word under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Released => "released",
            Self::Taken => "taken",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Reserved, Self::Released, Self::Taken].into_iter().find(|it| it.as_str() == word)
    }
}

// === impl Stock ===

impl Stock {
    /// The stock after a change.
    #[must_use]
    pub fn after(self, delta: &Delta) -> Self {
        Self {
            on_hand: self.on_hand.saturating_add(delta.on_hand),
            reserved: self.reserved.saturating_add(delta.reserved),
            available: self.available.saturating_add(delta.available),
        }
    }

    /// Whether the numbers agree: what holds before and after every step.
    pub fn is_sound(self) -> bool {
        self.available >= 0 && self.reserved >= 0 && self.on_hand == self.reserved + self.available
    }
}

#[cfg(test)]
mod tests;
