//! The same contract over gRPC.

use serde_json::json;
use shop_contracts::rpc::common::Money;
use shop_contracts::rpc::payments as wire;
use shop_contracts::rpc::payments::payment_service_client::PaymentServiceClient;
use shop_edge::rpc::Guard;
use shop_edge::testing::{Call, asked, guarded};
use shop_payments::edge::grpc;
use tonic::{Code, Request};
use wire::get_account_request::Moment;

use crate::Shop;

impl Shop {
    fn client(&self) -> PaymentServiceClient<Guard> {
        let rpc = grpc::services(self.app.clone(), &self.bench.deps);
        PaymentServiceClient::new(guarded(rpc))
    }

    fn asks<T>(&self, token: &str, message: T) -> Request<T> {
        asked(&self.bench.deps.auth, token, message)
    }

    async fn opened(&self) -> wire::Account {
        let open = wire::CreateAccountRequest { currency: "USD".to_owned() };
        let answer = self.client().create_account(self.asks(&self.ann, open)).await;
        answer.unwrap().into_inner().account.unwrap()
    }
}

fn usd(amount: i64) -> Option<Money> {
    Some(Money { amount, currency: "USD".to_owned() })
}

fn deposit(account_id: &str, amount: i64, key: &str) -> wire::DepositRequest {
    let (account_id, idempotency_key) = (account_id.to_owned(), key.to_owned());
    wire::DepositRequest { account_id, amount, idempotency_key }
}

#[tokio::test]
async fn money_moves_and_the_past_can_be_looked_at() {
    let shop = Shop::open();
    let (mut client, account) = (shop.client(), shop.opened().await);
    let id = account.id.clone();
    let paid = client.deposit(shop.asks(&shop.ann, deposit(&id, 500, ""))).await.unwrap();
    let movement = paid.into_inner().movement.unwrap();
    assert_eq!(
        (movement.r#type(), movement.seq, movement.amount, movement.balance),
        (wire::AccountEventType::Deposited, 2, usd(500), usd(500))
    );
    let withdraw = |amount| wire::WithdrawRequest {
        account_id: id.clone(),
        amount,
        idempotency_key: String::new(),
    };
    let taken = client.withdraw(shop.asks(&shop.ann, withdraw(200))).await.unwrap().into_inner();
    assert_eq!(taken.movement.unwrap().balance, usd(300));
    let status = client.withdraw(shop.asks(&shop.ann, withdraw(301))).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let at = |moment| wire::GetAccountRequest { id: id.clone(), moment };
    let then = client.get_account(shop.asks(&shop.ann, at(Some(Moment::Version(2))))).await;
    assert_eq!(then.unwrap().into_inner().account.unwrap().balance, usd(500));
    let long_ago = prost_types::Timestamp { seconds: 0, nanos: 0 };
    for (moment, code) in [
        (Moment::Version(0), Code::InvalidArgument),
        (Moment::Version(9), Code::NotFound),
        (Moment::At(long_ago), Code::NotFound),
        (Moment::At(prost_types::Timestamp { seconds: 0, nanos: -1 }), Code::InvalidArgument),
    ] {
        let status = client.get_account(shop.asks(&shop.ann, at(Some(moment)))).await;
        assert_eq!(status.unwrap_err().code(), code, "{moment:?}");
    }
    let events = wire::ListAccountEventsRequest {
        account_id: id.clone(),
        page_size: 2,
        page_token: String::new(),
    };
    let events = client.list_account_events(shop.asks(&shop.ann, events)).await.unwrap();
    let events = events.into_inner();
    assert_eq!(events.events.iter().map(|it| it.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(events.events[1].amount, usd(500));
    let rest = shop
        .get(&format!("/api/v1/accounts/{id}/events?limit=5&cursor={}", events.next_page_token))
        .await;
    assert_eq!(rest.items().len(), 1, "{}", rest.body);
}

#[tokio::test]
async fn e7_a_key_means_the_same_in_both_protocols() {
    let shop = Shop::open();
    let (mut client, account) = (shop.client(), shop.opened().await);
    let path = format!("/api/v1/accounts/{}/deposits", account.id);
    let over_rest = |amount: i64, key: &'static str| {
        let call = Call::post(&*path, json!({ "amount": amount }));
        call.of(&shop.ann).with("idempotency-key", key).send(&shop.routes)
    };
    assert_eq!(over_rest(100, "rest-first").await.status, 201);
    let again = deposit(&account.id, 100, "rest-first");
    let again = client.deposit(shop.asks(&shop.ann, again)).await.unwrap().into_inner();
    assert!(again.replayed);
    assert_eq!(again.movement.unwrap().balance, usd(100));
    let first = deposit(&account.id, 50, "grpc-first");
    let first = client.deposit(shop.asks(&shop.ann, first)).await.unwrap().into_inner();
    assert!(!first.replayed);
    let replayed = over_rest(50, "grpc-first").await;
    assert_eq!((replayed.status, replayed.header("idempotency-replayed")), (201, "true"));
    let other = deposit(&account.id, 51, "grpc-first");
    let status = client.deposit(shop.asks(&shop.ann, other)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let odd = deposit(&account.id, 51, "no\nkey");
    let status = client.deposit(shop.asks(&shop.ann, odd)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(shop.balance(&format!("/api/v1/accounts/{}", account.id)).await, 150);
}

#[tokio::test]
async fn e7_a_refusal_replays_as_the_refusal_that_it_was() {
    let shop = Shop::open();
    let (mut client, account) = (shop.client(), shop.opened().await);
    let withdraw = || wire::WithdrawRequest {
        account_id: account.id.clone(),
        amount: 5,
        idempotency_key: "k".to_owned(),
    };
    let first = client.withdraw(shop.asks(&shop.ann, withdraw())).await.unwrap_err();
    let paid = deposit(&account.id, 100, "");
    client.deposit(shop.asks(&shop.ann, paid)).await.unwrap();
    let again = client.withdraw(shop.asks(&shop.ann, withdraw())).await.unwrap_err();
    assert_eq!((first.code(), first.message()), (again.code(), again.message()));
    assert_eq!(again.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn strangers_find_no_account_and_move_no_money() {
    let shop = Shop::open();
    let (mut client, account) = (shop.client(), shop.opened().await);
    let bob = shop.bench.token("bob");
    let get = wire::GetAccountRequest { id: account.id.clone(), moment: None };
    let status = client.get_account(shop.asks(&bob, get)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let status = client.deposit(shop.asks(&bob, deposit(&account.id, 5, ""))).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let by_operator = shop.asks(&shop.bench.operator(), deposit(&account.id, 5, ""));
    assert_eq!(client.deposit(by_operator).await.unwrap_err().code(), Code::PermissionDenied);
    let batch = || wire::BatchGetAccountsRequest { ids: vec![account.id.clone(), "x".to_owned()] };
    let own = client.batch_get_accounts(shop.asks(&shop.ann, batch())).await.unwrap();
    assert_eq!(own.into_inner().accounts, std::slice::from_ref(&account));
    let bobs = client.batch_get_accounts(shop.asks(&bob, batch())).await.unwrap().into_inner();
    assert_eq!(bobs.accounts, []);
    let listed = client.list_accounts(shop.asks(&bob, wire::ListAccountsRequest::default())).await;
    assert_eq!(listed.unwrap().into_inner().accounts, []);
}
