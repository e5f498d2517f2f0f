//! The graph over services in memory: the query that must work word for word, one call for many parents, and services that are away.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shop_contracts::rpc::{common, content, inventory, orders, payments, shipping, users};
use shop_edge::page::cursor;
use shop_edge::{FieldError, Problem};
use switchboard_store::Value as Order;
use tonic::Status;

use super::Shop;

/// Parents in each list of these tests: more than are looked at in one step.
const MANY: usize = 40;
/// Posts of each, where there are many people.
const FEW: usize = 10;

const GET_USER_WITH_POSTS: &str = "query GetUserWithPosts($userId: ID!) { user(id: $userId) { id \
    name email posts { id title createdAt comments { id content author { name } } } } }";

fn moment(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn author(id: &str) -> Option<content::Author> {
    Some(content::Author { id: id.to_owned(), name: Some(format!("{id}'s name")) })
}

fn post(author_id: &str, number: usize) -> content::Post {
    content::Post {
        id: format!("{author_id}-{number}"),
        author: author(author_id),
        title: format!("post {number}"),
        content: "words".to_owned(),
        tags: vec!["rust".to_owned()],
        created_at: moment(1_767_225_600),
        ..content::Post::default()
    }
}

fn comment(post_id: &str, number: usize) -> content::Comment {
    content::Comment {
        id: format!("{post_id}-{number}"),
        post_id: post_id.to_owned(),
        author: author(&format!("reader{number}")),
        content: "well said".to_owned(),
        created_at: moment(1_767_225_601),
        ..content::Comment::default()
    }
}

/// A shop with users `u0`…, each with posts, each with comments.
fn people() -> Shop {
    let shop = Shop::development();
    shop.fake.on("users.UserService/BatchGetUsers", |asked: users::BatchGetUsersRequest| {
        let user = |id: String| users::PublicUser { name: format!("{id}'s name"), id, email: None };
        let users = asked.ids.into_iter().filter(|id| id != "nobody").map(user).collect();
        Ok(users::BatchGetUsersResponse { users })
    });
    shop.fake.on("users.UserService/ListUsers", |_: users::ListUsersRequest| {
        let user = |number: usize| users::User {
            id: format!("u{number}"),
            created_at: moment(1_767_225_600),
            ..users::User::default()
        };
        let users = (0..MANY).map(user).collect();
        Ok(users::ListUsersResponse { users, next_page_token: String::new() })
    });
    shop.fake.on("content.ContentService/BatchListPosts", |it: content::BatchListPostsRequest| {
        // A batch holds a thousand keys, so many authors have fewer posts each.
        let count = if it.author_ids.len() == 1 { MANY } else { FEW };
        let authors = it.author_ids.into_iter().map(|author_id| content::PostsOfAuthor {
            posts: (0..count).map(|number| post(&author_id, number)).collect(),
            next_page_token: String::new(),
            author_id,
        });
        Ok(content::BatchListPostsResponse { authors: authors.collect() })
    });
    shop.fake.on(
        "content.ContentService/BatchListComments",
        |it: content::BatchListCommentsRequest| {
            let posts = it.post_ids.into_iter().map(|post_id| content::CommentsOfPost {
                comments: (0..2).map(|number| comment(&post_id, number)).collect(),
                next_page_token: String::new(),
                post_id,
            });
            Ok(content::BatchListCommentsResponse { posts: posts.collect() })
        },
    );
    shop
}

fn once(methods: &[&str]) -> BTreeMap<String, usize> {
    methods.iter().map(|method| ((*method).to_owned(), 1)).collect()
}

#[tokio::test]
async fn the_query_of_the_mission_works_word_for_word_with_one_call_a_level() {
    let shop = people();
    let ann = shop.token("u1");
    let answer = shop.ask(&ann, GET_USER_WITH_POSTS, json!({ "userId": "u1" })).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let user = &answer["data"]["user"];
    assert_eq!(
        (&user["id"], &user["name"], &user["email"]),
        (&json!("u1"), &json!("u1's name"), &Value::Null)
    );
    let posts = user["posts"].as_array().unwrap();
    assert_eq!(posts.len(), MANY);
    assert_eq!(posts[0]["createdAt"], "2026-01-01T00:00:00Z");
    assert_eq!(posts[MANY - 1]["comments"][1]["author"]["name"], "reader1's name");
    let calls = once(&[
        "users.UserService/BatchGetUsers",
        "content.ContentService/BatchListPosts",
        "content.ContentService/BatchListComments",
    ]);
    assert_eq!(shop.fake.calls(), calls);
    let nobody = shop.ask(&ann, GET_USER_WITH_POSTS, json!({ "userId": "nobody" })).await;
    assert_eq!((&nobody["data"]["user"], &nobody["errors"]), (&Value::Null, &Value::Null));
}

/// Row 2 of the mission leaves room for more of what it asks for.
#[tokio::test]
async fn g3_the_query_of_the_mission_may_ask_for_more_of_each_comment() {
    let shop = people();
    let more = "id createdAt updatedAt post { id } author { id name user { name } }";
    let query = GET_USER_WITH_POSTS.replace("content author { name }", more);
    shop.fake.on("content.ContentService/BatchGetPosts", |it: content::BatchGetPostsRequest| {
        let posts = it.ids.iter().map(|id| content::Post { id: id.clone(), ..post("u", 0) });
        Ok(content::BatchGetPostsResponse { posts: posts.collect() })
    });
    let answer = shop.ask(&shop.token("u1"), &query, json!({ "userId": "u1" })).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
}

/// A message has a size at most: what does not fit into one comes in several.
#[tokio::test]
async fn g5_a_batch_that_is_too_much_for_one_message_is_asked_for_in_parts() {
    for too_much in [
        Status::out_of_range("Error, decoded message length too large: found 5 MiB"),
        Status::resource_exhausted("Error, encoded message length too large"),
    ] {
        let shop = people();
        shop.fake.on(
            "content.ContentService/BatchListComments",
            move |it: content::BatchListCommentsRequest| {
                if it.post_ids.len() > 10 {
                    return Err(too_much.clone());
                }
                let posts = it.post_ids.into_iter().map(|post_id| content::CommentsOfPost {
                    comments: vec![comment(&post_id, 0)],
                    next_page_token: String::new(),
                    post_id,
                });
                Ok(content::BatchListCommentsResponse { posts: posts.collect() })
            },
        );
        let variables = json!({ "userId": "u1" });
        let answer = shop.ask(&shop.token("u1"), GET_USER_WITH_POSTS, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        let posts = answer["data"]["user"]["posts"].as_array().unwrap();
        let id = |post: &Value| format!("{}-0", post["id"].as_str().unwrap());
        assert!(posts.len() == MANY && posts.iter().all(|it| it["comments"][0]["id"] == id(it)));
        // 40 are 20 and 20, and each of them 10 and 10.
        assert_eq!(shop.fake.calls()["content.ContentService/BatchListComments"], 7);
    }
}

/// G5: errors per key. One list that fits into no message takes no other with it.
#[tokio::test]
async fn g5_one_thing_that_is_too_much_by_itself_fails_alone() {
    let shop = people();
    shop.fake.on(
        "content.ContentService/BatchListComments",
        |it: content::BatchListCommentsRequest| {
            if it.post_ids.iter().any(|id| id == "u1-7") {
                return Err(Status::out_of_range("decoded message length too large"));
            }
            let posts = it.post_ids.into_iter().map(|post_id| content::CommentsOfPost {
                comments: vec![comment(&post_id, 0)],
                next_page_token: String::new(),
                post_id,
            });
            Ok(content::BatchListCommentsResponse { posts: posts.collect() })
        },
    );
    let variables = json!({ "userId": "u1" });
    let answer = shop.ask(&shop.token("u1"), GET_USER_WITH_POSTS, variables).await;
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(answer["errors"][0]["path"], json!(["user", "posts", 7, "comments"]));
    let posts = answer["data"]["user"]["posts"].as_array().unwrap();
    assert_eq!(posts.iter().filter(|post| post["comments"].is_array()).count(), MANY - 1);
}

#[tokio::test]
async fn g5_who_asks_too_often_is_not_asked_for_less() {
    let shop = people();
    shop.fake.fail("content.ContentService/BatchListC", &Problem::too_many_requests("wait", 3));
    let variables = json!({ "userId": "u1" });
    let answer = shop.ask(&shop.token("u1"), GET_USER_WITH_POSTS, variables).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "TOO_MANY_REQUESTS");
    assert_eq!(shop.fake.calls()["content.ContentService/BatchListComments"], 1);
}

/// E10 for what can be guessed: many in one document cost as much as many documents.
#[tokio::test(start_paused = true)]
async fn g4_each_mutation_costs_as_a_call_and_nothing_of_that_comes_back() {
    let shop = Shop::development();
    shop.fake.on("users.UserService/SignIn", |_: users::SignInRequest| {
        Err::<users::SignInResponse, _>(Status::unauthenticated("wrong"))
    });
    let one = |number: usize| {
        format!("a{number}: signIn(email: \"a\", password: \"{number}\") {{ token }} ")
    };
    let guesses: String = (0..20).map(one).collect();
    let answer = shop.ask("", &format!("mutation {{ {guesses} }}"), Value::Null).await;
    let cost = &answer["extensions"]["cost"];
    assert_eq!(cost["actual"], 20 * 5_000 + 20, "{cost}");
    assert!(cost["remaining"].as_u64().unwrap() < 10_000_000 - 20 * 5_000 + 1_000, "{cost}");
}

#[tokio::test]
async fn g5_many_people_and_their_posts_and_comments_are_one_call_for_each_list() {
    let shop = people();
    let query = "{ users(first: 40) { nodes { id posts(limit: 5) { id tags author { user { name } } \
        comments(limit: 5) { id author { user { name } } } \
        commentsConnection(first: 4) { nodes { id post { id } } } } \
        postsConnection(first: 4) { nodes { id } } } } }";
    shop.fake.on("content.ContentService/BatchGetPosts", |it: content::BatchGetPostsRequest| {
        let posts = it.ids.iter().map(|id| content::Post { id: id.clone(), ..post("u", 0) });
        Ok(content::BatchGetPostsResponse { posts: posts.collect() })
    });
    let answer = shop.ask(&shop.operator(), query, Value::Null).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let nodes = answer["data"]["users"]["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), nodes[MANY - 1]["posts"].as_array().unwrap().len()), (MANY, FEW));
    let calls = shop.fake.calls();
    // A list is fetched once for all parents; two lists of other lengths are two fields.
    assert_eq!(calls["content.ContentService/BatchListPosts"], 2);
    assert_eq!(calls["content.ContentService/BatchListComments"], 2);
    assert_eq!(calls["content.ContentService/BatchGetPosts"], 1);
    assert_eq!(calls["users.UserService/ListUsers"], 1);
    // Authors of posts, and authors of comments a level below, who are others.
    assert_eq!(calls["users.UserService/BatchGetUsers"], 2);
    assert_eq!(calls.len(), 5, "{calls:?}");
}

/// A shop with orders `o0`…, each of two products, with parcels and accounts.
fn orders_and_what_belongs_to_them(shop: &Shop) {
    let order = |number: usize, history: bool| orders::Order {
        id: format!("o{number}"),
        status: orders::OrderStatus::Completed.into(),
        account_id: format!("a{number}"),
        total: Some(common::Money { amount: 5_000_000_000, currency: "EUR".to_owned() }),
        items: vec![common::Item { sku: format!("p{number}"), quantity: 2 }; 2],
        history: if history { vec![orders::StatusChange::default()] } else { Vec::new() },
        created_at: moment(1_767_225_600 + number as i64),
        ..orders::Order::default()
    };
    shop.fake.on("orders.OrderService/ListOrders", move |it: orders::ListOrdersRequest| {
        let first = if it.page_token.is_empty() { 0 } else { 2 };
        let orders = (first..MANY).take(it.page_size as usize).map(|it| order(it, false)).collect();
        let next = if first == 0 && it.page_size == 2 { "the next page" } else { "" };
        Ok(orders::ListOrdersResponse { orders, next_page_token: next.to_owned() })
    });
    shop.fake.on("orders.OrderService/BatchGetOrders", move |it: orders::BatchGetOrdersRequest| {
        let number = |id: &String| id.trim_start_matches('o').parse().unwrap();
        let orders = it.ids.iter().map(|id| order(number(id), true)).collect();
        Ok(orders::BatchGetOrdersResponse { orders })
    });
    shop.fake.on(
        "shipping.ShippingService/BatchGetShipments",
        |it: shipping::BatchGetShipmentsRequest| {
            let shipment = |order_id| shipping::Shipment { order_id, ..Default::default() };
            let shipments = it.order_ids.into_iter().map(shipment).collect();
            Ok(shipping::BatchGetShipmentsResponse { shipments })
        },
    );
    shop.fake.on(
        "payments.PaymentService/BatchGetAccounts",
        |it: payments::BatchGetAccountsRequest| {
            let account = |id| payments::Account { id, ..Default::default() };
            let accounts = it.ids.into_iter().map(account).collect();
            Ok(payments::BatchGetAccountsResponse { accounts })
        },
    );
    shop.fake.on(
        "payments.PaymentService/BatchListAccountEvents",
        |it: payments::BatchListAccountEventsRequest| {
            let event = || payments::AccountEvent { seq: 1, ..Default::default() };
            let account = |account_id| payments::EventsOfAccount {
                account_id,
                events: vec![event(); it.limit as usize],
                next_page_token: "more".to_owned(),
            };
            let accounts = it.account_ids.clone().into_iter().map(account).collect();
            Ok(payments::BatchListAccountEventsResponse { accounts })
        },
    );
    shop.fake.on("payments.PaymentService/ListAccounts", |_: payments::ListAccountsRequest| {
        let account = |number| payments::Account { id: format!("a{number}"), ..Default::default() };
        let accounts = (0..MANY).map(account).collect();
        Ok(payments::ListAccountsResponse { accounts, next_page_token: String::new() })
    });
    shop.fake.on(
        "inventory.InventoryService/BatchGetProducts",
        |it: inventory::BatchGetProductsRequest| {
            let product = |sku| inventory::Product { sku, ..Default::default() };
            let products = it.skus.into_iter().map(product).collect();
            Ok(inventory::BatchGetProductsResponse { products })
        },
    );
    shop.fake.on(
        "inventory.InventoryService/BatchGetStock",
        |it: inventory::BatchGetStockRequest| {
            let stock = |sku| inventory::Stock { sku, available: 1 << 40, ..Default::default() };
            Ok(inventory::BatchGetStockResponse { stock: it.skus.into_iter().map(stock).collect() })
        },
    );
}

#[tokio::test]
async fn g5_many_orders_with_everything_are_one_call_for_each_field() {
    let shop = Shop::development();
    orders_and_what_belongs_to_them(&shop);
    let query = "{ orders(first: 40) { nodes { id status total { amount } history { status } \
        items { quantity product { sku stock { available } } } \
        shipment { trackingNumber } account { balance { amount } } } } }";
    let answer = shop.ask(&shop.token("ann"), query, Value::Null).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let last = &answer["data"]["orders"]["nodes"][MANY - 1];
    assert_eq!(last["status"], "COMPLETED");
    assert_eq!(last["total"]["amount"], 5_000_000_000_i64, "beyond 32 bits");
    assert_eq!(last["items"][1]["product"]["stock"]["available"], 1_i64 << 40);
    assert_eq!(last["history"].as_array().unwrap().len(), 1);
    let calls = once(&[
        "orders.OrderService/ListOrders",
        "orders.OrderService/BatchGetOrders",
        "shipping.ShippingService/BatchGetShipments",
        "payments.PaymentService/BatchGetAccounts",
        "inventory.InventoryService/BatchGetProducts",
        "inventory.InventoryService/BatchGetStock",
    ]);
    assert_eq!(shop.fake.calls(), calls);
}

#[tokio::test]
async fn g5_many_accounts_with_their_events_are_two_calls() {
    let shop = Shop::development();
    orders_and_what_belongs_to_them(&shop);
    let query = "{ accounts(first: 40) { nodes { id balance { amount } events(first: 3) { \
        nodes { seq type } pageInfo { hasNextPage } } } } }";
    let answer = shop.ask(&shop.token("ann"), query, Value::Null).await;
    let events = &answer["data"]["accounts"]["nodes"][MANY - 1]["events"];
    assert_eq!(events["nodes"].as_array().map(Vec::len), Some(3), "{answer}");
    assert_eq!(events["pageInfo"]["hasNextPage"], true);
    let calls = once(&[
        "payments.PaymentService/ListAccounts",
        "payments.PaymentService/BatchListAccountEvents",
    ]);
    assert_eq!(shop.fake.calls(), calls);
}

#[tokio::test]
async fn g7_pages_have_the_cursors_of_rest_and_say_whether_there_is_more() {
    let shop = Shop::development();
    orders_and_what_belongs_to_them(&shop);
    let query = "query($after: String) { orders(first: 2, after: $after) { \
        edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    let ann = shop.token("ann");
    let page = shop.ask(&ann, query, Value::Null).await["data"]["orders"].clone();
    let begin = Order::Integer(1_767_225_600_000_000);
    let first = cursor(&shop.auth, "orders of ann", begin, "o0");
    assert_eq!(page["edges"][0]["cursor"], first);
    let expected = "the next page";
    let info = json!({
        "hasNextPage": true, "hasPreviousPage": false, "endCursor": expected,
    });
    assert_eq!(page["pageInfo"], info, "the service's own word");
    let page = shop.ask(&ann, query, json!({ "after": expected })).await["data"]["orders"].clone();
    assert_eq!(page["edges"][0]["node"]["id"], "o2");
    assert_eq!(page["pageInfo"]["hasPreviousPage"], true);
    let wrong = shop.ask(&ann, "{ orders(first: -1) { nodes { id } } }", Value::Null).await;
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "MALFORMED");
}

#[tokio::test]
async fn g7_a_service_that_is_away_leaves_the_answers_of_the_others() {
    let shop = people();
    shop.fake.fail("content.", &Problem::unavailable("The content service is away."));
    let query = GET_USER_WITH_POSTS.replace("name email", "name postsUnavailable email");
    let answer = shop.ask(&shop.token("ann"), &query, json!({ "userId": "u1" })).await;
    let user = &answer["data"]["user"];
    assert_eq!((&user["name"], &user["posts"]), (&json!("u1's name"), &Value::Null));
    assert_eq!(user["postsUnavailable"], true);
    assert_eq!(answer["extensions"]["unavailable"], json!(["content"]));
    let error = &answer["errors"][0];
    assert_eq!(
        (&error["path"], &error["extensions"]["code"]),
        (&json!(["user", "posts"]), &json!("UNAVAILABLE"))
    );
    assert_eq!(error["extensions"]["service"], "content");
    assert!(error["extensions"]["retryAfter"].is_number());
    let well = people();
    let answer = well.ask(&well.token("ann"), &query, json!({ "userId": "u1" })).await;
    assert_eq!(
        (&answer["data"]["user"]["postsUnavailable"], &answer["extensions"]["unavailable"]),
        (&json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn g5_every_call_carries_the_callers_token_their_trace_and_what_is_left_of_their_time() {
    let shop = people();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let id = "0190b8f1-7f4c-7cc3-98c4-dc0c0c07398f";
    let ann = shop.token("ann");
    let headers = [
        ("authorization", &*ann),
        ("traceparent", trace),
        ("x-request-id", id),
        ("x-request-timeout-ms", "2000"),
    ];
    let body = json!({ "query": GET_USER_WITH_POSTS, "variables": { "userId": "u1" } }).to_string();
    assert_eq!(shop.post(&headers, body).await.status, 200);
    let seen = shop.fake.headers();
    assert_eq!(seen["authorization"], *ann);
    assert_eq!(seen["traceparent"], trace);
    assert_eq!(seen["x-request-id"], id);
    let timeout = seen["grpc-timeout"].to_str().unwrap();
    assert!(timeout.ends_with('u'), "{timeout}");
    let left: u64 = timeout.trim_end_matches('u').parse().unwrap();
    assert!((1_000_000..2_000_000).contains(&left), "{timeout}");
}

#[tokio::test]
async fn what_is_done_goes_to_one_service_and_its_refusal_comes_back_as_itself() {
    let shop = Shop::development();
    shop.fake.on("users.UserService/SignIn", |it: users::SignInRequest| {
        if it.password != "right" {
            return Err(Status::unauthenticated("The e-mail address or the password is wrong."));
        }
        Ok(users::SignInResponse { token: "t".to_owned(), expires_in: 60, user_id: it.email })
    });
    let query = "mutation($password: String!) { signIn(email: \"ann\", password: $password) { token expiresIn userId } }";
    let well = shop.ask("", query, json!({ "password": "right" })).await;
    assert_eq!(well["data"]["signIn"], json!({ "token": "t", "expiresIn": 60, "userId": "ann" }));
    let wrong = shop.ask("", query, json!({ "password": "wrong" })).await;
    assert_eq!(wrong["data"], json!({ "signIn": null }));
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "UNAUTHORIZED");
    let pointer = "#/password".to_owned();
    let short = FieldError { pointer, code: "length", detail: "too short".to_owned() };
    shop.fake.fail("users.", &Problem::validation(vec![short]));
    let wrong = shop.ask("", query, json!({ "password": "wrong" })).await;
    let extensions = &wrong["errors"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["status"]), (&json!("VALIDATION"), &json!(422)));
    let mistake = json!([{ "pointer": "#/password", "code": "length", "detail": "too short" }]);
    assert_eq!(extensions["errors"], mistake);
    shop.fake.on("orders.OrderService/PlaceOrder", |it: orders::PlaceOrderRequest| {
        assert_eq!((&*it.idempotency_key, it.items[0].quantity), ("k", 3_000_000_000));
        assert_eq!(it.ship_to.unwrap().country, "DE");
        let order = orders::Order { id: "o1".to_owned(), ..orders::Order::default() };
        Ok(orders::PlaceOrderResponse { order: Some(order), replayed: false })
    });
    let query = "mutation($input: PlaceOrderInput!) { placeOrder(idempotencyKey: \"k\", input: $input) { id } }";
    let ship_to = json!({ "name": "Ann", "address": "1 Way", "city": "Berlin", "country": "DE" });
    let items = json!([{ "sku": "p1", "quantity": 3_000_000_000_i64 }]);
    let input = json!({ "accountId": "a1", "items": items, "shipTo": ship_to });
    let placed = shop.ask(&shop.token("ann"), query, json!({ "input": input })).await;
    assert_eq!(placed["data"]["placeOrder"]["id"], "o1", "{placed}");
}
