//! A customer: signs up, opens an account, pays in, orders, and waits for the end of each order.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Call;
use super::{CallError, Client, Wish};

/// A call that may be repeated is repeated for so long: longer than a restart takes.
const INSIST: Duration = Duration::from_secs(90);
/// Between the first two looks at an order; then half as long again each time, up to [`LOOK_MOST`]:
/// customers who look all the time take the machine away from their own orders.
const LOOK: Duration = Duration::from_millis(4);
/// Between two looks at an order that takes its time.
const LOOK_MOST: Duration = Duration::from_millis(40);

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Customer {
    client: Client,
    /// The user's id.
    pub id: String,
    /// The user's name.
    pub name: String,
    /// The user's account.
    pub account: String,
    /// The token that says who calls.
    pub token: String,
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The order.
    pub id: String,
    /// Its last state.
    pub status: String,
    /// Why, when it went wrong.
    pub reason: Option<String>,
    /// What it costs.
    pub total: i64,
}

/// The states after which nothing happens by itself any more.
const FINAL: [&str; 4] = ["completed", "failed", "payment_cancelled", "undo_failed"];

// === impl Customer ===

impl Customer {
    /// Signs somebody up (or in, if a lost answer was a yes) and opens an account in USD.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn join(client: &Client, name: &str, email: &str) -> Result<Self, CallError> {
        let password = "correct horse battery";
        let who = json!({ "name": name, "email": email, "password": password });
        let call = Call { body: Some(who), ..Call::default() };
        let path = "/api/v1/users";
        let answer = client.insist(Method::POST, path, &call, INSIST).await?;
        if answer.status != StatusCode::CONFLICT {
            answer.expect(StatusCode::CREATED, &Method::POST, path)?;
        }
        let credentials = json!({ "email": email, "password": password });
        let call = Call { body: Some(credentials), ..Call::default() };
        let path = "/api/v1/sessions";
        let answer = client.insist(Method::POST, path, &call, INSIST).await?;
        let session = answer.expect(StatusCode::CREATED, &Method::POST, path)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut customer = Self {
            client: client.clone(),
            id: text(&session["user_id"]),
            name: name.to_owned(),
            account: String::new(),
            token: text(&session["token"]),
        };
        // Asked twice, it opens two: an empty account more disturbs no sum.
        let account = customer.post("/api/v1/accounts", None, json!({ "currency": "USD" })).await?;
        customer.account = text(&account["id"]);
        Ok(customer)
    }

    /// The same customer at another address of the same shop.
    #[must_use]
    pub fn at(&self, client: &Client) -> Self {
        Self { client: client.clone(), ..self.clone() }
    }

    /// What they show when they call.
    pub fn token(&self) -> &str {
        &self.token
    }

    async fn post(&self, path: &str, key: Option<&str>, body: Value) -> Result<Value, CallError> {
        let call = Call { token: Some(&self.token), idempotency_key: key, body: Some(body) };
        let answer = self.client.insist(Method::POST, path, &call, INSIST).await?;
        answer.expect(StatusCode::CREATED, &Method::POST, path)
    }

    /// Pays in; the key makes a repeat harmless.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn deposit(&self, amount: i64, key: &str) -> Result<(), CallError> {
        let path = format!("/api/v1/accounts/{}/deposits", self.account);
        self.post(&path, Some(key), json!({ "amount": amount })).await.map(drop)
    }

    /// What is on the account.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn balance(&self) -> Result<i64, CallError> {
        let path = format!("/api/v1/accounts/{}", self.account);
        let account = self.client.get(&path, Some(&self.token)).await?;
        Ok(account["balance"]["amount"].as_i64().unwrap_or_default())
    }

    /// Places an order, once per key, and answers its id.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn order(&self, wish: &Wish, key: &str) -> Result<String, CallError> {
        let body = json!({
            "account_id": self.account,
            "items": [{ "sku": wish.sku, "quantity": wish.quantity }],
            "ship_to": {
                "name": self.name,
                "address": "1 Exchange Lane",
                "city": "Springfield",
                "country": wish.country,
            },
        });
        let order = self.post("/api/v1/orders", Some(key), body).await?;
        Ok(order["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until nothing happens to the order any more; `None` when it takes longer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn wait(&self, order: &str, within: Duration) -> Result<Option<Ended>, CallError> {
        let path = format!("/api/v1/orders/{order}");
        let begun = tokio::time::Instant::now();
        let mut look = LOOK;
        loop {
            let order = self.client.get(&path, Some(&self.token)).await?;
            let status = order["status"].as_str().unwrap_or_default();
            if FINAL.contains(&status) {
                let last = order["history"].as_array().and_then(|history| history.last());
                let reason = last.and_then(|last| last["reason"].as_str());
                return Ok(Some(Ended {
                    id: order["id"].as_str().unwrap_or_default().to_owned(),
                    status: status.to_owned(),
                    reason: reason.map(str::to_owned),
                    total: order["total"]["amount"].as_i64().unwrap_or_default(),
                }));
            }
            if begun.elapsed() > within {
                return Ok(None);
            }
            tokio::time::sleep(look).await;
            look = look.mul_f64(1.5).min(LOOK_MOST);
        }
    }

    /// How many shipments there are for an order.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn shipments(&self, order: &str) -> Result<usize, CallError> {
        let path = format!("/api/v1/shipments?order_id={order}");
        let shipments = self.client.get(&path, Some(&self.token)).await?;
        Ok(shipments["items"].as_array().map_or(0, Vec::len))
    }
}
