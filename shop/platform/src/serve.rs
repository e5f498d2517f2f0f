//! One part of the shop in a process of its own: a service, in as many copies as are wanted, or the gateway in front of all.
//!
//! Copies of a service share its store, its groups and the keys in the data folder. None is the first: whichever starts declares the
//! whole topology, and makes the keys if they are not there yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use shop_edge::{Auth, Deps, Problem, Process};
use shop_gateway::{Gateway, Route, Upstreams};
use switchboard_core::{BoxError, Clock, Rng, SystemClock};
use switchboard_resilience::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::backends::Carrier;
use crate::folder::Folder;
use crate::keep::kept;
use crate::load::client::{Call, Client};
use crate::platform::{self, Options, StartError, bind, local, process_name};
use crate::topology::{self, Service};
use crate::upstream::Upstream;
use crate::{console, guard, mail, openapi, operator, resilience};

/// What the gateway is called where services are named.
pub const GATEWAY: &str = "gateway";

/// What runs has so long to end once it is asked to.
const PATIENCE: Duration = Duration::from_millis(4_300);
/// The broker sends what it still has.
const CLOSING: Duration = Duration::from_millis(400);
/// Between two looks whether it is ready, at first and in the end.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));
/// After so long it is said what is missing.
const QUIET: Duration = Duration::from_secs(5);

/// A part of the shop that runs.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    end: CancellationToken,
    running: JoinHandle<Result<(), BoxError>>,
    carrier: Option<Carrier>,
    /// Last, so that the lock is given back when everything else is gone.
    folder: Folder,
}

// === impl Serving ===

impl Serving {
    /// Starts one service. Returns when its port is open, which is before it can take calls.
    ///
    /// # Errors
    /// [`StartError`], whose text says what to do.
    pub async fn service(service: Service, options: Options) -> Result<Self, StartError> {
        let Options { folder, listen, public, engines, mail, doors, .. } = options;
        // One setting for all processes must not keep those from starting that write no letters.
        let courier = match service.name {
            shop_notifications::NAME => mail.courier()?,
            _ => None,
        };
        if let Some(why) = engines.alone_because() {
            let name = service.name;
            return Err(StartError::NotAlone(format!(
                "`{name}` cannot be a process of its own: {why}"
            )));
        }
        let (listener, address) = bind(listen, public).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut rng = Rng::from_entropy();
        let name = process_name(service.name, &mut rng);
        let auth = Arc::new(Auth::load_or_create(folder.path(), clock.clone())?);
        // Before the engines: whoever has a handle before counts into nothing.
        let policies = Registry::new(clock.clone());
        let metrics = guard::metrics(auth.clone(), policies.clone(), address.ip().is_loopback());
        let whole = topology::whole()?;
        let services = [service];
        let (carrier, stores) = tokio::try_join!(
            engines.broker(folder.path(), &whole, &clock),
            engines.stores(folder.path(), &services, &clock, &mut rng),
        )?;
        let ([store], [probe]) = (&*stores.all, &*stores.probes) else {
            return Err(StartError::Cut);
        };
        let process = engines.process(&name, &carrier, probe);
        let process = mail::with_courier(process, courier.as_ref())
            .with_extra(policies.clone())
            .with_routes(metrics)
            .with_routes(resilience::routes(policies, auth.clone()));
        let process = doors.for_service(process, true);
        let (store, broker) = (store.clone(), carrier.broker.clone());
        let deps = Deps { store, broker, clock, rng, auth, process };
        let end = CancellationToken::new();
        let running = tokio::spawn(kept(service, listener, deps, end.clone()));
        Ok(Self { address, end, running, carrier: Some(carrier), folder })
    }

    /// Starts the gateway in front of services that listen there. Told of broker and stores, it
    /// brings the console.
    ///
    /// # Errors
    /// [`StartError`], whose text says what to do.
    pub async fn gateway(upstreams: &[Upstream], options: Options) -> Result<Self, StartError> {
        let Options { folder, listen, public, engines, doors, .. } = options;
        let routes = routes(upstreams)?;
        let (listener, address) = bind(listen, public).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let auth = Arc::new(Auth::load_or_create(folder.path(), clock.clone())?);
        let end = CancellationToken::new();
        let policies = Registry::new(clock.clone());
        let metrics = guard::metrics(auth.clone(), policies.clone(), address.ip().is_loopback());
        let mut gateway = Gateway::new(routes)
            .with_routes(openapi::routes())
            .with_routes(metrics)
            .with_guards(platform::guards(&clock, &policies)?)
            .with_routes(resilience::routes(policies.clone(), auth.clone()));
        let mut carrier = None;
        if engines.alone_because().is_none() {
            let mut rng = Rng::from_entropy();
            let (services, whole) = (topology::services(), topology::whole()?);
            let (broker, stores) = tokio::try_join!(
                engines.broker(folder.path(), &whole, &clock),
                engines.stores_to_look_at(folder.path(), &services, &clock, &mut rng),
            )?;
            // They are looked at: nothing runs on them here.
            let process = Process::default();
            let watched = services.iter().zip(stores).map(|(service, store)| {
                let (clock, rng, auth) = (clock.clone(), rng.clone(), auth.clone());
                let (broker, process) = (broker.broker.clone(), process.clone());
                platform::watch(service, &Deps { store, broker, clock, rng, auth, process })
            });
            let shop = console::Shop {
                policies: policies.clone(),
                services: watched.collect(),
                broker: broker.broker.clone(),
                auth: auth.clone(),
                clock: clock.clone(),
                client: Client::new(format!("http://{}", local(address))),
                end: end.clone(),
            };
            gateway = gateway.with_routes(console::routes(shop));
            carrier = Some(broker);
        } else {
            gateway = gateway.with_routes(without_console());
        }
        let gateway = gateway
            .with_routes(shop_edge::auth::routes(auth.clone()))
            .with_callers(doors.callers(&auth))
            .with_end(end.clone())
            .with_rpc(&auth, doors.rpc(), end.clone())
            .map_err(StartError::Failed)?
            .with_graphql(&auth, guard::graphql(address.ip().is_loopback()), end.clone())
            .with_routes(operator::routes(carrier.as_ref(), auth, clock));
        let running = tokio::spawn(gateway.serve(listener, doors.gateway(), end.clone()));
        folder.announce(&format!("http://{}", local(address)))?;
        Ok(Self { address, end, running, carrier, folder })
    }

    /// Where it listens, for callers on this machine: `http://127.0.0.1:9001`.
    pub fn url(&self) -> String {
        format!("http://{}", local(self.address))
    }

    /// Where the keys are.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Waits until its `/readyz` is 200, however long others take; says what is missing.
    ///
    /// # Errors
    /// [`StartError::Failed`] when it has ended.
    pub async fn ready(&mut self) -> Result<(), StartError> {
        let client = Client::new(self.url());
        let waiting = async {
            let (begun, mut wait, mut told) = (tokio::time::Instant::now(), LOOK.0, false);
            loop {
                let missing =
                    match client.call(http::Method::GET, "/readyz", &Call::default()).await {
                        Ok(answer) if answer.status.is_success() => return,
                        Ok(answer) => answer.body.to_string(),
                        Err(error) => error.to_string(),
                    };
                if !told && begun.elapsed() > QUIET {
                    told = true;
                    tracing::warn!(missing, "not ready yet");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LOOK.1);
            }
        };
        tokio::select! {
            () = waiting => Ok(()),
            ended = &mut self.running => Err(StartError::of(ended)),
        }
    }

    /// Keeps it until `stop`, or until it fails; then it drains, within five seconds.
    ///
    /// # Errors
    /// [`StartError::Failed`] when it failed, [`StartError::Cut`] when draining took too long.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let failed = tokio::select! {
            () = stop => None,
            ended = &mut self.running => Some(StartError::of(ended)),
        };
        self.end.cancel();
        let ended = match failed {
            Some(failed) => Err(failed),
            None => match tokio::time::timeout(PATIENCE, &mut self.running).await {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(ended) => Err(StartError::of(ended)),
                Err(_) => Err(StartError::Cut),
            },
        };
        if let Some(carrier) = self.carrier {
            let _sent_again_at_the_next_start =
                tokio::time::timeout(CLOSING, carrier.close()).await;
        }
        ended
    }
}

/// The routes to these services.
fn routes(upstreams: &[Upstream]) -> Result<Vec<Route>, StartError> {
    let (mut routes, mut missing) = (Vec::new(), Vec::new());
    for service in topology::services() {
        let named = upstreams.iter().filter(|upstream| upstream.service == service.name);
        let addresses: Vec<_> = named.flat_map(|upstream| upstream.addresses.clone()).collect();
        if addresses.is_empty() {
            missing.push(service.name);
        }
        let upstreams = Upstreams::new(addresses);
        routes.extend(topology::routes(&service, &upstreams));
    }
    if missing.is_empty() {
        return Ok(routes);
    }
    Err(StartError::NotAlone(format!(
        "the gateway does not know where these services listen: {}; add --upstream \
         {}=http://HOST:PORT for each",
        missing.join(", "),
        missing[0]
    )))
}

/// What stands in the console's place.
fn without_console() -> Router {
    let say = || async {
        let how = "The console looks into broker and stores: start this gateway with --broker and \
                   --store as well. `switchboard sagas` and `switchboard dead` work without.";
        Problem::conflict(how)
    };
    Router::new().route("/console", any(say)).route("/console/{*page}", any(say))
}
