//! Decisions as tables of cases, and the law of stock under any course of events.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shop_contracts::inventory::Item;

use super::*;

fn item(sku: &str, quantity: i64) -> Item {
    Item { sku: sku.to_owned(), quantity }
}

fn stock(levels: &[(&str, i64)]) -> BTreeMap<String, Stock> {
    let level = |on_hand| Stock { on_hand, reserved: 0, available: on_hand };
    levels.iter().map(|(sku, on_hand)| ((*sku).to_owned(), level(*on_hand))).collect()
}

fn reservation(state: State) -> Reservation {
    Reservation { items: vec![item("mug", 2), item("pen", 1)], state }
}

#[test]
fn all_items_are_set_aside_or_none() {
    let stock = stock(&[("mug", 5), ("pen", 1)]);
    let cases: [(&[Item], Option<&str>); 8] = [
        (&[item("mug", 5), item("pen", 1)], None),
        (&[item("mug", 6)], Some("out_of_stock")),
        (&[item("mug", 1), item("pen", 2)], Some("out_of_stock")),
        (&[item("mug", 3), item("mug", 3)], Some("out_of_stock")),
        (&[item("mug", 1), item("hat", 1)], Some("unknown_product")),
        (&[item("mug", 0)], Some("invalid_quantity")),
        (&[item("mug", i64::MAX), item("mug", 1)], Some("invalid_quantity")),
        (&[], Some("invalid_quantity")),
    ];
    for (items, refused) in cases {
        let decided = reserve::decide(None, items, &stock);
        assert_eq!(decided.err().map(|refusal| refusal.code()), refused, "{items:?}");
    }
}

#[test]
fn lines_of_one_product_are_set_aside_together() {
    let decided = reserve::decide(None, &[item("mug", 2), item("mug", 1)], &stock(&[("mug", 5)]));
    let step = decided.unwrap().unwrap();
    assert_eq!(
        step.reservation,
        Reservation { items: vec![item("mug", 3)], state: State::Reserved }
    );
    assert_eq!(step.deltas[0].reserved, 3);
}

/// Every state before, every command: what comes after, or why not.
#[test]
fn a_reservation_ends_once() {
    use State::{Released, Reserved, Taken};
    let plenty = stock(&[("mug", 9), ("pen", 9)]);
    let items = [item("mug", 2), item("pen", 1)];
    type Expected = Result<Option<State>, &'static str>;
    let rows: [(Option<State>, [Expected; 3]); 4] = [
        (None, [Ok(Some(Reserved)), Ok(None), Err("nothing_reserved")]),
        (Some(Reserved), [Ok(None), Ok(Some(Released)), Ok(Some(Taken))]),
        (Some(Released), [Err("reservation_ended"), Ok(None), Err("reservation_ended")]),
        (Some(Taken), [Err("reservation_ended"), Err("reservation_ended"), Ok(None)]),
    ];
    for (state, expected) in rows {
        let before = state.map(reservation);
        let decided = [
            reserve::decide(before.as_ref(), &items, &plenty),
            release::decide(before.as_ref()),
            take::decide(before.as_ref()),
        ];
        let decided = decided.map(|step| match step {
            Ok(step) => Ok(step.map(|step| step.reservation.state)),
            Err(refusal) => Err(refusal.code()),
        });
        assert_eq!(decided, expected, "{state:?}");
    }
}

#[test]
fn what_is_reserved_must_stay_on_hand() {
    let stock = Stock { on_hand: 10, reserved: 4, available: 6 };
    assert_eq!(adjust::decide("mug", stock, 3), Err(Refusal::BelowReserved(4)));
    for on_hand in [4, 10, 25] {
        let after = stock.after(&adjust::decide("mug", stock, on_hand).unwrap());
        assert_eq!(after, Stock { on_hand, reserved: 4, available: on_hand - 4 });
    }
}

#[test]
fn states_are_stored_by_their_words() {
    for (state, word) in
        [(State::Reserved, "reserved"), (State::Released, "released"), (State::Taken, "taken")]
    {
        assert_eq!((state.as_str(), State::parse(word)), (word, Some(state)));
    }
    assert_eq!(State::parse("lost"), None);
}

proptest! {
    /// Whatever orders do, the numbers agree, and what is sold is exactly what is gone.
    #[test]
    fn stock_is_conserved(steps in prop::collection::vec((0_usize..4, 0_u8..4, 1_i64..5), 1..60)) {
        let mut level = Stock { on_hand: 20, reserved: 0, available: 20 };
        let mut orders: BTreeMap<usize, Reservation> = BTreeMap::new();
        let mut counted = 0;
        for (order, action, number) in steps {
            let before = orders.get(&order);
            let levels = BTreeMap::from([("mug".to_owned(), level)]);
            let step = match action {
                0 => reserve::decide(before, &[item("mug", number)], &levels),
                1 => release::decide(before),
                2 => take::decide(before),
                _ => {
                    if let Ok(delta) = adjust::decide("mug", level, number * 5) {
                        counted += delta.on_hand;
                        level = level.after(&delta);
                    }
                    Ok(None)
                }
            };
            if let Ok(Some(step)) = step {
                level = step.deltas.iter().fold(level, Stock::after);
                orders.insert(order, step.reservation);
            }
            prop_assert!(level.is_sound(), "{level:?}");
        }
        let of = |state| orders.values().filter(move |it| it.state == state)
            .flat_map(|it| &it.items).map(|it| it.quantity).sum::<i64>();
        prop_assert_eq!(level.on_hand, 20 + counted - of(State::Taken));
        prop_assert_eq!(level.reserved, of(State::Reserved));
    }
}
