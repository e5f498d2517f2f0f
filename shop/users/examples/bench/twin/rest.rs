//! The twin over REST: one handler on bare axum.

use std::time::Instant;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::HeaderMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use shop_edge::Deps;
use switchboard_core::Timestamp;
use switchboard_store::Row;
use tokio::net::TcpListener;

use super::{Twin, serve, time};
use crate::Outcome;

/// What a first answer of the service has shown, so that the twin does as much and no more, whatever
/// the service has come to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The links of the user, in the order in which they are written.
    pub(super) links: Vec<Rel>,
    /// The fields of the line about a request.
    pub(super) fields: Vec<String>,
}

/// One link: `None` in the place of an address is the user's own.
#[derive(Clone, Debug)]
pub(super) struct Rel {
    name: String,
    href: Option<String>,
    method: Option<String>,
}

#[derive(Serialize)]
struct User<'a> {
    id: &'a str,
    name: &'a str,
    email: &'a str,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "_links")]
    links: Links<'a>,
}

struct Links<'a> {
    own: String,
    shown: &'a [Rel],
}

#[derive(Serialize)]
struct Link<'a> {
    href: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
}

/// Serves REST.
pub(crate) async fn rest(listener: TcpListener, deps: Deps, shown: Shown) -> Outcome<()> {
    let routes = Router::new()
        .route("/api/v1/users/{id}", axum::routing::get(show))
        .with_state(Twin::of(&deps, shown));
    serve(listener, routes).await
}

async fn show(State(twin): State<Twin>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let begun = Instant::now();
    let answer = match twin.find(&headers, &id).await {
        Ok(row) => Json(User::of(&row, &twin.shown.links)).into_response(),
        Err(status) => status.into_response(),
    };
    twin.write(&id, begun, &answer);
    answer
}

// === impl Shown ===

impl Shown {
    /// What an answer has shown of itself, and of the line about it.
    pub(crate) fn of(answer: &Value, fields: &[String]) -> Outcome<Self> {
        let links = answer["_links"].as_object().ok_or("a user without links")?;
        let own = &answer["_links"]["self"]["href"];
        let rel = |(name, link): (&String, &Value)| Rel {
            name: name.clone(),
            href: (&link["href"] != own).then(|| link["href"].as_str().unwrap_or("").to_owned()),
            method: link["method"].as_str().map(str::to_owned),
        };
        Ok(Self { links: links.iter().map(rel).collect(), fields: fields.to_vec() })
    }
}

// === impl User ===

impl<'a> User<'a> {
    fn of(row: &'a Row, shown: &'a [Rel]) -> Self {
        Self {
            id: &row.key,
            name: row.text("name"),
            email: row.text("email"),
            created_at: time(row, "created_at"),
            updated_at: time(row, "updated_at"),
            links: Links { own: format!("/api/v1/users/{}", row.key), shown },
        }
    }
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.shown.iter().map(|rel| {
            let href = rel.href.as_deref().unwrap_or(&self.own);
            (rel.name.as_str(), Link { href, method: rel.method.as_deref() })
        }))
    }
}
