//! The whole shop, started in this process on a temporary folder, and used as anybody would use it.

#![allow(clippy::unwrap_used, reason = "what is not as expected ends the test")]

mod backups;
mod compare;
mod contract;
mod graphql;
mod isolation;
mod lifecycle;
mod meaning;
mod openapi;
mod operators;
mod orders;
mod program;
mod walk;

use std::path::Path;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use shop_platform::folder::Folder;
use shop_platform::load::Client;
use shop_platform::load::client::{Answer, Call};
use shop_platform::platform::{Options, Platform};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running shop.
struct Shop {
    client: Client,
    url: String,
    operator: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Shop {
    /// On a folder of its own, which is deleted in the end.
    async fn start() -> Self {
        Self::on(Folder::ephemeral().unwrap()).await
    }

    /// On a folder that is kept.
    async fn start_in(path: &Path) -> Self {
        Self::on(Folder::open(path).unwrap()).await
    }

    async fn on(folder: Folder) -> Self {
        let mut platform = Platform::start(Options::new(folder)).await.unwrap();
        platform.ready().await.unwrap();
        let (url, operator) = (platform.url(), platform.operator_token().to_owned());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            platform.run(async { drop(stopped.await) }).await.unwrap();
        });
        Self { client: Client::new(&url), url, operator, stop, running }
    }

    /// As Ctrl-C does.
    async fn end(self) {
        drop(self.stop);
        tokio::time::timeout(Duration::from_secs(5), self.running).await.unwrap().unwrap();
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let call = Call { token, body, ..Call::default() };
        self.client.call(method, path, &call).await.unwrap()
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.call(Method::GET, path, token, None).await
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.call(Method::POST, path, token, Some(body)).await
    }

    /// As the operator.
    async fn operate(&self, path: &str, body: Value) -> Answer {
        self.post(path, Some(&self.operator), body).await
    }

    /// Somebody signed in, with this much on an account.
    async fn somebody(&self, email: &str, amount: i64) -> Somebody {
        let password = "correct horse battery";
        let who = json!({ "name": "Ada", "email": email, "password": password });
        let user = self.post("/api/v1/users", None, who).await;
        assert_eq!(user.status, StatusCode::CREATED, "{}", user.body);
        let credentials = json!({ "email": email, "password": password });
        let session = self.post("/api/v1/sessions", None, credentials).await;
        assert_eq!(session.status, StatusCode::CREATED, "{}", session.body);
        let id = session.body["user_id"].as_str().unwrap().to_owned();
        let token = session.body["token"].as_str().unwrap().to_owned();
        let account =
            self.post("/api/v1/accounts", Some(&token), json!({ "currency": "USD" })).await;
        let account = account.body["id"].as_str().unwrap().to_owned();
        if amount > 0 {
            let path = format!("/api/v1/accounts/{account}/deposits");
            let paid = self.post(&path, Some(&token), json!({ "amount": amount })).await;
            assert_eq!(paid.status, StatusCode::CREATED, "{}", paid.body);
        }
        Somebody { id, token, account }
    }

    /// Places an order for one product.
    async fn order(&self, who: &Somebody, key: &str, wish: Value) -> Answer {
        let mut body = json!({
            "account_id": who.account,
            "items": [{ "sku": self.sku().await, "quantity": 1 }],
            "ship_to": {
                "name": "Ada", "address": "1 Exchange Lane", "city": "Springfield", "country": "DE",
            },
        });
        for (field, value) in wish.as_object().unwrap() {
            body[field] = value.clone();
        }
        let call = Call { token: Some(&who.token), idempotency_key: Some(key), body: Some(body) };
        self.client.call(Method::POST, "/api/v1/orders", &call).await.unwrap()
    }

    /// Waits until nothing happens to an order any more, and answers it.
    async fn end_of(&self, who: &Somebody, placed: &Answer) -> Value {
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.body);
        let path = format!("/api/v1/orders/{}", placed.body["id"].as_str().unwrap());
        let ends = ["completed", "failed", "payment_cancelled", "undo_failed"];
        eventually(&path, || async {
            let order = self.client.get(&path, Some(&who.token)).await.unwrap();
            ends.contains(&order["status"].as_str().unwrap()).then_some(order)
        })
        .await
    }

    /// An order as the operator sees it.
    async fn order_of(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/orders/{id}"), Some(&self.operator)).await.body
    }

    async fn balance(&self, who: &Somebody) -> i64 {
        let path = format!("/api/v1/accounts/{}", who.account);
        self.get(&path, Some(&who.token)).await.body["balance"]["amount"].as_i64().unwrap()
    }

    /// What is on hand, and what is reserved.
    async fn stock(&self, sku: &str) -> (i64, i64) {
        let stock = self.get(&format!("/api/v1/stock/{sku}"), None).await.body;
        (stock["on_hand"].as_i64().unwrap(), stock["reserved"].as_i64().unwrap())
    }

    /// The first product.
    async fn sku(&self) -> String {
        let products = self.get("/api/v1/products?limit=1", None).await.body;
        products["items"][0]["sku"].as_str().unwrap().to_owned()
    }
}

/// A customer.
#[derive(Debug)]
struct Somebody {
    id: String,
    token: String,
    account: String,
}

/// The states that an order came to.
fn history(order: &Value) -> Vec<&str> {
    let history = order["history"].as_array().unwrap();
    history.iter().map(|past| past["status"].as_str().unwrap()).collect()
}

/// Looks until there is an answer; fails after half a minute.
async fn eventually<T, F, Fut>(what: &str, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    found.unwrap_or_else(|_| panic!("still waiting for {what}"))
}
