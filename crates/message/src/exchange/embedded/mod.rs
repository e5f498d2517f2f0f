//! What embedded brokers share: routing, queues, workers, and the way of dead letters.
//!
//! A broker that lives inside the process brings its [`Store`]; this module does the rest, so that
//! the twin in memory and the durable broker cannot drift apart.
//!
//! - [`Hub`] all queues of one broker: declare, send, work, depths
//! - [`Store`] what a broker brings
//! - `route` the layout, prepared for looking up
//! - `item` the form of a message in a queue
//! - `line` one queue as pure state
//! - `worker` the loop that hands out jobs
//! - `burial` dead letters and expiry
//!
//! # What it costs
//!
//! Fan-out writes the message once for each queue, in one atomic batch: queues then never share
//! what retention has to keep. Memory is taken for each job that is in a worker's hands or came
//! back (some 100 bytes), not for what waits its first turn.

mod burial;
mod hub;
mod item;
mod line;
mod ranges;
mod returned;
mod route;
mod store;
mod worker;

pub use hub::{Hub, Snapshot};
pub use store::{Appending, Back, Limits, Note, Put, State, Store, Stored};
