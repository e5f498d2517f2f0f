//! The same on bare axum and bare tonic: what somebody would write who needs this one answer, and nothing of ours around it.
//!
//! What the answer and the line hold is learnt from the service at the start, so that the twin stays one when the service changes.

mod grpc;
mod rest;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::response::Response;
use axum::serve::ListenerExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use hyper::body::Body;
use parking_lot::Mutex;
use shop_edge::{Auth, Deps};
use shop_users::tables::USERS;
use switchboard_core::{Id, Rng, SystemClock, Timestamp};
use switchboard_store::{Row, Store};
use tokio::net::TcpListener;

use crate::Outcome;

pub(crate) use grpc::grpc;
pub(crate) use rest::{Shown, rest};

/// What both twins need.
#[derive(Clone)]
struct Twin {
    store: Arc<dyn Store>,
    auth: Arc<Auth>,
    ids: Arc<Mutex<Rng>>,
    shown: Arc<Shown>,
    /// Whether the line says who has asked, and in which trace.
    is_full: bool,
}

async fn serve(listener: TcpListener, routes: Router) -> Outcome<()> {
    let listener = listener.tap_io(|stream| {
        let _only_slower = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, routes).await?)
}

// === impl Twin ===

impl Twin {
    fn of(deps: &Deps, shown: Shown) -> Self {
        let ids = Arc::new(Mutex::new(Rng::from_entropy()));
        let is_full = shown.fields.iter().any(|field| field == "trace_id");
        let (store, auth) = (deps.store.clone(), deps.auth.clone());
        Self { store, auth, ids, shown: Arc::new(shown), is_full }
    }

    /// The line about a request over REST.
    fn write(&self, principal: &str, begun: Instant, answer: &Response) {
        let request_id = self.id();
        let (status, micros) = (answer.status().as_u16(), begun.elapsed().as_micros());
        let (method, route) = (http::Method::GET, "/api/v1/users/{id}");
        if !self.is_full {
            tracing::debug!(
                target: "switchboard::access",
                %request_id,
                %method,
                route,
                status,
                micros,
                "answered"
            );
            return;
        }
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        tracing::debug!(
            target: "switchboard::access",
            at = "users",
            %request_id,
            trace_id = request_id.to_string().replace('-', ""),
            principal,
            %method,
            route,
            status,
            bytes_out = answer.body().size_hint().exact(),
            micros,
            "answered"
        );
    }

    fn id(&self) -> Id {
        Id::new(&SystemClock, &mut self.ids.lock())
    }

    /// The row, for whoever it is about.
    async fn find(&self, headers: &HeaderMap, id: &str) -> Result<Row, StatusCode> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let principal = token.and_then(|token| self.auth.verify(token));
        let principal = principal.ok_or(StatusCode::UNAUTHORIZED)?;
        if !principal.is_operator() && principal.user_id != id {
            return Err(StatusCode::NOT_FOUND);
        }
        let row = self.store.row(&USERS, id).await;
        row.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?.ok_or(StatusCode::NOT_FOUND)
    }
}

fn time(row: &Row, column: &str) -> Timestamp {
    Timestamp::from_micros(row.integer(column))
}
