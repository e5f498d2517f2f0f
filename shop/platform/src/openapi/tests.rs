//! The document is about the routes that there are, all of them, and the committed one is the one that is served.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use http::header::ALLOW;
use http::{Method, Request, StatusCode};
use shop_edge::{Auth, Deps, Process};
use switchboard_core::{Clock, Rng, SystemClock};
use switchboard_message::MemoryBroker;
use switchboard_resilience::Registry;
use switchboard_store::{MemoryStore, Table};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::backends::{BrokerUrl, Carrier};
use crate::backup::Sources;
use crate::backup::job::Jobs;
use crate::edge::Doors;
use crate::load::Client;
use crate::{console, platform};

/// What a service is given, on memory.
fn deps(name: &str, tables: &[&'static Table]) -> Deps {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng = Rng::from_seed(1);
    Deps {
        store: Arc::new(MemoryStore::new(name, tables, clock.clone(), rng.clone())),
        broker: Arc::new(MemoryBroker::new(clock.clone())),
        auth: Arc::new(Auth::ephemeral(clock.clone()).unwrap()),
        process: Process::default(),
        clock,
        rng,
    }
}

/// The routes of every service, by its name.
fn routers() -> Vec<(&'static str, Router)> {
    macro_rules! routes {
        ($($service:ident)*) => {
            vec![$({
                let deps = deps($service::NAME, $service::TABLES);
                let routes = $service::edge::rest::routes($service::App::new(&deps), &deps);
                ($service::NAME, routes)
            }),*]
        };
    }
    routes!(
        shop_users shop_content shop_orders shop_payments shop_inventory shop_shipping
        shop_notifications
    )
}

/// The routes that the gateway has itself, as a platform puts them together.
fn door() -> Router {
    let Deps { auth, clock, broker, .. } = deps("door", &[]);
    let end = CancellationToken::new();
    let sources = Sources {
        folder: std::path::PathBuf::new(),
        stores: Err("none".to_owned()),
        broker: None,
        settings: None,
    };
    let backups = Jobs::new(sources, auth.clone(), clock.clone(), end.clone());
    let carrier = Carrier::new(BrokerUrl::Embedded, broker.clone(), || async {});
    let shop = console::Shop {
        services: Vec::new(),
        policies: Registry::new(clock.clone()),
        client: Client::new("http://127.0.0.1:1"),
        broker,
        auth,
        clock,
        end,
    };
    let doors = Doors::default();
    platform::gateway(Vec::new(), &carrier, &shop, backups, &doors, true).unwrap().router()
}

/// The templates that a router matches. Routers do not tell them but to debuggers.
fn templates(router: &Router) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    // The router of fallbacks comes after it, and has a template of its own that matches all.
    let shown = shown.split("fallback_router").next().unwrap();
    let quoted = shown.split('"').skip(1).step_by(2);
    quoted
        .filter(|text| text.starts_with('/') && !text.contains("__private"))
        .map(str::to_owned)
        .collect()
}

/// Every operation of a router, as `GET /api/v1/users`: what OPTIONS allows at each template.
async fn operations(router: &Router) -> BTreeSet<String> {
    let wrapped = shop_edge::serve::wrap(router.clone());
    let mut found = BTreeSet::new();
    for template in templates(router) {
        let path = template.replace(['{', '}', '*'], "x");
        let request = Request::builder().method(Method::OPTIONS).uri(&path);
        let answer = wrapped.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{path}");
        let allow = answer.headers()[ALLOW].to_str().unwrap();
        for method in allow.split(", ").filter(|it| !matches!(*it, "HEAD" | "OPTIONS")) {
            found.insert(format!("{method} {template}"));
        }
    }
    found
}

fn is_left_out(operation: &str) -> bool {
    LEFT_OUT.iter().any(|beginning| operation.starts_with(beginning))
}

#[test]
fn e12_no_part_says_what_another_says() {
    assert_eq!(shop_edge::openapi::clashes(&parts()), Vec::<String>::new());
}

#[test]
fn e12_the_committed_document_is_the_one_that_is_served() {
    let committed = include_str!("../../docs/openapi.json");
    assert!(committed == text(), "run `cargo xtask documents`, look at the change, commit it");
}

#[tokio::test]
async fn e12_every_route_has_an_operation_and_every_operation_a_route() {
    let mut routed = operations(&door()).await;
    for (name, router) in routers() {
        let own = operations(&router).await;
        assert!(own.len() > 4, "{name}: {own:?}");
        routed.extend(own);
    }
    let described: BTreeSet<_> =
        parts().iter().flat_map(|part| part.operations().collect::<Vec<_>>()).collect();
    let silent: Vec<_> =
        routed.iter().filter(|it| !described.contains(*it) && !is_left_out(it)).collect();
    assert!(silent.is_empty(), "routes that the document does not know: {silent:#?}");
    let invented: Vec<_> = described.difference(&routed).collect();
    assert!(invented.is_empty(), "operations that nobody answers: {invented:#?}");
}

#[tokio::test]
async fn e12_each_services_part_is_about_its_own_routes() {
    for ((name, router), service) in routers().into_iter().zip(topology::services()) {
        assert_eq!(name, service.name);
        let part: BTreeSet<_> = (service.openapi)().operations().collect();
        assert_eq!(part, operations(&router).await, "{name}");
    }
}

#[test]
fn every_operation_of_a_service_can_be_reached_through_the_gateway() {
    for service in topology::services() {
        for operation in (service.openapi)().operations().collect::<Vec<_>>() {
            let path = operation.split(' ').nth(1).unwrap();
            let covered = service.paths.iter().any(|prefix| {
                let mut segments = path.split('/');
                prefix.split('/').all(|it| segments.next() == Some(it))
            });
            assert!(covered, "{}: the gateway does not pass {operation} on", service.name);
        }
    }
}

#[test]
fn what_is_left_out_exists_no_more_than_the_document_knows() {
    let document = text();
    for path in ["/console", "/api/v1/operator/broker"] {
        assert!(!document.contains(&format!("\"{path}")), "{path}");
    }
}
