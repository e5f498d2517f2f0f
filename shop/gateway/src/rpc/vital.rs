//! Which services take calls: what each of them says of itself.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use shop_edge::rpc::{Deadline, Line, OnBehalf, Vital};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::Lines;

/// A service that has not answered by then takes no calls.
const PATIENCE: Duration = Duration::from_secs(1);

/// The services behind the door.
pub(super) struct Shop(pub(super) Lines);

impl Vital for Shop {
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.0.to_rpc(service).is_some()
    }

    fn serves<'a>(&'a self, service: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            if service.is_empty() {
                let all = join_all(self.0.0.values().map(|way| says_so(&way.line))).await;
                return all.into_iter().all(|serves| serves);
            }
            match self.0.to_rpc(service) {
                Some(way) => says_so(&way.line).await,
                None => false,
            }
        })
    }
}

/// Beside the breaker: what strangers ask about a service must not count as calls of it, and an
/// open breaker is no answer of the service's own.
async fn says_so(line: &Line) -> bool {
    let on = OnBehalf::nobody(Deadline::after(PATIENCE));
    let mut client = HealthClient::new(line.unguarded().on_behalf(on));
    let answer = client.check(HealthCheckRequest { service: String::new() }).await;
    answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
}
