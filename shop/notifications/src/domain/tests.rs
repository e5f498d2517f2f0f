//! What each event leads to, as tables of cases.

use shop_contracts::Money;
use shop_contracts::orders::{OrderPlaced, OrderStatus, OrderStatusChanged};
use shop_contracts::users::{UserChanged, UserCreated, UserDeleted};
use switchboard_core::{Envelope, ManualClock, Message, Rng};

use super::*;

const STATUSES: [OrderStatus; 9] = [
    OrderStatus::Started,
    OrderStatus::PaymentProcessing,
    OrderStatus::InventoryReserved,
    OrderStatus::ShippingProcessing,
    OrderStatus::Completed,
    OrderStatus::Failed,
    OrderStatus::PaymentCancelled,
    OrderStatus::CompensateInventory,
    OrderStatus::UndoFailed,
];

fn created() -> UserCreated {
    let (user_id, name, email) = ("u1".into(), "Ann".into(), "ann@example.org".into());
    UserCreated { user_id, name, email }
}

fn changed(status: OrderStatus) -> Happening {
    Happening::OrderChanged(OrderStatusChanged {
        order_id: "o1".into(),
        user_id: "u1".into(),
        status,
        reason: Some("out_of_stock".into()),
        total: Money::new(1_250, "USD"),
    })
}

#[test]
fn only_ends_and_beginnings_are_worth_a_letter() {
    let with_letter: Vec<_> =
        STATUSES.into_iter().filter(|it| letter::about(&changed(*it)).is_some()).collect();
    let ends = [
        OrderStatus::Completed,
        OrderStatus::Failed,
        OrderStatus::PaymentCancelled,
        OrderStatus::UndoFailed,
    ];
    assert_eq!(with_letter, ends);
    assert!(letter::about(&Happening::UserCreated(created())).is_some());
    let deleted = Happening::UserDeleted(UserDeleted { user_id: "u1".into() });
    assert_eq!(letter::about(&deleted), None);
}

#[test]
fn every_final_state_has_its_notification() {
    for status in STATUSES {
        let notice = notice::about(&changed(status));
        if status.is_final() {
            assert_eq!(notice.unwrap().kind, format!("order.{}", status.as_str()));
        }
    }
}

#[test]
fn orders_are_counted_once_at_their_end_and_revenue_only_when_completed() {
    let of = |status| counting::of(&changed(status));
    let expected = [("orders.completed".to_owned(), 1), ("revenue.USD".to_owned(), 1_250)];
    assert_eq!(of(OrderStatus::Completed), expected);
    assert_eq!(of(OrderStatus::Failed), [("orders.failed".to_owned(), 1)]);
    assert_eq!(of(OrderStatus::PaymentProcessing), []);
    let counted: usize = STATUSES.into_iter().map(|status| of(status).len()).sum();
    assert_eq!(counted, 5);
}

#[test]
fn money_is_written_as_people_write_it() {
    let cases = [
        (1_250, "USD", "12.50 USD"),
        (5, "EUR", "0.05 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1_250, "JPY", "1250 JPY"),
        (i64::MIN, "USD", "-92233720368547758.08 USD"),
    ];
    for (amount, currency, expected) in cases {
        assert_eq!(words::money(&Money::new(amount, currency)), expected);
    }
}

#[test]
fn reasons_without_words_are_shown_as_they_are() {
    assert_eq!(words::reason(Some("sold_to_the_moon")), "sold to the moon");
    assert_eq!(words::reason(Some("cancelled")), "you cancelled it");
}

#[test]
fn an_event_is_read_by_its_kind() {
    fn read(kind: &str, payload: &impl serde::Serialize) -> Option<Happening> {
        let (clock, mut rng) = (ManualClock::default(), Rng::from_seed(1));
        let envelope =
            Envelope::new("notifications.email", kind, "notifications", &clock, &mut rng)
                .with_payload(serde_json::to_vec(payload).unwrap());
        Happening::read(&envelope).unwrap()
    }
    let user = created();
    assert_eq!(read(UserCreated::KIND, &user), Some(Happening::UserCreated(user.clone())));
    let moved = UserChanged { user_id: user.user_id, name: user.name, email: user.email };
    assert_eq!(read(UserChanged::KIND, &moved), Some(Happening::UserChanged(moved)));
    let (order_id, user_id) = ("o1".to_owned(), "u1".to_owned());
    let placed = OrderPlaced { order_id, user_id, total: Money::new(5, "USD") };
    let happening = read(OrderPlaced::KIND, &placed).unwrap();
    assert_eq!((happening.user_id(), happening.order_id()), ("u1", Some("o1")));
    assert_eq!(read("users.danced", &placed), None);
}
