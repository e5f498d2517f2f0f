//! The steps of the walk: every operation, asked by whoever may, so that each gives its good answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::contract::{Answered, Contract};
use crate::{Shop, Somebody, eventually, operators};

async fn call(
    shop: &Shop,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answered {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(format!("{}{path}", shop.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(ToString::to_string).unwrap_or_default();
    let answer = client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answered { status: head.status.as_u16(), headers: head.headers, body }
}

/// One walk through the shop: who calls, and what the path's parameters are.
pub(super) struct Walk<'a> {
    pub(super) shop: &'a Shop,
    pub(super) contract: Contract,
    pub(super) token: String,
    pub(super) values: BTreeMap<&'static str, String>,
}

impl Walk<'_> {
    async fn go(&mut self, operation: &str, body: Option<Value>) -> Value {
        self.ask(operation, "", &[], body).await
    }

    async fn ask(
        &mut self,
        operation: &str,
        query: &str,
        more: &[(&str, &str)],
        body: Option<Value>,
    ) -> Value {
        let (method, template) = operation.split_once(' ').unwrap();
        let mut path = template.to_owned();
        for (name, value) in &self.values {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        path.push_str(query);
        let token = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", token.as_str())];
        if self.token.is_empty() {
            headers.clear();
        }
        headers.extend_from_slice(more);
        let answered = call(self.shop, method, &path, &headers, body.as_ref()).await;
        self.contract.hold(operation, &answered)
    }

    fn at(&mut self, name: &'static str, value: &Value) {
        self.values.insert(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
}

pub(super) async fn as_a_customer(walk: &mut Walk<'_>, ada: &Somebody) {
    walk.token.clone_from(&ada.token);
    walk.at("id", &json!(ada.id));
    walk.go("GET /api/v1/users", None).await;
    walk.go("GET /api/v1/users/{id}", None).await;
    walk.go("PATCH /api/v1/users/{id}", Some(json!({ "name": "Ada King" }))).await;
    let text = [("content-type", "text/plain")];
    walk.ask("PATCH /api/v1/users/{id}", "", &text, Some(json!({}))).await;
    let coded = [("content-type", "application/json"), ("content-encoding", "gzip")];
    walk.ask("PATCH /api/v1/users/{id}", "", &coded, Some(json!({}))).await;
    let whole = json!({ "name": "Ada", "email": "ada@example.org" });
    walk.go("PUT /api/v1/users/{id}", Some(whole)).await;
    walk.go("GET /api/v2/users", None).await;
    walk.go("GET /api/v2/users/{id}", None).await;
    let any = [("if-match", "*")];
    let part = json!({ "family_name": null });
    walk.go("PATCH /api/v2/users/{id}", Some(part.clone())).await;
    walk.ask("PATCH /api/v2/users/{id}", "", &any, Some(part)).await;
    let whole = json!({ "given_name": "A", "family_name": "L", "email": "ada@example.org" });
    walk.ask("PUT /api/v2/users/{id}", "", &any, Some(whole)).await;
    walk.go("GET /api/v1/sessions/current", None).await;
    walk.go("GET /api/v1/users/{id}/posts", None).await;
    let post = json!({ "title": "One", "content": "two\nthree", "tags": ["four"] });
    let post = walk.go("POST /api/v1/users/{id}/posts", Some(post)).await;
    walk.at("id", &post["id"]);
    walk.go("GET /api/v1/posts/{id}", None).await;
    walk.go("PATCH /api/v1/posts/{id}", Some(json!({ "title": "Two" }))).await;
    walk.go("PUT /api/v1/posts/{id}", Some(json!({ "title": "a", "content": "b" }))).await;
    let words = json!({ "content": "well said" });
    let comment = walk.go("POST /api/v1/posts/{id}/comments", Some(words.clone())).await;
    walk.at("comment_id", &comment["id"]);
    walk.go("GET /api/v1/posts/{id}/comments", None).await;
    for (method, body) in [("GET", None), ("PATCH", Some(words.clone())), ("PUT", Some(words))] {
        walk.go(&format!("{method} /api/v1/posts/{{id}}/comments/{{comment_id}}"), body).await;
    }
    walk.go("DELETE /api/v1/posts/{id}/comments/{comment_id}", None).await;
    walk.go("GET /api/v1/posts", None).await;
    walk.go("GET /api/v1/tags", None).await;
    walk.go("DELETE /api/v1/posts/{id}", None).await;
    walk.at("id", &json!(ada.account));
    walk.go("GET /api/v1/accounts", None).await;
    walk.go("GET /api/v1/accounts/{id}", None).await;
    walk.go("GET /api/v1/accounts/{id}/events", None).await;
    walk.at("seq", &json!(2));
    walk.go("GET /api/v1/accounts/{id}/events/{seq}", None).await;
    for way in ["deposits", "withdrawals"] {
        let amount = Some(json!({ "amount": 5 }));
        walk.go(&format!("POST /api/v1/accounts/{{id}}/{way}"), amount).await;
    }
}

pub(super) async fn as_an_orderer(walk: &mut Walk<'_>, ada: &Somebody) {
    let sku = walk.shop.sku().await;
    walk.at("sku", &json!(sku));
    let order = json!({
        "account_id": ada.account,
        "items": [{ "sku": sku, "quantity": 1 }],
        "ship_to": { "name": "A", "address": "B", "city": "C", "country": "DE" },
    });
    let key = [("idempotency-key", "\"one\"")];
    // While the broker stands still nothing has been done that could not be undone.
    walk.shop.operate("/api/v1/operator/broker", json!({ "running": false })).await;
    let another = [("idempotency-key", "another")];
    let placed = walk.ask("POST /api/v1/orders", "", &another, Some(order.clone())).await;
    walk.at("id", &placed["id"]);
    walk.go("POST /api/v1/orders/{id}/cancellation", None).await;
    walk.shop.operate("/api/v1/operator/broker", json!({ "running": true })).await;
    let placed = walk.ask("POST /api/v1/orders", "", &key, Some(order.clone())).await;
    walk.ask("POST /api/v1/orders", "", &key, Some(order)).await;
    walk.at("id", &placed["id"]);
    let path = format!("/api/v1/orders/{}", placed["id"].as_str().unwrap());
    eventually("the order to end", || async {
        let order = walk.shop.get(&path, Some(&ada.token)).await.body;
        (order["status"] == "completed").then_some(())
    })
    .await;
    walk.go("GET /api/v1/orders", None).await;
    let order = walk.go("GET /api/v1/orders/{id}", None).await;
    walk.go("GET /api/v1/orders/{id}/events", None).await;
    walk.go("POST /api/v1/orders/{id}/cancellation", None).await;
    walk.at("id", &order["shipment_id"]);
    walk.go("GET /api/v1/shipments", None).await;
    walk.go("GET /api/v1/shipments/{id}", None).await;
    for (list, one) in [("notifications", "notification"), ("mailbox", "letter")] {
        let path = format!("/api/v1/{list}?limit=1");
        let first = eventually(one, || async {
            let page = walk.shop.get(&path, Some(&ada.token)).await.body;
            page["items"].as_array().unwrap().first().cloned()
        });
        let first = first.await;
        walk.at("id", &first["id"]);
        walk.go(&format!("GET /api/v1/{list}"), None).await;
        walk.go(&format!("GET /api/v1/{list}/{{id}}"), None).await;
    }
    walk.at("id", &placed["id"]);
}

pub(super) async fn as_the_operator(walk: &mut Walk<'_>) {
    walk.token.clone_from(&walk.shop.operator);
    let sagas = "/api/v1/operator/sagas";
    walk.go(&format!("GET {sagas}"), None).await;
    walk.go(&format!("GET {sagas}/diagram"), None).await;
    walk.ask(&format!("GET {sagas}/diagram"), "?format=svg", &[], None).await;
    walk.go(&format!("GET {sagas}/{{id}}"), None).await;
    walk.go(&format!("GET {sagas}/{{id}}/diagram.svg"), None).await;
    walk.go(&format!("POST {sagas}/{{id}}/retry"), None).await;
    stuck(walk).await;
    walk.go("PUT /api/v1/stock/{sku}", Some(json!({ "on_hand": 70 }))).await;
    let other = [("if-match", "\"another\"")];
    walk.ask("PUT /api/v2/stock/{sku}", "", &other, Some(json!({ "on_hand": 70 }))).await;
    let any = [("if-match", "*")];
    walk.ask("PUT /api/v2/stock/{sku}", "", &any, Some(json!({ "on_hand": 70 }))).await;
    walk.go("GET /api/v1/operator/payments/totals", None).await;
    walk.ask("GET /api/v1/operator/records", "?topic=orders.events", &[], None).await;
    walk.go("GET /api/v1/operator/backup", None).await;
    walk.at("name", &json!("inventory"));
    walk.go("GET /api/v1/resilience", None).await;
    walk.go("GET /api/v1/resilience/{name}", None).await;
    walk.go("GET /api/v1/products", None).await;
    walk.go("GET /api/v1/products/{sku}", None).await;
    let taken = json!({ "state": "isolated", "why": "a walk" });
    walk.go("PUT /api/v1/resilience/{name}/override", Some(taken)).await;
    // What everybody may see is still shown, and what it is told.
    walk.go("GET /api/v1/products", None).await;
    walk.go("GET /api/v1/products/{sku}", None).await;
    walk.go("GET /api/v1/stock/{sku}", None).await;
    walk.go("PUT /api/v1/resilience/{name}/override", Some(json!({ "state": 7 }))).await;
    walk.go("DELETE /api/v1/resilience/{name}/override", None).await;
    let settings = json!({ "settings": { "failure_rate": 0.4 }, "why": "a walk" });
    walk.go("PATCH /api/v1/resilience/{name}", Some(settings)).await;
    walk.go("GET /api/v1/resilience", None).await;
    let nowhere = Some(json!({ "folder": "not/absolute" }));
    walk.go("POST /api/v1/operator/backup", nowhere).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("backup");
    walk.go("POST /api/v1/operator/backup", Some(json!({ "folder": folder }))).await;
    walk.at("name", &json!("email"));
    for (operation, body) in [
        ("GET /api/v1/operator/notifications/routes", None),
        ("GET /api/v1/operator/notifications/groups", None),
        ("GET /api/v1/operator/notifications/groups/{name}", None),
        ("POST /api/v1/operator/notifications/groups/{name}", Some(json!({ "failing": false }))),
        ("GET /api/v1/operator/notifications/analytics", None),
        ("GET /api/v1/operator/notifications/mailbox", None),
    ] {
        walk.go(operation, body).await;
    }
    parked(walk).await;
}

/// An order whose undo cannot be done: tried again, and then done by hand.
async fn stuck(walk: &mut Walk<'_>) {
    let eve = walk.shop.somebody("eve@example.com", 10_000_000).await;
    let id = operators::stuck_order(walk.shop, &eve).await;
    let completed = walk.values.insert("id", id.clone());
    let saga = "/api/v1/operator/sagas/{id}";
    walk.go(&format!("POST {saga}/retry"), None).await;
    operators::stuck_again(walk.shop, &id).await;
    let reason = Some(json!({ "reason": "by hand" }));
    walk.go(&format!("POST {saga}/resolution"), reason).await;
    walk.values.extend(completed.map(|id| ("id", id)));
}

/// A key that is blocked, as every service shows its own.
async fn parked(walk: &mut Walk<'_>) {
    let record = json!({
        "topic": "inventory.commands", "kind": "inventory.reserve", "key": "bad", "payload": "{}",
    });
    walk.go("POST /api/v1/operator/records", Some(record.clone())).await;
    walk.go("POST /api/v1/operator/records", Some(record)).await;
    let path = "/api/v1/operator/inventory/dead";
    let head = eventually("the key to be parked", || async {
        let page = walk.shop.get(path, Some(&walk.shop.operator)).await.body;
        let mut items = page["items"].as_array().unwrap().iter();
        items.find(|it| it["state"] == "parked" && it["depth"] == 2).cloned()
    })
    .await;
    walk.at("group", &head["group"]);
    walk.at("key", &json!("bad"));
    let key = "/api/v1/operator/inventory/dead/{group}/{key}";
    walk.go(&format!("GET {key}"), None).await;
    for entry in [json!(0), head["head"]["entry"].clone()] {
        let skip = Some(json!({ "entry": entry, "reason": "not this one, but that one" }));
        walk.go(&format!("POST {key}/skip"), skip).await;
    }
    walk.go(&format!("POST {key}/replay"), None).await;
    for name in shop_platform::topology::names() {
        for what in ["dead", "gates", "positions"] {
            walk.go(&format!("GET /api/v1/operator/{name}/{what}"), None).await;
        }
    }
}

pub(super) async fn as_anybody(walk: &mut Walk<'_>) {
    walk.token.clear();
    for path in ["/", "/livez", "/readyz", "/startupz", "/versions", "/problems", "/metrics"] {
        walk.go(&format!("GET {path}"), None).await;
    }
    walk.go("GET /openapi.json", None).await;
    walk.go("GET /.well-known/jwks.json", None).await;
    let markdown = [("accept", "text/markdown")];
    walk.ask("GET /versions", "", &markdown, None).await;
    walk.ask("GET /api/v1/products", "", &[("accept", "text/html")], None).await;
    walk.at("slug", &json!("validation"));
    walk.go("GET /problems/{slug}", None).await;
    for path in ["products", "products/{sku}", "stock/{sku}"] {
        walk.go(&format!("GET /api/v1/{path}"), None).await;
    }
    walk.go("GET /api/v2/stock/{sku}", None).await;
    walk.ask("GET /api/v1/products", "", &[("if-none-match", "*")], None).await;
    let who = json!({ "name": "Bob", "email": "bob@example.org", "password": "12345678" });
    let bob = walk.go("POST /api/v1/users", Some(who.clone())).await;
    walk.go("POST /api/v1/users", Some(who)).await;
    walk.go("POST /api/v1/users", Some(json!({ "name": 7 }))).await;
    let credentials = json!({ "email": "bob@example.org", "password": "12345678" });
    let session = walk.go("POST /api/v1/sessions", Some(credentials)).await;
    walk.go("GET /api/v1/orders", None).await;
    walk.at("id", &bob["id"]);
    walk.token = session["token"].as_str().unwrap().to_owned();
    let account = json!({ "currency": "EUR" });
    walk.go("POST /api/v1/accounts", Some(account)).await;
    walk.go("DELETE /api/v1/users/{id}", None).await;
    walk.go("GET /api/v1/users/{id}", None).await;
    walk.token.clear();
    let who = json!({
        "given_name": "Cy", "family_name": "", "email": "cy@example.org", "password": "12345678",
    });
    let cy = walk.go("POST /api/v2/users", Some(who)).await;
    walk.at("id", &cy["id"]);
    walk.token.clone_from(&walk.shop.operator);
    walk.go("DELETE /api/v2/users/{id}", None).await;
}
