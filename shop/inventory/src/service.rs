//! The service as a whole: what it owns, and how it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shop_contracts::inventory::{COMMANDS, PRODUCTS};
use shop_edge::{Deps, Health, Parts, insist, serve_with_rpc};
use switchboard_core::BoxError;
use switchboard_handler::Group;
use switchboard_message::{Retention, Topic};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::edge::{grpc, rest};
use crate::{App, participant};

/// The name of the service, its store and its messages' source.
pub const NAME: &str = "inventory";

/// The topics that it owns. Products are listed once and kept for ever, so that a service that is
/// added later still learns of them.
pub fn topics() -> Vec<Topic> {
    let for_ever = Retention { age: None, bytes: None };
    vec![Topic::new(COMMANDS), Topic::new(PRODUCTS).with_retention(for_ever)]
}

/// Its groups, as the map of the shop shows them.
pub fn groups(app: &App, deps: &Deps) -> Vec<Group> {
    vec![participant::saga(app, deps)]
}

/// Runs until shutdown, or until a part of it fails. The first start lists the products.
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
    let saga = participant::saga(&app, &deps);
    let rpc = grpc::services(app.clone(), &deps);
    let routes = rest::routes(app.clone(), &deps);
    let listed = Arc::new(AtomicBool::new(false));
    let is_listed = Arc::clone(&listed);
    let health = Health::of(&deps).check("products", move || is_listed.load(Ordering::Acquire));
    let ending = shutdown.clone();
    let listing = async move {
        if insist("the first listing", &ending, || app.seed()).await?.is_some() {
            listed.store(true, Ordering::Release);
        }
        Ok::<(), crate::app::Error>(())
    };
    let relay = relay.run(shutdown.clone());
    let edge = serve_with_rpc(listener, routes, rpc, health, shutdown.clone());
    Parts::new()
        .with("the relay", relay)
        .with("the first listing of products", listing)
        .with("the group inventory.saga", saga.run(shutdown.clone()))
        .with("the edge", edge)
        .run(shutdown)
        .await
}
