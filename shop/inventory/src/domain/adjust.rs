//! "So many are in the warehouse": an operator has counted, or goods have come.

use super::{Delta, Refusal, Stock};

/// Sets what is on hand.
///
/// # Errors
/// [`Refusal::BelowReserved`]: what orders have set aside must be there.
pub fn decide(sku: &str, stock: Stock, on_hand: i64) -> Result<Delta, Refusal> {
    if on_hand < stock.reserved {
        return Err(Refusal::BelowReserved(stock.reserved));
    }
    let change = on_hand - stock.on_hand;
    Ok(Delta { sku: sku.to_owned(), on_hand: change, reserved: 0, available: change })
}
