//! Answers that were stored as JSON for REST, told again over gRPC: a key that was used there answers the same here.

use serde_json::Value;
use switchboard_core::Timestamp;

use crate::Problem;
use crate::idempotency::Stored;

/// The body of a stored answer, and whether an earlier call has stored it.
///
/// # Errors
/// The refusal that was stored.
pub fn told(stored: Stored) -> Result<(Value, bool), Problem> {
    let is_problem = stored.status.is_client_error() || stored.status.is_server_error();
    if is_problem {
        Err(Problem::of_json(&stored.body))
    } else {
        Ok((stored.body, stored.replayed))
    }
}

/// A text; empty when it is not there.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A text that may be missing.
pub fn maybe_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A moment, as RFC 3339.
pub fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_is_told_again_as_the_problem_that_it_was() {
        let refusal = Problem::conflict("Refused: too little money.");
        let again = told(Stored::refused(&refusal)).unwrap_err();
        assert_eq!(again, refusal);
        let made = Stored { replayed: true, ..Stored::created("/x", json!({ "id": "1" })) };
        assert_eq!(told(made).unwrap(), (json!({ "id": "1" }), true));
    }
}
