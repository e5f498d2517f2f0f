//! How every service of the shop speaks HTTP: problems, input, callers, idempotency, pages, serving.
//!
//! ```
//! use shop_edge::{Input, Problem};
//!
//! fn amount(body: &[u8]) -> Result<i64, Problem> {
//!     let mut input = Input::parse(body)?;
//!     let amount = input.integer("amount", 1..=1_000);
//!     input.finish()?;
//!     Ok(amount)
//! }
//! assert_eq!(amount(br#"{"amount": 5}"#).unwrap(), 5);
//! let problem = amount(br#"{"amount": 0, "colour": "red"}"#).unwrap_err();
//! assert_eq!((problem.status().as_u16(), problem.errors().len()), (422, 2));
//! ```
//!
//! # The parts
//!
//! - [`problem`] every error a caller can see (RFC 9457)
//! - [`input`] bodies, with all their mistakes at once
//! - [`auth`] keys, tokens and who calls
//! - [`idempotency`] the same key, the same answer
//! - [`page`] collections with signed cursors
//! - [`etag`] "only if it is still as I saw it"
//! - [`negotiate`] what a caller accepts
//! - [`links`] what can be done next
//! - [`versions`] how versions of the API are made and retired
//! - [`rpc`] the same over gRPC: statuses, deadlines, health, reflection, clients
//! - [`upstreams`], [`lent`] where copies of a service listen, and a body for more than one attempt
//! - [`serve`](mod@serve) one listener with everything around its routes
//! - [`openapi`] the document of the interface
//! - [`operator`] what operators ask of a service's store
//! - [`insist`](mod@insist) what is tried until it works
//! - [`parts`] what runs side by side, and ends together
//! - [`request`] the id and the context of a call
//! - [`deps`] what a service is given
//! - [`metrics`] what is counted

pub mod auth;
pub mod deps;
pub mod etag;
pub mod idempotency;
pub mod input;
pub mod insist;
pub mod lent;
pub mod links;
pub mod metrics;
pub mod negotiate;
pub mod openapi;
pub mod operator;
pub mod page;
pub mod parts;
pub mod problem;
pub mod request;
pub mod rpc;
pub mod serve;
#[cfg(feature = "testing")]
pub mod testing;
pub mod upstreams;
pub mod versions;

pub use auth::{Auth, AuthError, MaybePrincipal, Principal, Role};
pub use deps::{Deps, Process};
pub use etag::{ETag, Preconditions};
pub use idempotency::{IDEMPOTENCY, IdempotencyKey, Idempotent, Stored};
pub use input::Input;
pub use insist::insist;
pub use links::Links;
pub use page::{Collection, Page, Seek};
pub use parts::Parts;
pub use problem::{FieldError, Problem};
pub use request::RequestContext;
pub use rpc::Rpc;
pub use serve::{Health, serve, serve_with_rpc};
pub use upstreams::Upstreams;
