//! The public keys for whoever wants to verify a token without asking us (RFC 7517, RFC 8037).

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Auth;

/// Where they are.
pub const JWKS: &str = "/.well-known/jwks.json";

/// The keys at [`JWKS`]: the one that signs first, then the one that has signed before it. A verifier
/// that meets a key it does not know asks again.
pub fn routes(auth: Arc<Auth>) -> Router {
    Router::new().route(JWKS, get(show)).with_state(auth)
}

async fn show(State(auth): State<Arc<Auth>>) -> Response {
    let keys: Vec<_> = auth.public_keys().iter().map(|(id, key)| jwk(id, key)).collect();
    // Tokens of a new key are signed at once, so nobody should keep the old list for long.
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, Json(json!({ "keys": keys }))).into_response()
}

fn jwk(id: &str, key: &[u8]) -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": id,
        "x": URL_SAFE_NO_PAD.encode(key),
    })
}
