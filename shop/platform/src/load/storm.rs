//! Load that outlives the shop: it goes on while the process is killed and started again, and in the end does the sums.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Rng};
use tokio_util::sync::CancellationToken;

use super::sums::{ORDER_PATIENCE, products};
use super::{Client, Customer, Ledger, Mix, Sums};

/// How a storm is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Customers that order at the same time.
    pub customers: usize,
    /// One in so many orders is meant to fail.
    pub failing: u64,
    /// Repeats the same wishes.
    pub seed: u64,
    /// Ends by itself after this time.
    pub longest: Duration,
}

/// Places orders until `stop`, then waits for their ends and does the sums.
///
/// # Errors
/// When the shop answers what it must not.
pub async fn run(
    client: &Client,
    options: &Options,
    stop: CancellationToken,
) -> Result<Sums, BoxError> {
    let mut rng = Rng::from_seed(options.seed);
    let goods = products(client).await?;
    let ledger = Arc::new(Mutex::new(Ledger::open(client).await?));
    let longest = stop.clone();
    let time = options.longest;
    let timer = tokio::spawn(async move {
        tokio::time::sleep(time).await;
        longest.cancel();
    });
    let customers = (0..options.customers).map(|number| {
        let mix = Mix::new(goods.clone(), options.failing, rng.fork());
        // Runs over the same data folder must not meet each other's customers.
        let tag = format!("{:08x}-{number}", rng.u64() >> 32);
        shop(client.clone(), tag, mix, ledger.clone(), stop.clone())
    });
    try_join_all(customers).await?;
    timer.abort();
    let ledger = std::mem::take(&mut *ledger.lock());
    Ok(ledger.audit(client).await?)
}

async fn shop(
    client: Client,
    tag: String,
    mut mix: Mix,
    ledger: Arc<Mutex<Ledger>>,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let name = format!("Customer {tag}");
    let customer = Customer::join(&client, &name, &format!("{tag}@example.com")).await?;
    ledger.lock().customers.push(customer.clone());
    let mut number = 0;
    while !stop.is_cancelled() {
        if number % 20 == 0 {
            let amount = 30_000_000;
            customer.deposit(amount, &format!("{tag}-deposit-{number}")).await?;
            ledger.lock().deposits += amount;
        }
        let Some(wish) = mix.wish() else { return Err("the shop sells nothing".into()) };
        let order = customer.order(&wish, &format!("{tag}-order-{number}")).await?;
        match customer.wait(&order, ORDER_PATIENCE).await? {
            Some(ended) => ledger.lock().orders.push((customer.clone(), wish, ended)),
            None => ledger.lock().unfinished.push(order),
        }
        number += 1;
    }
    Ok(())
}
