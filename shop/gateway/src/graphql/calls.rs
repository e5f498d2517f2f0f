//! The services that answer questions, and the calls to them: each with what is left of the caller's time, their token, and their trace.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shop_contracts::rpc::content::content_service_client::ContentServiceClient;
use shop_contracts::rpc::inventory::inventory_service_client::InventoryServiceClient;
use shop_contracts::rpc::orders::order_service_client::OrderServiceClient;
use shop_contracts::rpc::payments::payment_service_client::PaymentServiceClient;
use shop_contracts::rpc::shipping::shipping_service_client::ShippingServiceClient;
use shop_contracts::rpc::users::user_service_client::UserServiceClient;
use shop_edge::rpc::Deadline;
use shop_edge::{Auth, Problem};
use switchboard_core::BoxError;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Response, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt, service_fn};

use super::caller::Caller;
use crate::rpc::Way;

/// A way to a service, with whatever stands around the calls on it.
pub type Channel = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// A way over anything that carries HTTP/2: a connection, or a server in the same process.
pub fn channel<S, B>(carrier: S) -> Channel
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let carrier = carrier
        .map_response(|answer: http::Response<B>| answer.map(Body::new))
        .map_err(|error: S::Error| Status::from_error(error.into()));
    BoxCloneSyncService::new(carrier)
}

/// Ways to all services that questions are about. Clones share their connections.
#[derive(Clone)]
pub struct Services {
    /// Who the customers are.
    pub users: Channel,
    /// What they write.
    pub content: Channel,
    /// Orders.
    pub orders: Channel,
    /// Accounts.
    pub payments: Channel,
    /// Products and stock.
    pub inventory: Channel,
    /// Shipments.
    pub shipping: Channel,
}

/// The calls of one operation.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    services: Services,
    until: Arc<Mutex<Instant>>,
    /// How long one answer may take.
    patience: Duration,
    pub(super) caller: Caller,
    pub(super) auth: Arc<Auth>,
}

/// A service that failed, and how: what a resolver says of it.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    service: &'static str,
    problem: Box<Problem>,
}

/// The answer of a call.
pub(super) type Answer<T> = Result<T, Failed>;

// === impl Services ===

impl Services {
    /// Over these ways, by the services' names. One without a way counts as away.
    pub fn by<'w>(way: impl Fn(&'static str) -> Option<&'w Way>) -> Self {
        let to = |name| over(name, way(name));
        Self {
            users: to("users"),
            content: to("content"),
            orders: to("orders"),
            payments: to("payments"),
            inventory: to("inventory"),
            shipping: to("shipping"),
        }
    }
}

fn over(service: &'static str, way: Option<&Way>) -> Channel {
    let way = way.cloned();
    channel(service_fn(move |request: http::Request<Body>| {
        let way = way.clone();
        async move {
            match way {
                Some(way) => way.send(request.map(axum::body::Body::new)).await,
                None => {
                    let detail = format!("The {service} service is not part of this shop.");
                    Err(Problem::unavailable(detail).into())
                }
            }
        }
    }))
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Services")
    }
}

// === impl Calls ===

macro_rules! clients {
    ($($name:ident: $client:ident;)*) => {
        $(pub(super) fn $name(&self) -> $client<Channel> {
            $client::new(self.services.$name.clone())
        })*
    };
}

impl Calls {
    pub(super) fn new(services: Services, caller: Caller, auth: Arc<Auth>) -> Self {
        let patience = caller.deadline.saturating_duration_since(Instant::now());
        let until = Arc::new(Mutex::new(caller.deadline));
        Self { services, until, patience, caller, auth }
    }

    /// Begins the time anew, for all clones: each event of a subscription has its own.
    pub(super) fn renew(&self) {
        *self.until.lock() = Instant::now() + self.patience;
    }

    clients! {
        users: UserServiceClient;
        content: ContentServiceClient;
        orders: OrderServiceClient;
        payments: PaymentServiceClient;
        inventory: InventoryServiceClient;
        shipping: ShippingServiceClient;
    }

    /// A message on its way, with the time that is left.
    pub(super) fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = self.follow(message);
        let left = self.until.lock().saturating_duration_since(Instant::now());
        // When nothing is left there is no way on; whoever is asked still must not take for ever.
        let onward = Deadline::after(left).onward();
        let onward = onward.and_then(|value| MetadataValue::try_from(value.as_bytes()).ok());
        let soon = MetadataValue::from_static("1m");
        request.metadata_mut().insert("grpc-timeout", onward.unwrap_or(soon));
        request
    }

    /// A message whose answers may come for as long as they like.
    pub(super) fn follow<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let Caller { token, context, .. } = &self.caller;
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = value.parse::<MetadataValue<Ascii>>() {
                request.metadata_mut().insert(name, value);
            }
        };
        if let Some(token) = token {
            put("authorization", format!("Bearer {token}"));
        }
        put(shop_edge::request::REQUEST_ID, context.correlation.to_string());
        if let Some(trace) = &context.traceparent {
            put("traceparent", trace.to_string());
        }
        request
    }
}

/// What came back, or how it failed.
pub(super) fn answered<T>(service: &'static str, answer: Result<Response<T>, Status>) -> Answer<T> {
    answer.map(Response::into_inner).map_err(|status| failed(service, &status))
}

/// How a call failed, as the shop's kind of problem.
pub(super) fn failed(service: &'static str, status: &Status) -> Failed {
    let problem = Problem::from(status);
    if problem.status().is_server_error() {
        tracing::warn!(service, code = ?status.code(), message = status.message(), "a call failed");
    }
    Failed::of(service, problem)
}

/// What is missing in an answer that must have it.
pub(super) fn incomplete(service: &'static str) -> Failed {
    tracing::error!(service, "an answer lacks what it must have");
    Failed::of(service, Problem::internal())
}

// === impl Failed ===

impl Failed {
    pub(super) fn of(service: &'static str, problem: Problem) -> Self {
        Self { service, problem: Box::new(problem) }
    }

    /// What the door itself refuses.
    pub(super) fn refused(problem: Problem) -> Self {
        Self::of("gateway", problem)
    }

    /// Whether less would have been answered: a message has a size at most. Who calls too often is
    /// told how long to wait, and must not ask again.
    pub(super) fn is_too_large(&self) -> bool {
        match self.problem.code() {
            Code::OutOfRange => true,
            Code::ResourceExhausted => self.problem.seconds().is_none(),
            _ => false,
        }
    }

    /// Whether the service is away, rather than saying no.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.problem.status().as_u16(), 502..=504)
    }
}

impl From<Failed> for async_graphql::Error {
    fn from(failed: Failed) -> Self {
        let error = super::errors::field_error(&failed.problem);
        super::errors::of_service(error, failed.service, failed.is_away())
    }
}
