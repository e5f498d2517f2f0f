//! The store on PostgreSQL.

mod connect;
mod enqueue;
mod error;
mod guard;
mod herald;
mod lock;
mod metrics;
mod options;
mod queue;
mod read;
mod schema;
mod sql;
mod store;
mod writer;

pub use enqueue::EnqueueError;
pub use error::OpenError;
pub use options::Options;
pub use store::PostgresStore;
