//! The deployment on one page: each service, its store, its topics, its groups, and the paths that the gateway passes to it.

use std::future::Future;
use std::pin::Pin;

use shop_contracts::{inventory, orders, payments, shipping, users};
use shop_edge::Deps;
use switchboard_core::BoxError;
use switchboard_handler::{Description, Group};
use switchboard_message::Topic;
use switchboard_store::Table;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A service that runs until shutdown.
type Running = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

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
    /// Runs it.
    pub run: fn(TcpListener, Deps, CancellationToken) -> Running,
}

/// All services of the shop.
pub fn services() -> [Service; 6] {
    [
        Service {
            name: shop_users::NAME,
            about: "who the customers are",
            file: "users.db",
            tables: shop_users::TABLES,
            topics: shop_users::topics,
            publishes: &[users::EVENTS],
            groups: |_| Vec::new(),
            paths: &["/api/v1/users", "/api/v1/sessions", "/api/v1/operator/users"],
            run: |listener, deps, end| Box::pin(shop_users::run(listener, deps, end)),
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
            paths: &["/api/v1/products", "/api/v1/stock", "/api/v1/operator/inventory"],
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
            paths: &["/api/v1/notifications", "/api/v1/operator/notifications"],
            run: |listener, deps, end| Box::pin(shop_notifications::run(listener, deps, end)),
        },
    ]
}

fn describe(groups: Vec<Group>) -> Vec<Description> {
    groups.iter().map(Group::describe).collect()
}
