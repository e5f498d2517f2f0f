//! GraphQL at the door: one exact question instead of several calls, over HTTP, server-sent events and WebSockets.
//!
//! A caller writes the program that runs here. So a document is bounded before it runs, its cost is charged, its time is that of its
//! deadline, and its errors say what the rest of the shop would say. Follows GraphQL over HTTP; see [`HttpProfile`] for which reading.
//!
//! - [`options`] every bound, with its default
//! - `endpoint` the routes, and what each method may do
//! - `negotiate`, `request`, `respond` the protocol over HTTP
//! - `limits`, `meter`, `budget` what a document may ask, and what it costs
//! - [`persisted`] documents by their hash
//! - `operation` from a request to results
//! - `sse`, `ws` results as they come, `places` how many may wait for them
//! - `schema` what can be asked, `loaders` and `tasks` so that many ask at once, [`calls`] to the services
//! - `errors` the shop's kinds of problems, as GraphQL errors
//! - [`metrics`] what is counted
//! - `explorer` the page for people

pub mod calls;
pub mod metrics;
pub mod options;
pub mod persisted;
pub mod schema;

mod budget;
mod caller;
mod endpoint;
mod errors;
mod explorer;
mod limits;
mod loaders;
mod meter;
mod negotiate;
mod operation;
mod places;
mod request;
mod respond;
mod sse;
mod tasks;
mod ws;

pub use caller::Caller;
pub use calls::{Channel, Services, channel};
pub use endpoint::GraphQl;
pub use errors::problem_of;
pub use options::{HttpProfile, Options, Trust};
pub use schema::shop;
