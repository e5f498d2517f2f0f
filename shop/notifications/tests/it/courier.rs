//! Letters that leave the shop, with a courier that does as the test says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::json;
use shop_contracts::users::UserDeleted;
use shop_notifications::mail::{Courier, Parcel, SendError};

use crate::{Shop, created, placed};

/// Takes everything, after the answers that were planned.
#[derive(Debug, Default)]
struct Scripted {
    planned: Mutex<VecDeque<SendError>>,
    taken: Mutex<Vec<Parcel>>,
}

impl Scripted {
    fn taken(&self) -> Vec<(String, String)> {
        self.taken.lock().iter().map(|it| (it.id.clone(), it.to.clone())).collect()
    }
}

#[async_trait]
impl Courier for Scripted {
    async fn send(&self, parcel: &Parcel) -> Result<(), SendError> {
        match self.planned.lock().pop_front() {
            Some(error) => Err(error),
            None => {
                self.taken.lock().push(parcel.clone());
                Ok(())
            }
        }
    }
}

fn refusal() -> SendError {
    SendError::Refused { to: "ann".to_owned(), source: "550 no such user".into() }
}

#[tokio::test(start_paused = true)]
async fn a_letter_leaves_once_however_often_it_is_told_and_the_mailbox_shows_it() {
    let courier = Arc::new(Scripted::default());
    let mut shop = Shop::with_courier(courier.clone()).await;
    let running = shop.run();
    shop.publish(&created("ann"), 3).await;
    let is_sent = async || {
        let letters = shop.letters("ann").await;
        !letters.is_empty() && letters.iter().all(|letter| letter["status"] == "sent")
    };
    shop.until("it is sent", is_sent).await;
    // The same event in a message of its own, as from a service that was put back.
    shop.publish(&created("ann"), 1).await;
    shop.publish(&created("bob"), 1).await;
    shop.until("bob's", async || courier.taken().len() == 2).await;
    running.end().await;
    let letter = |user: &str| (format!("{user}-created"), format!("{user}@example.org"));
    assert_eq!(courier.taken(), [letter("ann"), letter("bob")]);
    assert_eq!(shop.letters("ann").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn letters_that_waited_for_their_address_leave_with_it_oldest_first() {
    let courier = Arc::new(Scripted::default());
    let mut shop = Shop::with_courier(courier.clone()).await;
    let running = shop.run();
    for order in ["o1", "o2", "o3"] {
        shop.publish(&placed(order, "ann"), 1).await;
        let is_newest = async || {
            let letters = shop.letters("ann").await;
            letters.first().is_some_and(|letter| letter["order_id"] == json!(order))
        };
        shop.until(order, is_newest).await;
        shop.bench.clock.advance(Duration::from_secs(1));
    }
    assert!(courier.taken().is_empty());
    shop.publish(&created("ann"), 1).await;
    shop.until("all", async || courier.taken().len() == 4).await;
    running.end().await;
    let ids: Vec<_> = courier.taken().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["o1-placed", "o2-placed", "o3-placed", "ann-created"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_parks_the_letters_of_one_user_and_says_what_the_server_said() {
    let courier = Arc::new(Scripted::default());
    courier.planned.lock().push_back(refusal());
    let mut shop = Shop::with_courier(courier.clone()).await;
    let running = shop.run();
    shop.publish(&created("ann"), 1).await;
    let dead = async |shop: &Shop| {
        shop.get("/api/v1/operator/notifications/dead", &shop.bench.operator()).await
    };
    shop.until("parked", async || !dead(&shop).await.items().is_empty()).await;
    shop.publish(&created("bob"), 1).await;
    shop.until("bob's", async || courier.taken().len() == 1).await;
    running.end().await;
    let dead = dead(&shop).await;
    assert_eq!(
        (&dead.items()[0]["key"], &dead.items()[0]["state"]),
        (&json!("letters/ann"), &json!("parked"))
    );
    assert!(dead.items()[0]["head"].to_string().contains("550 no such user"));
    assert_eq!(shop.letters("ann").await[0]["status"], "outgoing");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_whoever_has_left_meanwhile() {
    let courier = Arc::new(Scripted::default());
    courier.planned.lock().extend((0..4).map(|_| SendError::Unavailable("away".into())));
    let mut shop = Shop::with_courier(courier.clone()).await;
    let running = shop.run();
    shop.publish(&created("ann"), 1).await;
    shop.until("tried", async || courier.planned.lock().len() < 4).await;
    shop.publish(&UserDeleted { user_id: "ann".to_owned() }, 1).await;
    shop.until("gone", async || shop.letters("ann").await.is_empty()).await;
    shop.publish(&created("bob"), 5).await;
    shop.until("bob's", async || courier.taken().len() == 1).await;
    shop.until("nothing waits", async || {
        let path = "/api/v1/operator/notifications/dead";
        shop.get(path, &shop.bench.operator()).await.items().is_empty()
    })
    .await;
    running.end().await;
    assert_eq!(courier.taken()[0].0, "bob-created");
}

/// An outage of the mail server longer than all tries together: nothing is parked, and every letter
/// leaves in the order of its user.
#[tokio::test(start_paused = true)]
async fn letters_wait_for_a_mail_server_that_is_away_and_use_up_no_tries() {
    let courier = Arc::new(Scripted::default());
    courier.planned.lock().extend((0..40).map(|_| SendError::Unavailable("away".into())));
    let mut shop = Shop::with_courier(courier.clone()).await;
    let running = shop.run();
    let users = ["ann", "bob", "cyd", "dan", "eve", "fay"];
    for user in users {
        shop.publish(&created(user), 1).await;
    }
    shop.until("all", async || courier.taken().len() == users.len()).await;
    shop.until("nothing waits", async || {
        let path = "/api/v1/operator/notifications/dead";
        shop.get(path, &shop.bench.operator()).await.items().is_empty()
    })
    .await;
    running.end().await;
}
