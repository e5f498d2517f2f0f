//! The log's promises, each held by a test that is named after it.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod append;
mod cells;
mod crash;
mod damage;
mod kit;
mod open;
mod read;
mod retention;
mod snapshot;
