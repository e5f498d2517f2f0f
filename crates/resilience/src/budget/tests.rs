//! What fills a budget, what empties it, what expires and what comes back, at exact times.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Budget, Policy};
use crate::control::{Action, Controlled};
use crate::retry::Class::{self, Throttled, Transient};
use crate::{Call, Reason};

fn check(policy: Policy, first_tries: u32, charges: u32) -> (u32, f64) {
    let budget = Budget::new("test", policy);
    for _ in 0..first_tries {
        budget.first_try(&mut Call::new());
    }
    (granted(&budget, charges, Transient), budget.tokens())
}

fn granted(budget: &Budget, charges: u32, class: Class) -> u32 {
    let granted = (0..charges).filter(|_| budget.try_charge(class).map(|paid| paid.sent()).is_ok());
    u32::try_from(granted.count()).unwrap()
}

fn no_floor() -> Policy {
    Policy::recommended().with_floor_per_second(0.0).unwrap()
}

#[tokio::test(start_paused = true)]
async fn r4_a_fifth_of_the_first_tries_may_be_repeated() {
    assert_eq!(check(no_floor(), 100, 1_000), (20, 0.0));
    assert_eq!(check(no_floor().with_ratio(0.1).unwrap(), 100, 1_000), (10, 0.0));
    assert_eq!(check(no_floor(), 0, 1), (0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn r4_ten_repetitions_per_second_are_always_there() {
    let budget = Budget::new("test", Policy::recommended());
    assert_eq!(granted(&budget, 1_000, Transient), 100, "ten seconds of the floor");
    tokio::time::advance(Duration::from_secs(1)).await;
    let after_a_second = granted(&budget, 1_000, Transient);
    assert!((9..=10).contains(&after_a_second), "{after_a_second}");
}

/// The floor must also fill when it is asked every millisecond, or rounding would eat it.
#[tokio::test(start_paused = true)]
async fn r4_the_floor_fills_however_often_it_is_asked() {
    let budget = Budget::new("test", Policy::recommended());
    granted(&budget, 1_000, Transient);
    let mut paid = 0;
    for _ in 0..10_000 {
        tokio::time::advance(Duration::from_millis(1)).await;
        paid += granted(&budget, 1, Transient);
    }
    assert!((90..=102).contains(&paid), "{paid} in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn r4_what_was_paid_in_expires() {
    let budget = Budget::new("test", no_floor());
    for _ in 0..1_000 {
        budget.first_try(&mut Call::new());
    }
    assert_eq!(budget.tokens(), 200.0);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!((73.0..=74.0).contains(&budget.tokens()), "1/e after the time constant");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(budget.tokens() < 0.5, "{}", budget.tokens());
}

/// A tiny rest that stood for an hour must not age what is paid in after it.
#[tokio::test(start_paused = true)]
async fn r4_a_new_deposit_does_not_inherit_the_age_of_an_old_rest() {
    let budget = Budget::new("test", no_floor().with_ratio(0.003).unwrap());
    budget.first_try(&mut Call::new());
    tokio::time::advance(Duration::from_secs(3_600)).await;
    for _ in 0..1_000 {
        budget.first_try(&mut Call::new());
    }
    tokio::time::advance(Duration::from_millis(10)).await;
    assert!(budget.tokens() > 2.9, "{}", budget.tokens());
}

#[tokio::test(start_paused = true)]
async fn r4_repetitions_of_a_caller_and_calls_already_counted_pay_nothing_in() {
    let budget = Budget::new("test", no_floor());
    let mut call = Call::new();
    budget.first_try(&mut call);
    budget.first_try(&mut call);
    budget.first_try(&mut Call { attempt: 1, ..Call::new() });
    assert_eq!(budget.tokens(), 0.2);
}

#[tokio::test(start_paused = true)]
async fn r4_never_holds_more_than_its_maximum() {
    let budget = Budget::new("test", no_floor().with_max(5.0).unwrap());
    for _ in 0..1_000 {
        budget.first_try(&mut Call::new());
    }
    assert_eq!(budget.tokens(), 5.0);
}

#[tokio::test(start_paused = true)]
async fn r1_aws_costs_fourteen_and_five_and_returns_what_a_success_held() {
    let budget = Budget::new("test", Policy::aws());
    assert_eq!(budget.tokens(), 500.0);
    let spent = budget.try_charge(Transient).unwrap().sent();
    budget.try_charge(Throttled).unwrap().sent();
    assert_eq!(budget.tokens(), 500.0 - 14.0 - 5.0);
    spent.succeeded();
    assert_eq!(budget.tokens(), 495.0);
    budget.first_success();
    assert_eq!(budget.tokens(), 496.0);
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(budget.tokens(), 496.0, "nothing expires");
    assert_eq!(granted(&budget, 1_000, Transient), 35);
}

#[tokio::test(start_paused = true)]
async fn r4_what_is_not_sent_goes_back() {
    let budget = Budget::new("test", no_floor());
    for _ in 0..5 {
        budget.first_try(&mut Call::new());
    }
    let charge = budget.try_charge(Transient).unwrap();
    assert_eq!(budget.tokens(), 0.0);
    drop(charge);
    assert_eq!(budget.tokens(), 1.0);
    budget.try_charge(Transient).unwrap().sent().succeeded();
    assert_eq!(budget.tokens(), 0.0, "what was sent stays spent");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_there_will_be_enough() {
    let budget = Budget::new("test", Policy::recommended());
    granted(&budget, 100, Transient);
    let rejected = budget.try_charge(Transient).unwrap_err();
    assert_eq!(rejected.reason, Reason::BudgetExhausted);
    let wait = rejected.retry_after.unwrap();
    assert!((99..=101).contains(&wait.as_millis()), "{wait:?}");
    tokio::time::advance(wait + Duration::from_millis(2)).await;
    assert!(budget.try_charge(Transient).is_ok());
    let never = Budget::new("test", no_floor()).try_charge(Transient).unwrap_err();
    assert_eq!(never.retry_after, None);
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_stop_repetitions_free_them_and_change_the_ratio() {
    let budget = Budget::new("test", no_floor());
    let act = |action| budget.act(&action);
    act(Action::Disable).unwrap();
    assert_eq!((granted(&budget, 50, Transient), budget.view().state), (50, "disabled"));
    act(Action::Isolate).unwrap();
    assert_eq!((granted(&budget, 50, Transient), budget.view().state), (0, "isolated"));
    act(Action::Release).unwrap();
    assert_eq!(budget.view().state, "exhausted");
    let set = |name: &str, value| Action::Reconfigure {
        settings: BTreeMap::from([(name.to_owned(), value)]),
    };
    act(set("ratio", 1.0)).unwrap();
    budget.first_try(&mut Call::new());
    assert_eq!((granted(&budget, 50, Transient), budget.view().settings[0]), (1, ("ratio", 1.0)));
    assert!(act(set("ratio", f64::NAN)).is_err());
    assert!(act(set("rate", 1.0)).is_err());
    assert_eq!(budget.view().settings[0], ("ratio", 1.0), "a refused change changes nothing");
}

#[test]
fn refuses_what_cannot_be_meant() {
    let base = Policy::recommended;
    for ratio in [-0.1, 1.1, f64::NAN] {
        assert!(base().with_ratio(ratio).is_err());
    }
    for floor in [-1.0, 1_001.0, f64::NAN] {
        assert!(base().with_floor_per_second(floor).is_err());
    }
    for max in [0.0, 99.0, 300_000.0, f64::NAN] {
        assert!(base().with_max(max).is_err(), "{max}");
    }
}
