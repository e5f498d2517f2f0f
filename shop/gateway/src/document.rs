//! What the door answers itself, for the interface's document.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use shop_edge::openapi::{Link, Links, Operation, Part, Shape, links};
use utoipa::ToSchema;

use crate::callers::UNCOUNTED;

/// Where everything is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Index {
    /// What this is.
    pub name: String,
    /// How a call is repeated safely.
    pub idempotency: IdempotencyRules,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// How a call is repeated safely.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdempotencyRules {
    /// The header that names a call.
    pub header: String,
    /// How long such a name may be.
    pub length_max: u64,
    /// For how many seconds an answer is kept.
    pub kept_seconds: u64,
}

/// A program that runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alive {
    /// `alive`, or `started`.
    pub status: String,
}

/// Whether orders can be taken.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`, `not ready`, or `draining` once it has been asked to end.
    pub status: String,
    /// What each service says of itself.
    pub services: BTreeMap<String, String>,
    /// Services that are left alone for a while, and what callers get instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub degraded: Option<Vec<Degraded>>,
}

/// A service that is not asked now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Degraded {
    /// Its breaker.
    pub policy: String,
    /// The breaker's state.
    pub state: String,
    /// What callers get instead.
    pub detail: String,
}

/// A kind of problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemKind {
    /// As problems carry it.
    #[schema(format = "uri-reference")]
    pub r#type: String,
    /// The same words for every problem of this kind.
    pub title: String,
    /// The HTTP status that it always has.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What a caller does about it.
    pub about: String,
}

/// A resource with its versions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VersionedResource {
    /// Its name, after the version in the path.
    pub name: String,
    /// Its versions, oldest first.
    pub versions: Vec<ResourceVersion>,
}

/// A version of a resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResourceVersion {
    /// As it stands in the path.
    pub name: String,
    /// Where it is.
    #[schema(format = "uri-reference")]
    pub href: String,
    /// Since when it is deprecated, as the header `Deprecation` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deprecation: Option<String>,
    /// When it ends, as the header `Sunset` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sunset: Option<String>,
}

/// How versions are made and retired.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Versions {
    /// Every resource.
    pub items: Vec<VersionedResource>,
    /// The policy, as Markdown.
    pub policy: String,
    /// Where this is.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// Every operation of the gateway itself.
pub fn openapi() -> Part {
    Part::new("platform", "The shop as a whole: where things are, whether it runs, what can fail.")
        .with(
            own("/", "getIndex")
                .says("Show where everything is", "The place to begin.")
                .ok::<Index>("The links."),
        )
        .with(
            own("/livez", "getLiveness")
                .says("Say whether the program runs", "For whoever restarts it.")
                .ok::<Alive>("It runs."),
        )
        .with(
            own("/readyz", "getReadiness")
                .says("Say whether orders can be taken", "Of every service one copy must be ready.")
                .ok::<Readiness>("They can.")
                .or_503::<Readiness>("They cannot, and this is why."),
        )
        .with(
            own("/startupz", "getStartup")
                .says("Say whether the shop has started", "Once it has, it stays so.")
                .ok::<Alive>("It has.")
                .or_503::<Readiness>("It has not, and this is why."),
        )
        .with(
            own("/versions", "getVersions")
                .says("Show how versions are made and retired", "And which there are.")
                .ok::<Versions>("The versions, with the policy.")
                .or_as("text/markdown", "# Versions\n")
                .or_as("text/plain", "# Versions\n"),
        )
        .with(
            own("/problems", "listProblemKinds")
                .says("List the kinds of problems", "In the order of their statuses.")
                .list_of::<ProblemKind>("The kinds."),
        )
        .with(
            own("/problems/{slug}", "getProblemKind")
                .at(
                    "slug",
                    "The last part of a problem's `type`.",
                    json!({ "type": "string", "minLength": 1 }),
                    "validation",
                )
                .says("Show a kind of problem", "What a problem's `type` points to.")
                .ok::<ProblemKind>("The kind."),
        )
}

/// Public, and answered without asking a service.
fn own(path: &str, id: &str) -> Operation {
    let operation = Operation::get(path, id).public().never(&[502, 503, 504]);
    if UNCOUNTED.contains(&path) { operation.uncounted() } else { operation }
}

impl Shape for Index {
    fn example() -> Self {
        let links = links([("users", "/api/v1/users"), ("readyz", "/readyz")]);
        let header = "Idempotency-Key".to_owned();
        let idempotency = IdempotencyRules { header, length_max: 255, kept_seconds: 86_400 };
        Self { name: "Switchboard shop".to_owned(), idempotency, links }
    }
}

impl Shape for Alive {
    fn example() -> Self {
        Self { status: "alive".to_owned() }
    }
}

impl Shape for Readiness {
    fn example() -> Self {
        let services = [("orders", "ready"), ("users", "ready")];
        let services = services.map(|(name, word)| (name.to_owned(), word.to_owned()));
        Self { status: "ready".to_owned(), services: services.into(), degraded: None }
    }
}

impl Shape for Versions {
    fn example() -> Self {
        let version = ResourceVersion {
            name: "v2".to_owned(),
            href: "/api/v2/users".to_owned(),
            deprecation: None,
            sunset: None,
        };
        let users = VersionedResource { name: "users".to_owned(), versions: vec![version] };
        let policy = "# Versions\n".to_owned();
        Self { items: vec![users], policy, links: links([("self", "/versions")]) }
    }
}

impl Shape for ProblemKind {
    fn example() -> Self {
        Self {
            r#type: "/problems/validation".to_owned(),
            title: "Invalid content".to_owned(),
            status: 422,
            about: "The body is understood and its content is wrong.".to_owned(),
        }
    }
}
