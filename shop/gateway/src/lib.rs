//! The one public door of the shop: finds the service for a path and passes the call on, streaming both ways.
//!
//! ```
//! use shop_gateway::{Gateway, Route};
//!
//! let users: std::net::SocketAddr = "127.0.0.1:4001".parse()?;
//! let gateway = Gateway::new([Route::new("/api/v1/users", "users", users)]);
//! let router = gateway.router();
//! # let _ = router;
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! # The parts
//!
//! - [`routes`] which path belongs to which service
//! - [`proxy`] passing a call on, and [`guards`] what stands between a caller and a service
//! - [`rpc`] the same for gRPC, with descriptions and health of all services
//! - [`document`] what the door answers itself
//! - [`ready`] whether the whole shop can take orders
//! - [`callers`] who is at the door, and [`rate`] how often they may call
//! - [`graphql`] one question instead of several calls

pub mod callers;
pub mod document;
pub mod gateway;
pub mod graphql;
pub mod guards;
pub mod proxy;
pub mod rate;
pub mod ready;
pub mod routes;
pub mod rpc;
mod unread;

pub use callers::Callers;
pub use document::openapi;
pub use gateway::Gateway;
pub use guards::Guards;
pub use rate::Limits;
pub use routes::Route;
pub use shop_edge::Upstreams;
