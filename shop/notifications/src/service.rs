//! The service as a whole: what it owns, and how it runs.

use std::time::Duration;

use shop_edge::{Deps, Health, Parts, insist};
use switchboard_core::BoxError;
use switchboard_handler::Group;
use switchboard_message::Topic;
use switchboard_resilience::control::Registry;
use switchboard_store::Sharing;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::edge::rest;
use crate::routes::Destination;
use crate::{App, analytics, email, notification, router};

/// The name of the service, its store and its messages' source.
pub const NAME: &str = "notifications";

/// How late a process may learn what an operator has told another one.
const FOLLOW: Duration = Duration::from_secs(2);

/// The topics that it owns.
pub fn topics() -> Vec<Topic> {
    Destination::ALL.map(|destination| Topic::new(destination.topic())).to_vec()
}

/// Its groups, as the map of the shop shows them: the router, then those behind it.
pub fn groups(app: &App, deps: &Deps) -> Vec<Group> {
    let behind = Destination::ALL.map(|destination| group(destination, app, deps));
    std::iter::once(router::group(deps)).chain(behind).collect()
}

fn group(destination: Destination, app: &App, deps: &Deps) -> Group {
    match destination {
        Destination::Email => email::group(app, deps),
        Destination::Analytics => analytics::group(app, deps),
        Destination::Notification => notification::group(app, deps),
    }
}

/// Runs until shutdown, or until the relay, the router or the edge fails. The three groups behind
/// the router end and begin on their own.
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
    let app = App::new(&deps).guarded()?;
    if insist("the switches", &shutdown, || app.restore_switches()).await?.is_none() {
        return Ok(());
    }
    if let (Some(guard), Some(policies)) = (app.mail_guard(), deps.process.extra::<Registry>()) {
        guard.register(&policies);
    }
    let routes = rest::routes(app.clone(), &deps);
    let edge = shop_edge::serve(listener, routes, health(&app, &deps), shutdown.clone());
    let following = follow_switches(app.clone(), deps.process.sharing(), shutdown.clone());
    parts(&app, &deps, &shutdown)
        .with("the relay", relay.run(shutdown.clone()))
        .with("the switches", following)
        .with("the edge", edge)
        .run(shutdown)
        .await
}

/// Does what an operator has told another process of the service: switches are rows, and rows tell
/// nobody that they have changed. A process that is alone is told everything itself.
async fn follow_switches(
    app: App,
    sharing: Sharing,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    if sharing == Sharing::Alone {
        return Ok(());
    }
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(FOLLOW) => {}
        }
        if let Err(error) = app.restore_switches().await {
            tracing::debug!(%error, "the switches cannot be read now");
        }
    }
}

/// The router and the groups behind it, for whoever brings a relay: services and simulations.
pub fn parts(app: &App, deps: &Deps, shutdown: &CancellationToken) -> Parts {
    let routing = router::group(deps).run(shutdown.clone());
    let parts = Parts::new().with("the group notifications.router", routing);
    Destination::ALL.into_iter().fold(parts, |parts, destination| {
        let switches = app.switches().clone();
        let (app, deps) = (app.clone(), deps.clone());
        let make = move || group(destination, &app, &deps);
        parts.with(destination.topic(), switches.keep(destination, make, shutdown.clone()))
    })
}

/// Ready while no group waits to be started again. One that an operator has stopped is as it
/// should be.
fn health(app: &App, deps: &Deps) -> Health {
    Destination::ALL.into_iter().fold(Health::of(deps), |health, destination| {
        let switches = app.switches().clone();
        health.check(destination.name(), move || switches.of(destination).broken().is_none())
    })
}
