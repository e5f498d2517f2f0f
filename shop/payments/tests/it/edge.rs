//! The public contract of accounts.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use shop_edge::testing::{Answer, Call};

use crate::Shop;

#[tokio::test]
async fn plus_five_hundred_less_one_hundred_plus_three_hundred_is_seven_hundred() {
    let shop = Shop::open();
    let (path, id) = shop.account(500).await;
    shop.post(&format!("{path}/withdrawals"), json!({ "amount": 100 })).await;
    shop.post(&format!("{path}/deposits"), json!({ "amount": 300 })).await;

    let now = shop.get(&path).await;
    assert_eq!(now.status, 200);
    assert_eq!(now.body["balance"], json!({ "amount": 700, "currency": "USD" }));
    assert_eq!(now.body["version"], 4);
    assert_eq!(now.body["owner_id"], "ann");
    for (version, balance) in [(1, 0), (2, 500), (3, 400), (4, 700)] {
        let then = shop.get(&format!("{path}?version={version}")).await;
        assert_eq!(then.body["balance"]["amount"], balance, "at version {version}");
        assert_eq!(then.body["version"], version);
    }

    let events = shop.get(&format!("{path}/events")).await;
    let lines: Vec<_> = events
        .items()
        .iter()
        .map(|event| (event["seq"].clone(), event["type"].clone(), event["data"].clone()))
        .collect();
    let expected = [
        (json!(1), json!("Created"), json!({ "owner_id": "ann", "currency": "USD" })),
        (json!(2), json!("Deposited"), json!({ "amount": 500 })),
        (json!(3), json!("Withdrawn"), json!({ "amount": 100 })),
        (json!(4), json!("Deposited"), json!({ "amount": 300 })),
    ];
    assert_eq!(lines, expected);
    assert_eq!(events.items()[0]["timestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(shop.get("/api/v1/accounts").await.items()[0]["id"], json!(id));
}

#[tokio::test]
async fn what_is_created_is_at_its_location_right_away() {
    let shop = Shop::open();
    let opened = shop.post("/api/v1/accounts", json!({ "currency": "EUR" })).await;
    let account = shop.get(opened.header("location")).await;
    assert_eq!((account.status, &account.body), (200, &opened.body));

    for kind in ["deposits", "withdrawals"] {
        let path = format!("{}/{kind}", opened.header("location"));
        let moved = shop.post(&path, json!({ "amount": 5 })).await;
        assert_eq!(moved.status, 201);
        let found = shop.get(moved.header("location")).await;
        assert_eq!(found.status, 200);
        for (field, value) in moved.body.as_object().unwrap() {
            assert_eq!(&found.body[field], value, "{kind}: {field}");
        }
    }
}

#[tokio::test]
async fn an_account_can_be_seen_as_it_was_at_any_time() {
    let shop = Shop::open();
    let (path, _) = shop.account(500).await;
    shop.bench.clock.advance(Duration::from_secs(60));
    shop.post(&format!("{path}/deposits"), json!({ "amount": 200 })).await;
    let cases = [
        ("2025-12-31T23:59:59Z", 404, None),
        ("2026-01-01T00:00:00Z", 200, Some(500)),
        ("2026-01-01T00:00:59.999Z", 200, Some(500)),
        ("2026-01-01T00:01:00Z", 200, Some(700)),
        ("2026-01-01T01:01:00%2B01:00", 200, Some(700)),
        ("2030-01-01T00:00:00Z", 200, Some(700)),
        ("yesterday", 400, None),
    ];
    for (at, status, balance) in cases {
        let answer = shop.get(&format!("{path}?at={at}")).await;
        assert_eq!(answer.status, status, "{at}");
        assert_eq!(answer.body["balance"]["amount"].as_i64(), balance, "{at}");
    }
}

#[tokio::test]
async fn moments_that_never_were_are_clear_refusals() {
    let shop = Shop::open();
    let (path, _) = shop.account(5).await;
    for (query, status) in [
        ("version=3", 404),
        ("version=0", 400),
        ("version=two", 400),
        ("version=1&at=2026-01-01T00:00:00Z", 400),
        ("version=1&version=2", 400),
    ] {
        let answer = shop.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{query}");
    }
    for seq in ["0", "3", "x"] {
        assert_eq!(shop.get(&format!("{path}/events/{seq}")).await.status, 404, "{seq}");
    }
}

#[tokio::test]
async fn an_overdraft_is_refused_and_changes_nothing() {
    let shop = Shop::open();
    let (path, _) = shop.account(100).await;
    let refused = shop.post(&format!("{path}/withdrawals"), json!({ "amount": 101 })).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(shop.get(&path).await.body["version"], 2);
    let all = shop.post(&format!("{path}/withdrawals"), json!({ "amount": 100 })).await;
    assert_eq!((all.status, shop.balance(&path).await), (201, 0));
}

#[tokio::test]
async fn amounts_and_currencies_are_checked() {
    let shop = Shop::open();
    let (path, _) = shop.account(0).await;
    let deposits = format!("{path}/deposits");
    for amount in
        [json!(0), json!(-1), json!(1.5), json!("5"), json!(null), json!(1_000_000_000_001_i64)]
    {
        let answer = shop.post(&deposits, json!({ "amount": amount })).await;
        assert_eq!((answer.status, answer.pointers()), (422, vec!["#/amount"]), "{amount}");
    }
    let most = shop.post(&deposits, json!({ "amount": 1_000_000_000_000_i64 })).await;
    assert_eq!(most.status, 201);
    for currency in [json!("usd"), json!("DOLLAR"), json!(5)] {
        let answer = shop.post("/api/v1/accounts", json!({ "currency": currency })).await;
        assert_eq!(answer.status, 422, "{currency}");
    }
}

#[tokio::test]
async fn accounts_are_private_and_the_operator_only_reads() {
    let shop = Shop::open();
    let (path, _) = shop.account(100).await;
    let (bob, operator) = (shop.bench.token("bob"), shop.bench.operator());
    let deposits = format!("{path}/deposits");
    for path in [path.clone(), format!("{path}/events"), format!("{path}/events/1")] {
        assert_eq!(Call::get(&*path).send(&shop.routes).await.status, 401, "{path}");
        assert_eq!(Call::get(&*path).of(&bob).send(&shop.routes).await.status, 404, "{path}");
        assert_eq!(Call::get(&*path).of(&operator).send(&shop.routes).await.status, 200, "{path}");
    }
    for (token, status) in [(&bob, 404), (&operator, 403)] {
        let answer = Call::post(&*deposits, json!({ "amount": 5 })).of(token).send(&shop.routes);
        assert_eq!(answer.await.status, status);
    }
    let totals = Call::get("/api/v1/operator/payments/totals");
    assert_eq!(totals.of(&bob).send(&shop.routes).await.status, 403);
    let of_bob = Call::get("/api/v1/accounts").of(&bob).send(&shop.routes).await;
    assert!(of_bob.items().is_empty());
}

#[tokio::test]
async fn e7_the_same_key_moves_money_once_and_repeats_refusals_too() {
    let shop = Shop::open();
    let (path, _) = shop.account(100).await;
    let send = async |kind: &str, key: &str, amount: i64| {
        Call::post(format!("{path}/{kind}"), json!({ "amount": amount }))
            .of(&shop.ann)
            .with("idempotency-key", key)
            .send(&shop.routes)
            .await
    };
    let first = send("deposits", "\"k1\"", 50).await;
    let again = send("deposits", "k1", 50).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(shop.balance(&path).await, 150);
    assert_eq!(send("deposits", "k1", 51).await.status, 422);

    assert_eq!(send("withdrawals", "k2", 1_000).await.status, 409);
    shop.post(&format!("{path}/deposits"), json!({ "amount": 5_000 })).await;
    let repeated = send("withdrawals", "k2", 1_000).await;
    assert_eq!((repeated.status, shop.balance(&path).await), (409, 5_150));
}

#[tokio::test]
async fn e7_the_same_key_opens_one_account() {
    let shop = Shop::open();
    let open = async |key: &str, currency: &str| {
        Call::post("/api/v1/accounts", json!({ "currency": currency }))
            .of(&shop.ann)
            .with("idempotency-key", key)
            .send(&shop.routes)
            .await
    };
    let (first, again) = (open("k", "EUR").await, open("k", "EUR").await);
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(open("k", "USD").await.status, 422);
    assert_eq!(open("other", "EUR").await.status, 201);
    let all = Call::get("/api/v1/accounts").of(&shop.ann).send(&shop.routes).await;
    assert_eq!(all.items().len(), 2);
}

/// On several threads, so that they really overtake each other between reading and committing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deposits_at_the_same_moment_all_arrive() {
    let shop = Shop::open();
    let (path, _) = shop.account(0).await;
    let deposits = (1..=40).map(|n| {
        let call = Call::post(format!("{path}/deposits"), json!({ "amount": n })).of(&shop.ann);
        let routes = shop.routes.clone();
        tokio::spawn(async move { call.send(&routes).await })
    });
    let answers = join_all(deposits).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().status == 201));
    assert_eq!(shop.balance(&path).await, 820);
    let totals = shop.totals().await;
    assert_eq!((&totals["deposits"], &totals["balances"]), (&json!(820), &json!(820)));
}

#[tokio::test]
async fn e8_events_are_paged_and_the_location_of_late_ones_works() {
    let shop = Shop::open();
    let (path, _) = shop.account(0).await;
    for _ in 0..6 {
        shop.post(&format!("{path}/deposits"), json!({ "amount": 1 })).await;
    }
    let (mut seqs, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let page = shop.get(&format!("{path}/events?limit=3&cursor={cursor}")).await;
        seqs.extend(page.items().iter().filter_map(|event| event["seq"].as_u64()));
        next = page.body["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(shop.get(&format!("{path}/events?cursor=bogus")).await.status, 400);
    let last = shop.get(&format!("{path}/events/7")).await;
    assert_eq!(last.body["balance"]["amount"], 6);
}

#[tokio::test]
async fn nobody_opens_accounts_without_end() {
    let shop = Shop::open();
    let open = || shop.post("/api/v1/accounts", json!({ "currency": "USD" }));
    let statuses: Vec<_> =
        join_all((0..101).map(|_| open())).await.iter().map(|a| a.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 100);
    assert_eq!(open().await.status, 409);
}

#[tokio::test]
async fn e8_events_are_read_there_and_back_by_their_links() {
    let shop = Shop::open();
    let (path, _) = shop.account(500).await;
    for _ in 0..5 {
        shop.post(&format!("{path}/deposits"), json!({ "amount": 1 })).await;
    }
    let follow = async |page: &Answer, rel: &str| {
        shop.get(page.body["_links"][rel]["href"].as_str().unwrap()).await
    };
    let seqs = |page: &Answer| -> Vec<_> {
        page.items().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    let first = shop.get(&format!("{path}/events?limit=3")).await;
    let second = follow(&first, "next").await;
    let third = follow(&second, "next").await;
    assert_eq!(
        [seqs(&first), seqs(&second), seqs(&third)],
        [vec![1, 2, 3], vec![4, 5, 6], vec![7]]
    );
    assert_eq!(third.body.get("next"), None);
    let back = follow(&third, "prev").await;
    assert_eq!(seqs(&back), [4, 5, 6]);
    let back = follow(&back, "prev").await;
    assert_eq!((seqs(&back), back.body["_links"].get("prev")), (vec![1, 2, 3], None));
    assert_eq!(back.body["_links"]["account"]["href"], path);
}

#[tokio::test]
async fn e6_an_account_has_a_tag_that_changes_with_its_balance() {
    let shop = Shop::open();
    let opened = shop.post("/api/v1/accounts", json!({ "currency": "USD" })).await;
    let path = opened.header("location").to_owned();
    let tag = opened.header("etag").to_owned();
    assert_eq!(shop.get(&path).await.header("etag"), tag, "201 tells the tag of what is there");
    assert_eq!(opened.body["_links"]["deposits"]["method"], "POST");
    shop.post(&format!("{path}/deposits"), json!({ "amount": 5 })).await;
    assert_ne!(shop.get(&path).await.header("etag"), tag);
}
