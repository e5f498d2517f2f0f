//! How versions of the API are made and retired: the policy as a page, the versions as data, and the headers that follow from them.
//!
//! One place says which versions there are, so that answers, pages and refusals cannot disagree.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LINK, VARY};
use serde_json::{Value, json};

use crate::{Problem, negotiate};

/// Where the policy is served.
pub const PAGE: &str = "/versions";
/// The policy, for people.
const POLICY: &str = include_str!("../docs/versions.md");

const JSON: &str = "application/json";
const MARKDOWN: &str = "text/markdown";

/// The versions of one resource, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name, after the version in the path.
    pub name: &'static str,
    /// Its versions.
    pub versions: &'static [Version],
}

/// One version of a resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    /// As it stands in the path.
    pub name: &'static str,
    /// Its end, once that is decided.
    pub deprecated: Option<Deprecated>,
}

/// The end of a version.
#[derive(Debug, PartialEq, Eq)]
pub struct Deprecated {
    /// The start of all paths that are deprecated.
    pub prefix: &'static str,
    /// Since when, as `Deprecation` has it: `@` and seconds since 1970.
    pub since: &'static str,
    /// When it ends, as `Sunset` has it: at least twelve months later.
    pub sunset: &'static str,
    /// Where this is written, and what comes after it.
    pub link: &'static str,
}

const V1: Version = Version { name: "v1", deprecated: None };
const V2: Version = Version { name: "v2", deprecated: None };

/// Users of v1 have one name; v2 has two. Since 27 November 2026.
const USERS_V1: Version = Version { name: "v1", deprecated: Some(USERS_V1_ENDS) };
const USERS_V1_ENDS: Deprecated = Deprecated {
    prefix: "/api/v1/users",
    since: "@1795737600",
    sunset: "Tue, 30 Nov 2027 00:00:00 GMT",
    link: "</versions>; rel=\"deprecation\", </api/v2/users>; rel=\"successor-version\"",
};

/// Everything whose answers say that it ends.
static DEPRECATED: &[Deprecated] = &[USERS_V1_ENDS];

/// All resources of the API, with all their versions.
pub static RESOURCES: &[Resource] = &[
    Resource { name: "users", versions: &[USERS_V1, V2] },
    Resource { name: "sessions", versions: &[V1] },
    Resource { name: "posts", versions: &[V1] },
    Resource { name: "tags", versions: &[V1] },
    Resource { name: "accounts", versions: &[V1] },
    Resource { name: "orders", versions: &[V1] },
    Resource { name: "products", versions: &[V1] },
    Resource { name: "stock", versions: &[V1, V2] },
    Resource { name: "shipments", versions: &[V1] },
    Resource { name: "notifications", versions: &[V1] },
    Resource { name: "operator", versions: &[V1] },
];

// === impl Resource ===

impl Resource {
    fn to_json(&self) -> Value {
        let version = |version: &Version| {
            let mut shown = json!({
                "name": version.name,
                "href": format!("/api/{}/{}", version.name, self.name),
            });
            if let Some(deprecated) = &version.deprecated {
                shown["deprecation"] = deprecated.since.into();
                shown["sunset"] = deprecated.sunset.into();
            }
            shown
        };
        let versions: Vec<_> = self.versions.iter().map(version).collect();
        json!({ "name": self.name, "versions": versions })
    }
}

/// The policy and the versions at [`PAGE`]: JSON, or Markdown for whoever asks for it.
pub fn routes() -> Router {
    Router::new().route(PAGE, get(show))
}

async fn show(headers: HeaderMap) -> Response {
    match negotiate::best(&headers, &[JSON, MARKDOWN, "text/plain"]) {
        Some(JSON) => axum::Json(document()).into_response(),
        Some(kind) => {
            let kind = format!("{kind}; charset=utf-8");
            // What is chosen by a header must say so, or a cache mixes the forms.
            let headers = [(VARY, "accept"), (CACHE_CONTROL, "no-cache")];
            (headers, [(CONTENT_TYPE, kind)], POLICY).into_response()
        }
        None => Problem::not_acceptable("application/json, text/markdown").into_response(),
    }
}

fn document() -> Value {
    let resources: Vec<_> = RESOURCES.iter().map(Resource::to_json).collect();
    json!({
        "items": resources,
        "policy": POLICY,
        "_links": { "self": { "href": PAGE } },
    })
}

/// Adds what an answer of a deprecated version says about its end. `route` is the template of the
/// route that answered.
pub(crate) fn mark(route: &str, headers: &mut HeaderMap) {
    let covers = |deprecated: &&Deprecated| {
        let rest = route.strip_prefix(deprecated.prefix);
        // The resource and one of it; what lies below belongs to another resource, which stays.
        rest.is_some_and(|rest| rest.is_empty() || is_one_segment(rest))
    };
    // One comparison for almost every call: the list of what is deprecated is short.
    let Some(deprecated) = DEPRECATED.iter().find(covers) else { return };
    let fixed = HeaderValue::from_static;
    headers.insert(HeaderName::from_static("deprecation"), fixed(deprecated.since));
    headers.insert(HeaderName::from_static("sunset"), fixed(deprecated.sunset));
    headers.append(LINK, fixed(deprecated.link));
}

fn is_one_segment(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| !rest.contains('/'))
}

/// What to answer to a path of the API that nobody serves: which versions there are. `None` for a
/// path that names a resource in a version that it has.
pub fn unknown(path: &str) -> Option<Problem> {
    let mut parts = path.strip_prefix("/api/")?.split('/');
    let (version, resource) = (parts.next()?, parts.next());
    let known = resource.and_then(|name| RESOURCES.iter().find(|it| it.name == name));
    let detail = match known {
        Some(known) if known.versions.iter().any(|it| it.name == version) => return None,
        Some(known) => {
            let names: Vec<_> = known.versions.iter().map(|it| it.name).collect();
            format!("`{}` is there in the versions {}; see {PAGE}.", known.name, names.join(", "))
        }
        None if version == "v1" || version == "v2" => return None,
        None => format!("There are the versions v1 and v2; see {PAGE}."),
    };
    let link = format!("<{PAGE}>; rel=\"version-history\"");
    Some(Problem::not_found().with_detail(detail).with_header(LINK, &link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let problem = unknown(path);
        assert_eq!(problem.is_some(), expected.is_some(), "{path}");
        if let (Some(problem), Some(part)) = (problem, expected) {
            assert_eq!(problem.status(), 404);
            assert!(problem.detail().contains(part), "{}", problem.detail());
        }
    }

    #[test]
    fn e9_an_unknown_version_is_told_the_known_ones() {
        check("/api/v9/users", Some("v1, v2"));
        check("/api/v2/orders/1", Some("versions v1;"));
        check("/api/users", Some("v1 and v2"));
        check("/api/v1/nothing", None);
        check("/api/v1/users/1", None);
        check("/nothing", None);
    }

    #[test]
    fn e9_only_what_is_deprecated_says_so_and_ends_a_year_later_at_the_earliest() {
        let marked = |route: &str| {
            let mut headers = HeaderMap::new();
            mark(route, &mut headers);
            headers
        };
        let headers = marked("/api/v1/users/{id}");
        assert_eq!(headers["deprecation"], "@1795737600");
        assert!(headers["link"].to_str().unwrap().contains("successor-version"));
        let others = ["/api/v2/users", "/api/v1/usersettings", "/api/v1/users/{id}/posts", "-"];
        for route in others {
            assert!(marked(route).is_empty(), "{route}");
        }
        let since: i64 = USERS_V1_ENDS.since[1..].parse().unwrap();
        let year = USERS_V1_ENDS.sunset.split(' ').nth(3).unwrap();
        let policy = year.parse::<i64>().unwrap() - 1970 - since / 31_556_952;
        assert!(policy >= 1, "twelve months at least");
    }
}
