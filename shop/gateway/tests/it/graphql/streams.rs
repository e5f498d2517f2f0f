//! Results as they come: server-sent events, and WebSockets over a real socket.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use prost::Message;
use serde_json::{Value, json};
use shop_contracts::rpc::payments::BatchGetAccountsRequest;
use shop_contracts::rpc::{orders, payments};
use shop_edge::serve::serve_bare;
use shop_gateway::graphql::Options;
use shop_gateway::graphql::options::Streams;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_tungstenite::tungstenite::protocol::Message as Frame;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tonic::Status;
use tower::ServiceExt;

use super::Shop;

const FOLLOW: &str = "subscription($id: ID!) { orderStatus(id: $id) { id status } }";

type States = mpsc::UnboundedSender<Result<orders::OrderStatus, Status>>;

/// Whoever watches an order sees what is sent here.
fn watched(shop: &Shop) -> mpsc::UnboundedReceiver<States> {
    let (watchers, receiver) = mpsc::unbounded_channel();
    shop.fake.on_stream("orders.OrderService/WatchOrder", move |it: orders::WatchOrderRequest| {
        let (states, receiver) = mpsc::unbounded_channel();
        watchers.send(states).unwrap();
        let states = UnboundedReceiverStream::new(receiver);
        states
            .map(move |state: Result<orders::OrderStatus, Status>| {
                let order = orders::Order {
                    id: it.id.clone(),
                    status: i32::from(state?),
                    ..Default::default()
                };
                let answer = orders::WatchOrderResponse { order: Some(order) };
                Ok(answer.encode_to_vec().into())
            })
            .boxed()
    });
    receiver
}

fn follow(token: &str, query: &str) -> http::Request<Body> {
    http::Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("authorization", token)
        .body(Body::from(json!({ "query": query, "variables": { "id": "o1" } }).to_string()))
        .unwrap()
}

#[tokio::test]
async fn g7_events_come_one_by_one_and_end_with_the_stream() {
    let shop = Shop::development();
    let mut watchers = watched(&shop);
    let request = follow(&shop.token("ann"), FOLLOW);
    let response = shop.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let mut body = response.into_body();
    let reading = async {
        let mut seen = Vec::new();
        while let Some(frame) = body.frame().await {
            seen.push(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap());
        }
        seen
    };
    let feeding = async {
        let states = watchers.recv().await.unwrap();
        states.send(Ok(orders::OrderStatus::Started)).unwrap();
        states.send(Ok(orders::OrderStatus::Completed)).unwrap();
    };
    let (seen, ()) = tokio::join!(reading, feeding);
    assert!(
        seen[0].starts_with(
            "event: next\ndata: {\"data\":{\"orderStatus\":{\"id\":\"o1\",\"status\":\"STARTED\"}}"
        ),
        "{seen:?}"
    );
    assert!(seen[1].contains("COMPLETED"), "{seen:?}");
    assert_eq!((&*seen[2], seen.len()), ("event: complete\ndata:\n\n", 3));
}

#[tokio::test]
async fn g7_an_operation_that_cannot_run_is_told_in_events_and_over_json_where_to_go() {
    let shop = Shop::development();
    let wrong = follow(&shop.token("ann"), "subscription { nothing }");
    let answer = shop.send(wrong).await;
    assert!(
        answer.text.contains("GRAPHQL_VALIDATION_FAILED")
            && answer.text.ends_with("event: complete\ndata:\n\n"),
        "{}",
        answer.text
    );
    let body = json!({ "query": FOLLOW, "variables": { "id": "o1" } }).to_string();
    let json = shop.post(&[("accept", "application/graphql-response+json")], body).await;
    assert_eq!((json.status, json.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
    let nobody = shop.send(follow("", FOLLOW)).await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn g7_a_failure_midway_is_an_error_of_the_shop() {
    let shop = Shop::development();
    let mut watchers = watched(&shop);
    let asking = shop.send(follow(&shop.token("ann"), FOLLOW));
    let feeding = async {
        let states = watchers.recv().await.unwrap();
        states.send(Ok(orders::OrderStatus::Started)).unwrap();
        states.send(Err(Status::unavailable("a secret address"))).unwrap();
    };
    let (answer, ()) = tokio::join!(asking, feeding);
    assert!(
        answer.text.contains("\"code\":\"UNAVAILABLE\"") && !answer.text.contains("secret"),
        "{}",
        answer.text
    );
}

#[tokio::test(start_paused = true)]
async fn g7_a_stream_on_which_nothing_happens_shows_life_and_ends_at_last() {
    let shop = Shop::development();
    let mut watchers = watched(&shop);
    let asking = shop.send(follow(&shop.token("ann"), FOLLOW));
    let holding = async { watchers.recv().await.unwrap() };
    let (answer, _states) = tokio::join!(asking, holding);
    assert_eq!(answer.text.matches(":\n\n").count() - answer.text.matches("data:\n\n").count(), 14);
    assert!(answer.text.ends_with("event: complete\ndata:\n\n"), "{}", answer.text);
    assert!(answer.text.contains("\"code\":\"TIMEOUT\""), "{}", answer.text);
}

#[tokio::test]
async fn g7_streams_are_bounded_and_end_with_the_process() {
    let streams = Streams { connections: 1, ..Streams::default() };
    let shop = Shop::open(Options { streams, ..Options::development() });
    let mut watchers = watched(&shop);
    let token = shop.token("ann");
    let ending = async {
        let _states = watchers.recv().await.unwrap();
        assert_eq!(shop.send(follow(&token, FOLLOW)).await.status, 503);
        shop.end.cancel();
    };
    let (answer, ()) = tokio::join!(shop.send(follow(&token, FOLLOW)), ending);
    // A reader must not take it for the end of what is followed.
    assert!(
        answer.text.starts_with("event: next\ndata: {\"errors\"")
            && answer.text.contains("\"code\":\"UNAVAILABLE\"")
            && answer.text.ends_with("event: complete\ndata:\n\n"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn g7_a_caller_has_so_many_streams_and_leaves_the_others_to_others() {
    let streams = Streams { connections: 8, per_caller: 1, ..Streams::default() };
    let shop = Shop::open(Options { streams, ..Options::development() });
    let mut watchers = watched(&shop);
    let (ann, bob) = (shop.token("ann"), shop.token("bob"));
    let ending = async {
        let _states = watchers.recv().await.unwrap();
        assert_eq!(shop.send(follow(&ann, FOLLOW)).await.status, 429);
        let asking = shop.send(follow(&bob, FOLLOW));
        let seen = async {
            let _states = watchers.recv().await.unwrap();
            shop.end.cancel();
        };
        assert_eq!(tokio::join!(asking, seen).0.status, 200);
    };
    let (answer, ()) = tokio::join!(shop.send(follow(&ann, FOLLOW)), ending);
    assert_eq!(answer.status, 200);
}

/// An order may be followed for an hour: what is looked up around its last state needs time too.
#[tokio::test(start_paused = true)]
async fn g7_each_event_has_its_own_time() {
    let shop = Shop::development();
    let mut watchers = watched(&shop);
    shop.fake.on("payments.PaymentService/BatchGetAccounts", |it: BatchGetAccountsRequest| {
        let account = |id| payments::Account { id, ..Default::default() };
        let accounts = it.ids.into_iter().map(account).collect();
        Ok(payments::BatchGetAccountsResponse { accounts })
    });
    let query = "subscription($id: ID!) { orderStatus(id: $id) { status account { closed } } }";
    let response = shop.router.clone().oneshot(follow(&shop.token("ann"), query)).await.unwrap();
    let mut body = response.into_body();
    let mut next = async || loop {
        let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(data.to_vec()).unwrap();
        if text.starts_with("event") {
            return text;
        }
    };
    let (first, states) = tokio::join!(next(), async {
        let states = watchers.recv().await.unwrap();
        states.send(Ok(orders::OrderStatus::Started)).unwrap();
        states
    });
    assert!(first.contains("\"closed\":false"), "{first}");
    let given = shop.fake.headers()["grpc-timeout"].clone();
    tokio::time::advance(Duration::from_secs(60)).await;
    states.send(Ok(orders::OrderStatus::Completed)).unwrap();
    assert!(next().await.contains("\"closed\":false"));
    assert_eq!(shop.fake.headers()["grpc-timeout"], given, "all of it, each time");
}

/// A WebSocket to the shop.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(
        at: SocketAddr,
        protocol: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{at}/graphql").into_client_request()?;
        if !protocol.is_empty() {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        Ok(Self(connect_async(request).await?.0))
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Frame::text(message.to_string())).await.unwrap();
    }

    /// The next message; `close` and its number when the other side ends it.
    async fn hear(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Frame::Text(text) => return serde_json::from_str(&text).unwrap(),
                Frame::Close(frame) => return json!({ "close": u16::from(frame.unwrap().code) }),
                _ => {}
            }
        }
    }

    async fn introduced(at: SocketAddr, token: &str) -> Self {
        let mut socket = Self::open(at, "graphql-transport-ws", &[]).await.unwrap();
        socket
            .say(json!({ "type": "connection_init", "payload": { "Authorization": token } }))
            .await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }
}

async fn serving(shop: &Shop) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_bare(listener, shop.router.clone(), shop.end.clone()));
    address
}

fn subscribe(id: &str, query: &str) -> Value {
    json!({ "type": "subscribe", "id": id, "payload": { "query": query, "variables": { "id": "o1" } } })
}

#[tokio::test]
async fn g7_a_websocket_carries_several_operations_each_by_its_id() {
    let shop = Shop::development();
    let mut watchers = watched(&shop);
    let at = serving(&shop).await;
    let mut socket = Socket::introduced(at, &shop.token("ann")).await;
    socket.say(json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong", "payload": { "a": 1 } }));
    socket.say(subscribe("one", FOLLOW)).await;
    let states = watchers.recv().await.unwrap();
    states.send(Ok(orders::OrderStatus::Started)).unwrap();
    let next = socket.hear().await;
    assert_eq!(
        (&next["type"], &next["id"], &next["payload"]["data"]["orderStatus"]["status"]),
        (&json!("next"), &json!("one"), &json!("STARTED"))
    );
    socket
        .say(json!({ "type": "subscribe", "id": "two", "payload": { "query": "{ __typename }" } }))
        .await;
    assert_eq!(socket.hear().await["payload"]["data"]["__typename"], "Query");
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "two" }));
    socket
        .say(json!({ "type": "subscribe", "id": "three", "payload": { "query": "{ nothing }" } }))
        .await;
    let error = socket.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("three")));
    assert_eq!(error["payload"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    states.send(Ok(orders::OrderStatus::Completed)).unwrap();
    drop(states);
    assert_eq!(socket.hear().await["payload"]["data"]["orderStatus"]["status"], "COMPLETED");
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "one" }));
    // Whoever has heard enough says so, and the call behind it ends.
    socket.say(subscribe("four", FOLLOW)).await;
    let states = watchers.recv().await.unwrap();
    socket.say(json!({ "type": "complete", "id": "four" })).await;
    states.closed().await;
    let mut polite = Socket::introduced(at, &shop.token("ann")).await;
    polite.0.close(None).await.unwrap();
    assert!(polite.0.next().await.unwrap().unwrap().is_close(), "a farewell is answered");
    shop.end.cancel();
    assert_eq!(socket.hear().await, json!({ "close": 1001 }));
}

#[tokio::test]
async fn g7_what_breaks_the_protocol_ends_the_connection_with_its_number() {
    let shop = Shop::development();
    let mut watchers = watched(&shop);
    let at = serving(&shop).await;
    let token = shop.token("ann");
    let open = || Socket::open(at, "graphql-transport-ws", &[]);
    let mut early = open().await.unwrap();
    early.say(subscribe("one", FOLLOW)).await;
    assert_eq!(early.hear().await, json!({ "close": 4401 }));
    let mut twice = Socket::introduced(at, &token).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.hear().await, json!({ "close": 4429 }));
    let mut stranger = open().await.unwrap();
    stranger.say(json!({ "type": "connection_init", "payload": { "token": "nonsense" } })).await;
    assert_eq!(stranger.hear().await, json!({ "close": 4403 }));
    let mut same = Socket::introduced(at, &token).await;
    same.say(subscribe("one", FOLLOW)).await;
    let _states = watchers.recv().await.unwrap();
    same.say(subscribe("one", FOLLOW)).await;
    assert_eq!(same.hear().await, json!({ "close": 4409 }));
    for nonsense in [json!({ "type": "next" }), json!([]), json!({ "type": "subscribe", "id": "" })]
    {
        let mut socket = Socket::introduced(at, &token).await;
        socket.say(nonsense.clone()).await;
        assert_eq!(socket.hear().await, json!({ "close": 4400 }), "{nonsense}");
    }
    let mut other = Socket::open(at, "", &[]).await.unwrap();
    assert_eq!(other.hear().await, json!({ "close": 4406 }));
    let foreign =
        Socket::open(at, "graphql-transport-ws", &[("origin", "http://evil.example")]).await;
    assert!(matches!(foreign, Err(tungstenite::Error::Http(answer)) if answer.status() == 403));
    shop.end.cancel();
}

#[tokio::test]
async fn g7_operations_of_one_connection_are_bounded_and_silence_before_the_introduction_too() {
    let streams = Streams { operations: 2, ..Streams::default() };
    let shop = Shop::open(Options { streams, ..Options::development() });
    let mut watchers = watched(&shop);
    let at = serving(&shop).await;
    let mut socket = Socket::introduced(at, &shop.token("ann")).await;
    let mut held = Vec::new();
    for id in ["one", "two"] {
        socket.say(subscribe(id, FOLLOW)).await;
        held.push(watchers.recv().await.unwrap());
    }
    socket.say(subscribe("three", FOLLOW)).await;
    let error = socket.hear().await;
    assert_eq!(
        (&error["id"], &error["payload"][0]["extensions"]["code"]),
        (&json!("three"), &json!("TOO_MANY_REQUESTS"))
    );
    let mut silent = Socket::open(at, "graphql-transport-ws", &[]).await.unwrap();
    // Connected already: from here on time is ours.
    tokio::time::pause();
    let closing = tokio::time::timeout(Duration::from_secs(6), silent.hear());
    assert_eq!(closing.await.unwrap(), json!({ "close": 4408 }));
    shop.end.cancel();
}

/// Signs of life are no use of a connection, however many there are.
#[tokio::test]
async fn g7_a_connection_that_only_says_that_it_lives_ends() {
    let streams = Streams { idle: Duration::from_millis(200), ..Streams::default() };
    let shop = Shop::open(Options { streams, ..Options::development() });
    let at = serving(&shop).await;
    let mut socket = Socket::introduced(at, &shop.token("ann")).await.0;
    let living = async {
        // One that has ended may say so, or break while we still speak.
        while socket.send(Frame::text(json!({ "type": "ping" }).to_string())).await.is_ok() {
            match socket.next().await {
                Some(Ok(Frame::Text(text))) if text.contains("pong") => {}
                _ => break,
            }
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), living).await.is_ok());
    shop.end.cancel();
}
