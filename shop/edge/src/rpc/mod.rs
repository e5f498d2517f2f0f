//! How every service speaks gRPC: the same callers, contexts and problems as over REST, on the same port.
//!
//! A service's own port is for the shop's own services: each call shows the *service key*, which the gateway and our clients add.
//! Health and reflection need neither that nor a token.
//!
//! - [`status`] problems as statuses, and back
//! - [`call`] what comes with a call beside its message
//! - [`deadline`] how long a caller waits
//! - [`guard`] everything around a call
//! - [`health`] what takes calls now
//! - [`client`] calls that go out, and [`judged`] what their ends say of a service
//! - [`batch`] many things at once
//! - [`upload`] what callers send, as far as it has come
//! - [`told`](mod@told) answers that REST has stored

mod access;
pub mod batch;
mod body;
pub mod call;
pub mod client;
pub mod deadline;
pub mod guard;
pub mod health;
pub mod judged;
mod methods;
pub mod status;
pub mod told;
pub mod upload;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use http::Request;
use switchboard_core::BoxError;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

pub use call::{Called, opened};
pub use client::{Line, OnBehalf, Stub};
pub use deadline::Deadline;
pub use guard::Guard;
pub use health::Vital;

use crate::{Auth, Deps, Health, Problem};
use guard::Door;
use health::Own;
use methods::Methods;

/// What a method answers.
pub type Answer<T> = Result<tonic::Response<T>, tonic::Status>;

/// The largest message that is read, in bytes.
pub const MESSAGE_LIMIT: usize = 1 << 20;
/// The largest message that is sent, in bytes: what clients read when nobody tells them otherwise.
/// A batch whose answer is larger is RESOURCE_EXHAUSTED or OUT_OF_RANGE: ask for less at once.
pub const ANSWER_LIMIT: usize = 4 << 20;
/// Things that one batch may ask for.
pub const BATCH_MAX: usize = 1_000;
/// The metadata in which services show their key.
pub const SERVICE_KEY: &str = "x-service-key";
/// What a gRPC request's content type begins with, gRPC-Web included.
pub const CONTENT_TYPE: &str = "application/grpc";

const HEALTH: &str = "/grpc.health.v1.Health/";
const REFLECTION: [&str; 2] =
    ["/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// The gRPC services of one listener.
#[derive(Clone, Debug)]
pub struct Rpc {
    routes: Routes,
    names: Vec<&'static str>,
    descriptors: &'static [u8],
    auth: Arc<Auth>,
    door: Door,
    has_reflection: bool,
    has_health: bool,
}

/// What a method answers when its work came to this.
///
/// # Errors
/// The problem, as a status.
pub fn answer<T>(done: Result<T, Problem>) -> Answer<T> {
    Ok(tonic::Response::new(done?))
}

/// Whether everybody may call this: health and reflection tell nothing about anybody.
pub(crate) fn is_open(path: &str) -> bool {
    path.starts_with(HEALTH) || REFLECTION.iter().any(|prefix| path.starts_with(prefix))
}

// === impl Rpc ===

impl Rpc {
    /// No services yet, of those that these descriptors (an encoded `FileDescriptorSet`) describe;
    /// for calls from inside of the shop.
    pub fn of(deps: &Deps, descriptors: &'static [u8]) -> Self {
        Self {
            routes: Routes::default(),
            names: Vec::new(),
            descriptors,
            auth: deps.auth.clone(),
            door: Door::Inside,
            has_reflection: true,
            has_health: true,
        }
    }

    /// Everything that these routes answer, for everybody, under these services' names: a gateway.
    pub fn public(
        auth: Arc<Auth>,
        descriptors: &'static [u8],
        names: Vec<&'static str>,
        routes: Router,
    ) -> Self {
        Self {
            routes: routes.into(),
            names,
            descriptors,
            auth,
            door: Door::Public,
            has_reflection: true,
            has_health: true,
        }
    }

    /// One more service.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<tonic::body::Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// The same, which describes itself to nobody.
    #[must_use]
    pub fn without_reflection(self) -> Self {
        Self { has_reflection: false, ..self }
    }

    /// The same, which tells nobody over gRPC whether it takes calls.
    #[must_use]
    pub fn without_health(self) -> Self {
        Self { has_health: false, ..self }
    }

    /// Opens it: its services are ready when this health says so, and end with `end`.
    ///
    /// # Errors
    /// When the descriptors are none.
    pub fn open(self, health: Health, end: CancellationToken) -> Result<Guard, BoxError> {
        let own = Own { names: self.names.clone(), health };
        self.open_with(Arc::new(own), end)
    }

    /// The same, with somebody else who knows which services take calls.
    ///
    /// # Errors
    /// When the descriptors are none.
    pub fn open_with(
        self,
        vital: Arc<dyn Vital>,
        end: CancellationToken,
    ) -> Result<Guard, BoxError> {
        let protocols = [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let descriptors: Vec<&[u8]> = std::iter::once(self.descriptors).chain(protocols).collect();
        let methods = Methods::of(&descriptors)?;
        let mut routes = self.routes.clone();
        if self.has_health {
            routes = routes.add_service(health::server(vital, end.clone()));
        }
        if self.has_reflection {
            let described = || self.described(&descriptors);
            routes = routes.add_service(described().build_v1()?);
            routes = routes.add_service(described().build_v1alpha()?);
        }
        let routes = routes.prepare().into_axum_router();
        Ok(Guard::new(routes, methods, self.auth, self.door, end))
    }

    fn described<'a>(&self, descriptors: &[&'a [u8]]) -> tonic_reflection::server::Builder<'a> {
        let mut builder = tonic_reflection::server::Builder::configure();
        for encoded in descriptors {
            builder = builder.register_encoded_file_descriptor_set(encoded);
        }
        let health = self.has_health.then_some(HEALTH);
        for name in health.into_iter().chain(REFLECTION) {
            builder = builder.with_service_name(name.trim_matches('/'));
        }
        self.names.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    }
}
