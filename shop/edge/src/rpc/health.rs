//! Health over gRPC, as the protocol has it: an unknown service is NOT_FOUND to a check and SERVICE_UNKNOWN to a watch, which stays.
//!
//! What is asked is what `/readyz` asks. A watch looks again every second, and at once when this process begins to end. All watches of a
//! service share one look, and a name that nobody has is not kept: strangers may watch, and must cost next to nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as Protocol, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Problem;
use crate::serve::Health;

/// How often a watch looks again.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of a question: more than any service's name has.
const QUESTION_MAX: usize = 1 << 10;
/// Watches at the same time, of all callers together.
const WATCHES_MAX: usize = 1_024;

/// Knows which services take calls now.
pub trait Vital: Send + Sync + 'static {
    /// Whether there is a service of this name; the empty name is all of them together.
    fn knows(&self, service: &str) -> bool;

    /// Whether one that is known takes calls.
    fn serves<'a>(&'a self, service: &'a str) -> BoxFuture<'a, bool>;
}

/// The services of one listener, which are ready together.
pub(super) struct Own {
    pub(super) names: Vec<&'static str>,
    pub(super) health: Health,
}

/// The protocol.
pub(super) struct Watchful {
    vital: Arc<dyn Vital>,
    end: CancellationToken,
    /// What was seen last of each service that is watched; only of those that there are.
    seen: Mutex<HashMap<String, Arc<Look>>>,
    places: Arc<Semaphore>,
}

/// What was seen, and when. Whoever looks holds it, and the others wait for what is seen.
type Look = tokio::sync::Mutex<Option<(Instant, bool)>>;

/// A watch, and what it has said last.
struct Watch {
    of: Arc<Watchful>,
    /// `None` for a service that nobody knows: it is not kept.
    service: Option<String>,
    said: Option<ServingStatus>,
    is_last: bool,
    _place: OwnedSemaphorePermit,
}

pub(super) fn server(vital: Arc<dyn Vital>, end: CancellationToken) -> HealthServer<impl Protocol> {
    let places = Arc::new(Semaphore::new(WATCHES_MAX));
    let watchful = Watchful { vital, end, seen: Mutex::default(), places };
    HealthServer::new(Shared(Arc::new(watchful))).max_decoding_message_size(QUESTION_MAX)
}

/// Watches outlive the call that begins them.
struct Shared(Arc<Watchful>);

// === impl Own ===

impl Vital for Own {
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.names.contains(&service)
    }

    fn serves<'a>(&'a self, _: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(self.health.holds())
    }
}

// === impl Watchful ===

impl Watchful {
    fn known(&self, service: String) -> Option<String> {
        self.vital.knows(&service).then_some(service)
    }

    /// What is so now.
    async fn status(&self, service: &str) -> ServingStatus {
        self.status_of(!self.end.is_cancelled() && self.vital.serves(service).await)
    }

    /// What was so a moment ago, at the most.
    async fn recent(&self, service: &str) -> ServingStatus {
        let look = Arc::clone(self.seen.lock().entry(service.to_owned()).or_default());
        let mut seen = look.lock().await;
        let serves = match *seen {
            Some((at, serves)) if at.elapsed() < LOOK => serves,
            _ => {
                let serves = self.vital.serves(service).await;
                *seen = Some((Instant::now(), serves));
                serves
            }
        };
        self.status_of(serves)
    }

    /// A process that ends serves nobody, whatever it could.
    fn status_of(&self, serves: bool) -> ServingStatus {
        if serves && !self.end.is_cancelled() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    }
}

// === impl Watch ===

impl Watch {
    /// What is to be said next, once there is something new.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        loop {
            if self.is_last {
                return None;
            }
            // Before the look, so that what is said last was found out after the end began.
            self.is_last = self.of.end.is_cancelled();
            let status = match &self.service {
                Some(service) => self.of.recent(service).await,
                None => ServingStatus::ServiceUnknown,
            };
            if self.said != Some(status) {
                self.said = Some(status);
                return Some((Ok(said(status)), self));
            }
            match self.service {
                _ if self.is_last => {}
                Some(_) => {
                    let _looks_again = tokio::time::timeout(LOOK, self.of.end.cancelled()).await;
                }
                // No service comes up later under a name that there is not.
                None => self.of.end.cancelled().await,
            }
        }
    }
}

// === impl Shared ===

#[tonic::async_trait]
impl Protocol for Shared {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = self.0.known(request.into_inner().service);
        let service = service.ok_or_else(Problem::not_found)?;
        Ok(Response::new(said(self.0.status(&service).await)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| {
            Problem::too_many_requests("Too many watch already: ask with `Check`.", 1)
        })?;
        let (of, service) = (Arc::clone(&self.0), self.0.known(request.into_inner().service));
        let watch = Watch { of, service, said: None, is_last: false, _place: place };
        Ok(Response::new(stream::unfold(watch, Watch::next).boxed()))
    }
}

fn said(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
