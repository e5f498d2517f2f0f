//! A world of services on twins: each can be killed and started again from what it had committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::Value;
use shop_edge::{Auth, Deps, Process};
use switchboard_core::{BoxError, Clock, Rng, Timestamp};
use switchboard_handler::Group;
use switchboard_message::{Broker, MemoryBroker, Topology};
use switchboard_relay::Relay;
use switchboard_store::memory::{Fault, Image};
use switchboard_store::{MemoryStore, Rows, Select, Table};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The products that are ordered.
pub(crate) const SKUS: [&str; 3] = ["postcard-switchboard", "mug-slate", "lamp-aurora"];

/// The services that an order passes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Orders,
    Payments,
    Inventory,
    Shipping,
}

const ALL: [Service; 4] =
    [Service::Orders, Service::Payments, Service::Inventory, Service::Shipping];

/// Time that moves with tokio's paused clock.
#[derive(Debug)]
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus(self.0.elapsed())
    }
}

struct Node {
    store: Arc<MemoryStore>,
    router: Router,
    failed: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

/// All services, one broker.
#[derive(Clone)]
pub(crate) struct World(Arc<Inner>);

struct Inner {
    nodes: Mutex<BTreeMap<Service, Node>>,
    broker: MemoryBroker,
    clock: Arc<dyn Clock>,
    auth: Arc<Auth>,
    rng: Mutex<Rng>,
    seeded: Mutex<BTreeMap<&'static str, i64>>,
}

impl Service {
    fn tables(self) -> &'static [&'static Table] {
        match self {
            Self::Orders => shop_orders::TABLES,
            Self::Payments => shop_payments::TABLES,
            Self::Inventory => shop_inventory::TABLES,
            Self::Shipping => shop_shipping::TABLES,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Orders => shop_orders::NAME,
            Self::Payments => shop_payments::NAME,
            Self::Inventory => shop_inventory::NAME,
            Self::Shipping => shop_shipping::NAME,
        }
    }

    fn assemble(self, deps: &Deps) -> (Router, Vec<Group>) {
        match self {
            Self::Orders => {
                let app = shop_orders::App::new(deps);
                let groups = shop_orders::groups(&app, deps);
                (shop_orders::edge::rest::routes(app, deps), groups)
            }
            Self::Payments => {
                let app = shop_payments::App::new(deps);
                let groups = shop_payments::groups(&app, deps);
                (shop_payments::edge::rest::routes(app, deps), groups)
            }
            Self::Inventory => {
                let app = shop_inventory::App::new(deps);
                let groups = shop_inventory::service::groups(&app, deps);
                (shop_inventory::edge::rest::routes(app, deps), groups)
            }
            Self::Shipping => {
                let app = shop_shipping::App::new(deps);
                let groups = shop_shipping::service::groups(&app, deps);
                (shop_shipping::edge::rest::routes(app, deps), groups)
            }
        }
    }
}

impl World {
    /// Starts everything and waits until orders can be taken.
    pub(crate) async fn boot(seed: u64) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Virtual(tokio::time::Instant::now()));
        let broker = MemoryBroker::new(clock.clone());
        let topics = [
            shop_users::topics(),
            shop_orders::topics(),
            shop_payments::topics(),
            shop_inventory::service::topics(),
            shop_shipping::service::topics(),
        ];
        broker.declare(&Topology::of(topics.concat())).await.unwrap();
        let auth = Arc::new(Auth::ephemeral(clock.clone()).unwrap());
        let world = Self(Arc::new(Inner {
            nodes: Mutex::default(),
            broker,
            clock,
            auth,
            rng: Mutex::new(Rng::from_seed(seed)),
            seeded: Mutex::default(),
        }));
        for service in ALL {
            world.start(service, None).await;
        }
        let deps = world.deps(world.store(Service::Inventory));
        shop_inventory::App::new(&deps).seed().await.unwrap();
        for sku in SKUS {
            let store = world.store(Service::Inventory);
            let row = store.row(&shop_inventory::tables::STOCK, sku).await.unwrap();
            let on_hand = row.unwrap_or_else(|| panic!("{sku} is not sold")).integer("on_hand");
            world.0.seeded.lock().insert(sku, on_hand);
        }
        // Orders must know the catalogue before the first one is placed.
        let catalogue = Select::all(&shop_orders::tables::PRODUCTS).limit(1_000);
        let listed = Select::all(&shop_inventory::tables::PRODUCTS).limit(1_000);
        loop {
            let known = world.store(Service::Orders).select(catalogue.clone()).await.unwrap();
            let sold = world.store(Service::Inventory).select(listed.clone()).await.unwrap();
            if known.len() == sold.len() {
                return world;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn deps(&self, store: Arc<MemoryStore>) -> Deps {
        Deps {
            store,
            broker: Arc::new(self.0.broker.clone()),
            clock: self.0.clock.clone(),
            rng: self.0.rng.lock().fork(),
            auth: self.0.auth.clone(),
            process: Process::default(),
        }
    }

    /// Starts a service from what it had committed, or from nothing.
    async fn start(&self, service: Service, image: Option<Image>) {
        // The old process is gone before the new one begins.
        let old = self.0.nodes.lock().remove(&service);
        let image = image.or_else(|| old.as_ref().map(|node| node.store.image()));
        drop(old);
        let (clock, rng) = (self.0.clock.clone(), self.0.rng.lock().fork());
        let store = Arc::new(match image {
            Some(image) => MemoryStore::from_image(image, service.tables(), clock, rng),
            None => MemoryStore::new(service.name(), service.tables(), clock, rng),
        });
        let deps = self.deps(store.clone());
        let failed = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        let relay =
            Relay::new(deps.store.clone(), deps.broker.clone(), deps.clock.clone()).start().await;
        let (router, groups) = service.assemble(&deps);
        match relay {
            Ok(relay) => watch(&mut tasks, &failed, relay.run(CancellationToken::new())),
            Err(_) => failed.store(true, Ordering::SeqCst),
        }
        for group in groups {
            watch(&mut tasks, &failed, group.run(CancellationToken::new()));
        }
        let router = shop_edge::serve::wrap(router);
        self.0.nodes.lock().insert(service, Node { store, router, failed, _tasks: tasks });
    }

    /// Starts again whatever has failed, as an operating system's supervisor would.
    pub(crate) async fn revive(&self) {
        for service in ALL {
            let failed = |node: &Node| node.failed.load(Ordering::SeqCst);
            let dead = self.0.nodes.lock().get(&service).is_some_and(failed);
            if dead {
                self.start(service, None).await;
            }
        }
    }

    /// One fault, drawn by chance.
    pub(crate) async fn trouble(&self, rng: &mut Rng) {
        let service = *rng.pick(&ALL).unwrap();
        let few = 1 + usize::try_from(rng.below(4)).unwrap();
        let faults = self.0.broker.faults();
        match rng.below(12) {
            0 | 1 => self.start(service, None).await,
            2 => self.store(service).inject(Fault::LoseAck),
            3 => self.store(service).inject(Fault::CrashBefore),
            4 => self.store(service).inject(Fault::Refuse),
            5 => faults.lose_acks(few),
            6 => faults.duplicate_publishes(few),
            7 => faults.duplicate_deliveries(few),
            8 => faults.refuse_publishes(few),
            9 => {
                faults.pause();
                tokio::time::sleep(Duration::from_millis(rng.below(300))).await;
                faults.resume();
            }
            10 => faults.reorder(Some(rng.fork())),
            _ => faults.reorder(None),
        }
        self.revive().await;
    }

    /// No more faults; everything runs.
    pub(crate) async fn heal(&self) {
        self.0.broker.faults().resume();
        for service in ALL {
            self.start(service, None).await;
        }
    }

    /// Lets everything that is on its way arrive.
    pub(crate) async fn settle(&self) {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.revive().await;
        }
    }

    /// What a service has committed.
    pub(crate) fn image(&self, service: Service) -> Image {
        self.store(service).image()
    }

    /// Puts a service's store back to an older copy.
    pub(crate) async fn restore(&self, service: Service, image: Image) {
        self.start(service, Some(image)).await;
    }

    /// A service's store.
    pub(crate) fn store(&self, service: Service) -> Arc<MemoryStore> {
        self.0.nodes.lock()[&service].store.clone()
    }

    /// What was on hand of a product at first.
    pub(crate) fn seeded(&self, sku: &str) -> i64 {
        self.0.seeded.lock()[sku]
    }

    /// How many shipments there are.
    pub(crate) async fn shipments(&self) -> i32 {
        let all = Select::all(&shop_shipping::tables::SHIPMENTS).limit(1_000);
        i32::try_from(self.store(Service::Shipping).select(all).await.unwrap().len()).unwrap()
    }

    /// Reads a resource, until there is an answer.
    pub(crate) async fn get(&self, service: Service, user: &str, path: &str) -> Value {
        self.insist(service, Method::GET, user, path, None, None, StatusCode::OK).await
    }

    /// Posts until there is an answer: 201.
    pub(crate) async fn post(
        &self,
        service: Service,
        user: &str,
        path: &str,
        key: Option<&str>,
        body: Value,
    ) -> Value {
        self.insist(service, Method::POST, user, path, key, Some(body), StatusCode::CREATED).await
    }

    /// Posts once; any answer will do.
    pub(crate) async fn try_post(&self, service: Service, user: &str, path: &str, body: Value) {
        let _any = self.call(service, &Method::POST, user, path, None, Some(&body)).await;
    }

    #[allow(clippy::too_many_arguments, reason = "an HTTP call has as many parts")]
    async fn insist(
        &self,
        service: Service,
        method: Method,
        user: &str,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
        expected: StatusCode,
    ) -> Value {
        for _ in 0..2_000 {
            let (status, answer) =
                self.call(service, &method, user, path, key, body.as_ref()).await.unwrap();
            if status == expected {
                return answer;
            }
            let later = status.is_server_error() || status == StatusCode::CONFLICT;
            assert!(later, "{method} {path} answered {status}: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.revive().await;
        }
        panic!("{method} {path} was never answered");
    }

    async fn call(
        &self,
        service: Service,
        method: &Method,
        user: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), BoxError> {
        let Some(router) = self.0.nodes.lock().get(&service).map(|node| node.router.clone()) else {
            return Ok((StatusCode::SERVICE_UNAVAILABLE, Value::Null));
        };
        let token = self.0.auth.sign(user, Duration::from_secs(1 << 30))?;
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = router.oneshot(request.body(Body::from(body))?).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

/// Runs a part of a service and remembers when it fails.
fn watch<E: std::fmt::Debug + 'static>(
    tasks: &mut JoinSet<()>,
    failed: &Arc<AtomicBool>,
    part: impl Future<Output = Result<(), E>> + Send + 'static,
) {
    let failed = failed.clone();
    tasks.spawn(async move {
        let _ended = part.await;
        failed.store(true, Ordering::SeqCst);
    });
}
