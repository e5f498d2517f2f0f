//! Turns deliveries into units: consume, recognise duplicates, decide, commit, settle.
//!
//! A handler returns the [`Unit`](switchboard_store::Unit) that a message leads to. The group adds the message's mark, its own
//! progress and the causal context, commits everything at once, and only then tells the broker that the message is done.
//!
//! # The parts
//!
//! - [`group`] registrations, and the life of a group
//! - [`options`] concurrency, retries, patience
//! - [`failure`] what a handler answers when it has no unit
//! - [`operator`] blocked keys: list, replay, skip
//! - [`metrics`] the numbers that a group shows
//! - [`error`] why a group ended
//!
//! # What happens to a message that fails
//!
//! | its failure | then |
//! |---|---|
//! | `Retry` | up to 3 more tries at once, while its key waits; then 3 delayed rounds, while its key is blocked and all others flow; then parked |
//! | `Terminal`, a panic, undecodable bytes | its key is parked: later messages of the key queue behind it until an operator replays or skips it |
//! | `Stuck` | the same, and the metric [`metrics::STUCK`] rises |
//! | the store is away | it stays with the broker, and is tried until the store is back |

pub mod error;
pub mod failure;
pub mod group;
pub mod metrics;
pub mod operator;
pub mod options;
#[doc(hidden)]
pub mod planted;

mod custody;
mod drain;
mod intake;
mod job;
mod retries;
mod routes;
mod runner;
mod track;

pub use error::Error;
pub use failure::Failure;
pub use group::{Description, Group};
pub use options::Options;
