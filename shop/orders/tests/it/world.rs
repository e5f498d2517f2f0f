//! Orders with payments, inventory and shipping, each with its own store, and calls as a customer makes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use shop_contracts::users::{EVENTS, UserDeleted};
use shop_edge::rpc::Guard;
use shop_edge::testing::{Answer, Call, guarded};
use shop_edge::{Auth, Deps, Process};
use switchboard_core::{Clock, Envelope, Message, Rng, Timestamp};
use switchboard_handler::Group;
use switchboard_message::{Broker, MemoryBroker, Topic, Topology};
use switchboard_relay::Relay;
use switchboard_store::{MemoryStore, Table};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::held::Held;

/// What a mug costs, and how many of it there are.
pub(crate) const MUG: &str = "mug-slate";
pub(crate) const PRICE: i64 = 1_400;
pub(crate) const ON_HAND: i64 = 100_000;
/// What ann has on her account at first.
pub(crate) const DEPOSIT: i64 = 500_000_000;

/// Time that moves as tokio's does.
#[derive(Debug)]
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }
}

struct Node {
    store: Arc<MemoryStore>,
    routes: Router,
    _tasks: JoinSet<()>,
}

/// How a service is put together.
type Assemble = fn(&Deps) -> (Router, Vec<Group>);

const SERVICES: [(&str, &[&Table], Assemble); 4] = [
    (shop_orders::NAME, shop_orders::TABLES, |deps| {
        let app = shop_orders::App::new(deps);
        let groups = shop_orders::groups(&app, deps);
        (shop_orders::edge::rest::routes(app, deps), groups)
    }),
    (shop_payments::NAME, shop_payments::TABLES, |deps| {
        let app = shop_payments::App::new(deps);
        let groups = shop_payments::groups(&app, deps);
        (shop_payments::edge::rest::routes(app, deps), groups)
    }),
    (shop_inventory::NAME, shop_inventory::TABLES, |deps| {
        let app = shop_inventory::App::new(deps);
        let groups = shop_inventory::service::groups(&app, deps);
        (shop_inventory::edge::rest::routes(app, deps), groups)
    }),
    (shop_shipping::NAME, shop_shipping::TABLES, |deps| {
        let app = shop_shipping::App::new(deps);
        let groups = shop_shipping::service::groups(&app, deps);
        (shop_shipping::edge::rest::routes(app, deps), groups)
    }),
];

pub(crate) struct World {
    pub(crate) broker: Arc<Held>,
    clock: Arc<dyn Clock>,
    auth: Arc<Auth>,
    nodes: BTreeMap<&'static str, Node>,
    rng: Rng,
    placed: AtomicU32,
    /// The id of ann's account.
    pub(crate) account: String,
}

impl World {
    /// Everything runs, the catalogue is known, and ann has an account with money on it.
    pub(crate) async fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Virtual(tokio::time::Instant::now()));
        let broker = MemoryBroker::new(clock.clone());
        let topics = [
            shop_orders::topics(),
            shop_payments::topics(),
            shop_inventory::service::topics(),
            shop_shipping::service::topics(),
            vec![Topic::new(EVENTS)],
        ];
        broker.declare(&Topology::of(topics.concat())).await.unwrap();
        let mut world = Self {
            broker: Arc::new(Held::new(broker)),
            auth: Arc::new(Auth::ephemeral(clock.clone()).unwrap()),
            clock,
            nodes: BTreeMap::new(),
            rng: Rng::from_seed(5),
            placed: AtomicU32::new(0),
            account: String::new(),
        };
        world.start_all().await;
        let inventory = world.nodes[shop_inventory::NAME].store.clone();
        shop_inventory::App::new(&world.deps(inventory)).seed().await.unwrap();
        quiet().await;
        world.account = world.open_account("ann", "USD", DEPOSIT).await;
        world
    }

    fn deps(&mut self, store: Arc<MemoryStore>) -> Deps {
        Deps {
            store,
            broker: self.broker.clone(),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
            auth: self.auth.clone(),
            process: Process::default(),
        }
    }

    async fn start_all(&mut self) {
        let mut images: BTreeMap<_, _> =
            self.nodes.iter().map(|(name, node)| (*name, node.store.image())).collect();
        // The old processes are gone before the new ones begin.
        self.nodes.clear();
        for (name, tables, assemble) in SERVICES {
            let (clock, rng) = (self.clock.clone(), self.rng.fork());
            let store = Arc::new(match images.remove(name) {
                Some(image) => MemoryStore::from_image(image, tables, clock, rng),
                None => MemoryStore::new(name, tables, clock, rng),
            });
            let deps = self.deps(store.clone());
            let (routes, groups) = assemble(&deps);
            let mut tasks = JoinSet::new();
            let relay = Relay::new(store.clone(), deps.broker.clone(), deps.clock.clone());
            tasks.spawn(async move {
                relay.run(CancellationToken::new()).await.expect("nobody ends the relay");
            });
            for group in groups {
                tasks.spawn(async move {
                    group.run(CancellationToken::new()).await.expect("nobody ends the group");
                });
            }
            self.nodes.insert(name, Node { store, routes, _tasks: tasks });
        }
    }

    /// Everything in every process is gone; what the stores had committed is there again.
    pub(crate) async fn crash(&mut self) {
        self.start_all().await;
        quiet().await;
    }

    /// A call to whichever service answers that path.
    pub(crate) async fn send(&self, service: &str, call: Call) -> Answer {
        call.send(&self.nodes[service].routes).await
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.auth.sign(user, Duration::from_secs(1 << 30)).unwrap()
    }

    pub(crate) fn operator(&self) -> String {
        self.auth.operator_token().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(shop_orders::NAME, Call::get(path).of(&self.token("ann"))).await
    }

    pub(crate) async fn open_account(&self, user: &str, currency: &str, deposit: i64) -> String {
        let (token, payments) = (self.token(user), shop_payments::NAME);
        let open = Call::post("/api/v1/accounts", json!({ "currency": currency })).of(&token);
        let id = self.send(payments, open).await.body["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/accounts/{id}/deposits");
        let deposit = Call::post(path, json!({ "amount": deposit })).of(&token);
        assert_eq!(self.send(payments, deposit).await.status, 201);
        id
    }

    /// What ann would send to order mugs.
    pub(crate) fn wanted(&self, quantity: i64) -> Value {
        json!({
            "account_id": self.account,
            "items": [{ "sku": MUG, "quantity": quantity }],
            "ship_to": { "name": "Ann", "address": "1 Main St", "city": "Bonn", "country": "DE" },
        })
    }

    /// Ann places an order with a key of her own choice.
    pub(crate) async fn place_with(&self, key: &'static str, wanted: Value) -> Answer {
        let call = Call::post("/api/v1/orders", wanted).of(&self.token("ann"));
        self.send(shop_orders::NAME, call.with("idempotency-key", key)).await
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Orders over gRPC, on the store that the service has.
    pub(crate) fn rpc(&self) -> Guard {
        let seed = 1_000 + u64::from(self.placed.fetch_add(1, Ordering::SeqCst));
        let deps = Deps {
            store: self.nodes[shop_orders::NAME].store.clone(),
            broker: self.broker.clone(),
            clock: self.clock.clone(),
            rng: Rng::from_seed(seed),
            auth: self.auth.clone(),
            process: Process::default(),
        };
        guarded(shop_orders::edge::grpc::services(shop_orders::App::new(&deps), &deps))
    }

    /// Ann places an order; its id.
    pub(crate) async fn place(&self, wanted: Value) -> String {
        let call = Call::post("/api/v1/orders", wanted).of(&self.token("ann"));
        let key = format!("key-{}", self.placed.fetch_add(1, Ordering::SeqCst));
        let placed = self.send(shop_orders::NAME, call.with("idempotency-key", key)).await;
        assert_eq!(placed.status, 201, "{}", placed.body);
        placed.body["id"].as_str().unwrap().to_owned()
    }

    /// Ann places an order of some mugs and the message of this type is kept back.
    pub(crate) async fn place_up_to(&self, quantity: i64, kind: &'static str) -> String {
        self.broker.hold(kind);
        let id = self.place(self.wanted(quantity)).await;
        quiet().await;
        assert!(self.broker.holds(kind), "`{kind}` was not sent");
        id
    }

    pub(crate) async fn cancel(&self, id: &str) -> Answer {
        let path = format!("/api/v1/orders/{id}/cancellation");
        self.send(shop_orders::NAME, Call::post(path, json!({})).of(&self.token("ann"))).await
    }

    /// What was kept back goes on, and everything comes to its end.
    pub(crate) async fn release(&self) {
        self.broker.release().await;
        quiet().await;
    }

    pub(crate) async fn order(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/v1/orders/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The states that an order has come to, in order.
    pub(crate) async fn history(&self, id: &str) -> Vec<String> {
        let order = self.order(id).await;
        let states = order["history"].as_array().unwrap().iter();
        states.map(|past| past["status"].as_str().unwrap().to_owned()).collect()
    }

    /// The reason of the last state.
    pub(crate) async fn reason(&self, id: &str) -> String {
        let order = self.order(id).await;
        let last = order["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["status"], order["status"]);
        last["reason"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn balance(&self) -> i64 {
        let call = Call::get(format!("/api/v1/accounts/{}", self.account)).of(&self.token("ann"));
        let account = self.send(shop_payments::NAME, call).await;
        account.body["balance"]["amount"].as_i64().unwrap()
    }

    /// On hand and reserved.
    pub(crate) async fn stock(&self) -> (i64, i64) {
        let call = Call::get(format!("/api/v1/stock/{MUG}"));
        let stock = self.send(shop_inventory::NAME, call).await.body;
        (stock["on_hand"].as_i64().unwrap(), stock["reserved"].as_i64().unwrap())
    }

    pub(crate) async fn shipments(&self) -> usize {
        let call = Call::get("/api/v1/shipments").of(&self.token("ann"));
        self.send(shop_shipping::NAME, call).await.items().len()
    }

    /// Money and goods are as they were before anything was ordered.
    pub(crate) async fn assert_untouched(&self) {
        assert_eq!(self.balance().await, DEPOSIT);
        assert_eq!((self.stock().await, self.shipments().await), ((ON_HAND, 0), 0));
    }

    /// Ann leaves: payments closes her accounts.
    pub(crate) async fn ann_leaves(&mut self) {
        let gone = UserDeleted { user_id: "ann".to_owned() };
        let mut envelope = Envelope::new(
            UserDeleted::TOPIC,
            UserDeleted::KIND,
            "users",
            &*self.clock,
            &mut self.rng,
        );
        envelope.key = gone.key();
        let envelope = envelope.with_payload(serde_json::to_vec(&gone).unwrap());
        for answer in self.broker.publish(vec![envelope]).await {
            answer.unwrap();
        }
        quiet().await;
    }
}

/// On paused time everything that can happen has happened after this.
pub(crate) async fn quiet() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}
