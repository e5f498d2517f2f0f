//! The numbers that a projection shows, by name.

use metrics::Unit;

/// Events that were projected.
pub const EVENTS: &str = "switchboard.projection.projected.events";
/// Events that were skipped on purpose.
pub const SKIPPED: &str = "switchboard.projection.skipped.events";
/// The position that the rows show.
pub const POSITION: &str = "switchboard.projection.reached.position";
/// 1 when the projection has stopped at an event that it cannot handle: alert on it.
pub const STUCK: &str = "switchboard.projection.stuck.projections";

/// Describes every number to whatever recorder is installed.
pub fn describe() {
    metrics::describe_counter!(EVENTS, Unit::Count, "Events that were projected");
    metrics::describe_counter!(SKIPPED, Unit::Count, "Events that were skipped on purpose");
    metrics::describe_gauge!(POSITION, Unit::Count, "The position that the rows show");
    metrics::describe_gauge!(STUCK, Unit::Count, "Whether the projection stopped at an event");
}
