//! The service as a whole: what it owns, and how it runs.

use shop_contracts::users::EVENTS;
use shop_edge::{Deps, Health, Parts, serve_with_rpc};
use switchboard_core::BoxError;
use switchboard_message::Topic;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::edge::{grpc, rest};

/// The name of the service, its store and its messages' source.
pub const NAME: &str = "users";

/// The topics that it owns.
pub fn topics() -> Vec<Topic> {
    vec![Topic::new(EVENTS)]
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
    let (rpc, routes) = (grpc::services(app.clone(), &deps), rest::routes(app, &deps));
    let edge = serve_with_rpc(listener, routes, rpc, Health::of(&deps), shutdown.clone());
    Parts::new()
        .with("the relay", relay.run(shutdown.clone()))
        .with("the edge", edge)
        .run(shutdown)
        .await
}
