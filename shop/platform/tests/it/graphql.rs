//! GraphQL at the public port, over everything: what it shows is what REST shows, and what it does is done once.

use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Shop, eventually, history};

const GET_USER_WITH_POSTS: &str = "query GetUserWithPosts($userId: ID!) { user(id: $userId) { id \
    name email posts { id title createdAt comments { id content author { name } } } } }";

impl Shop {
    /// Asks, and answers the whole response.
    async fn graphql(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.post("/graphql", token, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Asks for one field that must be there.
    async fn field(&self, token: Option<&str>, name: &str, query: &str, variables: Value) -> Value {
        let answer = self.graphql(token, query, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        answer["data"][name].clone()
    }

    /// All events of a subscription, once it is complete.
    async fn followed(&self, token: &str, query: &str, variables: Value) -> String {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: shop\r\nconnection: close\r\naccept: \
             text/event-stream\r\ncontent-type: application/json\r\nauthorization: Bearer \
             {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut events = String::new();
        stream.read_to_string(&mut events).await.unwrap();
        events
    }
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_up_orders_and_follows_the_order_with_graphql_alone() {
    let shop = Shop::start().await;
    let sign_up = "mutation($input: SignUpInput!) { signUp(input: $input) { id name email } }";
    let input = json!({ "name": "Ada", "email": "ada@example.com", "password": "correct horse" });
    let user = shop.field(None, "signUp", sign_up, json!({ "input": input })).await;
    assert_eq!(user["email"], "ada@example.com");
    let taken = shop.graphql(None, sign_up, json!({ "input": input })).await;
    assert_eq!((code(&taken), &taken["data"]["signUp"]), ("CONFLICT", &Value::Null));
    let wrong = json!({ "name": "", "email": "nobody", "password": "x" });
    let wrong = shop.graphql(None, sign_up, json!({ "input": wrong })).await;
    let mistakes = wrong["errors"][0]["extensions"]["errors"].as_array().unwrap();
    let places: Vec<_> = mistakes.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
    assert_eq!((code(&wrong), places), ("VALIDATION", vec!["#/name", "#/email", "#/password"]));

    let sign_in = "mutation { signIn(email: \"ada@example.com\", password: \"correct horse\") \
        { token userId } }";
    let session = shop.field(None, "signIn", sign_in, json!({})).await;
    assert_eq!(session["userId"], user["id"]);
    let token = session["token"].as_str().unwrap();
    let create = "mutation { createAccount(currency: \"USD\") { id balance { amount } } }";
    let account = shop.field(Some(token), "createAccount", create, json!({})).await["id"].clone();
    let deposit = "mutation($id: ID!) { deposit(accountId: $id, amount: 1000000, \
        idempotencyKey: \"d\") { type balance { amount currency } } }";
    for _ in 0..2 {
        let movement = shop.field(Some(token), "deposit", deposit, json!({ "id": account })).await;
        assert_eq!(movement["balance"], json!({ "amount": 1_000_000, "currency": "USD" }));
    }
    let products = "{ products(first: 1) { nodes { sku price { amount } stock { available } } } }";
    let product = shop.field(None, "products", products, json!({})).await["nodes"][0].clone();
    assert!(product["stock"]["available"].as_i64().unwrap() > 0, "{product}");

    let place = "mutation($input: PlaceOrderInput!) { placeOrder(idempotencyKey: \"k\", \
        input: $input) { id status total { amount } } }";
    let ship_to = json!({ "name": "A", "address": "1", "city": "Bonn", "country": "DE" });
    let items = json!([{ "sku": product["sku"], "quantity": 2 }]);
    let input = json!({ "accountId": account, "items": items, "shipTo": ship_to });
    let placed = shop.field(Some(token), "placeOrder", place, json!({ "input": input })).await;
    let again = shop.field(Some(token), "placeOrder", place, json!({ "input": input })).await;
    assert_eq!(placed["id"], again["id"], "once");
    let follow = "subscription($id: ID!) { orderStatus(id: $id) { status } }";
    let events = shop.followed(token, follow, json!({ "id": placed["id"] })).await;
    assert!(events.contains("\"COMPLETED\"") && events.contains("event: complete"), "{events}");

    let orders = "{ orders { nodes { id status total { amount } items { quantity product { name } } \
        history { status } shipment { trackingNumber } account { id balance { amount } } } } }";
    let seen = shop.field(Some(token), "orders", orders, json!({})).await["nodes"].clone();
    let order = &seen[0];
    let price = product["price"]["amount"].as_i64().unwrap();
    assert_eq!((seen.as_array().unwrap().len(), &order["id"]), (1, &placed["id"]));
    assert_eq!(order["total"]["amount"], 2 * price);
    assert_eq!(order["account"]["balance"]["amount"], 1_000_000 - 2 * price);
    assert!(order["shipment"]["trackingNumber"].is_string(), "{order}");
    assert_eq!(order["history"].as_array().unwrap().len(), 5, "{order}");
    // What REST shows of the same order.
    let path = format!("/api/v1/orders/{}", placed["id"].as_str().unwrap());
    let rest = shop.get(&path, Some(token)).await.body;
    let states: Vec<_> = history(&rest).iter().map(|it| it.to_ascii_uppercase()).collect();
    let ours = order["history"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap());
    assert_eq!(ours.collect::<Vec<_>>(), states);
    let cancel = "mutation($id: ID!) { cancelOrder(id: $id) { id } }";
    let late = shop.graphql(Some(token), cancel, json!({ "id": placed["id"] })).await;
    assert_eq!(code(&late), "CONFLICT");
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_question_shows_a_user_with_posts_and_comments_word_for_word() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 0).await;
    let bob = shop.somebody("bob@example.com", 0).await;
    let write = "mutation($title: String!) { createPost(input: { title: $title, content: \"words\", \
        tags: [\"rust\"] }) { id tags author { id } } }";
    for number in 0..3 {
        let title = json!({ "title": format!("post {number}") });
        let post = shop.field(Some(&ada.token), "createPost", write, title).await;
        let say =
            "mutation($id: ID!) { createComment(postId: $id, content: \"well said\") { id } }";
        for _ in 0..2 {
            let id = json!({ "id": post["id"] });
            shop.field(Some(&bob.token), "createComment", say, id).await;
        }
    }
    let asked = json!({ "userId": ada.id });
    let user = eventually("the name of the comments' author", || async {
        let user = shop.field(Some(&ada.token), "user", GET_USER_WITH_POSTS, asked.clone()).await;
        let name = &user["posts"][0]["comments"][0]["author"]["name"];
        name.is_string().then_some(user)
    })
    .await;
    assert_eq!((&user["id"], &user["email"]), (&json!(ada.id), &json!("ada@example.com")));
    assert_eq!(user["posts"].as_array().unwrap().len(), 3);
    assert_eq!(user["posts"][0]["title"], "post 2", "the newest first");
    assert_eq!(user["posts"][2]["comments"].as_array().unwrap().len(), 2);
    let by_bob = shop.field(Some(&bob.token), "user", GET_USER_WITH_POSTS, asked).await;
    assert_eq!((&by_bob["name"], &by_bob["email"]), (&json!("Ada"), &Value::Null));
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_cursor_of_graphql_goes_on_in_rest_and_the_other_way_round() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 0).await;
    let token = Some(&*ada.token);
    for currency in ["EUR", "GBP"] {
        shop.post("/api/v1/accounts", token, json!({ "currency": currency })).await;
    }
    for number in 0..3 {
        let path = format!("/api/v1/users/{}/posts", ada.id);
        let body = json!({ "title": format!("post {number}"), "content": "words" });
        assert_eq!(shop.post(&path, token, body).await.status, StatusCode::CREATED);
    }
    let posts = format!("/api/v1/users/{}/posts", ada.id);
    let posts_field = format!(
        "user(id: \"{}\") {{ postsConnection(first: 2, after: $after) {{ edges {{ cursor node {{ id }} }} \
         pageInfo {{ hasNextPage endCursor }} }} }}",
        ada.id
    );
    let page = "edges { cursor node { id } } pageInfo { hasNextPage endCursor } }";
    let accounts_field = format!("accounts(first: 2, after: $after) {{ {page}");
    let products_field =
        format!("products(first: 2, after: $after) {{ {}", page.replace("{ id }", "{ id: sku }"));
    for (field, at, rest, key) in [
        (accounts_field, "/accounts", "/api/v1/accounts", "id"),
        (posts_field, "/user/postsConnection", &*posts, "id"),
        (products_field, "/products", "/api/v1/products", "sku"),
    ] {
        let query = format!("query($after: String) {{ {field} }}");
        let asked = |after: Value| {
            let (shop, query) = (&shop, query.clone());
            async move {
                let answer = shop.graphql(token, &query, json!({ "after": after })).await;
                assert_eq!(answer["errors"], Value::Null, "{answer}");
                answer["data"].pointer(at).unwrap().clone()
            }
        };
        let first = asked(Value::Null).await;
        let of_rest = shop.get(&format!("{rest}?limit=2"), token).await.body;
        assert_eq!(first["pageInfo"]["endCursor"], of_rest["next"], "{rest}");
        assert_eq!(first["pageInfo"]["hasNextPage"], true, "{rest}");
        let next = of_rest["next"].as_str().unwrap();
        let onward = shop.get(&format!("{rest}?limit=2&cursor={next}"), token).await.body;
        let second = asked(json!(next)).await;
        assert_eq!(second["edges"][0]["node"]["id"], onward["items"][0][key], "{rest}");
        // Also from the middle of a page, which REST gives out no cursor for.
        let middle = first["edges"][0]["cursor"].as_str().unwrap();
        let after = shop.get(&format!("{rest}?limit=1&cursor={middle}"), token).await.body;
        assert_eq!(after["items"][0][key], first["edges"][1]["node"]["id"], "{rest}");
    }
    shop.end().await;
}
