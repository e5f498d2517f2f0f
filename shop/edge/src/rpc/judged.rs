//! What the end of a call says of the service that was called: one rule for every protocol, so that no caller can make a breaker leave a
//! healthy service alone.
//!
//! A caller chooses its own deadline and writes its own frames. So a lapse is a failure only if the service had the time that a slow call
//! takes, and an internal error only if the service answered it in its own words: whatever a library says of frames that it cannot read
//! is marked as the protocol's. Nobody but the service decides whether it is UNAVAILABLE.

use std::time::Duration;

use http::HeaderMap;
use switchboard_resilience::Outcome;
use switchboard_resilience::breaker::OwnedPermit;
use tonic::{Code, Status};

use super::deadline::{Deadline, LONGEST_STREAM};
use super::status::is_own;
use super::upload::Upload;

/// How long a call takes that the breakers of services count as slow: whoever waits less and gives
/// up has learned nothing about the service. The time of the toolkit's recommended breaker.
pub const SLOW: Duration = Duration::from_secs(2);

/// A call that a breaker has let through, until it is known what it says.
#[derive(Debug)]
pub struct Judged {
    pass: Option<OwnedPermit>,
    upload: Upload,
}

/// What it says of a service that it had not answered after so long.
pub fn lapse(given: Duration) -> Outcome {
    if given >= SLOW { Outcome::FAILURE } else { Outcome::Ignore }
}

// === impl Judged ===

impl Judged {
    /// A call with this body.
    pub fn new(pass: OwnedPermit, upload: Upload) -> Self {
        Self { pass: Some(pass), upload }
    }

    /// What it has said. A good answer took as long as the service had all of the call.
    pub fn record(mut self, outcome: Outcome) {
        let Some(pass) = self.pass.take() else { return };
        match (outcome, self.upload.since_whole()) {
            (Outcome::Success, Some(since)) => {
                let took = pass.elapsed().min(since);
                pass.success(took);
            }
            _ => {
                pass.record(outcome);
            }
        }
    }
}

/// A call that is given up is judged by how long it took, unless its caller has not sent all of it.
impl Drop for Judged {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take()
            && !self.upload.is_whole()
        {
            pass.record(Outcome::Ignore);
        }
    }
}

/// How long the caller of these headers waits.
pub(super) fn given(headers: &HeaderMap) -> Duration {
    let deadline = Deadline::of(headers, LONGEST_STREAM);
    deadline.map_or(LONGEST_STREAM, Deadline::remaining)
}

/// What an answer says of the service. Only one without a body shows its status already; whatever
/// has begun to stream is a good sign.
pub(super) fn said(headers: &HeaderMap, given: Duration) -> Outcome {
    let Some(status) = Status::from_header_map(headers) else { return Outcome::Success };
    match status.code() {
        Code::Unavailable => Outcome::FAILURE,
        Code::Internal | Code::Unknown | Code::DataLoss if is_own(&status) => Outcome::FAILURE,
        Code::Internal | Code::Unknown | Code::DataLoss => Outcome::Ignore,
        Code::DeadlineExceeded => lapse(given),
        Code::ResourceExhausted | Code::Cancelled => Outcome::Ignore,
        _ => Outcome::Success,
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::completed;
    use super::*;
    use crate::Problem;

    const LONG: Duration = Duration::from_secs(30);

    fn judged(status: Status, given: Duration) -> Outcome {
        said(status.into_http::<()>().headers(), given)
    }

    #[test]
    fn a_lapse_is_a_failure_only_of_a_call_that_had_time() {
        let late = || Status::from(Problem::gateway_timeout("late"));
        assert_eq!(judged(late(), SLOW), Outcome::FAILURE);
        assert_eq!(judged(late(), SLOW.saturating_sub(Duration::from_millis(1))), Outcome::Ignore);
        let soon =
            HeaderMap::from_iter([(super::super::deadline::TIMEOUT, "50m".parse().unwrap())]);
        assert_eq!(lapse(given(&soon)), Outcome::Ignore);
        assert_eq!(lapse(given(&HeaderMap::new())), Outcome::FAILURE, "who says nothing waits");
    }

    #[test]
    fn an_internal_error_is_a_failure_only_in_the_words_of_the_service() {
        assert_eq!(judged(Problem::internal().into(), LONG), Outcome::FAILURE);
        // As tonic says it of frames that are none, and as it leaves the service.
        let garbage = || Status::internal("protocol error: invalid compression flag");
        assert_eq!(judged(garbage(), LONG), Outcome::Ignore);
        assert_eq!(judged(completed(garbage()), LONG), Outcome::Ignore);
        assert_eq!(judged(completed(Status::unknown("")), LONG), Outcome::Ignore);
    }

    #[test]
    fn a_refusal_is_a_good_answer_and_being_away_is_none() {
        assert_eq!(judged(Problem::conflict("no").into(), LONG), Outcome::Success);
        assert_eq!(judged(Problem::too_many_requests("no", 1).into(), LONG), Outcome::Ignore);
        assert_eq!(judged(Problem::unavailable("no").into(), LONG), Outcome::FAILURE);
        assert_eq!(said(&HeaderMap::new(), LONG), Outcome::Success);
    }
}
