//! Orders per second, from POST to `completed`, at 1, 16 and 64 customers.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use switchboard_core::{BoxError, Rng};

use super::sums::{ORDER_PATIENCE, products};
use super::{Client, Customer, Mix};

/// What so many customers achieved.
#[derive(Debug)]
pub struct Figures {
    /// How many ordered at the same time.
    pub customers: usize,
    /// Orders completed per second.
    pub orders_per_s: f64,
    /// From POST to `completed`, the middle one.
    pub p50: Duration,
    /// The same, which one in a hundred exceeds.
    pub p99: Duration,
}

/// Lets so many customers order one thing after another for so long.
///
/// # Errors
/// When an order does not complete.
pub async fn run(client: &Client, customers: usize, time: Duration) -> Result<Figures, BoxError> {
    let goods = products(client).await?;
    let mut rng = Rng::from_entropy();
    let joined = (0..customers).map(|number| {
        let tag = format!("bench-{:08x}-{number}", rng.u64() >> 32);
        let mix = Mix::new(goods.clone(), 0, rng.fork());
        async move {
            let customer = Customer::join(client, &tag, &format!("{tag}@example.com")).await?;
            customer.deposit(900_000_000_000, &tag).await?;
            Ok::<_, BoxError>((customer, mix, tag))
        }
    });
    let joined = try_join_all(joined).await?;
    let begun = Instant::now();
    let orders = joined.into_iter().map(|(customer, mut mix, tag)| async move {
        let mut latencies = Vec::new();
        while begun.elapsed() < time {
            let Some(wish) = mix.wish() else { return Err("the shop sells nothing".into()) };
            let since = Instant::now();
            let order = customer.order(&wish, &format!("{tag}-{}", latencies.len())).await?;
            match customer.wait(&order, ORDER_PATIENCE).await? {
                Some(ended) if ended.status == "completed" => latencies.push(since.elapsed()),
                other => return Err(format!("order {order} ended as {other:?}").into()),
            }
        }
        Ok::<_, BoxError>(latencies)
    });
    let mut latencies: Vec<_> = try_join_all(orders).await?.concat();
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 100).copied();
    Ok(Figures {
        customers,
        orders_per_s: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50: at(50).unwrap_or_default(),
        p99: at(99).unwrap_or_default(),
    })
}
