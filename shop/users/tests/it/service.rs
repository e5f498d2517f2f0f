//! The service as it runs: what is committed at its edge reaches the broker, and it ends when asked.

use std::time::Duration;

use http::StatusCode;
use shop_contracts::users::{EVENTS, UserCreated};
use shop_users::topics;
use switchboard_message::{Incoming, Subscription, Topology};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::Shop;

#[tokio::test]
async fn who_signs_up_is_told_to_others_and_the_service_ends_in_time() {
    let deps = Shop::new().deps;
    deps.broker.declare(&Topology::of(topics())).await.unwrap();
    let group = Subscription::new("mail", [EVENTS.into()]);
    let mut consumer = deps.broker.subscribe(group).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let end = CancellationToken::new();
    let running = tokio::spawn(shop_users::run(listener, deps, end.clone()));

    let body = r#"{"name": "Ann", "email": "ann@example.org", "password": "correct horse"}"#;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/users HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n";
    let kind = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{kind}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {}", StatusCode::CREATED)), "{answer}");

    let told = loop {
        match consumer.next().await.unwrap() {
            Incoming::Deliveries(deliveries) if !deliveries.is_empty() => {
                let envelope = deliveries[0].message.as_ref().unwrap();
                break envelope.message::<UserCreated>().unwrap();
            }
            _ => {}
        }
    };
    assert_eq!((&*told.name, &*told.email), ("Ann", "ann@example.org"));
    end.cancel();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap().unwrap();
}
