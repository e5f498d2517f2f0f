//! The names of what GraphQL counts.

use async_graphql::parser::types::OperationType;
use metrics::counter;

use super::respond::Outcome;

/// Operations that have ended; of a subscription, each result. Labels: `kind` (`query`, `mutation`,
/// `subscription`), `outcome` (`ok`, `partial` with errors beside data, `failed` without data,
/// `refused` before it ran).
pub const OPERATIONS: &str = "switchboard.graphql.operations";

/// Tells the recorder what the numbers mean; call it once after a recorder is installed.
pub fn describe() {
    metrics::describe_counter!(OPERATIONS, "GraphQL operations that have ended");
}

pub(super) fn count(kind: OperationType, outcome: &Outcome) {
    let kind = match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    let has_data = outcome.response.data != async_graphql::Value::Null;
    let outcome = match (outcome.has_run, outcome.response.errors.is_empty()) {
        (false, _) => "refused",
        (true, true) => "ok",
        (true, false) if has_data => "partial",
        (true, false) => "failed",
    };
    counter!(OPERATIONS, "kind" => kind, "outcome" => outcome).increment(1);
}
