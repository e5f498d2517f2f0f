//! Letters to a real mail server: taken, refused, put off, lost on the way, and while it is down.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stands")]

mod server;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use shop_contracts::Money;
use shop_contracts::orders::{self, OrderPlaced};
use shop_contracts::users::{self, UserChanged, UserCreated};
use shop_edge::testing::{Bench, Call};
use shop_notifications::edge::rest;
use shop_notifications::mail::Courier;
use shop_notifications::mail::smtp::Smtp;
use shop_notifications::{App, NAME, TABLES, parts, topics};
use switchboard_core::{BoxError, Envelope, Message, Rng};
use switchboard_message::{Broker, Topic};
use switchboard_store::NewMessage;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// The service in memory, with a courier, while its groups run.
struct Shop {
    bench: Bench,
    routes: Router,
    rng: Rng,
    shutdown: CancellationToken,
    all: JoinHandle<Result<(), BoxError>>,
}

impl Shop {
    async fn open(smtp: Smtp) -> Self {
        let mut bench = Bench::new(NAME, TABLES);
        let read = [Topic::new(users::EVENTS), Topic::new(orders::EVENTS)];
        bench.declare(topics().into_iter().chain(read)).await;
        let courier: Arc<dyn Courier> = Arc::new(smtp);
        bench.deps.process = std::mem::take(&mut bench.deps.process).with_extra(courier);
        let app = App::new(&bench.deps);
        let routes = rest::routes(app.clone(), &bench.deps);
        let shutdown = CancellationToken::new();
        let relay = bench.deps.relay();
        let all = parts(&app, &bench.deps, &shutdown)
            .with("the relay", relay.run(shutdown.clone()))
            .run(shutdown.clone());
        Self { bench, routes, rng: Rng::from_seed(4), shutdown, all: tokio::spawn(all) }
    }

    async fn publish<M: Message>(&mut self, message: &M) {
        let NewMessage { topic, kind, key, payload, .. } = NewMessage::of(message);
        let clock = &*self.bench.clock;
        let envelope = Envelope::new(topic, kind, "others", clock, &mut self.rng);
        let envelope = Envelope { key, ..envelope }.with_payload(payload);
        for answer in self.bench.broker.publish(vec![envelope]).await {
            answer.unwrap();
        }
    }

    async fn joins(&mut self, user: &str, email: &str) {
        let (user_id, email) = (user.to_owned(), email.to_owned());
        self.publish(&UserCreated { name: user_id.clone(), user_id, email }).await;
    }

    async fn orders(&mut self, user: &str, order: &str) {
        let (order_id, user_id) = (order.to_owned(), user.to_owned());
        self.publish(&OrderPlaced { order_id, user_id, total: Money::new(100, "USD") }).await;
    }

    async fn items(&self, path: &str, token: &str) -> Vec<Value> {
        Call::get(path).of(token).send(&self.routes).await.items().to_vec()
    }

    /// What each of somebody's letters is, newest first.
    async fn letters(&self, user: &str) -> Vec<String> {
        let letters = self.items("/api/v1/mailbox?limit=100", &self.bench.token(user)).await;
        letters.iter().map(|it| it["status"].as_str().unwrap().to_owned()).collect()
    }

    async fn notices(&self, user: &str) -> usize {
        self.items("/api/v1/notifications?limit=100", &self.bench.token(user)).await.len()
    }

    async fn dead(&self) -> Vec<Value> {
        let path = "/api/v1/operator/notifications/dead";
        self.items(path, &self.bench.operator()).await
    }

    /// Waits until something holds. The shop's clock runs a hundred times faster than the wall's,
    /// so that a wait before a retry is short.
    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
                self.bench.clock.advance(Duration::from_secs(1));
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(60), waiting).await.is_ok(), "{what}");
    }

    async fn until_sent(&self, user: &str, letters: usize) {
        let expected = vec!["sent".to_owned(); letters];
        self.until(user, async || self.letters(user).await == expected).await;
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.all.await.unwrap().unwrap();
    }
}

fn smtp(url: &str) -> Smtp {
    Smtp::new(url.parse().unwrap(), "The shop <shop@shop.example>", None).unwrap()
}

fn ids(news: &[Value]) -> Vec<&str> {
    news.iter().filter_map(|it| it["id"].as_str()).collect()
}

#[tokio::test]
async fn letters_reach_the_server_in_order_each_under_its_own_id() {
    let mut server = Server::start().await;
    let mut shop = Shop::open(smtp(&server.url())).await;
    // The order's letter waits for the address.
    shop.orders("ann", "o1").await;
    shop.until("it waits", async || shop.letters("ann").await == ["waiting"]).await;
    shop.joins("ann", "ann@shop.example").await;
    shop.until_sent("ann", 2).await;
    shop.orders("ann", "o2").await;
    shop.until_sent("ann", 3).await;
    shop.end().await;

    let news = server.news();
    let expected = ["<o1-placed@shop.example>", "<ann-created@shop.example>"];
    let mut first = ids(&news[..2]);
    first.sort_unstable();
    assert_eq!(first, [expected[1], expected[0]]);
    assert_eq!(ids(&news[2..]), ["<o2-placed@shop.example>"]);
    assert!(news[2]["text"].as_str().unwrap().contains("Your order o2 over 1.00 USD"));
}

#[tokio::test]
async fn a_refused_recipient_parks_only_its_own_letters_until_the_address_is_better() {
    let mut server = Server::start().await;
    let mut shop = Shop::open(smtp(&server.url())).await;
    shop.joins("ann", "refused@shop.example").await;
    shop.joins("bob", "bob@shop.example").await;
    shop.until_sent("bob", 1).await;
    shop.until("parked", async || shop.dead().await.iter().any(|it| it["state"] == "parked")).await;
    let dead = shop.dead().await;
    assert_eq!((dead.len(), &dead[0]["key"]), (1, &json!("letters/ann")), "{dead:?}");
    let failure = dead[0]["head"]["failures"][0].to_string();
    assert!(failure.contains("nobody of that name lives here"), "{failure}");
    assert!(failure.contains("terminal"), "tried once only: {failure}");

    // The better address is not behind the refused letter, and the next order's letter is.
    shop.orders("ann", "o1").await;
    let email = "ann@shop.example".to_owned();
    shop.publish(&UserChanged { user_id: "ann".into(), name: "Ann".into(), email }).await;
    let contacts = &shop_notifications::tables::CONTACTS;
    shop.until("the better address", async || {
        let row = shop.bench.deps.store.row(contacts, "ann").await.unwrap();
        row.is_some_and(|row| row.text("email") == "ann@shop.example")
    })
    .await;
    shop.until("two wait", async || shop.dead().await[0]["depth"] == 2).await;
    let path = "/api/v1/operator/notifications/dead/notifications.email/letters%2Fann/replay";
    let replay = Call::post(path, json!({})).of(&shop.bench.operator()).send(&shop.routes).await;
    assert!(replay.status < 300, "{} {}", replay.status, replay.body);
    shop.until_sent("ann", 2).await;
    shop.end().await;

    let news = server.news();
    let refused = news.iter().filter(|it| it["refused"].is_string()).count();
    assert_eq!(refused, 1);
    let to_ann: Vec<_> = news.iter().filter(|it| it["to"] == "ann@shop.example").cloned().collect();
    assert_eq!(ids(&to_ann), ["<ann-created@shop.example>", "<o1-placed@shop.example>"]);
}

#[tokio::test]
async fn a_server_that_says_later_is_asked_again() {
    let mut server = Server::start().await;
    let mut shop = Shop::open(smtp(&server.url())).await;
    shop.joins("ann", "later@shop.example").await;
    shop.until_sent("ann", 1).await;
    shop.end().await;
    let news = server.news();
    assert!(news[0]["postponed"].is_string(), "{news:?}");
    assert_eq!(ids(&news), ["<ann-created@shop.example>"]);
}

#[tokio::test]
async fn a_letter_whose_answer_is_lost_goes_again_under_the_same_id() {
    let mut server = Server::start().await;
    let mut shop = Shop::open(smtp(&server.url())).await;
    shop.joins("ann", "lost@shop.example").await;
    shop.until_sent("ann", 1).await;
    shop.end().await;
    let news = server.news();
    assert_eq!(news[0]["lost"], true, "{news:?}");
    assert_eq!(ids(&news), ["<ann-created@shop.example>"; 2]);
    assert_eq!(news[0]["text"], news[1]["text"], "down to the last byte");
}

#[tokio::test]
async fn a_server_that_is_down_delays_letters_and_nothing_else() {
    let mut server = Server::start().await;
    let port = server.port;
    let mut shop = Shop::open(smtp(&server.url())).await;
    shop.joins("ann", "ann@shop.example").await;
    shop.until_sent("ann", 1).await;
    server.kill();
    for order in 0..20 {
        shop.orders("ann", &format!("o{order}")).await;
        shop.joins(&format!("user-{order}"), &format!("user-{order}@shop.example")).await;
    }
    shop.until("the other groups", async || shop.notices("ann").await == 21).await;
    shop.until("all are written", async || shop.letters("ann").await.len() == 21).await;
    let sent = shop.letters("ann").await.iter().filter(|status| *status == "sent").count();
    assert_eq!(sent, 1, "the server is down");
    assert!(shop.dead().await.iter().all(|it| it["state"] != "parked"), "nobody gives up yet");

    let mut server = Server::start_on(port, None).await;
    shop.until_sent("ann", 21).await;
    for order in 0..20 {
        shop.until_sent(&format!("user-{order}"), 1).await;
    }
    shop.end().await;
    let news = server.news();
    let to_ann: Vec<_> = news.iter().filter(|it| it["to"] == "ann@shop.example").cloned().collect();
    let mut expected: Vec<_> = (0..20).map(|it| format!("<o{it}-placed@shop.example>")).collect();
    let mut sent = ids(&to_ann);
    expected.sort();
    sent.sort_unstable();
    assert_eq!(sent, expected, "each once");
    assert_eq!(ids(&news).len(), 40);
}

#[tokio::test]
async fn letters_go_encrypted_with_a_password_and_wait_while_it_is_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/tls");
    let mut server = Server::protected(&folder).await;
    let ca = folder.join("ca.pem");
    let url = format!("smtp://localhost:{}?tls=required&ca={}", server.port, ca.display());
    let open = |password: &str| {
        let login = Some(("shop".to_owned(), password.to_owned()));
        Smtp::new(url.parse().unwrap(), "shop@shop.example", login).unwrap()
    };
    let mut shop = Shop::open(open("wrong")).await;
    shop.joins("ann", "ann@shop.example").await;
    shop.until("it fails", async || !shop.dead().await.is_empty()).await;
    let dead = shop.dead().await;
    assert_eq!(dead[0]["state"], "waiting", "it is not the letter's fault: {dead:?}");
    shop.end().await;
    assert!(server.news().is_empty());

    let mut shop = Shop::open(open("secret")).await;
    shop.joins("ann", "ann@shop.example").await;
    shop.until_sent("ann", 1).await;
    shop.end().await;
    let news = server.news();
    assert_eq!((news.len(), &news[0]["encrypted"]), (1, &json!(true)), "{news:?}");
}

#[tokio::test]
async fn a_server_without_the_encryption_that_is_required_gets_no_letter() {
    let mut server = Server::start().await;
    let mut shop = Shop::open(smtp(&format!("{}?tls=required", server.url()))).await;
    shop.joins("ann", "ann@shop.example").await;
    shop.until("it fails", async || !shop.dead().await.is_empty()).await;
    shop.end().await;
    assert!(server.news().is_empty());
}
