//! The service as a whole: what it owns, and how it runs.

use shop_contracts::orders::{EVENTS, REPLIES};
use shop_edge::{Deps, Health, Parts, insist, serve_with_rpc};
use switchboard_core::BoxError;
use switchboard_handler::Group;
use switchboard_message::Topic;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::edge::{grpc, rest};
use crate::products::Products;

/// The name of the service, its store and its messages' source.
pub const NAME: &str = "orders";

/// The topics that it owns.
pub fn topics() -> Vec<Topic> {
    vec![Topic::new(EVENTS), Topic::new(REPLIES)]
}

/// Its groups, as the map of the shop shows them.
pub fn groups(app: &App, deps: &Deps) -> Vec<Group> {
    vec![app.fulfilment.group(deps), app.products.group(deps)]
}

/// Runs until shutdown, or until a part of it fails.
///
/// # Errors
/// The failure of the part.
pub async fn run(
    listener: TcpListener,
    deps: Deps,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    // First of all: a store that was put back to an older copy must begin a new life before it
    // accepts anything.
    let Some(relay) = deps.start_relay(&shutdown).await? else { return Ok(()) };
    let app = App::new(&deps);
    let groups = groups(&app, &deps);
    let products = app.products.clone();
    let health = {
        let products = products.clone();
        Health::of(&deps).check("products", move || products.is_complete())
    };
    let rpc = grpc::services(app.clone(), &deps);
    let routes = rest::routes(app, &deps);
    let relay = relay.run(shutdown.clone());
    let edge = serve_with_rpc(listener, routes, rpc, health, shutdown.clone());
    let catalogue = follow(products, shutdown.clone());
    let parts = Parts::new()
        .with("the relay", relay)
        .with("the edge", edge)
        .with("the catalogue", catalogue);
    groups
        .into_iter()
        .fold(parts, |parts, group| parts.with("a group", group.run(shutdown.clone())))
        .run(shutdown)
        .await
}

/// Looks at the catalogue until it is complete. Rows do not move positions, so it looks again
/// every few milliseconds, for the short time after the very first start.
async fn follow(products: Products, shutdown: CancellationToken) -> Result<(), BoxError> {
    loop {
        let looked = insist("the catalogue", &shutdown, || products.look()).await?;
        if looked.is_none() || products.is_complete() {
            return Ok(());
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
        }
    }
}
