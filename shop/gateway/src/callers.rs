//! Who is at the door, how often they may call, and what becomes of a call that is one too many.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use shop_edge::{Auth, Problem, request};

use crate::rate::{Limits, Quota, RateLimit};

/// What is asked by programs that watch over the shop, and never counted.
pub(crate) const UNCOUNTED: [&str; 4] = ["/livez", "/readyz", "/startupz", "/metrics"];

/// The limits of one door, with the keys that tell whose token is shown.
#[derive(Clone)]
pub struct Callers(Arc<Inner>);

struct Inner {
    auth: Arc<Auth>,
    /// For connections of this machine, and for all others.
    local: Option<(Quota, RateLimit)>,
    public: Option<(Quota, RateLimit)>,
}

// === impl Callers ===

impl Callers {
    /// Everybody has their whole quota.
    pub fn new(limits: Limits, auth: Arc<Auth>) -> Self {
        let (local, public) = match limits {
            Limits::Usual => (Some(Quota::LOCAL), Some(Quota::PUBLIC)),
            Limits::All(quota) => (Some(quota), Some(quota)),
            Limits::Off => (None, None),
        };
        let limit = |quota| (quota, RateLimit::new(quota));
        Self(Arc::new(Inner { auth, local: local.map(limit), public: public.map(limit) }))
    }

    fn limit(&self, peer: Option<IpAddr>) -> Option<&(Quota, RateLimit)> {
        // Without an address it is a test that calls from within.
        let is_local = peer.is_none_or(|address| address.is_loopback());
        if is_local { self.0.local.as_ref() } else { self.0.public.as_ref() }
    }

    /// Counts a call that is answered in another form than REST's.
    ///
    /// # Errors
    /// 429 for one that is too many.
    pub(crate) fn admit(&self, request: &Request) -> Result<(), Problem> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let Some((_, limit)) = self.limit(peer) else { return Ok(()) };
        let decision = limit.check(&self.key(request, peer));
        if decision.allowed { Ok(()) } else { Err(too_many(decision.wait())) }
    }

    /// The principal of a good token, so that a shop behind one address shares nothing; else the
    /// address, so that made-up tokens open no new bucket.
    fn key(&self, request: &Request, peer: Option<IpAddr>) -> String {
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match token.and_then(bearer).and_then(|token| self.0.auth.verify(token)) {
            Some(principal) => {
                request::made_by(&principal.user_id);
                format!("user {}", principal.user_id)
            }
            None => peer.map_or_else(String::new, |address| neighbourhood(address).to_string()),
        }
    }
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callers")
    }
}

/// The token of a header's value.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// A household has a network of IPv6 to itself, so its addresses are one caller.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            address
                .to_ipv4_mapped()
                .map_or_else(|| IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), IpAddr::V4)
        }
        v4 => v4,
    }
}

/// Counts a call and tells its caller how many are left, or refuses it: 429 with `Retry-After`.
pub(crate) async fn count(
    State(callers): State<Callers>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let Some((quota, limit)) = callers.limit(peer) else { return next.run(request).await };
    if UNCOUNTED.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let decision = limit.check(&callers.key(&request, peer));
    let mut response = if decision.allowed {
        next.run(request).await
    } else {
        too_many(decision.wait()).into_response()
    };
    decision.tell(*quota, response.headers_mut());
    response
}

fn too_many(seconds: u64) -> Problem {
    Problem::too_many_requests("You call more often than you may.", seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_caller() {
        let same = |a: &str, b: &str| {
            let parse = |it: &str| neighbourhood(it.parse().unwrap());
            parse(a) == parse(b)
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
