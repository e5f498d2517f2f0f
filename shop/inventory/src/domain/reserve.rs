//! "Set these items aside for this order": all of them, or none.

use std::collections::BTreeMap;

use shop_contracts::inventory::Item;

use super::{Delta, Refusal, Reservation, State, Step, Stock};

/// Sets items aside; `None` when that was done before.
///
/// # Errors
/// [`Refusal::UnknownProduct`], [`Refusal::OutOfStock`], [`Refusal::InvalidQuantity`],
/// [`Refusal::ReservationEnded`]. Nothing is set aside then.
pub fn decide(
    before: Option<&Reservation>,
    wanted: &[Item],
    stock: &BTreeMap<String, Stock>,
) -> Result<Option<Step>, Refusal> {
    match before.map(|reservation| reservation.state) {
        None => {}
        Some(State::Reserved) => return Ok(None),
        Some(State::Released | State::Taken) => return Err(Refusal::ReservationEnded),
    }
    let items = merged(wanted)?;
    let mut deltas = Vec::with_capacity(items.len());
    for Item { sku, quantity } in &items {
        let level = stock.get(sku).ok_or_else(|| Refusal::UnknownProduct(sku.clone()))?;
        if level.available < *quantity {
            return Err(Refusal::OutOfStock(sku.clone()));
        }
        let (reserved, available) = (*quantity, -quantity);
        deltas.push(Delta { sku: sku.clone(), on_hand: 0, reserved, available });
    }
    Ok(Some(Step { reservation: Reservation { items, state: State::Reserved }, deltas }))
}

/// Each product once, sorted: two lines of one product count together, or they could take more
/// than there is.
fn merged(wanted: &[Item]) -> Result<Vec<Item>, Refusal> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for item in wanted {
        let sum = sums.entry(&item.sku).or_default();
        *sum = sum.checked_add(item.quantity).ok_or(Refusal::InvalidQuantity)?;
        if item.quantity < 1 {
            return Err(Refusal::InvalidQuantity);
        }
    }
    if sums.is_empty() {
        return Err(Refusal::InvalidQuantity);
    }
    Ok(sums.into_iter().map(|(sku, quantity)| Item { sku: sku.to_owned(), quantity }).collect())
}
