//! The public contract, call by call.

use http::{Method, StatusCode};
use serde_json::json;

use crate::{Shop, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_up_sign_in_and_see_only_themselves() {
    let shop = Shop::start().await;
    let wrong = json!({ "name": "", "email": "nobody", "password": "x" });
    let refused = shop.post("/api/v1/users", None, wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<_> = refused.body["errors"].as_array().unwrap().iter().collect();
    assert_eq!(fields.len(), 3, "all bad fields at once: {}", refused.body);

    let ada = shop.somebody("ada@example.com", 0).await;
    let again =
        json!({ "name": "A", "email": "ADA@example.com", "password": "correct horse battery" });
    let taken = shop.post("/api/v1/users", None, again).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.body);

    let credentials = json!({ "email": "ada@example.com", "password": "wrong horse battery" });
    let refused = shop.post("/api/v1/sessions", None, credentials).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);

    let bob = shop.somebody("bob@example.com", 0).await;
    let path = format!("/api/v1/accounts/{}", ada.account);
    assert_eq!(shop.get(&path, Some(&ada.token)).await.status, StatusCode::OK);
    assert_eq!(shop.get(&path, Some(&bob.token)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.get(&path, None).await.status, StatusCode::UNAUTHORIZED);
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_knows_every_version_of_itself() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 500).await;
    let path = format!("/api/v1/accounts/{}", ada.account);
    let token = Some(&*ada.token);
    for (movement, amount) in [("withdrawals", 100), ("deposits", 300)] {
        let moved =
            shop.post(&format!("{path}/{movement}"), token, json!({ "amount": amount })).await;
        assert_eq!(moved.status, StatusCode::CREATED, "{}", moved.body);
    }
    let balance = async |at: &str| {
        shop.get(&format!("{path}{at}"), token).await.body["balance"]["amount"].as_i64().unwrap()
    };
    assert_eq!(balance("").await, 700);
    assert_eq!(balance("?version=2").await, 500);
    assert_eq!(balance("?version=1").await, 0);

    let events = shop.get(&format!("{path}/events"), token).await.body;
    let kinds: Vec<_> = events["items"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
    assert_eq!(kinds, ["Created", "Deposited", "Withdrawn", "Deposited"]);

    let overdraft =
        shop.post(&format!("{path}/withdrawals"), token, json!({ "amount": 701 })).await;
    assert_eq!(overdraft.status, StatusCode::CONFLICT, "{}", overdraft.body);
    assert_eq!(balance("").await, 700);
    shop.end().await;
}

/// On the real clock: a time that is shown before the commit is the one that is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_as_the_time_is_the_time() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 0).await;
    let token = Some(&*ada.token);
    let opened = shop.post("/api/v1/accounts", token, json!({ "currency": "USD" })).await.body;
    let (id, at) = (opened["id"].as_str().unwrap(), opened["created_at"].as_str().unwrap());
    let then = shop.get(&format!("/api/v1/accounts/{id}?at={at}"), token).await;
    assert_eq!((then.status, &then.body["version"]), (StatusCode::OK, &json!(1)));
    let events = shop.get(&format!("/api/v1/accounts/{id}/events"), token).await.body;
    assert_eq!(events["items"][0]["timestamp"], opened["created_at"]);
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_stocked_and_only_the_operator_changes_that() {
    let shop = Shop::start().await;
    let products = shop.get("/api/v1/products?limit=100", None).await.body;
    let products = products["items"].as_array().unwrap();
    assert!(products.len() >= 12);
    for product in products {
        let price = product["price"]["amount"].as_i64().unwrap();
        assert!((100..=50_000).contains(&price) && product["price"]["currency"] == "USD");
        let (on_hand, reserved) = shop.stock(product["sku"].as_str().unwrap()).await;
        assert!(on_hand >= 10_000 && reserved == 0);
    }
    let ada = shop.somebody("ada@example.com", 0).await;
    let path = format!("/api/v1/stock/{}", shop.sku().await);
    let body = Some(json!({ "on_hand": 7 }));
    let mine = shop.call(Method::PUT, &path, Some(&ada.token), body.clone()).await;
    assert_eq!(mine.status, StatusCode::FORBIDDEN);
    let set = shop.call(Method::PUT, &path, Some(&shop.operator), body).await;
    assert_eq!((set.status, &set.body["available"]), (StatusCode::OK, &json!(7)));
    shop.end().await;
}

/// The posts of a user are not with the users service, though their path begins there.
#[tokio::test(flavor = "multi_thread")]
async fn users_write_posts_and_comments_under_the_names_they_signed_up_with() {
    let shop = Shop::start().await;
    let (ada, bob) =
        (shop.somebody("ada@example.com", 0).await, shop.somebody("bob@example.com", 0).await);
    let posts = format!("/api/v1/users/{}/posts", ada.id);
    let draft = json!({ "title": "On engines", "content": "They\nweave.", "tags": ["Looms"] });
    let foreign = shop.post(&posts, Some(&bob.token), draft.clone()).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{}", foreign.body);
    let made = shop.post(&posts, Some(&ada.token), draft).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let post = format!("/api/v1/posts/{}", made.body["id"].as_str().unwrap());
    let comments = format!("{post}/comments");
    let said = shop.post(&comments, Some(&bob.token), json!({ "content": "Well put." })).await;
    assert_eq!(said.status, StatusCode::CREATED, "{}", said.body);
    eventually("the names", || async {
        let post = shop.get(&posts, Some(&bob.token)).await.body["items"][0].clone();
        let comment = shop.get(&comments, Some(&ada.token)).await.body["items"][0].clone();
        let named = |it: &serde_json::Value| it["author"]["name"] == "Ada";
        (named(&post) && named(&comment)).then_some(())
    })
    .await;
    let tags = shop.get("/api/v1/tags", Some(&bob.token)).await.body;
    assert_eq!(
        (&tags["items"][0]["name"], &tags["items"][0]["posts"]),
        (&json!("looms"), &json!(1))
    );
    let user = format!("/api/v1/users/{}", ada.id);
    assert_eq!(shop.get(&user, Some(&ada.token)).await.body["name"], "Ada");
    let removed = shop.call(Method::DELETE, &user, Some(&ada.token), None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let nameless = json!({ "id": ada.id });
    eventually("the author without a name", || async {
        let read = shop.get(&post, Some(&bob.token)).await.body;
        (read["author"] == nameless).then_some(())
    })
    .await;
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_and_health_is_open() {
    let shop = Shop::start().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(shop.get(path, None).await.status, StatusCode::OK, "{path}");
    }
    for (method, path, status) in [
        (Method::GET, "/api/v1/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/nothing", StatusCode::NOT_FOUND),
        (Method::DELETE, "/api/v1/products", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/api/v1/orders", StatusCode::UNAUTHORIZED),
        (Method::GET, "/api/v1/products?limit=0", StatusCode::BAD_REQUEST),
    ] {
        let answer = shop.call(method.clone(), path, None, None).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.body["status"], status.as_u16(), "{}", answer.body);
        assert!(answer.body["type"].is_string() && answer.body["title"].is_string());
    }
    shop.end().await;
}
