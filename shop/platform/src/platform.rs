//! The whole shop in one process: broker and stores, services, gateway and console, started, watched and drained together.
//!
//! Each service still has its own store, its own listener and its own groups, and reaches the others only through the broker.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use shop_edge::{Auth, AuthError, Deps, Parts};
use shop_gateway::{Gateway, Guards, Route};
use switchboard_core::{BoxError, Clock, Rng, SystemClock};
use switchboard_resilience::Registry;
use switchboard_telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::backends::{Carrier, Engines};
use crate::backup::Sources;
use crate::backup::job::Jobs;
use crate::edge::Doors;
use crate::folder::{Folder, FolderError};
use crate::keep::kept;
use crate::load::client::{Call, Client};
use crate::mail::{self, Mail};
use crate::topology::{self, Service};
use crate::{console, guard, openapi, operator, resilience};

/// Calls that are running when the shop is asked to end have so long.
const DOORS: Duration = Duration::from_millis(1_500);
/// Then services and groups have so long; together less than the five seconds that are promised.
const PARTS: Duration = Duration::from_millis(2_800);
/// The broker writes what it keeps beside the records; a start recovers what it had no time for.
const CLOSING: Duration = Duration::from_millis(400);
/// How long a start may take before it is given up: a log of many gigabytes is read by then.
const START: Duration = Duration::from_secs(120);

/// Any free port of this machine.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a platform is started with.
#[derive(Debug)]
pub struct Options {
    /// Where the data is.
    pub folder: Folder,
    /// Where the public port listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether an address beyond this machine is allowed.
    pub public: bool,
    /// What everything runs on. Default what is built in.
    pub engines: Engines,
    /// The mail server. Default none.
    pub mail: Mail,
    /// The file that settings were read from, for backups.
    pub settings_file: Option<PathBuf>,
    /// How the ports behave.
    pub doors: Doors,
}

/// A running shop. Call [`Platform::run`] to keep it, and to end it in an orderly way.
#[derive(Debug)]
pub struct Platform {
    address: SocketAddr,
    auth: Arc<Auth>,
    /// No new calls.
    doors: CancellationToken,
    /// Everything ends.
    end: CancellationToken,
    gateway: JoinHandle<Result<(), BoxError>>,
    parts: JoinHandle<Result<(), BoxError>>,
    carrier: Carrier,
    /// Last, so that the lock is given back when everything else is gone.
    folder: Folder,
}

/// The shop cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The public port.
    #[error(
        "cannot listen on {address}: if another program has the port, choose another with \
         --listen HOST:PORT"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The address is not of this machine alone.
    #[error(
        "{0} can be reached from other machines, without encryption: listen on 127.0.0.1, or say \
         --public if a proxy with TLS stands in front"
    )]
    NotLoopback(SocketAddr),
    /// A store.
    #[error("the store of the {name} service cannot be opened")]
    Store {
        /// The service.
        name: &'static str,
        /// Why, and what to do.
        #[source]
        source: Box<switchboard_store_sqlite::OpenError>,
    },
    /// The broker.
    #[error(
        "the embedded broker cannot be opened: `switchboard log inspect` shows what is whole; put \
         a backup in its place with `switchboard restore`, and keep it for a repair"
    )]
    Broker(#[source] BoxError),
    /// The broker's files are sound, as far as they could be looked at; the disk is not.
    #[error(
        "the embedded broker cannot write in {0}: check its rights and the free space, then start \
         again; nothing is lost"
    )]
    Unwritable(PathBuf, #[source] BoxError),
    /// A file that this shop has written is not there any more.
    #[error(
        "{0} is gone, which this shop has written before: put it back, take a backup with \
         `switchboard restore`, or begin anew with --fresh"
    )]
    Gone(PathBuf),
    /// The list of those files cannot be read or written.
    #[error("{0} cannot be read or written: check that it is yours and that the disk has space")]
    Unlisted(PathBuf, #[source] std::io::Error),
    /// The program was built without this engine.
    #[error("built without `{0}`: run with `--features {0}`, or `--features engines` for all")]
    NotBuilt(&'static str),
    /// An engine did not answer in time.
    #[error(
        "nobody answers at {engine} within {} s: start it, name another with {flag}, or wait \
         longer with --engine-wait SECONDS",
        patience.as_secs()
    )]
    Away {
        /// Its address, without a password.
        engine: String,
        /// Where another one is named.
        flag: &'static str,
        /// How long it was waited for.
        patience: Duration,
        /// What happened last.
        #[source]
        source: BoxError,
    },
    /// An engine says no, or cannot do what the shop relies on.
    #[error("{engine} cannot be used: correct what it says, or name another with {flag}")]
    Engine {
        /// Its address, without a password.
        engine: String,
        /// Where another one is named.
        flag: &'static str,
        /// What it says.
        #[source]
        source: BoxError,
    },
    /// Letters cannot leave the shop as was asked for.
    #[error("letters cannot leave the shop by --smtp")]
    Mail(#[source] BoxError),
    /// What was asked for cannot run as a process of its own.
    #[error("{0}")]
    NotAlone(String),
    /// The keys.
    #[error("the keys in the data folder cannot be used")]
    Auth(#[from] AuthError),
    /// A service, or a task of it.
    #[error("a part of the shop failed, and so the shop has ended; what was accepted is stored")]
    Failed(#[source] BoxError),
    /// It did not become ready.
    #[error("not ready within {} s: {missing}", START.as_secs())]
    NotReady {
        /// What the services said last.
        missing: String,
    },
    /// Something did not end in time.
    #[error("the shop did not end within 5 s and was cut off; what was accepted is stored")]
    Cut,
}

// === impl Options ===

impl Options {
    /// On this folder, on any free port of this machine.
    pub fn new(folder: Folder) -> Self {
        let (engines, mail, doors) = Default::default();
        Self { folder, listen: ANY, public: false, engines, mail, settings_file: None, doors }
    }

    /// The same on other engines.
    #[must_use]
    pub fn with_engines(mut self, engines: Engines) -> Self {
        self.engines = engines;
        self
    }

    /// The same, and letters leave the shop by a mail server.
    #[must_use]
    pub fn with_mail(mut self, mail: Mail) -> Self {
        self.mail = mail;
        self
    }

    /// The same, with ports that behave like this.
    #[must_use]
    pub fn with_doors(mut self, doors: Doors) -> Self {
        self.doors = doors;
        self
    }

    /// The same, with settings from this file.
    #[must_use]
    pub fn with_settings_file(mut self, file: Option<PathBuf>) -> Self {
        self.settings_file = file;
        self
    }

    /// The same on another address.
    #[must_use]
    pub fn with_listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// The same, and whether an address beyond this machine is allowed.
    #[must_use]
    pub fn with_public(mut self, public: bool) -> Self {
        self.public = public;
        self
    }
}

// === impl Platform ===

impl Platform {
    /// Opens broker and stores, and starts all services. Returns when the port is open, which is before
    /// orders can be taken: see [`Platform::ready`].
    ///
    /// # Errors
    /// [`StartError`], whose text says what to do. Nothing runs then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { folder, listen, public, engines, mail, settings_file, doors: edge } = options;
        let courier = mail.courier()?;
        // First of all the port: a second start must not open what the first one uses.
        let (door, address) = bind(listen, public).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut rng = Rng::from_entropy();
        let name = process_name("shop", &mut rng);
        // Before the engines: whoever has a handle before counts into nothing.
        let _for_all_of_the_process = metrics();
        let services = topology::services();
        let whole = topology::whole()?;
        let (carrier, stores) = tokio::try_join!(
            engines.broker(folder.path(), &whole, &clock),
            engines.stores(folder.path(), &services, &clock, &mut rng),
        )?;
        let auth = Arc::new(Auth::load_or_create(folder.path(), clock.clone())?);
        let (doors, end) = (CancellationToken::new(), CancellationToken::new());
        let policies = Registry::new(clock.clone());

        let mut routes = Vec::new();
        let mut parts = Parts::new();
        let mut watched = Vec::new();
        for ((service, store), probe) in services.iter().zip(&stores.all).zip(&stores.probes) {
            let deps = Deps {
                store: store.clone(),
                broker: carrier.broker.clone(),
                clock: clock.clone(),
                rng: rng.fork(),
                auth: auth.clone(),
                process: edge
                    .for_service(
                        mail::with_courier(
                            engines.process(&name, &carrier, probe),
                            courier.as_ref(),
                        ),
                        false,
                    )
                    .with_extra(policies.clone()),
            };
            let (listener, at) = bind(ANY, false).await?;
            routes.extend(topology::routes(service, &at.into()));
            watched.push(watch(service, &deps));
            parts = parts.with(service.name, kept(*service, listener, deps, end.clone()));
        }
        let client = Client::new(format!("http://{}", local(address)));
        let shop = console::Shop {
            policies: policies.clone(),
            services: watched,
            broker: carrier.broker.clone(),
            auth: auth.clone(),
            clock,
            client,
            end: doors.clone(),
        };
        let backups = Jobs::new(
            Sources {
                folder: folder.path().to_owned(),
                stores: stores.files,
                broker: carrier.embedded.clone(),
                settings: settings_file,
            },
            auth.clone(),
            shop.clock.clone(),
            doors.clone(),
        );
        let is_loopback = address.ip().is_loopback();
        let gateway = gateway(routes, &carrier, &shop, backups, &edge, is_loopback)?;
        let gateway = tokio::spawn(gateway.serve(door, edge.gateway(), doors.clone()));
        let parts = tokio::spawn(parts.run(end.clone()));
        folder.announce(&format!("http://{}", local(address)))?;
        Ok(Self { address, auth, doors, end, gateway, parts, carrier, folder })
    }

    /// Where the public port is, for callers on this machine: `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", local(self.address))
    }

    /// Where the data is.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// The file with the operator's token.
    pub fn token_file(&self) -> PathBuf {
        self.folder.operator_token()
    }

    /// The operator's token.
    pub fn operator_token(&self) -> &str {
        self.auth.operator_token()
    }

    /// Waits until orders can be taken: until `/readyz` is 200.
    ///
    /// # Errors
    /// [`StartError::Failed`] when a part has failed, [`StartError::NotReady`] after two minutes.
    pub async fn ready(&mut self) -> Result<(), StartError> {
        let client = Client::new(self.url());
        let mut missing = String::new();
        let waiting = async {
            loop {
                match client.call(http::Method::GET, "/readyz", &Call::default()).await {
                    Ok(answer) if answer.status.is_success() => return,
                    Ok(answer) => missing = answer.body["services"].to_string(),
                    Err(error) => missing = error.to_string(),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let outcome = tokio::select! {
            () = waiting => return Ok(()),
            ended = &mut self.parts => StartError::of(ended),
            () = tokio::time::sleep(START) => StartError::NotReady { missing },
        };
        self.doors.cancel();
        self.end.cancel();
        Err(outcome)
    }

    /// Keeps the shop until `stop`, or until a part of it fails; then takes no more calls, lets
    /// the running ones end, drains the groups, and returns within five seconds.
    ///
    /// # Errors
    /// [`StartError::Failed`] when a part failed, [`StartError::Cut`] when draining took too long.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let failed = tokio::select! {
            () = stop => None,
            ended = &mut self.parts => Some(StartError::of(ended)),
            ended = &mut self.gateway => Some(StartError::of(ended)),
        };
        self.doors.cancel();
        if !self.gateway.is_finished() {
            let _calls_were_cut = tokio::time::timeout(DOORS, &mut self.gateway).await;
        }
        self.end.cancel();
        let ended = match failed {
            Some(failed) => {
                if !self.parts.is_finished() {
                    let _cut = tokio::time::timeout(PARTS, &mut self.parts).await;
                }
                Err(failed)
            }
            None => match tokio::time::timeout(PARTS, &mut self.parts).await {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(ended) => Err(StartError::of(ended)),
                Err(_) => Err(StartError::Cut),
            },
        };
        let _recovered_at_the_next_start =
            tokio::time::timeout(CLOSING, self.carrier.close()).await;
        ended
    }
}

/// The public port: what is passed on, and all that the platform answers itself.
pub(crate) fn gateway(
    routes: Vec<Route>,
    carrier: &Carrier,
    shop: &console::Shop,
    backups: Jobs,
    edge: &Doors,
    is_loopback: bool,
) -> Result<Gateway, StartError> {
    let console::Shop { auth, clock, policies, end, .. } = shop;
    Ok(Gateway::new(routes)
        .with_guards(guards(clock, policies)?)
        .with_routes(shop_edge::auth::routes(auth.clone()))
        .with_routes(openapi::routes())
        .with_routes(console::routes(shop.clone()))
        .with_routes(resilience::routes(policies.clone(), auth.clone()))
        .with_routes(operator::routes(Some(carrier), auth.clone(), clock.clone()))
        .with_routes(guard::metrics(auth.clone(), policies.clone(), is_loopback))
        .with_routes(backups.routes())
        .with_callers(edge.callers(auth))
        .with_end(end.clone())
        .with_rpc(auth, edge.rpc(), end.clone())
        .map_err(StartError::Failed)?
        .with_graphql(auth, guard::graphql(is_loopback), end.clone()))
}

/// The policies of a gateway, for all services.
pub(crate) fn guards(clock: &Arc<dyn Clock>, policies: &Registry) -> Result<Guards, StartError> {
    let guards = Guards::new(topology::names(), clock, policies, Rng::from_entropy());
    guards.map_err(|error| StartError::Failed(error.into()))
}

pub(crate) fn watch(service: &Service, deps: &Deps) -> console::Watched {
    console::Watched {
        name: service.name,
        about: service.about,
        publishes: service.publishes,
        owns: (service.topics)().into_iter().map(|topic| topic.name).collect(),
        groups: (service.groups)(deps),
        paths: service.paths,
        store: deps.store.clone(),
    }
}

/// Listens, on an address of this machine alone unless others are allowed, and says where.
pub(crate) async fn bind(
    address: SocketAddr,
    public: bool,
) -> Result<(TcpListener, SocketAddr), StartError> {
    if !address.ip().is_loopback() && !public {
        return Err(StartError::NotLoopback(address));
    }
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    Ok((listener, at))
}

/// What a process is called among those that share its stores: no other has or had the name.
pub(crate) fn process_name(part: &str, rng: &mut Rng) -> String {
    format!("{part}-{}-{:08x}", std::process::id(), rng.u64() >> 32)
}

/// How this machine reaches an address that may mean "all of mine".
pub(crate) fn local(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    match address {
        SocketAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        SocketAddr::V6(_) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port())),
    }
}

/// The metrics of this process, which several platforms of one test share; `None` when somebody
/// else installed a recorder first.
pub(crate) fn metrics() -> Option<Metrics> {
    static METRICS: OnceLock<Option<Metrics>> = OnceLock::new();
    METRICS.get_or_init(|| switchboard_telemetry::metrics().ok()).clone()
}

// === impl StartError ===

impl StartError {
    pub(crate) fn crashed(error: tokio::task::JoinError) -> Self {
        Self::Failed(error.into())
    }

    pub(crate) fn of(ended: Result<Result<(), BoxError>, tokio::task::JoinError>) -> Self {
        match ended {
            Ok(Ok(())) => Self::Failed("it ended without being asked to".into()),
            Ok(Err(source)) => Self::Failed(source),
            Err(crash) => Self::crashed(crash),
        }
    }
}
