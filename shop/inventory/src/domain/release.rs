//! "Put back what this order has set aside": the undo of a reservation.

use super::{Delta, Refusal, Reservation, State, Step};

/// Puts items back; `None` when there is nothing left to put back.
///
/// # Errors
/// [`Refusal::ReservationEnded`] when the items are sold.
pub fn decide(before: Option<&Reservation>) -> Result<Option<Step>, Refusal> {
    let Some(before) = before else { return Ok(None) };
    match before.state {
        State::Released => return Ok(None),
        State::Taken => return Err(Refusal::ReservationEnded),
        State::Reserved => {}
    }
    let deltas = before.items.iter().map(|item| Delta {
        sku: item.sku.clone(),
        on_hand: 0,
        reserved: -item.quantity,
        available: item.quantity,
    });
    let deltas = deltas.collect();
    let items = before.items.clone();
    Ok(Some(Step { reservation: Reservation { items, state: State::Released }, deltas }))
}
