//! Which path belongs to which service: data, longest prefix first.

use std::collections::BTreeMap;

use crate::Upstreams;

/// All paths under a prefix go to one service.
#[derive(Clone, Debug)]
pub struct Route {
    /// Without a slash at its end: `/api/v1/users` covers itself and everything below it.
    pub prefix: &'static str,
    /// The service, as health and errors name it.
    pub service: &'static str,
    /// Where its copies listen.
    pub upstreams: Upstreams,
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
        Self { prefix, service, upstreams: upstreams.into() }
    }

    /// A prefix ends where a segment ends: `/users` does not cover `/usersettings`.
    fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

// === impl Routes ===

impl Routes {
    /// Sorts them, so that the longest prefix wins.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let mut routes: Vec<_> = routes.into_iter().collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
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
            Route::new("/api/v1/users", "users", at),
        ]);
        assert_eq!(routes.find(path).map(|route| route.service), expected, "{path}");
    }

    #[test]
    fn the_longest_prefix_wins_and_ends_with_a_segment() {
        check("/api/v1/users", Some("users"));
        check("/api/v1/users/1/posts", Some("users"));
        check("/api/v1/usersettings", None);
        check("/api/v1/operator/sagas", Some("orders"));
        check("/api/v1/operator/users/dead", Some("users"));
        check("/", None);
    }
}
