//! Passing a call on to whoever has the service.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use shop_edge::Problem;
use shop_edge::rpc::deadline::TIMEOUT;
use shop_edge::rpc::{Called, status};
use tonic::{Code, Status};

use super::Lines;
use crate::callers::Callers;

/// Where calls go, and who counts them.
#[derive(Clone)]
pub(super) struct Passing {
    pub(super) lines: Lines,
    pub(super) callers: Option<Callers>,
}

pub(super) async fn pass(State(passing): State<Passing>, request: Request<Body>) -> Response {
    match sent(&passing, request).await {
        Ok(response) => response,
        Err(status) => status.into_http(),
    }
}

async fn sent(
    Passing { lines, callers }: &Passing,
    mut request: Request<Body>,
) -> Result<Response, Status> {
    let name = request.uri().path().split('/').nth(1).unwrap_or_default();
    let way = lines.to_rpc(name).ok_or_else(|| {
        let detail = "There is no such service here; reflection lists those that there are.";
        status::bare(Code::Unimplemented, detail)
    })?;
    if let Some(callers) = callers {
        callers.admit(&request)?;
    }
    let called = request.extensions_mut().remove::<Called>().ok_or_else(Problem::internal)?;
    let onward = called.deadline().onward().ok_or_else(|| {
        Problem::gateway_timeout("Too little time is left to ask the service at all.")
    })?;
    request.headers_mut().insert(TIMEOUT, onward);
    way.send(request).await
}
