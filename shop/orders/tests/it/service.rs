//! The service as a whole: ready once it knows what is sold, and it ends when it is told to.

use shop_contracts::Money;
use shop_contracts::inventory::ProductListed;
use shop_edge::testing::{Bench, until_ready};
use shop_orders::{NAME, TABLES, run, topics};
use switchboard_core::{Envelope, Message, Rng};
use switchboard_message::{Broker, Topic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// The status line of the answer to `GET /readyz`.
async fn readiness(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

async fn list(bench: &Bench, sku: &str) {
    let price = Money::new(500, "USD");
    let listed = ProductListed { sku: sku.to_owned(), name: sku.to_owned(), price, of: 2 };
    let mut rng = Rng::from_seed(sku.len() as u64);
    let (topic, kind) = (ProductListed::TOPIC, ProductListed::KIND);
    let envelope = Envelope::new(topic, kind, "inventory", &*bench.clock, &mut rng);
    let envelope = Envelope { key: listed.key(), ..envelope };
    let payload = serde_json::to_vec(&listed).unwrap();
    for answer in bench.broker.publish(vec![envelope.with_payload(payload)]).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn it_is_ready_once_it_knows_every_product_and_ends_when_told() {
    let bench = Bench::new(NAME, TABLES);
    bench.declare(topics().into_iter().chain([Topic::new(ProductListed::TOPIC)])).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(run(listener, bench.deps.clone(), shutdown.clone()));

    assert!(readiness(address).await.contains("503"), "nothing is known yet");
    list(&bench, "pen").await;
    assert!(readiness(address).await.contains("503"), "one of two is known at most");
    list(&bench, "paper").await;
    until_ready(address).await;

    shutdown.cancel();
    running.await.unwrap().unwrap();
}
