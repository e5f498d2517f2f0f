//! The document and the running shop: what is answered is what the document says, examples included.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jsonschema::Validator;
use serde_json::{Value, json};
use shop_platform::openapi;

use crate::{Shop, Somebody, eventually};

/// The document, which of its answers were seen, and what was not as it says.
struct Contract {
    document: Value,
    seen: BTreeSet<String>,
    wrong: Vec<String>,
}

/// A call and its answer.
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Contract {
    fn new() -> Self {
        let mut document = openapi::document();
        // What is answered beyond the document would be found by nobody else.
        close(&mut document["components"]["schemas"]);
        Self { document, seen: BTreeSet::new(), wrong: Vec::new() }
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).unwrap(),
            None => value,
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "$ref": "#/schema", "schema": schema,
            "components": { "schemas": self.document["components"]["schemas"] } });
        jsonschema::draft202012::options().should_validate_formats(true).build(&whole).unwrap()
    }

    /// Holds an answer to the operation of this name: `GET /api/v1/users/{id}`.
    fn hold(&mut self, operation: &str, answered: &Answered) -> Value {
        let what = format!("{operation} {}", answered.status);
        let mut wrong = self.mistakes(operation, answered);
        wrong.iter_mut().for_each(|mistake| *mistake = format!("{what}: {mistake}"));
        self.wrong.extend(wrong);
        self.seen.insert(what);
        serde_json::from_slice(&answered.body).unwrap_or_default()
    }

    fn mistakes(&self, operation: &str, answered: &Answered) -> Vec<String> {
        let (method, template) = operation.split_once(' ').unwrap();
        let described = &self.document["paths"][template][method.to_lowercase()];
        let status = answered.status.to_string();
        let response = self.resolved(&described["responses"][&status]);
        if !response.is_object() {
            let said = String::from_utf8_lossy(&answered.body);
            return vec![format!("must not be answered: {said}")];
        }
        let mut wrong = self.mistakes_of_body(response, answered);
        for (name, header) in response["headers"].as_object().unwrap() {
            let Some(value) = answered.headers.get(name) else { continue };
            let schema = &self.resolved(header)["schema"];
            let text = value.to_str().unwrap();
            let value = match schema["type"].as_str() {
                Some("integer") => text.parse::<u64>().map_or(Value::Null, Value::from),
                _ => Value::from(text),
            };
            if !self.validator(schema).is_valid(&value) {
                wrong.push(format!("{name} is {text}"));
            }
        }
        let has = |name: &str| answered.headers.contains_key(name);
        let has_place = response["headers"]["Location"].is_object();
        if !has("x-request-id") || (status == "201" && has_place && !has("location")) {
            wrong.push(format!("lacks a header: {:?}", answered.headers));
        }
        wrong
    }

    fn mistakes_of_body(&self, response: &Value, answered: &Answered) -> Vec<String> {
        let kind = answered.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
        let kind = kind.split(';').next().unwrap();
        let said = String::from_utf8_lossy(&answered.body);
        let Some(content) = response["content"].as_object() else {
            return (!said.is_empty()).then(|| format!("has a body: {said}")).into_iter().collect();
        };
        if !content.contains_key(kind) {
            return vec![format!("is {kind}, and not one of {:?}", content.keys())];
        }
        if !kind.ends_with("json") {
            return Vec::new();
        }
        let body: Value = serde_json::from_slice(&answered.body).unwrap();
        let validator = self.validator(&content[kind]["schema"]);
        let mistakes = validator.iter_errors(&body);
        mistakes.map(|it| format!("{}: {it}", it.instance_path())).collect()
    }
}

/// Refuses fields that an object of answers does not name. Bodies of requests say it themselves.
fn close(schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().unwrap() {
        if schema["type"] == "object"
            && schema["additionalProperties"].is_null()
            && name != "Document"
        {
            schema["additionalProperties"] = false.into();
        }
    }
}

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
struct Walk<'a> {
    shop: &'a Shop,
    contract: Contract,
    token: String,
    values: BTreeMap<&'static str, String>,
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

async fn as_a_customer(walk: &mut Walk<'_>, ada: &Somebody) {
    walk.token.clone_from(&ada.token);
    walk.at("id", &json!(ada.id));
    walk.go("GET /api/v1/users", None).await;
    walk.go("GET /api/v1/users/{id}", None).await;
    walk.go("PATCH /api/v1/users/{id}", Some(json!({ "name": "Ada King" }))).await;
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

async fn as_an_orderer(walk: &mut Walk<'_>, ada: &Somebody) {
    let sku = walk.shop.sku().await;
    walk.at("sku", &json!(sku));
    let order = json!({
        "account_id": ada.account,
        "items": [{ "sku": sku, "quantity": 1 }],
        "ship_to": { "name": "A", "address": "B", "city": "C", "country": "DE" },
    });
    let key = [("idempotency-key", "\"one\"")];
    let placed = walk.ask("POST /api/v1/orders", "", &key, Some(order)).await;
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

async fn as_the_operator(walk: &mut Walk<'_>) {
    walk.token.clone_from(&walk.shop.operator);
    let sagas = "/api/v1/operator/sagas";
    walk.go(&format!("GET {sagas}"), None).await;
    walk.go(&format!("GET {sagas}/diagram"), None).await;
    walk.ask(&format!("GET {sagas}/diagram"), "?format=svg", &[], None).await;
    walk.go(&format!("GET {sagas}/{{id}}"), None).await;
    walk.go(&format!("GET {sagas}/{{id}}/diagram.svg"), None).await;
    walk.go(&format!("POST {sagas}/{{id}}/retry"), None).await;
    let reason = Some(json!({ "reason": "by hand" }));
    walk.go(&format!("POST {sagas}/{{id}}/resolution"), reason).await;
    walk.go("PUT /api/v1/stock/{sku}", Some(json!({ "on_hand": 70 }))).await;
    let other = [("if-match", "\"another\"")];
    walk.ask("PUT /api/v2/stock/{sku}", "", &other, Some(json!({ "on_hand": 70 }))).await;
    walk.go("GET /api/v1/operator/payments/totals", None).await;
    walk.ask("GET /api/v1/operator/records", "?topic=orders.events", &[], None).await;
    walk.go("GET /api/v1/operator/backup", None).await;
    walk.at("name", &json!("shipping"));
    walk.go("GET /api/v1/resilience", None).await;
    walk.go("GET /api/v1/resilience/{name}", None).await;
    let taken = json!({ "state": "isolated", "why": "a walk" });
    walk.go("PUT /api/v1/resilience/{name}/override", Some(taken)).await;
    walk.go("PUT /api/v1/resilience/{name}/override", Some(json!({ "state": 7 }))).await;
    walk.go("DELETE /api/v1/resilience/{name}/override", None).await;
    let settings = json!({ "settings": { "failure_rate": 0.4 }, "why": "a walk" });
    walk.go("PATCH /api/v1/resilience/{name}", Some(settings)).await;
    walk.go("GET /api/v1/resilience", None).await;
    let nowhere = Some(json!({ "folder": "not/absolute" }));
    walk.go("POST /api/v1/operator/backup", nowhere).await;
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

/// A key that is blocked, as every service shows its own.
async fn parked(walk: &mut Walk<'_>) {
    let record = json!({
        "topic": "inventory.commands", "kind": "inventory.reserve", "key": "bad", "payload": "{}",
    });
    walk.go("POST /api/v1/operator/records", Some(record)).await;
    let path = "/api/v1/operator/inventory/dead";
    let head = eventually("the key to be parked", || async {
        let page = walk.shop.get(path, Some(&walk.shop.operator)).await.body;
        page["items"].as_array().unwrap().iter().find(|it| it["state"] == "parked").cloned()
    })
    .await;
    walk.at("group", &head["group"]);
    walk.at("key", &json!("bad"));
    let key = "/api/v1/operator/inventory/dead/{group}/{key}";
    walk.go(&format!("GET {key}"), None).await;
    let skip = Some(json!({ "entry": 0, "reason": "not this one" }));
    walk.go(&format!("POST {key}/skip"), skip).await;
    walk.go(&format!("POST {key}/replay"), None).await;
    for name in shop_platform::topology::names() {
        for what in ["dead", "gates", "positions"] {
            walk.go(&format!("GET /api/v1/operator/{name}/{what}"), None).await;
        }
    }
}

async fn as_anybody(walk: &mut Walk<'_>) {
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

#[tokio::test(flavor = "multi_thread")]
async fn e12_what_every_operation_answers_is_what_the_document_says() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 10_000_000).await;
    let mut walk = Walk {
        shop: &shop,
        contract: Contract::new(),
        token: String::new(),
        values: BTreeMap::new(),
    };
    as_a_customer(&mut walk, &ada).await;
    as_an_orderer(&mut walk, &ada).await;
    as_the_operator(&mut walk).await;
    as_anybody(&mut walk).await;
    assert!(walk.contract.wrong.is_empty(), "{:#?}", walk.contract.wrong);
    let seen = &walk.contract.seen;
    let asked: BTreeSet<_> =
        seen.iter().filter_map(|it| it.rsplit_once(' ')).map(|it| it.0).collect();
    let all = openapi::parts();
    let all: BTreeSet<_> = all.iter().flat_map(|part| part.operations()).collect();
    // Blocked keys look the same in every service; one of them is asked.
    let missed: Vec<_> =
        all.iter().filter(|it| !it.contains("/dead/") && !asked.contains(it.as_str())).collect();
    assert!(missed.is_empty(), "operations that were not asked: {missed:#?}");
    drop(walk);
    shop.end().await;
}

#[test]
fn the_walk_would_notice_what_the_document_does_not_know() {
    let contract = Contract::new();
    let validator = contract.validator(&json!({ "$ref": "#/components/schemas/Item" }));
    assert!(validator.is_valid(&json!({ "sku": "a", "quantity": 1 })));
    for wrong in [json!({ "sku": "a" }), json!({ "sku": "a", "quantity": 1, "more": 2 })] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
    let money = contract.validator(&json!({ "$ref": "#/components/schemas/Money" }));
    assert!(!money.is_valid(&json!({ "amount": 1, "currency": "USD", "more": 2 })));
}

#[test]
fn e12_every_example_is_what_it_is_an_example_of() {
    let contract = Contract::new();
    let mut checked = 0;
    for (path, methods) in contract.document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = contract.resolved(&operation["requestBody"]);
            let responses = operation["responses"].as_object().unwrap().values();
            let answers = responses.map(|response| contract.resolved(response));
            for content in answers.chain([body]).filter_map(|it| it["content"].as_object()) {
                for content in content.values() {
                    let validator = contract.validator(&content["schema"]);
                    let many = content["examples"].as_object().into_iter().flatten();
                    let many = many.map(|(_, example)| &example["value"]);
                    for example in many.chain(content.get("example")) {
                        let wrong: Vec<_> =
                            validator.iter_errors(example).map(|it| it.to_string()).collect();
                        assert!(wrong.is_empty(), "{method} {path}: {wrong:?}\n{example:#}");
                        checked += 1;
                    }
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if let Some(example) = parameter.get("example") {
                    let valid = contract.validator(&parameter["schema"]).is_valid(example);
                    assert!(valid, "{method} {path}: {parameter:#}");
                }
            }
        }
    }
    assert!(checked > 300, "{checked}");
}
