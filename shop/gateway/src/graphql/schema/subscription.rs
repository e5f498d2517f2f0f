//! What can be followed.

use async_graphql::{Context, ID, Result, Subscription as Subscribe};
use futures_util::{Stream, StreamExt};
use shop_contracts::rpc::orders;

use super::super::calls::{answered, failed, incomplete};
use super::order::Order;
use super::{calls, loaders, signed_in};

/// What can be followed.
#[derive(Debug)]
pub struct Subscription;

/// What can be followed, over a WebSocket (`graphql-transport-ws`) or server-sent events.
#[Subscribe]
impl Subscription {
    /// One of the caller's orders: as it is now, and again after every change. Ends after a final
    /// state.
    async fn order_status(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<impl Stream<Item = Result<Order>> + use<>> {
        signed_in(ctx)?;
        // Each state is looked up anew, with whatever is asked for around it.
        loaders(ctx).enable_all_cache(false);
        let calls = calls(ctx);
        let request = calls.follow(orders::WatchOrderRequest { id: id.0 });
        let states = answered("orders", calls.orders().watch_order(request).await)?;
        let time = calls.clone();
        Ok(states.map(move |state| {
            time.renew();
            let state = state.map_err(|status| failed("orders", &status))?;
            Ok(Order::of(state.order.ok_or_else(|| incomplete("orders"))?))
        }))
    }
}
