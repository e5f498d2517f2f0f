//! "The parcel has left": the reservation becomes a sale. There is no way back from here.

use super::{Delta, Refusal, Reservation, State, Step};

/// Takes reserved items out of the warehouse; `None` when that was done before.
///
/// # Errors
/// [`Refusal::NothingReserved`], [`Refusal::ReservationEnded`]: a mistake in the order's course,
/// for a person to look at.
pub fn decide(before: Option<&Reservation>) -> Result<Option<Step>, Refusal> {
    let before = before.ok_or(Refusal::NothingReserved)?;
    match before.state {
        State::Taken => return Ok(None),
        State::Released => return Err(Refusal::ReservationEnded),
        State::Reserved => {}
    }
    let deltas = before.items.iter().map(|item| Delta {
        sku: item.sku.clone(),
        on_hand: -item.quantity,
        reserved: -item.quantity,
        available: 0,
    });
    let deltas = deltas.collect();
    let items = before.items.clone();
    Ok(Some(Step { reservation: Reservation { items, state: State::Taken }, deltas }))
}
