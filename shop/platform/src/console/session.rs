//! Who looks at the console: somebody who has shown the operator's token and holds a cookie of ours.
//!
//! Sessions live in memory: a restart asks for the token again. The cookie is `HttpOnly` and `SameSite=Strict`, and a POST must also come
//! from a page of our own, so no other site can press a button here.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HOST, HeaderMap, ORIGIN};
use http::request::Parts;
use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};
use shop_edge::Problem;
use switchboard_core::Timestamp;

use super::Console;

/// How long nobody may look before the token is asked for again.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// Sessions at the same time; one more ends the one that has been idle longest.
const SESSIONS: usize = 64;
const SESSION_COOKIE: &str = "switchboard-session";
const THEME_COOKIE: &str = "switchboard-theme";

/// The sessions of this process.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Timestamp>>);

/// Somebody who has shown the operator's token; with the theme they like.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedIn {
    pub(super) theme: Theme,
}

/// How the pages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the system does.
    #[default]
    Auto,
    Light,
    Dark,
}

// === impl Sessions ===

impl Sessions {
    /// Begins a session and answers its cookie.
    pub(super) fn begin(&self, now: Timestamp) -> Result<String, Problem> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| Problem::internal())?;
        let id = URL_SAFE_NO_PAD.encode(bytes);
        let mut sessions = self.0.lock();
        sessions.retain(|_, seen| now.since(*seen) < IDLE);
        if sessions.len() >= SESSIONS {
            let idlest = sessions.iter().min_by_key(|(_, seen)| **seen);
            if let Some(idlest) = idlest.map(|(id, _)| id.clone()) {
                sessions.remove(&idlest);
            }
        }
        sessions.insert(id.clone(), now);
        Ok(format!("{SESSION_COOKIE}={id}; Path=/console; HttpOnly; SameSite=Strict"))
    }

    /// Whether there is such a session; looking keeps it.
    pub(super) fn holds(&self, headers: &HeaderMap, now: Timestamp) -> bool {
        let Some(id) = cookie(headers, SESSION_COOKIE) else { return false };
        match self.0.lock().get_mut(id) {
            Some(seen) if now.since(*seen) < IDLE => {
                *seen = now;
                true
            }
            _ => false,
        }
    }

    /// Ends a session and answers the cookie that forgets it.
    pub(super) fn end(&self, headers: &HeaderMap) -> String {
        if let Some(id) = cookie(headers, SESSION_COOKIE) {
            self.0.lock().remove(id);
        }
        format!("{SESSION_COOKIE}=; Path=/console; HttpOnly; SameSite=Strict; Max-Age=0")
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

/// Refuses a POST that no page of ours has sent.
pub(super) fn from_our_page(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST.as_str()).unwrap_or_default();
    let same = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        // What the browser itself says cannot be forged by a page; it is silent over plain HTTP
        // from other machines.
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            origin.split_once("://").is_some_and(|(_, authority)| authority == host)
        }
        (None, None) => false,
    };
    if same && !host.is_empty() {
        return Ok(());
    }
    Err(Problem::forbidden("This form was not sent by a page of the console."))
}

// === impl Theme ===

impl Theme {
    /// As the cookie says.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        cookie(headers, THEME_COOKIE).map(Self::named).unwrap_or_default()
    }

    pub(super) fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The cookie that remembers it for a year. The script writes the same one.
    pub(super) fn cookie(self) -> String {
        format!("{THEME_COOKIE}={}; Path=/console; SameSite=Strict; Max-Age=31536000", self.name())
    }
}

// === impl SignedIn ===

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        if console.sessions.holds(&parts.headers, console.shop.clock.now()) {
            return Ok(Self { theme: Theme::of(&parts.headers) });
        }
        if parts.uri.path().starts_with("/console/live/") {
            return Err(Problem::unauthorized("Sign in to the console first.").into_response());
        }
        let next = super::escape_query(parts.uri.path());
        Err(Redirect::to(&format!("/console/sign-in?next={next}")).into_response())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let value = |value: &str| HeaderValue::from_str(value).unwrap();
        pairs.iter().map(|(name, it)| (name.parse().unwrap(), value(it))).collect()
    }

    #[test]
    fn a_session_lasts_while_somebody_looks_and_ends_when_told() {
        let sessions = Sessions::default();
        let at = |hours: i64| Timestamp::from_micros(hours * 3_600_000_000);
        let cookie = sessions.begin(at(0)).unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        let headers = headers(&[("cookie", cookie.split(';').next().unwrap())]);
        assert!(sessions.holds(&headers, at(11)) && sessions.holds(&headers, at(22)));
        assert!(!sessions.holds(&headers, at(40)), "idle for too long");
        sessions.end(&headers);
        assert!(!sessions.holds(&headers, at(23)));
    }

    #[test]
    fn sessions_are_bounded_and_the_idlest_goes_first() {
        let sessions = Sessions::default();
        let first = sessions.begin(Timestamp::from_micros(1)).unwrap();
        for number in 0..SESSIONS {
            sessions.begin(Timestamp::from_micros(2 + number as i64)).unwrap();
        }
        assert_eq!(sessions.0.lock().len(), SESSIONS);
        let headers = headers(&[("cookie", first.split(';').next().unwrap())]);
        assert!(!sessions.holds(&headers, Timestamp::from_micros(100)));
    }

    #[test]
    fn only_our_own_pages_may_post() {
        let check = |pairs: &[(&'static str, &str)], allowed: bool| {
            assert_eq!(from_our_page(&headers(pairs)).is_ok(), allowed, "{pairs:?}");
        };
        let host = ("host", "127.0.0.1:8080");
        check(&[host, ("origin", "http://127.0.0.1:8080")], true);
        check(
            &[host, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")],
            true,
        );
        check(&[host, ("origin", "http://evil.example")], false);
        check(
            &[host, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "cross-site")],
            false,
        );
        check(&[host, ("origin", "null")], false);
        check(&[host], false);
    }
}
