//! The names of what this crate counts, and handles to count with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{Counter, counter};
use parking_lot::RwLock;

/// Calls that were answered. Labels: `method`, `route` (its template), `class` (`2xx`).
pub const CALLS: &str = "switchboard.edge.calls";
/// Microseconds that calls took, summed; divided by [`CALLS`] it is their mean. Labels: `method`,
/// `route`.
pub const MICROS: &str = "switchboard.edge.call_micros";

/// Calls over gRPC that have ended. Labels: `method` (`package.Service/Method`, `-` for unknown
/// ones), `code` (`NOT_FOUND`).
pub const RPC_CALLS: &str = "switchboard.edge.rpc_calls";
/// Microseconds that they took, summed, streams to their end. Label: `method`.
pub const RPC_MICROS: &str = "switchboard.edge.rpc_micros";

/// Tells the recorder what the numbers mean; call it once after a recorder is installed.
pub fn describe() {
    metrics::describe_counter!(CALLS, "calls that were answered");
    metrics::describe_counter!(MICROS, "microseconds that calls took, summed");
    metrics::describe_counter!(RPC_CALLS, "gRPC calls that have ended");
    metrics::describe_counter!(RPC_MICROS, "microseconds that gRPC calls took, summed");
}

/// Handles by method and route, so that counting needs no look-up of labels.
#[derive(Default)]
pub(crate) struct Calls(RwLock<HashMap<Method, HashMap<String, Arc<Handles>>>>);

struct Handles {
    classes: [Counter; 5],
    micros: Counter,
}

// === impl Calls ===

impl Calls {
    /// Counts one call. Routes are templates, so there are only so many.
    pub(crate) fn count(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let handles = self.handles(method, route);
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        handles.classes[class].increment(1);
        handles.micros.increment(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    fn handles(&self, method: &Method, route: &str) -> Arc<Handles> {
        // A method that nobody knows would open the door to endless labels.
        let method = if KNOWN.contains(method) { method } else { &Method::TRACE };
        let known = self.0.read().get(method).and_then(|routes| routes.get(route)).cloned();
        known.unwrap_or_else(|| {
            let handles = Arc::new(Handles::new(method, route));
            let mut all = self.0.write();
            let routes = all.entry(method.clone()).or_default();
            routes.entry(route.to_owned()).or_insert(handles).clone()
        })
    }
}

const KNOWN: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
];

impl Handles {
    fn new(method: &Method, route: &str) -> Self {
        let (method, route) = (method.as_str().to_owned(), route.to_owned());
        let class = |class: &'static str| counter!(CALLS, "method" => method.clone(), "route" => route.clone(), "class" => class);
        Self {
            classes: [class("1xx"), class("2xx"), class("3xx"), class("4xx"), class("5xx")],
            micros: counter!(MICROS, "method" => method.clone(), "route" => route.clone()),
        }
    }
}
