//! Money is an integer of minor units with its currency; never a fraction.

use serde::{Deserialize, Serialize};

/// An amount of money as responses and messages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: cents.
    pub amount: i64,
    /// ISO 4217: three capital letters.
    pub currency: String,
}

impl Money {
    /// An amount in a currency.
    pub fn new(amount: i64, currency: impl Into<String>) -> Self {
        Self { amount, currency: currency.into() }
    }
}
