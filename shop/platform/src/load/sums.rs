//! What a run must conserve: money, stock, and one shipment for each completed order.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::mix::Product;
use super::{CallError, Client, Customer, Ended, Wish};

/// What happened in a run, as its customers saw it.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Everybody who took part.
    pub customers: Vec<Customer>,
    /// What they paid in.
    pub deposits: i64,
    /// Every order that was accepted: by whom, what for, and how it ended.
    pub orders: Vec<(Customer, Wish, Ended)>,
    /// Orders that were accepted and did not end in time.
    pub unfinished: Vec<String>,
    /// What was on hand and reserved before.
    stock_before: BTreeMap<String, (i64, i64)>,
}

/// The sums at the end; all is well when [`Sums::faults`] is empty.
#[derive(Debug, Default)]
pub struct Sums {
    /// What was paid in.
    pub deposits: i64,
    /// What completed orders cost.
    pub completed_total: i64,
    /// What is on the accounts.
    pub balances: i64,
    /// Orders by their last state.
    pub by_status: BTreeMap<String, u64>,
    /// What does not agree.
    pub faults: Vec<String>,
}

// === impl Ledger ===

impl Ledger {
    /// A ledger that knows the stock as it is now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn open(client: &Client) -> Result<Self, CallError> {
        Ok(Self { stock_before: stock(client).await?, ..Self::default() })
    }

    /// Compares what the customers saw with what the shop says now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn audit(&self, client: &Client) -> Result<Sums, CallError> {
        let mut sums = Sums { deposits: self.deposits, ..Sums::default() };
        for order in &self.unfinished {
            sums.faults.push(format!("order {order} was accepted and has not ended"));
        }
        let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
        for (customer, wish, ended) in &self.orders {
            *sums.by_status.entry(ended.status.clone()).or_default() += 1;
            let shipments = customer.shipments(&ended.id).await?;
            let expected = usize::from(ended.status == "completed");
            if shipments != expected {
                sums.faults.push(format!(
                    "order {} is {} and has {shipments} shipments",
                    ended.id, ended.status
                ));
            }
            if ended.status == "completed" {
                sums.completed_total += ended.total;
                *sold.entry(&wish.sku).or_default() += wish.quantity;
            }
        }
        for customer in &self.customers {
            sums.balances += customer.balance().await?;
        }
        if sums.deposits - sums.completed_total != sums.balances {
            sums.faults.push(format!(
                "money: {} paid in, {} spent, and {} left",
                sums.deposits, sums.completed_total, sums.balances
            ));
        }
        for (sku, (on_hand, reserved)) in stock(client).await? {
            let (before, held) = self.stock_before.get(&sku).copied().unwrap_or_default();
            let expected = before - sold.get(&*sku).copied().unwrap_or_default();
            if on_hand != expected || reserved != held {
                sums.faults.push(format!(
                    "stock of {sku}: {on_hand} on hand and {reserved} reserved, \
                     expected {expected} and {held}"
                ));
            }
        }
        Ok(sums)
    }
}

/// The products as a mix needs them.
///
/// # Errors
/// [`CallError`].
pub async fn products(client: &Client) -> Result<Vec<Product>, CallError> {
    let mut products = Vec::new();
    for item in items(client, "/api/v1/products").await? {
        let sku = item["sku"].as_str().unwrap_or_default().to_owned();
        let stock = client.get(&format!("/api/v1/stock/{sku}"), None).await?;
        let price = item["price"]["amount"].as_i64().unwrap_or_default();
        let available = stock["available"].as_i64().unwrap_or_default();
        products.push(Product { sku, price, available });
    }
    Ok(products)
}

async fn stock(client: &Client) -> Result<BTreeMap<String, (i64, i64)>, CallError> {
    let mut all = BTreeMap::new();
    for item in items(client, "/api/v1/products").await? {
        let sku = item["sku"].as_str().unwrap_or_default().to_owned();
        let stock = client.get(&format!("/api/v1/stock/{sku}"), None).await?;
        let count = |field: &str| stock[field].as_i64().unwrap_or_default();
        all.insert(sku, (count("on_hand"), count("reserved")));
    }
    Ok(all)
}

/// All pages of a collection.
async fn items(client: &Client, path: &str) -> Result<Vec<Value>, CallError> {
    let mut all = Vec::new();
    let mut next = String::new();
    loop {
        let page = client.get(&format!("{path}?limit=100{next}"), None).await?;
        all.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return Ok(all),
        }
    }
}

/// How long an order may take before it counts as unfinished.
pub const ORDER_PATIENCE: Duration = Duration::from_secs(60);

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (status, count) in &self.by_status {
            writeln!(f, "{count:>8} {status}")?;
        }
        writeln!(
            f,
            "{} paid in - {} spent = {} on the accounts",
            self.deposits, self.completed_total, self.balances
        )?;
        match self.faults.as_slice() {
            [] => writeln!(f, "all sums agree"),
            faults => faults.iter().try_for_each(|fault| writeln!(f, "WRONG: {fault}")),
        }
    }
}
