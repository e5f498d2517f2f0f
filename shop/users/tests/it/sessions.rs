//! Signing in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Shop;

#[tokio::test]
async fn a_session_is_201_with_a_bearer_token_for_a_day() {
    let shop = Shop::new();
    let id = shop.sign_up("Ann", "ann@example.org").await.text("id").to_owned();
    let session = shop.sign_in("ANN@example.org", "correct horse").await;
    assert_eq!((session.status, session.header("cache-control")), (201, "no-store"));
    assert_eq!((session.text("token_type"), session.text("user_id")), ("Bearer", &*id));
    assert_eq!(session.body["expires_in"], 86_400);
    assert_eq!(session.body["_links"]["user"]["href"], format!("/api/v1/users/{id}"));
    let token = session.text("token");
    assert_eq!(session.header("location"), "/api/v1/sessions/current");
    let current = shop.call("GET", "/sessions/current", token, Value::Null).await;
    assert_eq!((current.status, current.text("id")), (200, session.text("id")));
    assert_eq!((current.text("user_id"), current.text("role")), (&*id, "customer"));
    shop.call("GET", "/sessions/current", "", Value::Null)
        .await
        .assert_problem(401, "unauthorized");
    let path = format!("/users/{id}");
    shop.clock.advance(Duration::from_secs(86_399));
    assert_eq!(shop.call("GET", &path, token, Value::Null).await.status, 200);
    shop.clock.advance(Duration::from_secs(1));
    shop.call("GET", &path, token, Value::Null).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_read_the_same() {
    let shop = Shop::new();
    shop.sign_up("Ann", "ann@example.org").await;
    let wrong = shop.sign_in("ann@example.org", "incorrect horse").await;
    let unknown = shop.sign_in("eve@example.org", "correct horse").await;
    for answer in [&wrong, &unknown] {
        answer.assert_problem(401, "unauthorized");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    assert_eq!(wrong.text("detail"), unknown.text("detail"));
}

#[tokio::test]
async fn mistakes_in_the_body_are_422_and_ask_nobody() {
    let shop = Shop::new();
    let answer = shop.call("POST", "/sessions", "", json!({ "email": 1, "remember": true })).await;
    answer.assert_problem(422, "validation");
    assert_eq!(answer.pointers(), ["#/email", "#/password", "#/remember"]);
}

#[tokio::test]
async fn a_changed_password_replaces_the_old_one() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    let path = format!("/users/{id}");
    let changed = shop.call("PATCH", &path, &token, json!({ "password": "battery staple" })).await;
    assert_eq!(changed.status, 200);
    let email = "ann@example.org";
    shop.sign_in(email, "correct horse").await.assert_problem(401, "unauthorized");
    assert_eq!(shop.sign_in(email, "battery staple").await.status, 201);
}

#[tokio::test]
async fn too_many_wrong_passwords_are_429_until_a_minute_is_over() {
    let shop = Shop::new();
    shop.sign_up("Ann", "ann@example.org").await;
    shop.sign_up("Bob", "bob@example.org").await;
    for _ in 0..10 {
        shop.sign_in("Ann@example.org", "a guess").await.assert_problem(401, "unauthorized");
    }
    shop.clock.advance(Duration::from_secs(15));
    let waits = shop.sign_in("ann@example.org", "correct horse").await;
    waits.assert_problem(429, "too-many-requests");
    assert_eq!(waits.header("retry-after"), "45");
    assert_eq!(shop.sign_in("bob@example.org", "correct horse").await.status, 201);
    shop.clock.advance(Duration::from_secs(45));
    assert_eq!(shop.sign_in("ann@example.org", "correct horse").await.status, 201);
}
