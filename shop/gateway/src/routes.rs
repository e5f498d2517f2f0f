//! Which path belongs to which service: data, the most exact prefix first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use switchboard_core::Priority;

use crate::Upstreams;

/// All paths under a prefix go to one service.
#[derive(Clone, Debug)]
pub struct Route {
    /// Without a slash at its end: `/api/v1/users` covers itself and everything below it. A segment
    /// in braces stands for any one: `/api/v1/users/{id}/posts`.
    pub prefix: &'static str,
    /// The service, as health and errors name it.
    pub service: &'static str,
    /// Where its copies listen.
    pub upstreams: Upstreams,
    /// How important its calls are: which pool of places they share.
    pub pool: Priority,
    /// Whether its last good answers are shown, marked as such, when the service cannot answer.
    pub is_kept: bool,
}

/// Routes in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct Routes(Vec<Route>);

// === impl Route ===

impl Route {
    /// A route.
    pub fn new(
        prefix: &'static str,
        service: &'static str,
        upstreams: impl Into<Upstreams>,
    ) -> Self {
        let upstreams = upstreams.into();
        Self { prefix, service, upstreams, pool: Priority::Standard, is_kept: false }
    }

    /// The same, whose calls are this important. Default standard.
    #[must_use]
    pub fn with_pool(mut self, pool: Priority) -> Self {
        self.pool = pool;
        self
    }

    /// The same, whose last good answers are shown in bad times: only for what everybody may see.
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    /// A prefix ends where a segment ends: `/users` does not cover `/usersettings`.
    fn covers(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        self.prefix.split('/').all(|expected| {
            segments.next().is_some_and(|segment| {
                segment == expected || (is_any(expected) && !segment.is_empty())
            })
        })
    }

    /// How exact the prefix is: how many segments it has, and how many of them it spells out.
    fn exactness(&self) -> (usize, usize) {
        let segments = self.prefix.split('/');
        (segments.clone().count(), segments.filter(|segment| !is_any(segment)).count())
    }
}

fn is_any(segment: &str) -> bool {
    segment.starts_with('{')
}

// === impl Routes ===

impl Routes {
    /// Sorts them, so that the most exact prefix wins: the one of most segments, and of those the
    /// one that spells out most.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let mut routes: Vec<_> = routes.into_iter().collect();
        routes.sort_by_key(|route| Reverse(route.exactness()));
        Self(routes)
    }

    /// The route of a path.
    pub fn find(&self, path: &str) -> Option<&Route> {
        self.0.iter().find(|route| route.covers(path))
    }

    /// Each service once, with its addresses.
    pub fn services(&self) -> BTreeMap<&'static str, Upstreams> {
        self.0.iter().map(|route| (route.service, route.upstreams.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let at = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let routes = Routes::new([
            Route::new("/api/v1/orders", "orders", at),
            Route::new("/api/v1/operator", "orders", at),
            Route::new("/api/v1/operator/users", "users", at),
            Route::new("/api/v1/users/{id}/posts", "content", at),
            Route::new("/api/v1/users/all/posts", "sums", at),
            Route::new("/api/v1/users", "users", at),
        ]);
        assert_eq!(routes.find(path).map(|route| route.service), expected, "{path}");
    }

    #[test]
    fn the_longest_prefix_wins_and_ends_with_a_segment() {
        check("/api/v1/users", Some("users"));
        check("/api/v1/users/1", Some("users"));
        check("/api/v1/usersettings", None);
        check("/api/v1/operator/sagas", Some("orders"));
        check("/api/v1/operator/users/dead", Some("users"));
        check("/", None);
    }

    #[test]
    fn a_segment_in_braces_is_any_one_and_less_exact_than_its_name() {
        check("/api/v1/users/1/posts", Some("content"));
        check("/api/v1/users/1/posts/2", Some("content"));
        check("/api/v1/users/all/posts", Some("sums"));
        check("/api/v1/users/1/postscripts", Some("users"));
        check("/api/v1/users//posts", Some("users"));
        check("/api/v1/users/{id}", Some("users"));
    }
}
