//! Health over gRPC, as the protocol has it: an unknown service is NOT_FOUND to a check and SERVICE_UNKNOWN to a watch, which stays.
//!
//! What is asked is what `/readyz` asks. A watch looks again every second, and at once when this process begins to end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as Protocol, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Problem;
use crate::serve::Health;

/// How often a watch looks again.
const LOOK: Duration = Duration::from_secs(1);

/// Knows which services take calls now.
pub trait Vital: Send + Sync + 'static {
    /// Whether a service does; the empty name is all of them together, `None` an unknown one.
    fn serves<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Option<bool>>;
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
}

/// A watch, and what it has said last.
struct Watch {
    of: Arc<Watchful>,
    service: String,
    said: Option<ServingStatus>,
    is_last: bool,
}

pub(super) fn server(vital: Arc<dyn Vital>, end: CancellationToken) -> HealthServer<impl Protocol> {
    HealthServer::new(Shared(Arc::new(Watchful { vital, end })))
}

/// Watches outlive the call that begins them.
struct Shared(Arc<Watchful>);

// === impl Own ===

impl Vital for Own {
    fn serves<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            let is_known = service.is_empty() || self.names.contains(&service);
            if is_known { Some(self.health.holds().await) } else { None }
        })
    }
}

// === impl Watchful ===

impl Watchful {
    async fn status(&self, service: &str) -> ServingStatus {
        match self.vital.serves(service).await {
            None => ServingStatus::ServiceUnknown,
            Some(true) if !self.end.is_cancelled() => ServingStatus::Serving,
            Some(_) => ServingStatus::NotServing,
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
            let status = self.of.status(&self.service).await;
            if self.said != Some(status) {
                self.said = Some(status);
                return Some((Ok(said(status)), self));
            }
            if !self.is_last {
                let _looks_again = tokio::time::timeout(LOOK, self.of.end.cancelled()).await;
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
        match self.0.status(&request.get_ref().service).await {
            ServingStatus::ServiceUnknown => Err(Problem::not_found().into()),
            status => Ok(Response::new(said(status))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let watch = Watch { of: Arc::clone(&self.0), service, said: None, is_last: false };
        Ok(Response::new(stream::unfold(watch, Watch::next).boxed()))
    }
}

fn said(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
