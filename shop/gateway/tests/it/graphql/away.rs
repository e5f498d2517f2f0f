//! A real service goes away: its own server on its own port, stopped while others go on.

use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use shop_content::edge::grpc;
use shop_content::{App, NAME, TABLES};
use shop_contracts::rpc::users;
use shop_edge::rpc::Line;
use shop_edge::testing::Bench;
use shop_edge::{Health, Upstreams, serve, serve_with_rpc};
use shop_gateway::graphql::{self, Options, Services};
use shop_gateway::rpc::Way;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Shop;
use super::fake::Fake;

const QUERY: &str =
    "query($userId: ID!) { user(id: $userId) { name posts { title author { id } } } }";

/// G7: nullability for real. What content would have said is null with an error, and the rest is there.
#[tokio::test]
async fn g7_when_the_content_service_stops_the_others_still_answer() {
    let bench = Bench::new(NAME, TABLES);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rpc = grpc::services(App::new(&bench.deps), &bench.deps);
    let (stop, end) = (CancellationToken::new(), CancellationToken::new());
    let at_once = serve::Options { drain: Duration::ZERO, ..serve::Options::default() };
    let health = Health::new().with_options(at_once);
    let content = tokio::spawn(serve_with_rpc(listener, Router::new(), rpc, health, stop.clone()));

    let (auth, fake) = (bench.deps.auth.clone(), Fake::default());
    fake.on("users.UserService/BatchGetUsers", |asked: users::BatchGetUsersRequest| {
        let user = |id| users::PublicUser { id, name: "Ann".to_owned(), email: None };
        Ok(users::BatchGetUsersResponse { users: asked.ids.into_iter().map(user).collect() })
    });
    let way = Way::once(Line::new("content", Upstreams::from(address), &auth));
    let services = Services::by(|name| (name == "content").then_some(&way));
    let services = Services { users: fake.services().users, ..services };
    let endpoint = graphql::shop(services, auth.clone(), Options::default(), end.clone());
    let shop = Shop { fake, auth, router: endpoint.routes(), end };
    let ann = format!("Bearer {}", bench.token("ann"));

    let write = "mutation { createPost(input: { title: \"Mugs\", content: \"Words.\" }) { id } }";
    let written = shop.ask(&ann, write, Value::Null).await;
    assert!(written["data"]["createPost"]["id"].is_string(), "{written}");
    let whole = shop.ask(&ann, QUERY, json!({ "userId": "ann" })).await;
    let posts = json!([{ "title": "Mugs", "author": { "id": "ann" } }]);
    assert_eq!(whole["data"], json!({ "user": { "name": "Ann", "posts": posts } }), "{whole}");

    stop.cancel();
    content.await.unwrap().unwrap();
    let partial = shop.ask(&ann, QUERY, json!({ "userId": "ann" })).await;
    assert_eq!(partial["data"], json!({ "user": { "name": "Ann", "posts": null } }), "{partial}");
    assert_eq!(partial["errors"].as_array().map(Vec::len), Some(1), "{partial}");
    let error = &partial["errors"][0];
    assert_eq!(error["path"], json!(["user", "posts"]));
    let code = error["extensions"]["code"].as_str().unwrap();
    assert!(["UNAVAILABLE", "BAD_GATEWAY"].contains(&code), "{partial}");
    assert_eq!(error["extensions"]["service"], "content");
    assert_eq!(partial["extensions"]["unavailable"], json!(["content"]));
}
