//! gRPC at the public port: each public service by its name, one description of all of them, one health for each.
//!
//! A call is passed on as it streams, in both directions, with its deadline less what a hop costs and with the service key that services
//! ask for. Browsers come by gRPC-Web.

mod pass;
mod vital;
mod way;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use http::HeaderValue;
use shop_contracts::rpc::{DESCRIPTORS, content, inventory, orders, payments, shipping, users};
use shop_edge::rpc::Line;
use shop_edge::{Auth, Rpc, Upstreams};
use switchboard_core::BoxError;
use tokio_util::sync::CancellationToken;

use crate::callers::Callers;
use crate::guards::Guards;
use pass::Passing;
use vital::Shop;
pub use way::Way;
pub use web::Web;

/// The services that everybody may call, and which part of the shop answers for each.
const PUBLIC: [(&str, &str); 6] = [
    (content::content_service_server::SERVICE_NAME, "content"),
    (inventory::inventory_service_server::SERVICE_NAME, "inventory"),
    (orders::order_service_server::SERVICE_NAME, "orders"),
    (payments::payment_service_server::SERVICE_NAME, "payments"),
    (shipping::shipping_service_server::SERVICE_NAME, "shipping"),
    (users::user_service_server::SERVICE_NAME, "users"),
];

/// What is open over gRPC.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the services are described to whoever asks. Default yes.
    pub reflection: bool,
    /// Whether it is said which of them take calls. Default yes.
    pub health: bool,
    /// Web pages of these origins (`https://shop.example`) may call by gRPC-Web. Default none but
    /// the shop's own.
    pub origins: Vec<HeaderValue>,
}

/// The ways to the services, by their names in this shop. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Lines(Arc<BTreeMap<&'static str, Way>>);

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self { reflection: true, health: true, origins: Vec::new() }
    }
}

// === impl Lines ===

impl Lines {
    /// To those of these services that answer gRPC, each behind its breaker if it has one.
    pub fn new(
        services: &BTreeMap<&'static str, Upstreams>,
        auth: &Auth,
        guards: Option<&Guards>,
    ) -> Self {
        let line = |(_, service): &(&str, &'static str)| {
            let upstreams = services.get(service)?.clone();
            let breaker = guards.and_then(|guards| guards.breaker(service));
            let line = match breaker {
                Some(breaker) => Line::guarded(service, upstreams, auth, breaker.clone()),
                None => Line::new(service, upstreams, auth),
            };
            let retries = guards.and_then(|guards| guards.retries(service));
            Some((*service, Way::new(line, retries)))
        };
        Self(Arc::new(PUBLIC.iter().filter_map(line).collect()))
    }

    /// The way to a service, by its name in this shop: `orders`.
    pub fn to(&self, service: &str) -> Option<&Way> {
        self.0.get(service)
    }

    /// The way to a service, by its full name: `shop.orders.v1.OrderService`.
    pub fn to_rpc(&self, name: &str) -> Option<&Way> {
        let (_, service) = PUBLIC.iter().find(|(known, _)| *known == name)?;
        self.to(service)
    }

    /// Whether a path is that of a method of one of them.
    pub fn cover(&self, path: &str) -> bool {
        path.split('/').nth(1).is_some_and(|name| self.to_rpc(name).is_some())
    }

    /// Everything over gRPC that these lines lead to, until `end`; `callers` counts the calls.
    ///
    /// # Errors
    /// When the services cannot be described, which is a mistake of ours.
    pub fn open(
        &self,
        auth: Arc<Auth>,
        options: Options,
        callers: Option<Callers>,
        end: CancellationToken,
    ) -> Result<Web, BoxError> {
        let is_here = |(_, service): &&(&str, &str)| self.0.contains_key(service);
        let names = PUBLIC.iter().filter(is_here).map(|(name, _)| *name).collect();
        let passing = Passing { lines: self.clone(), callers };
        let routes = Router::new().fallback(pass::pass).with_state(passing);
        let mut rpc = Rpc::public(auth, DESCRIPTORS, names, routes);
        if !options.reflection {
            rpc = rpc.without_reflection();
        }
        if !options.health {
            rpc = rpc.without_health();
        }
        let guard = rpc.open_with(Arc::new(Shop(self.clone())), end)?;
        Ok(Web::new(guard, options.origins))
    }
}
