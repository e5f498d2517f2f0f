//! The line of a gRPC call in the access log, written when the call has ended: what REST's says, with the method and its code.
//!
//! A call that the service failed is always written, as a warning; of the others a share, as for REST.

use std::time::Duration;

use http::HeaderMap;
use switchboard_core::Id;
use tonic::Code;
use tracing::Level;

use super::status::word_of;
use crate::request::TRACEPARENT;
use crate::serve::Access;

/// What is known of a call before it ends.
#[derive(Debug)]
pub(super) struct Line {
    access: Access,
    id: Id,
    trace_id: String,
    /// Who has called, once that is known.
    pub(super) principal: Option<String>,
    /// Health is asked by programs that watch over the shop, and would fill the log.
    is_watched: bool,
}

// === impl Line ===

impl Line {
    /// For a call with these headers.
    pub(super) fn of(access: Access, id: Id, headers: &HeaderMap, is_watched: bool) -> Self {
        let trace =
            headers.get(TRACEPARENT).and_then(|trace| trace.to_str().ok()?.split('-').nth(1));
        // A request's own id has the form of a trace's.
        let trace_id = trace.map_or_else(|| id.to_string().replace('-', ""), str::to_owned);
        Self { access, id, trace_id, principal: None, is_watched }
    }

    pub(super) fn write(&self, method: &str, code: Code, took: Duration) {
        let Self { access, id, trace_id, principal, .. } = self;
        let principal = principal.as_deref();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        macro_rules! write {
            ($level:expr) => {
                tracing::event!(
                    target: "switchboard::access",
                    $level,
                    at = &*access.name,
                    request_id = %id,
                    trace_id,
                    principal,
                    method = "gRPC",
                    route = method,
                    code = word_of(code),
                    micros,
                    "answered"
                )
            };
        }
        match self.level(code) {
            Level::WARN => write!(Level::WARN),
            Level::INFO => write!(Level::INFO),
            _ => write!(Level::DEBUG),
        }
    }

    fn level(&self, code: Code) -> Level {
        let is_failure = matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        );
        match is_failure {
            _ if self.is_watched => Level::DEBUG,
            true => Level::WARN,
            false if self.access.is_sampled(self.id) => Level::INFO,
            false => Level::DEBUG,
        }
    }
}
