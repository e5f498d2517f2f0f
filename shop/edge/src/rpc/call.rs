//! What comes with a gRPC call beside its message: who calls, in which context, and until when.

use std::sync::Arc;

use http::HeaderMap;
use switchboard_core::Context;

use super::deadline::Deadline;
use crate::auth::{nobody, of_headers};
use crate::{Auth, Principal, Problem, RequestContext};

/// The call that a handler answers.
#[derive(Clone, Debug)]
pub struct Called {
    auth: Arc<Auth>,
    headers: HeaderMap,
    deadline: Deadline,
}

/// Takes a request apart: the call, and its message.
///
/// # Errors
/// 500 outside of [`Guard`](super::Guard), which is a mistake of ours.
pub fn opened<T>(request: tonic::Request<T>) -> Result<(Called, T), Problem> {
    let (metadata, mut extensions, message) = request.into_parts();
    let called = extensions.remove::<Called>().ok_or_else(Problem::internal)?;
    Ok((called.with_headers(metadata.into_headers()), message))
}

// === impl Called ===

impl Called {
    /// The headers stay with the request until it is taken apart.
    pub(super) fn new(auth: Arc<Auth>, deadline: Deadline) -> Self {
        Self { auth, headers: HeaderMap::new(), deadline }
    }

    /// The same with the headers of the request that it came with.
    #[must_use]
    pub fn with_headers(self, headers: HeaderMap) -> Self {
        Self { headers, ..self }
    }

    /// Whoever has shown a token in the metadata `authorization`.
    ///
    /// # Errors
    /// 401 for nobody in particular, or a token that is not good.
    pub fn principal(&self) -> Result<Principal, Problem> {
        of_headers(&self.headers, &self.auth)?.ok_or_else(nobody)
    }

    /// The context of the action that the call begins: give it to the unit.
    pub fn context(&self) -> Context {
        RequestContext::of(&self.headers).0
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// What was sent beside the message, the request's id included.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}
