//! The service as the order saga meets it.

use futures_util::future::join;
use serde_json::json;
use shop_contracts::Money;
use shop_contracts::payments::{Charge, Refund, VerifyAccount};
use shop_contracts::users::{EVENTS, UserDeleted};
use shop_payments::{participant, topics};
use switchboard_core::{Envelope, Key, Message, Rng};
use switchboard_message::Topic;
use switchboard_saga::{Outcome, Reply};
use switchboard_testkit::participant::{Asker, Question};
use tokio_util::sync::CancellationToken;

use crate::Shop;

async fn asker(shop: &Shop) -> Asker {
    shop.bench.declare(topics()).await;
    let (deps, group) = (&shop.bench.deps, participant::saga(&shop.app, &shop.bench.deps));
    Asker::new(deps.store.clone(), &shop.bench.broker, deps.clock.clone(), group)
}

fn verify(account_id: &str, user_id: &str, currency: &str) -> VerifyAccount {
    VerifyAccount {
        order_id: "o1".to_owned(),
        account_id: account_id.to_owned(),
        user_id: user_id.to_owned(),
        currency: currency.to_owned(),
    }
}

fn charge(order_id: &str, account_id: &str, amount: i64) -> Charge {
    Charge {
        order_id: order_id.to_owned(),
        account_id: account_id.to_owned(),
        user_id: "ann".to_owned(),
        amount: Money::new(amount, "USD"),
    }
}

fn refund(order_id: &str, account_id: &str, amount: i64) -> Refund {
    let (order_id, account_id) = (order_id.to_owned(), account_id.to_owned());
    Refund { order_id, account_id, amount: Money::new(amount, "USD") }
}

fn told(reply: &Reply) -> (Outcome, Option<&str>) {
    (reply.outcome, reply.reason.as_deref())
}

#[tokio::test(start_paused = true)]
async fn whether_an_account_may_pay_is_told_without_touching_it() {
    let shop = Shop::open();
    let (path, id) = shop.account(100).await;
    let mut saga = asker(&shop).await;
    let cases = [
        ("s1", verify(&id, "ann", "USD"), (Outcome::Done, None)),
        ("s2", verify("none", "ann", "USD"), (Outcome::Rejected, Some("unknown_account"))),
        ("s3", verify(&id, "bob", "USD"), (Outcome::Rejected, Some("not_the_owner"))),
        ("s4", verify(&id, "ann", "EUR"), (Outcome::Rejected, Some("wrong_currency"))),
    ];
    for (instance, command, expected) in cases {
        let reply = saga.ask(Question::perform(instance, "verify"), &command).await;
        assert_eq!(told(&reply), expected);
    }
    assert_eq!(shop.get(&path).await.body["version"], 2);
}

#[tokio::test(start_paused = true)]
async fn every_command_repeated_changes_nothing_and_gets_the_same_answer() {
    let shop = Shop::open();
    let (path, id) = shop.account(100).await;
    let mut saga = asker(&shop).await;

    for _ in 0..3 {
        let paid = saga.ask(Question::perform("o1", "charge"), &charge("o1", &id, 60)).await;
        assert_eq!((told(&paid), shop.balance(&path).await), ((Outcome::Done, None), 40));
    }
    for _ in 0..3 {
        let poor = saga.ask(Question::perform("o2", "charge"), &charge("o2", &id, 60)).await;
        assert_eq!(told(&poor), (Outcome::Rejected, Some("insufficient_funds")));
    }
    for _ in 0..3 {
        let back = saga.ask(Question::undo("o1", "charge"), &refund("o1", &id, 60)).await;
        assert_eq!((told(&back), shop.balance(&path).await), ((Outcome::Done, None), 100));
    }
    let poor = saga.ask(Question::perform("o2", "charge"), &charge("o2", &id, 60)).await;
    assert_eq!(
        told(&poor),
        (Outcome::Rejected, Some("insufficient_funds")),
        "as it was told before"
    );
    let late = saga.ask(Question::perform("o1", "charge"), &charge("o1", &id, 60)).await;
    assert_eq!((late.outcome, shop.balance(&path).await), (Outcome::Done, 100));
}

#[tokio::test(start_paused = true)]
async fn a_refund_before_its_charge_leaves_a_tombstone() {
    let shop = Shop::open();
    let (path, id) = shop.account(100).await;
    let mut saga = asker(&shop).await;
    let back = saga.ask(Question::undo("o1", "charge"), &refund("o1", &id, 60)).await;
    assert_eq!((back.outcome, shop.balance(&path).await), (Outcome::Done, 100));
    let late = saga.ask(Question::perform("o1", "charge"), &charge("o1", &id, 60)).await;
    assert_eq!((late.outcome, shop.balance(&path).await), (Outcome::Rejected, 100));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_can_neither_pay_nor_be_paid_back_nor_come_in_again() {
    let shop = Shop::open();
    let (path, id) = shop.account(100).await;
    let mut saga = asker(&shop).await;
    saga.ask(Question::perform("o1", "charge"), &charge("o1", &id, 60)).await;

    leave(&shop, "ann").await;
    assert_eq!(shop.get(&path).await.body["closed"], true);
    let back = saga.ask(Question::undo("o1", "charge"), &refund("o1", &id, 60)).await;
    assert_eq!(told(&back), (Outcome::Rejected, Some("account_closed")));
    let paid = saga.ask(Question::perform("o2", "charge"), &charge("o2", &id, 1)).await;
    assert_eq!(told(&paid), (Outcome::Rejected, Some("account_closed")));
    for (path, body) in [
        ("/api/v1/accounts".to_owned(), json!({ "currency": "USD" })),
        (format!("{path}/deposits"), json!({ "amount": 5 })),
        (format!("{path}/withdrawals"), json!({ "amount": 5 })),
    ] {
        assert_eq!(shop.post(&path, body).await.status, 409, "{path}");
    }
}

/// Tells the service that a user has left, twice, and waits until both messages are done.
async fn leave(shop: &Shop, user_id: &str) {
    let deps = &shop.bench.deps;
    shop.bench.declare([Topic::new(EVENTS)]).await;
    let mut rng = Rng::from_seed(9);
    let mut batch = Vec::new();
    for _ in 0..2 {
        let payload = serde_json::to_vec(&UserDeleted { user_id: user_id.to_owned() }).unwrap();
        let gone = Envelope::new(EVENTS, UserDeleted::KIND, "users", &*deps.clock, &mut rng);
        batch.push(gone.with_key(Key::from(user_id)).with_payload(payload));
    }
    let mut last = (0, 0);
    for ack in deps.broker.publish(batch).await {
        let ack = ack.unwrap();
        last = (ack.partition, ack.position.0);
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(participant::users(&shop.app, deps).run(stop.clone()));
    loop {
        let done = deps.store.progress("payments.users", EVENTS, last.0).await.unwrap();
        if done.is_some_and(|progress| progress.position.0 >= last.1) {
            break;
        }
        tokio::task::yield_now().await;
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn charges_and_deposits_at_the_same_time_conserve_money() {
    let shop = Shop::open();
    let (path, id) = shop.account(1_000).await;
    let mut saga = asker(&shop).await;
    let orders = async {
        for number in 0..30 {
            let order = format!("o{number}");
            let question = Question::perform(&order, "charge");
            saga.ask(question, &charge(&order, &id, 7)).await;
            if number % 3 == 0 {
                saga.ask(Question::undo(&order, "charge"), &refund(&order, &id, 7)).await;
            }
        }
    };
    let deposits = async {
        for _ in 0..30 {
            let paid = shop.post(&format!("{path}/deposits"), json!({ "amount": 5 })).await;
            assert_eq!(paid.status, 201);
        }
    };
    join(orders, deposits).await;
    assert_eq!(shop.balance(&path).await, 1_000 + 30 * 5 - 20 * 7);
    let totals = shop.totals().await;
    let sum = |name: &str| totals[name].as_i64().unwrap();
    assert_eq!((sum("charged"), sum("refunded"), sum("accounts")), (210, 70, 1));
    let flow = sum("deposits") - sum("withdrawals") - sum("charged") + sum("refunded");
    assert_eq!(flow, sum("balances"));
}
