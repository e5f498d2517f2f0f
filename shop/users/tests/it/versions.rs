//! Users in both versions: the same rows, other names; conditions on changes; and what says that v1 ends.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::{Answer, Shop};

impl Shop {
    /// Calls any path, with a condition unless it is empty.
    async fn ask(&self, method: &str, path: &str, token: &str, tag: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !tag.is_empty() {
            request = request.header("if-match", tag);
        }
        let kind =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request.header("content-type", kind).body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }
}

/// Given name, family name.
fn names(answer: &Answer) -> (&str, &str) {
    (answer.text("given_name"), answer.text("family_name"))
}

#[tokio::test]
async fn e9_both_versions_show_the_same_row_and_a_name_is_read_as_it_was_written() {
    let shop = Shop::new();
    let body = json!({
        "given_name": "Ana", "family_name": "de la Cruz",
        "email": "ana@example.org", "password": "correct horse",
    });
    let made = shop.ask("POST", "/api/v2/users", "", "", body).await;
    let id = made.text("id").to_owned();
    let (v1, v2) = (format!("/api/v1/users/{id}"), format!("/api/v2/users/{id}"));
    assert_eq!(
        (made.status, made.header("location"), names(&made)),
        (201, &*v2, ("Ana", "de la Cruz"))
    );
    assert_eq!(made.body["_links"]["edit"], json!({ "href": v2, "method": "PATCH" }));
    let token = shop.sign_in("ana@example.org", "correct horse").await.text("token").to_owned();
    let read = shop.ask("GET", &v2, &token, "", Value::Null).await;
    assert_eq!((&read.body, read.header("etag")), (&made.body, made.header("etag")));
    let old = shop.ask("GET", &v1, &token, "", Value::Null).await;
    assert_eq!(old.text("name"), "Ana de la Cruz");

    // What v1 sets is parted before its last word; the same name again says nothing of its parts.
    for (name, expected) in [
        ("Ana de la Cruz", ("Ana", "de la Cruz")),
        ("Ana Maria Cruz", ("Ana Maria", "Cruz")),
        ("Ana", ("Ana", "")),
    ] {
        let changed = shop.ask("PATCH", &v1, &token, "", json!({ "name": name })).await;
        assert_eq!((changed.status, changed.text("name")), (200, name));
        assert_eq!(names(&shop.ask("GET", &v2, &token, "", Value::Null).await), expected);
    }
    let list = shop.ask("GET", "/api/v2/users", &token, "", Value::Null).await;
    assert_eq!(list.body["items"][0]["given_name"], "Ana");
}

#[tokio::test]
async fn e6_version_2_changes_nothing_without_a_condition_and_only_what_was_read() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    let path = format!("/api/v2/users/{id}");
    let put = json!({ "given_name": "Ann", "family_name": "Lee", "email": "ann@example.org" });
    for (method, body) in [("PUT", put.clone()), ("PATCH", json!({ "given_name": "A" }))] {
        let without = shop.ask(method, &path, &token, "", body).await;
        without.assert_problem(428, "precondition-required");
    }
    let first = shop.ask("GET", &path, &token, "", Value::Null).await.header("etag").to_owned();
    shop.clock.advance(Duration::from_secs(1));
    let second = shop.ask("PUT", &path, &token, &first, put.clone()).await;
    assert_eq!((second.status, names(&second)), (200, ("Ann", "Lee")));
    let now = second.header("etag").to_owned();
    assert_ne!(now, first);
    for (method, body) in [("PUT", put), ("PATCH", json!({})), ("DELETE", Value::Null)] {
        let late = shop.ask(method, &path, &token, &first, body).await;
        late.assert_problem(412, "precondition-failed");
        assert_eq!(late.header("etag"), now, "{method}");
    }
    let weak = shop.ask("PATCH", &path, &token, &format!("W/{now}"), json!({})).await;
    weak.assert_problem(412, "precondition-failed");
    // A tag is of one address: the old version's is another.
    let old = shop.ask("GET", &format!("/api/v1/users/{id}"), &token, "", Value::Null).await;
    assert_ne!(old.header("etag"), now);
    let removed = shop.ask("PATCH", &path, &token, &now, json!({ "family_name": null })).await;
    assert_eq!((removed.status, names(&removed)), (200, ("Ann", "")));
    assert_eq!(shop.ask("DELETE", &path, &token, "*", Value::Null).await.status, 204);
    shop.ask("DELETE", &path, &token, "*", Value::Null).await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn e6_of_two_who_change_the_same_state_one_wins_and_the_other_learns_of_it() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    for (version, field) in [("v1", "name"), ("v2", "given_name")] {
        let path = format!("/api/{version}/users/{id}");
        let tag = shop.ask("GET", &path, &token, "", Value::Null).await.header("etag").to_owned();
        shop.clock.advance(Duration::from_secs(1));
        let change = |name: &str| json!({ field: format!("{name} of {version}") });
        let calls = ["one", "two", "three", "four"]
            .map(|name| shop.ask("PATCH", &path, &token, &tag, change(name)));
        let answers = futures_util::future::join_all(calls).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412], "{version}");
        let now = shop.ask("GET", &path, &token, "", Value::Null).await;
        for answer in &answers {
            assert_eq!(answer.header("etag"), now.header("etag"), "winner and losers know it");
        }
    }
}

#[tokio::test]
async fn e2_names_of_version_2_have_bounds_and_all_mistakes_come_at_once() {
    let shop = Shop::new();
    let body =
        json!({ "given_name": "", "family_name": "x".repeat(101), "email": "x", "password": "y" });
    let wrong = shop.ask("POST", "/api/v2/users", "", "", body).await;
    wrong.assert_problem(422, "validation");
    let places = wrong.pointers();
    for place in ["#/given_name", "#/family_name", "#/email", "#/password"] {
        assert!(places.contains(&place), "{place} in {places:?}");
    }
    let (id, token) = shop.customer("ann").await;
    let path = format!("/api/v2/users/{id}");
    let long = json!({ "given_name": "x".repeat(60), "family_name": "y".repeat(40), "email": "ann@example.org" });
    let long = shop.ask("PUT", &path, &token, "*", long).await;
    assert_eq!((long.status, long.pointers()), (422, vec!["#/family_name"]));
    let half = json!({ "family_name": "y".repeat(99) });
    shop.ask("PATCH", &path, &token, "*", half).await.assert_problem(422, "unprocessable");
    let null = shop.ask("PATCH", &path, &token, "*", json!({ "given_name": null })).await;
    assert_eq!(null.pointers(), ["#/given_name"]);
}

#[tokio::test]
async fn e9_answers_of_version_1_say_that_it_ends_and_no_others() {
    let shop = Shop::new();
    let (id, token) = shop.customer("ann").await;
    for (path, is_deprecated) in [
        ("/api/v1/users".to_owned(), true),
        (format!("/api/v1/users/{id}"), true),
        ("/api/v1/users/nobody".to_owned(), true),
        (format!("/api/v2/users/{id}"), false),
        ("/api/v1/sessions/current".to_owned(), false),
    ] {
        let answer = shop.ask("GET", &path, &token, "", Value::Null).await;
        for header in ["deprecation", "sunset", "link"] {
            assert_eq!(!answer.header(header).is_empty(), is_deprecated, "{path} {header}");
        }
    }
    let answer = shop.ask("GET", "/api/v1/users", &token, "", Value::Null).await;
    assert_eq!(answer.header("deprecation"), "@1795737600");
    assert_eq!(answer.header("sunset"), "Tue, 30 Nov 2027 00:00:00 GMT");
    let links = answer.header("link");
    assert!(links.contains("</versions>; rel=\"deprecation\""), "{links}");
    assert!(links.contains("</api/v2/users>; rel=\"successor-version\""), "{links}");
}

#[tokio::test]
async fn e8_the_operator_reads_users_there_and_back_in_both_versions() {
    let shop = Shop::new();
    for number in 0..5 {
        shop.clock.advance(Duration::from_secs(1));
        shop.sign_up("Ann", &format!("ann{number}@example.org")).await;
    }
    for version in ["v1", "v2"] {
        let path = format!("/api/{version}/users");
        let read = async |at: &str| shop.ask("GET", at, shop.operator(), "", Value::Null).await;
        let first = read(&format!("{path}?limit=2")).await;
        let next = first.body["_links"]["next"]["href"].as_str().unwrap().to_owned();
        assert!(next.starts_with(&path), "{next}");
        let second = read(&next).await;
        let back = read(second.body["_links"]["prev"]["href"].as_str().unwrap()).await;
        assert_eq!(back.body["items"], first.body["items"]);
        assert_eq!(back.body["_links"].get("prev"), None);
    }
}

#[tokio::test]
async fn e10_guessing_too_often_is_429_with_when_to_come_back() {
    let shop = Shop::new();
    shop.customer("ann").await;
    for _ in 0..10 {
        shop.sign_in("ann@example.org", "wrong horse").await.assert_problem(401, "unauthorized");
    }
    let refused = shop.sign_in("ann@example.org", "correct horse").await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!(refused.header("retry-after"), "60");
    assert_eq!(refused.header("ratelimit-policy"), "\"guesses\";q=10;w=60");
}
