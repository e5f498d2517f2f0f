//! Signing up, and users' own data.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::Shop;

#[tokio::test]
async fn a_sign_up_is_201_with_the_whole_resource_and_is_readable_there() {
    let shop = Shop::new();
    let made = shop.sign_up("  Ann ", "Ann@Example.org").await;
    let id = made.text("id");
    assert_eq!((made.status, made.header("location")), (201, &*format!("/api/v1/users/{id}")));
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(
        made.body,
        json!({
            "id": id,
            "name": "Ann",
            "email": "Ann@Example.org",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "_links": {
                "self": { "href": format!("/api/v1/users/{id}") },
                "accounts": { "href": "/api/v1/accounts" },
                "orders": { "href": "/api/v1/orders" },
                "notifications": { "href": "/api/v1/notifications" },
                "replace": { "href": format!("/api/v1/users/{id}"), "method": "PUT" },
                "edit": { "href": format!("/api/v1/users/{id}"), "method": "PATCH" },
                "delete": { "href": format!("/api/v1/users/{id}"), "method": "DELETE" },
            },
        })
    );
    let token = shop.sign_in("ann@example.org", "correct horse").await.text("token").to_owned();
    let read = shop.call("GET", &format!("/users/{id}"), &token, Value::Null).await;
    assert_eq!((read.status, &read.body), (200, &made.body));
    let told = (
        "users.created".to_owned(),
        json!({ "user_id": id, "name": "Ann", "email": "Ann@Example.org" }),
    );
    assert_eq!(shop.told().await, [told]);
}

#[tokio::test]
async fn a_sign_up_with_mistakes_names_all_of_them() {
    let shop = Shop::new();
    let body = json!({ "name": "", "email": "ann", "password": "short", "role": "operator" });
    let answer = shop.call("POST", "/users", "", body).await;
    answer.assert_problem(422, "validation");
    assert_eq!(answer.pointers(), ["#/name", "#/email", "#/password", "#/role"]);
    let empty = shop.call("POST", "/users", "", json!({})).await;
    assert_eq!(empty.pointers(), ["#/name", "#/email", "#/password"]);
    let array = shop.call("POST", "/users", "", json!([])).await;
    array.assert_problem(422, "validation");
    let broken = Request::post("/api/v1/users").header("content-type", "application/json");
    shop.send(broken.body(Body::from("{\"name\"")).unwrap()).await.assert_problem(400, "malformed");
    let untyped = Request::post("/api/v1/users").body(Body::from("{}")).unwrap();
    shop.send(untyped).await.assert_problem(415, "media-type");
    assert_eq!(shop.told().await, []);
}

#[tokio::test]
async fn an_address_is_taken_whatever_its_case_and_whoever_is_faster() {
    let shop = Shop::new();
    let (one, other) = tokio::join!(
        shop.sign_up("Ann", "ann@example.org"),
        shop.sign_up("Eve", "ANN@example.org")
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    shop.sign_up("Eve", "Ann@Example.Org").await.assert_problem(409, "conflict");
    assert_eq!(shop.told().await.len(), 1);
}

#[tokio::test]
async fn users_are_their_owners_and_the_operators_and_nobody_elses() {
    let shop = Shop::new();
    let (ann, anns) = shop.customer("ann").await;
    let (_, bobs) = shop.customer("bob").await;
    let path = format!("/users/{ann}");
    let change = json!({ "name": "Eve", "email": "eve@example.org" });
    for (method, body) in
        [("GET", Value::Null), ("PUT", change.clone()), ("PATCH", change), ("DELETE", Value::Null)]
    {
        shop.call(method, &path, &bobs, body.clone()).await.assert_problem(404, "not-found");
        shop.call(method, &path, "", body.clone()).await.assert_problem(401, "unauthorized");
        shop.call(method, &path, "nonsense", body).await.assert_problem(401, "unauthorized");
    }
    for token in [&*anns, shop.operator()] {
        assert_eq!(shop.call("GET", &path, token, Value::Null).await.status, 200);
    }
    let nobody = shop.call("GET", "/users/none", shop.operator(), Value::Null).await;
    nobody.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_put_replaces_and_a_patch_merges() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    let path = format!("/users/{id}");
    shop.clock.advance(Duration::from_secs(1));
    let put = json!({ "name": "Anna", "email": "anna@example.org" });
    let put = shop.call("PUT", &path, &token, put).await;
    assert_eq!(
        (put.status, put.text("name"), put.text("email")),
        (200, "Anna", "anna@example.org")
    );
    assert_eq!(
        (put.text("created_at"), put.text("updated_at")),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")
    );
    let half = shop.call("PUT", &path, &token, json!({ "name": "Anna" })).await;
    assert_eq!(half.pointers(), ["#/email"]);

    let patch = Request::patch(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/merge-patch+json");
    let patch = shop.send(patch.body(Body::from(r#"{"name": "Ann"}"#)).unwrap()).await;
    assert_eq!((patch.text("name"), patch.text("email")), ("Ann", "anna@example.org"));
    let null = shop.call("PATCH", &path, &token, json!({ "name": null, "id": "x" })).await;
    null.assert_problem(422, "validation");
    assert_eq!(null.pointers(), ["#/name", "#/id"]);
    assert_eq!(null.body["errors"][0]["code"], "required");

    let kinds: Vec<_> = shop.told().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["users.created", "users.changed", "users.changed"]);
}

#[tokio::test]
async fn what_is_already_so_is_no_change_and_nobody_is_told() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    shop.clock.advance(Duration::from_secs(1));
    for body in [json!({}), json!({ "name": "ann" })] {
        let same = shop.call("PATCH", &format!("/users/{id}"), &token, body).await;
        assert_eq!((same.status, same.text("updated_at")), (200, "2026-01-01T00:00:00Z"));
    }
    assert_eq!(shop.told().await.len(), 1);
}

#[tokio::test]
async fn a_new_address_is_free_the_old_one_becomes_free_and_a_taken_one_is_409() {
    let shop = Shop::new();
    let (ann, anns) = shop.customer("ann").await;
    shop.customer("bob").await;
    let path = format!("/users/{ann}");
    let to = |email: &str| json!({ "email": email });
    shop.call("PATCH", &path, &anns, to("BOB@example.org")).await.assert_problem(409, "conflict");
    assert_eq!(shop.call("PATCH", &path, &anns, to("ANN@example.org")).await.status, 200);
    assert_eq!(shop.call("PATCH", &path, &anns, to("anna@example.org")).await.status, 200);
    shop.sign_up("New", "anna@example.org").await.assert_problem(409, "conflict");
    assert_eq!(shop.sign_up("New", "ann@example.org").await.status, 201);
}

#[tokio::test]
async fn who_is_deleted_is_gone_cannot_sign_in_and_frees_the_address() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    let path = format!("/users/{id}");
    let gone = shop.call("DELETE", &path, &token, Value::Null).await;
    assert_eq!((gone.status, gone.header("content-type"), &gone.body), (204, "", &Value::Null));
    for method in ["GET", "DELETE"] {
        shop.call(method, &path, &token, Value::Null).await.assert_problem(404, "not-found");
    }
    shop.sign_in("ann@example.org", "correct horse").await.assert_problem(401, "unauthorized");
    let list = shop.call("GET", "/users", &token, Value::Null).await;
    assert_eq!(list.body["items"], json!([]));
    let told = shop.told().await.pop().unwrap();
    assert_eq!(told, ("users.deleted".to_owned(), json!({ "user_id": id })));
    assert_eq!(shop.sign_up("New", "ann@example.org").await.status, 201);
}

#[tokio::test]
async fn e8_the_operator_pages_through_all_and_a_customer_sees_only_themself() {
    let shop = Shop::new();
    let mut ids = Vec::new();
    for number in 0..5 {
        // Two of them in the same moment: the tie is broken by id.
        shop.clock.advance(Duration::from_secs(number / 2));
        let made = shop.sign_up("Ann", &format!("ann{number}@example.org")).await;
        ids.push(made.text("id").to_owned());
    }
    let (mut seen, mut path) = (Vec::new(), "/users?limit=2".to_owned());
    loop {
        let page = shop.call("GET", &path, shop.operator(), Value::Null).await;
        let items = page.body["items"].as_array().unwrap();
        seen.extend(items.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body.get("next") else { break };
        path = format!("/users?limit=2&cursor={}", next.as_str().unwrap());
    }
    ids.sort();
    seen.sort();
    assert_eq!(seen, ids);
    let token = shop.sign_in("ann3@example.org", "correct horse").await.text("token").to_owned();
    let own = shop.call("GET", "/users", &token, Value::Null).await;
    assert_eq!(own.body["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(own.body["items"][0]["email"], "ann3@example.org");
    for path in ["/users?cursor=nonsense", "/users?limit=-1", "/users?limit=x"] {
        let wrong = shop.call("GET", path, shop.operator(), Value::Null).await;
        wrong.assert_problem(400, "malformed");
    }
    shop.call("GET", "/users", "", Value::Null).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn e4_other_methods_are_405_with_those_allowed() {
    let shop = Shop::new();
    let cases = [("/users", "DELETE"), ("/users/1", "POST"), ("/sessions", "GET")];
    for (path, method) in cases {
        let answer = shop.call(method, path, "", Value::Null).await;
        answer.assert_problem(405, "method");
        let options = shop.call("OPTIONS", path, "", Value::Null).await;
        assert_eq!((options.status, options.header("allow")), (204, answer.header("allow")));
        assert!(!answer.header("allow").contains(method), "{path}");
    }
}

#[tokio::test]
async fn a_secret_is_never_shown() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    for (path, token) in [(format!("/users/{id}"), &*token), ("/users".to_owned(), shop.operator())]
    {
        let shown = shop.call("GET", &path, token, Value::Null).await.body.to_string();
        assert!(!shown.contains("password") && !shown.contains("argon2"), "{shown}");
    }
}
