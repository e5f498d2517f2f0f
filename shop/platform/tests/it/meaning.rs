//! One meaning in three protocols: the same cases over REST, GraphQL and gRPC, at the same public port, and the same answer from each.
//!
//! A case is said once for each protocol; what comes back is brought into one form (`Meaning`) and must be equal.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use shop_contracts::rpc::common::{Item, ShipTo};
use shop_contracts::rpc::content::UpdatePostRequest;
use shop_contracts::rpc::content::content_service_client::ContentServiceClient;
use shop_contracts::rpc::inventory::ListProductsRequest;
use shop_contracts::rpc::inventory::inventory_service_client::InventoryServiceClient;
use shop_contracts::rpc::orders::order_service_client::OrderServiceClient;
use shop_contracts::rpc::orders::{
    CancelOrderRequest, GetOrderRequest, ListOrdersRequest, PlaceOrderRequest,
};
use shop_contracts::rpc::payments::DepositRequest;
use shop_contracts::rpc::payments::payment_service_client::PaymentServiceClient;
use shop_contracts::rpc::users::user_service_client::UserServiceClient;
use shop_contracts::rpc::users::{GetUserRequest, SignUpRequest};
use shop_edge::rpc::{Deadline, Line, OnBehalf, Stub};
use shop_edge::{Auth, Problem, Upstreams};
use std::sync::Arc;
use std::time::Duration;
use switchboard_core::SystemClock;
use tonic::Status;

use crate::{Shop, Somebody};

/// An id that nothing has.
const NOBODY: &str = "0191d3a0-0000-7000-8000-0123456789ab";

/// What a refusal says, whatever carries it: its reason, and which fields are wrong.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    reason: String,
    fields: Vec<String>,
}

impl Meaning {
    fn new(reason: &str, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Self { reason: reason.to_owned(), fields }
    }

    /// Of a problem, or of the extensions of a GraphQL error.
    fn of_json(reason: &str, told: &Value) -> Self {
        let errors = told["errors"].as_array();
        let pointer = |error: &Value| error["pointer"].as_str().unwrap_or_default().to_owned();
        let fields = errors.into_iter().flatten().map(pointer).collect();
        Self { reason: reason.to_owned(), fields }
    }

    fn of_rest(body: &Value) -> Self {
        Self::of_json(Problem::of_json(body).reason(), body)
    }

    fn of_graphql(body: &Value) -> Self {
        let told = &body["errors"][0]["extensions"];
        Self::of_json(told["code"].as_str().unwrap_or_default(), told)
    }

    fn of_rpc(status: &Status) -> Self {
        let problem = Problem::from(status);
        let fields = problem.errors().iter().map(|error| error.pointer.clone()).collect();
        Self { reason: problem.reason().to_owned(), fields }
    }
}

/// Somebody who speaks all three.
struct Three<'a> {
    shop: &'a Shop,
    http: Http<hyper_util::client::legacy::connect::HttpConnector, Body>,
    auth: Auth,
}

impl<'a> Three<'a> {
    fn new(shop: &'a Shop) -> Self {
        let auth = Auth::ephemeral(Arc::new(SystemClock)).unwrap();
        Self { shop, http: Http::builder(TokioExecutor::new()).build_http(), auth }
    }

    async fn rest(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        headers: &[(HeaderName, &str)],
        body: Option<Value>,
    ) -> Value {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.shop.url));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.header(CONTENT_TYPE, "application/json").body(body).unwrap();
        let answer = self.http.request(request).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn graphql(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        self.graphql_with(token, &[], query, variables).await
    }

    async fn graphql_with(
        &self,
        token: Option<&str>,
        headers: &[(HeaderName, &str)],
        query: &str,
        variables: Value,
    ) -> Value {
        let body = json!({ "query": query, "variables": variables });
        self.rest(Method::POST, "/graphql", token, headers, Some(body)).await
    }

    /// A line to the public port: what it adds for the shop's own calls is dropped there.
    fn line(&self, service: &'static str) -> Line {
        let authority = self.shop.url.trim_start_matches("http://").parse().unwrap();
        Line::new(service, Upstreams::new([authority]), &self.auth)
    }

    fn rpc(&self, service: &'static str, token: Option<&str>) -> Stub {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            headers.insert(AUTHORIZATION, bearer);
        }
        let on = OnBehalf::of(&headers, Deadline::after(Duration::from_secs(20)));
        self.line(service).on_behalf(on)
    }
}

fn check(case: &str, expected: Meaning, rest: &Value, graphql: &Value, rpc: &Status) {
    assert_eq!(Meaning::of_rest(rest), expected, "{case} over REST: {rest}");
    assert_eq!(Meaning::of_graphql(graphql), expected, "{case} over GraphQL: {graphql}");
    assert_eq!(Meaning::of_rpc(rpc), expected, "{case} over gRPC: {rpc:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_refusals_over_all_three() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    let three = Three::new(&shop);
    sign_up(&three).await;
    hidden_order(&three, &ada).await;
    denied(&three).await;
    late(&three, &ada).await;
    stale(&three, &ada).await;
    forbidden(&three, &ada).await;
    other_body(&three, &ada).await;
    shop.end().await;
}

/// Validation, and a conflict.
async fn sign_up(three: &Three<'_>) {
    const SIGN_UP: &str = "mutation($input: SignUpInput!) { signUp(input: $input) { id } }";
    let cases = [
        (("", "nobody", "x"), Meaning::new("VALIDATION", &["#/name", "#/email", "#/password"])),
        (("Ada", "ada@example.com", "correct horse"), Meaning::new("CONFLICT", &[])),
    ];
    for ((name, email, password), expected) in cases {
        let input = json!({ "name": name, "email": email, "password": password });
        let rest = three.rest(Method::POST, "/api/v1/users", None, &[], Some(input.clone())).await;
        let graphql = three.graphql(None, SIGN_UP, json!({ "input": input })).await;
        let [name, email, password] = [name, email, password].map(str::to_owned);
        let mut users = UserServiceClient::new(three.rpc("users", None));
        let rpc = users.sign_up(SignUpRequest { name, email, password }).await.unwrap_err();
        check("sign up", expected, &rest, &graphql, &rpc);
    }
}

/// Somebody else's order is as little there as one that nobody has placed.
async fn hidden_order(three: &Three<'_>, ada: &Somebody) {
    const ORDER: &str = "query($id: ID!) { order(id: $id) { id } }";
    const CANCEL: &str = "mutation($id: ID!) { cancelOrder(id: $id) { id } }";
    let eve = three.shop.somebody("eve@example.com", 0).await;
    let token = Some(&*eve.token);
    let placed = three.shop.order(ada, "hidden", json!({})).await.body;
    let not_found = || Meaning::new("NOT_FOUND", &[]);
    for id in [NOBODY, placed["id"].as_str().unwrap()] {
        let path = format!("/api/v1/orders/{id}");
        let rest = three.rest(Method::GET, &path, token, &[], None).await;
        let mut orders = OrderServiceClient::new(three.rpc("orders", token));
        let asked = GetOrderRequest { id: id.to_owned() };
        let rpc = orders.get_order(asked).await.unwrap_err();
        assert_eq!((Meaning::of_rest(&rest), Meaning::of_rpc(&rpc)), (not_found(), not_found()));
        // A graph has a word of its own for what is not there to be read.
        let graphql = three.graphql(token, ORDER, json!({ "id": id })).await;
        assert!(graphql["data"]["order"].is_null() && graphql["errors"].is_null(), "{graphql}");

        let path = format!("{path}/cancellation");
        let rest = three.rest(Method::POST, &path, token, &[], None).await;
        let graphql = three.graphql(token, CANCEL, json!({ "id": id })).await;
        let asked = CancelOrderRequest { id: id.to_owned() };
        let rpc = orders.cancel_order(asked).await.unwrap_err();
        check("cancel a hidden order", not_found(), &rest, &graphql, &rpc);
    }
}

/// A deposit over all three, as somebody with a key, and what each was refused with.
async fn deposit(
    three: &Three<'_>,
    token: &str,
    account: &str,
    (key, amount): (&str, i64),
) -> (Value, Value, Status) {
    const DEPOSIT: &str = "mutation($id: ID!, $amount: Long!, $key: String!) { \
        deposit(accountId: $id, amount: $amount, idempotencyKey: $key) { seq } }";
    let path = format!("/api/v1/accounts/{account}/deposits");
    let name = [(HeaderName::from_static("idempotency-key"), key)];
    let body = json!({ "amount": amount });
    let rest = three.rest(Method::POST, &path, Some(token), &name, Some(body)).await;
    let variables = json!({ "id": account, "amount": amount, "key": key });
    let graphql = three.graphql(Some(token), DEPOSIT, variables).await;
    let asked =
        DepositRequest { account_id: account.to_owned(), amount, idempotency_key: key.to_owned() };
    let mut payments = PaymentServiceClient::new(three.rpc("payments", Some(token)));
    (rest, graphql, payments.deposit(asked).await.unwrap_err())
}

/// The operator sees every account, and moves nobody's money.
async fn forbidden(three: &Three<'_>, ada: &Somebody) {
    let operator = &three.shop.operator;
    let (rest, graphql, rpc) = deposit(three, operator, &ada.account, ("of theirs", 5)).await;
    check("foreign money", Meaning::new("FORBIDDEN", &[]), &rest, &graphql, &rpc);
}

/// A key that was used before names that call for ever, over whatever it comes again.
async fn other_body(three: &Three<'_>, ada: &Somebody) {
    let path = format!("/api/v1/accounts/{}/deposits", ada.account);
    let name = [(HeaderName::from_static("idempotency-key"), "mine")];
    let body = json!({ "amount": 5 });
    let first = three.rest(Method::POST, &path, Some(&ada.token), &name, Some(body)).await;
    assert!(first["seq"].is_u64(), "{first}");
    let (rest, graphql, rpc) = deposit(three, &ada.token, &ada.account, ("mine", 6)).await;
    check("another body", Meaning::new("UNPROCESSABLE", &[]), &rest, &graphql, &rpc);
}

async fn denied(three: &Three<'_>) {
    let rest = three.rest(Method::GET, "/api/v1/orders", None, &[], None).await;
    let graphql = three.graphql(None, "{ orders { nodes { id } } }", json!({})).await;
    let rpc = OrderServiceClient::new(three.rpc("orders", None))
        .list_orders(ListOrdersRequest::default())
        .await
        .unwrap_err();
    check("nobody's orders", Meaning::new("UNAUTHORIZED", &[]), &rest, &graphql, &rpc);
}

/// A deadline that cannot be met ends as such, wherever it is noticed.
async fn late(three: &Three<'_>, ada: &Somebody) {
    let soon = [(HeaderName::from_static("x-request-timeout-ms"), "1")];
    let token = Some(&*ada.token);
    let path = format!("/api/v1/users/{}", ada.id);
    let rest = three.rest(Method::GET, &path, token, &soon, None).await;
    let query = "query($id: ID!) { user(id: $id) { id posts { id comments { id } } } }";
    let graphql = three.graphql_with(token, &soon, query, json!({ "id": ada.id })).await;
    let request = Request::post("/shop.users.v1.UserService/GetUser")
        .header(CONTENT_TYPE, "application/grpc")
        .header(AUTHORIZATION, format!("Bearer {}", ada.token))
        .header("grpc-timeout", "1m")
        .body(Body::from(framed(&GetUserRequest { id: ada.id.clone() })))
        .unwrap();
    let answer = three.line("users").send(request).await.unwrap();
    let rpc = Status::from_header_map(answer.headers()).unwrap();
    check("no time", Meaning::new("TIMEOUT", &[]), &rest, &graphql, &rpc);
}

fn framed(message: &impl prost::Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0][..], &length, &bytes].concat()
}

/// GraphQL changes no posts; over the other two a stale version is one refusal.
async fn stale(three: &Three<'_>, ada: &Somebody) {
    let (token, path) = (Some(&*ada.token), format!("/api/v1/users/{}/posts", ada.id));
    let post = json!({ "title": "First", "content": "Hello" });
    let post = three.rest(Method::POST, &path, token, &[], Some(post)).await;
    let id = post["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/posts/{id}");
    let old = [(IF_MATCH, "\"of-long-ago\"")];
    let change = json!({ "title": "Second" });
    let rest = three.rest(Method::PATCH, &path, token, &old, Some(change)).await;
    let change = UpdatePostRequest {
        id,
        title: Some("Second".to_owned()),
        expected_version: Some(9_999),
        ..UpdatePostRequest::default()
    };
    let rpc = ContentServiceClient::new(three.rpc("content", token)).update_post(change).await;
    let (rest, rpc) = (Meaning::of_rest(&rest), Meaning::of_rpc(&rpc.unwrap_err()));
    assert_eq!(rest, Meaning::new("PRECONDITION_FAILED", &[]));
    assert_eq!(rpc, rest);
}

/// A key that was used over one protocol is known over the others, and a page goes on over another.
#[tokio::test(flavor = "multi_thread")]
async fn keys_and_pages_are_the_same_over_all_three() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    let three = Three::new(&shop);
    let token = Some(&*ada.token);
    let placed = shop.order(&ada, "one key", json!({})).await.body;
    let sku = shop.sku().await;
    let ship_to = ShipTo {
        name: "Ada".to_owned(),
        address: "1 Exchange Lane".to_owned(),
        city: "Springfield".to_owned(),
        country: "DE".to_owned(),
    };
    let again = PlaceOrderRequest {
        idempotency_key: "one key".to_owned(),
        account_id: ada.account.clone(),
        items: vec![Item { sku: sku.clone(), quantity: 1 }],
        ship_to: Some(ship_to),
    };
    let rpc = OrderServiceClient::new(three.rpc("orders", token)).place_order(again).await.unwrap();
    let rpc = rpc.into_inner();
    assert!(rpc.replayed);
    assert_eq!(rpc.order.unwrap().id, placed["id"]);
    let place = "mutation($input: PlaceOrderInput!) { placeOrder(idempotencyKey: \"one key\", \
        input: $input) { id } }";
    let ship_to = json!({
        "name": "Ada", "address": "1 Exchange Lane", "city": "Springfield", "country": "DE",
    });
    let items = json!([{ "sku": sku, "quantity": 1 }]);
    let input = json!({ "accountId": ada.account, "items": items, "shipTo": ship_to });
    let graphql = three.graphql(token, place, json!({ "input": input })).await;
    assert_eq!(graphql["data"]["placeOrder"]["id"], placed["id"], "{graphql}");

    let first = three.rest(Method::GET, "/api/v1/products?limit=2", None, &[], None).await;
    let next = first["next"].as_str().unwrap();
    let path = format!("/api/v1/products?limit=2&cursor={next}");
    let rest = three.rest(Method::GET, &path, None, &[], None).await;
    let rest: Vec<_> = rest["items"].as_array().unwrap().iter().map(|it| &it["sku"]).collect();
    let more = ListProductsRequest { page_size: 2, page_token: next.to_owned() };
    let rpc = InventoryServiceClient::new(three.rpc("inventory", None)).list_products(more).await;
    let rpc = rpc.unwrap().into_inner().products;
    assert_eq!(rpc.iter().map(|it| &*it.sku).collect::<Vec<_>>(), rest);
    let products = "query($after: String!) { products(first: 2, after: $after) { nodes { sku } } }";
    let graphql = three.graphql(None, products, json!({ "after": next })).await;
    let nodes = graphql["data"]["products"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|it| &it["sku"]).collect::<Vec<_>>(), rest);
    shop.end().await;
}
