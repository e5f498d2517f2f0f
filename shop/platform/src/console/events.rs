//! Live pages: the fragments that have changed, at most once a second, while somebody watches.
//!
//! A stream sends an object from element ids to HTML. Everything is sent once at its beginning, so a page that lost its connection is
//! right again. Nothing is computed, and no timer runs, when nobody watches.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::HeaderMap;
use maud::Markup;
use serde_json::{Map, Value};
use shop_edge::Problem;
use tokio::sync::OwnedSemaphorePermit;

use super::sample::Sample;
use super::session::SignedIn;
use super::{Console, key, order, orders, overview, parked, policies};

/// Between two looks.
const BETWEEN: Duration = Duration::from_secs(1);

/// Named pieces of a page: the id of an element and what is in it.
pub(super) type Fragments = Vec<(&'static str, Markup)>;

/// A page that is watched.
#[derive(Clone, Debug)]
enum View {
    Overview,
    Orders,
    Order(String),
    Parked,
    Policies,
    Key(key::Place),
}

/// One watcher.
struct Watching {
    console: Console,
    headers: HeaderMap,
    view: View,
    /// What was sent last, by element.
    sent: HashMap<&'static str, u64>,
    /// The sample before, for rates.
    before: Option<Sample>,
    is_first: bool,
    /// One of the bounded places.
    _permit: OwnedSemaphorePermit,
}

/// The stream of one page.
pub(super) async fn stream(
    State(console): State<Console>,
    _: SignedIn,
    Path(page): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = View::named(&page).ok_or_else(Problem::not_found)?;
    let permit = console.watchers.clone().try_acquire_owned().map_err(|_| {
        Problem::unavailable("Too many pages are watched; close some, and reload this one.")
    })?;
    let watching = Watching {
        console,
        headers,
        view,
        sent: HashMap::new(),
        before: None,
        is_first: true,
        _permit: permit,
    };
    let events = stream::unfold(watching, |watching| watching.next());
    let alive = KeepAlive::new().interval(Duration::from_secs(20));
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

// === impl View ===

impl View {
    fn named(page: &str) -> Option<Self> {
        let mut parts = page.split('/');
        let view = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("overview", None, ..) => Self::Overview,
            ("orders", None, ..) => Self::Orders,
            ("orders", Some(id), None, _) => Self::Order(id.to_owned()),
            ("parked", None, ..) => Self::Parked,
            ("policies", None, ..) => Self::Policies,
            ("parked", Some(service), Some(group), Some(_)) => {
                // The key is the rest, whatever is in it.
                let rest = page.splitn(4, '/').nth(3)?;
                Self::Key(key::Place::new(service, group, rest))
            }
            _ => return None,
        };
        Some(view)
    }
}

// === impl Watching ===

impl Watching {
    /// Waits until something has changed; the stream ends with the shop, or with the session.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if !self.is_first {
                tokio::select! {
                    () = self.console.shop.end.cancelled() => return None,
                    () = tokio::time::sleep(BETWEEN) => {}
                }
            }
            self.is_first = false;
            let now = self.console.shop.clock.now();
            if !self.console.sessions.holds(&self.headers, now) {
                return None;
            }
            let changed = self.changed().await;
            if !changed.is_empty() {
                let event =
                    Event::default().event("patch").data(Value::Object(changed).to_string());
                return Some((Ok(event), self));
            }
        }
    }

    async fn changed(&mut self) -> Map<String, Value> {
        let mut changed = Map::new();
        for (element, markup) in self.fragments().await {
            let html = markup.into_string();
            let mut hasher = DefaultHasher::new();
            html.hash(&mut hasher);
            let sum = hasher.finish();
            if self.sent.insert(element, sum) != Some(sum) {
                changed.insert(element.to_owned(), html.into());
            }
        }
        changed
    }

    async fn fragments(&mut self) -> Fragments {
        let shop = &self.console.shop;
        match &self.view {
            View::Overview => {
                let sample = Sample::take(shop).await;
                let fragments = overview::fragments(shop, &sample, self.before.as_ref());
                self.before = Some(sample);
                fragments
            }
            View::Orders => orders::fragments(shop, None).await,
            View::Order(id) => order::fragments(shop, id).await.unwrap_or_default(),
            View::Parked => parked::fragments(shop).await,
            View::Policies => policies::fragments(shop).await,
            View::Key(place) => key::fragments(shop, place).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_named_by_its_path() {
        assert!(matches!(View::named("overview"), Some(View::Overview)));
        assert!(matches!(View::named("orders/1"), Some(View::Order(id)) if id == "1"));
        assert!(matches!(View::named("parked/a/b/c/d"), Some(View::Key(_))));
        assert!(View::named("overview/1").is_none() && View::named("secrets").is_none());
        assert!(View::named("parked/a").is_none());
    }
}
