//! Customers that use the shop as anybody would, over its public port: for the demo, the storm and the bench.
//!
//! - [`client`] one HTTP client, with retries that never do a thing twice
//! - [`customer`] signing up, paying in, ordering, waiting
//! - [`mix`] which orders go well and which are meant to fail
//! - [`sums`] what a run must conserve
//! - [`storm`] load that outlives the shop
//! - [`bench`](mod@bench) orders per second

pub mod bench;
pub mod client;
pub mod customer;
pub mod mix;
pub mod storm;
pub mod sums;

pub use client::{Answer, CallError, Client};
pub use customer::{Customer, Ended};
pub use mix::{Fate, Mix, Wish};
pub use sums::{Ledger, Sums};
