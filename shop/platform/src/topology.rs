//! The deployment on one page: each service, its store, its topics, its groups, and the paths that the gateway passes to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use shop_contracts::{content, inventory, orders, payments, shipping, users};
use shop_edge::openapi::Part;
use shop_edge::{Auth, AuthError, Deps, Process};
use switchboard_core::{BoxError, Clock, Name, Rng, SystemClock};
use switchboard_handler::{Description, Group};
use switchboard_message::{Capability, MemoryBroker, Topic, Topology};
use switchboard_store::{MemoryStore, Table};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A service that runs until shutdown.
pub type Running = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// One service, as the platform runs it.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Its name: its store, the source of its messages, its place in `/readyz`.
    pub name: &'static str,
    /// What it is for, in the console's words.
    pub about: &'static str,
    /// Its store, in the data folder.
    pub file: &'static str,
    /// The tables of its store.
    pub tables: &'static [&'static Table],
    /// The topics that it owns.
    pub topics: fn() -> Vec<Topic>,
    /// The topics that it publishes to, its own and others'.
    pub publishes: &'static [&'static str],
    /// Its groups, as their registrations declare them.
    pub groups: fn(&Deps) -> Vec<Description>,
    /// The paths that the gateway passes to it.
    pub paths: &'static [&'static str],
    /// What it says of itself in the interface's document.
    pub openapi: fn() -> Part,
    /// Runs it.
    pub run: fn(TcpListener, Deps, CancellationToken) -> Running,
}

/// All services of the shop.
pub fn services() -> [Service; 7] {
    [
        Service {
            name: shop_users::NAME,
            about: "who the customers are",
            file: "users.db",
            tables: shop_users::TABLES,
            topics: shop_users::topics,
            publishes: &[users::EVENTS],
            groups: |_| Vec::new(),
            paths: &[
                "/api/v1/users",
                "/api/v2/users",
                "/api/v1/sessions",
                "/api/v1/operator/users",
            ],
            openapi: shop_users::openapi,
            run: |listener, deps, end| Box::pin(shop_users::run(listener, deps, end)),
        },
        Service {
            name: shop_content::NAME,
            about: "posts, their tags and comments",
            file: "content.db",
            tables: shop_content::TABLES,
            topics: shop_content::topics,
            publishes: &[content::EVENTS, shop_content::removals::TOPIC],
            groups: |deps| describe(shop_content::groups(&shop_content::App::new(deps), deps)),
            paths: &[
                "/api/v1/posts",
                "/api/v1/users/{id}/posts",
                "/api/v1/tags",
                "/api/v1/operator/content",
            ],
            openapi: shop_content::openapi,
            run: |listener, deps, end| Box::pin(shop_content::run(listener, deps, end)),
        },
        Service {
            name: shop_orders::NAME,
            about: "takes orders and leads each to its end",
            file: "orders.db",
            tables: shop_orders::TABLES,
            topics: shop_orders::topics,
            publishes: &[
                payments::COMMANDS,
                inventory::COMMANDS,
                shipping::COMMANDS,
                orders::EVENTS,
            ],
            groups: |deps| describe(shop_orders::groups(&shop_orders::App::new(deps), deps)),
            paths: &["/api/v1/orders", "/api/v1/operator/orders", "/api/v1/operator/sagas"],
            openapi: shop_orders::openapi,
            run: |listener, deps, end| Box::pin(shop_orders::run(listener, deps, end)),
        },
        Service {
            name: shop_payments::NAME,
            about: "accounts and the money on them",
            file: "payments.db",
            tables: shop_payments::TABLES,
            topics: shop_payments::topics,
            publishes: &[orders::REPLIES],
            groups: |deps| describe(shop_payments::groups(&shop_payments::App::new(deps), deps)),
            paths: &["/api/v1/accounts", "/api/v1/operator/payments"],
            openapi: shop_payments::openapi,
            run: |listener, deps, end| Box::pin(shop_payments::run(listener, deps, end)),
        },
        Service {
            name: shop_inventory::NAME,
            about: "products, prices and what is in stock",
            file: "inventory.db",
            tables: shop_inventory::TABLES,
            topics: shop_inventory::topics,
            publishes: &[inventory::PRODUCTS, orders::REPLIES],
            groups: |deps| describe(shop_inventory::groups(&shop_inventory::App::new(deps), deps)),
            paths: &[
                "/api/v1/products",
                "/api/v1/stock",
                "/api/v2/stock",
                "/api/v1/operator/inventory",
            ],
            openapi: shop_inventory::openapi,
            run: |listener, deps, end| Box::pin(shop_inventory::run(listener, deps, end)),
        },
        Service {
            name: shop_shipping::NAME,
            about: "parcels, and the countries they may go to",
            file: "shipping.db",
            tables: shop_shipping::TABLES,
            topics: shop_shipping::topics,
            publishes: &[orders::REPLIES],
            groups: |deps| describe(shop_shipping::groups(&shop_shipping::App::new(deps), deps)),
            paths: &["/api/v1/shipments", "/api/v1/operator/shipping"],
            openapi: shop_shipping::openapi,
            run: |listener, deps, end| Box::pin(shop_shipping::run(listener, deps, end)),
        },
        Service {
            name: shop_notifications::NAME,
            about: "tells people and counts, behind a router",
            file: "notifications.db",
            tables: shop_notifications::TABLES,
            topics: shop_notifications::topics,
            publishes: &[
                "notifications.email",
                "notifications.analytics",
                "notifications.notification",
            ],
            groups: |deps| {
                describe(shop_notifications::groups(&shop_notifications::App::new(deps), deps))
            },
            paths: &["/api/v1/notifications", "/api/v1/mailbox", "/api/v1/operator/notifications"],
            openapi: shop_notifications::openapi,
            run: |listener, deps, end| Box::pin(shop_notifications::run(listener, deps, end)),
        },
    ]
}

/// The names of all services, as they can be typed.
pub fn names() -> Vec<&'static str> {
    services().iter().map(|service| service.name).collect()
}

/// Everything that the broker must have for the shop as a whole: topics, groups, and what services
/// rely on. Every process declares all of it, so that none has to be first.
///
/// Groups are those that the services themselves would run. They are described on twins in memory,
/// so that no engine need be open for it.
///
/// # Errors
/// [`AuthError`] when the system gives no randomness.
pub fn whole() -> Result<Topology, AuthError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let auth = Arc::new(Auth::ephemeral(clock.clone())?);
    let services = services();
    let mut topology = Topology::of(services.iter().flat_map(|service| (service.topics)()));
    topology.requires = vec![Capability::KeyOrder, Capability::Groups];
    for service in &services {
        let rng = Rng::from_seed(0);
        let store = MemoryStore::new(service.name, service.tables, clock.clone(), rng.clone());
        let deps = Deps {
            store: Arc::new(store),
            broker: Arc::new(MemoryBroker::new(clock.clone())),
            clock: clock.clone(),
            rng,
            auth: auth.clone(),
            process: Process::default(),
        };
        for group in (service.groups)(&deps) {
            let mut topics: Vec<Name> = Vec::new();
            for (topic, _) in group.consumes {
                if !topics.contains(&topic) {
                    topics.push(topic);
                }
            }
            topology = topology.with_group(group.group, topics);
        }
    }
    Ok(topology)
}

fn describe(groups: Vec<Group>) -> Vec<Description> {
    groups.iter().map(Group::describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_declared_with_topics_that_are_declared() {
        let topology = whole().unwrap();
        let groups: Vec<_> = topology.groups.iter().map(|it| it.group.to_string()).collect();
        assert_eq!(groups.len(), 12, "{groups:?}");
        for group in &topology.groups {
            assert!(!group.topics.is_empty(), "{group:?}");
            for topic in &group.topics {
                assert!(topology.topics.iter().any(|known| known.name == *topic), "{group:?}");
            }
        }
        for topic in services().iter().flat_map(|service| service.publishes) {
            assert!(topology.topics.iter().any(|known| known.name == **topic), "{topic}");
        }
    }
}
