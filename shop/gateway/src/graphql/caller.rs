//! Who asks, by when the answer must be there, and what is handed on to the services that are asked for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use http::header::AUTHORIZATION;
use http::request::Parts;
use shop_edge::{Auth, Principal, Problem, RequestContext};
use switchboard_core::Context;
use tokio::time::Instant;

use crate::callers::{bearer, neighbourhood};

/// The header by which a caller asks for less time than there is.
const TIMEOUT: &str = "x-request-timeout-ms";

/// The caller of one operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is; nobody without a token.
    pub principal: Option<Principal>,
    /// The token, as services want to see it.
    pub token: Option<Arc<str>>,
    /// Where the call comes from.
    pub peer: Option<IpAddr>,
    /// The id of the request, and its place in a trace.
    pub context: Context,
    /// When the answer is of no use any more.
    pub deadline: Instant,
}

// === impl Caller ===

impl Caller {
    /// The caller of a request.
    ///
    /// # Errors
    /// 401 for a token that is not good, 400 for a time that is none.
    pub(super) fn of(parts: &Parts, auth: &Auth, most: Duration) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION);
        let token = match header.map(|value| value.to_str().ok().and_then(bearer)) {
            None => None,
            Some(Some(token)) => Some(token),
            Some(None) => return Err(wrong_token()),
        };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let wait = match parts.headers.get(TIMEOUT) {
            None => most,
            Some(value) => {
                let millis = value.to_str().ok().and_then(|text| text.parse().ok());
                let millis = millis.filter(|millis| *millis > 0).ok_or_else(|| {
                    Problem::bad_request("`X-Request-Timeout-Ms` must be a whole number from 1 on.")
                })?;
                most.min(Duration::from_millis(millis))
            }
        };
        let context = RequestContext::of(&parts.headers).0;
        let nobody =
            Self { principal: None, token: None, peer, context, deadline: Instant::now() + wait };
        match token {
            Some(token) => nobody.with_token(token, auth),
            None => Ok(nobody),
        }
    }

    /// The same with a token.
    ///
    /// # Errors
    /// 401 when it is not good.
    pub(super) fn with_token(mut self, token: &str, auth: &Auth) -> Result<Self, Problem> {
        self.principal = Some(auth.verify(token).ok_or_else(wrong_token)?);
        self.token = Some(token.into());
        Ok(self)
    }

    /// The same with this much time from now on: each operation of a connection has its own.
    pub(super) fn with_time(mut self, most: Duration) -> Self {
        self.deadline = Instant::now() + most;
        self
    }

    /// Whose account is charged: the user's, or that of the network the call comes from.
    pub(super) fn account(&self) -> String {
        match (&self.principal, self.peer) {
            (Some(principal), _) => format!("user {}", principal.user_id),
            (None, Some(peer)) => format!("peer {}", neighbourhood(peer)),
            (None, None) => "nobody".to_owned(),
        }
    }

    /// Who it is, where somebody must be known.
    ///
    /// # Errors
    /// 401 for nobody in particular.
    pub fn known(&self) -> Result<&Principal, Problem> {
        self.principal.as_ref().ok_or_else(|| {
            Problem::unauthorized("Show a token: `Authorization: Bearer …`; `signIn` gives one.")
        })
    }
}

fn wrong_token() -> Problem {
    Problem::invalid_token("The token is not valid, or expired.")
}

#[cfg(test)]
mod tests {
    use http::Request;
    use switchboard_core::ManualClock;

    use super::*;

    fn caller(headers: &[(&str, &str)], auth: &Auth) -> Result<Caller, Problem> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        Caller::of(&parts, auth, Duration::from_secs(10))
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_is_who_the_token_says_and_has_no_more_time_than_there_is() {
        let auth = Auth::ephemeral(Arc::new(ManualClock::default())).unwrap();
        let token = format!("Bearer {}", auth.sign("ann", Duration::from_secs(60)).unwrap());
        let ann = caller(&[("authorization", &token), (TIMEOUT, "1500")], &auth).unwrap();
        assert_eq!((ann.account(), ann.known().is_ok()), ("user ann".to_owned(), true));
        assert_eq!(ann.deadline - Instant::now(), Duration::from_millis(1_500));
        let nobody = caller(&[(TIMEOUT, "60000")], &auth).unwrap();
        assert_eq!(nobody.deadline - Instant::now(), Duration::from_secs(10));
        assert_eq!(nobody.known().unwrap_err().status(), 401);
        let from = |peer: &str| Caller { peer: peer.parse().ok(), ..nobody.clone() }.account();
        assert_eq!(from("2001:db8:1:2::1"), from("2001:db8:1:2:ffff::9"), "one household");
        assert_ne!(from("2001:db8:1:2::1"), from("2001:db8:1:3::1"));
        for (name, value, status) in [
            ("authorization", "Bearer nonsense", 401),
            ("authorization", "Basic YTpi", 401),
            (TIMEOUT, "soon", 400),
            (TIMEOUT, "0", 400),
        ] {
            assert_eq!(caller(&[(name, value)], &auth).unwrap_err().status(), status, "{value}");
        }
    }
}
