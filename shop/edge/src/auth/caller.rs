//! Who calls, as handlers ask for it.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::Auth;
use crate::{Problem, request};

/// Somebody who has shown a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user; `operator` for the operator.
    pub user_id: String,
    /// What they may do.
    pub role: Role,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Their own things.
    Customer,
    /// Everything.
    Operator,
}

/// Somebody, or nobody in particular. A token that is shown must be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaybePrincipal(pub Option<Principal>);

// === impl Principal ===

impl Principal {
    /// Whether this is the operator.
    pub fn is_operator(&self) -> bool {
        self.role == Role::Operator
    }

    /// Refuses everybody but the operator.
    ///
    /// # Errors
    /// 403.
    pub fn require_operator(&self) -> Result<(), Problem> {
        if self.is_operator() {
            return Ok(());
        }
        Err(Problem::forbidden("Only the operator may do this."))
    }

    /// Hides what belongs to somebody else: strangers do not learn that it exists.
    ///
    /// # Errors
    /// 404.
    pub fn owns_or_404(&self, owner: &str) -> Result<(), Problem> {
        if self.is_operator() || self.user_id == owner { Ok(()) } else { Err(Problem::not_found()) }
    }
}

/// Who has sent these headers, in whatever protocol; `None` for nobody in particular.
pub(crate) fn of_headers(headers: &HeaderMap, auth: &Auth) -> Result<Option<Principal>, Problem> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = header.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let principal = token.and_then(|token| auth.verify(token));
    if let Some(principal) = &principal {
        request::made_by(&principal.user_id);
    }
    principal.map(Some).ok_or_else(|| Problem::invalid_token("The token is not valid, or expired."))
}

/// Whoever must be somebody is told how.
pub(crate) fn nobody() -> Problem {
    Problem::unauthorized("Show a token: `Authorization: Bearer …`.")
}

impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Arc<Auth>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        of_headers(&parts.headers, &Arc::<Auth>::from_ref(state))?.ok_or_else(nobody)
    }
}

impl<S> FromRequestParts<S> for MaybePrincipal
where
    S: Send + Sync,
    Arc<Auth>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        of_headers(&parts.headers, &Arc::<Auth>::from_ref(state)).map(Self)
    }
}
