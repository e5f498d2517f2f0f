//! Orders from the first call to their end, with the real participants, on memory and paused time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cancellation;
mod crashes;
mod edge;
mod grpc;
mod held;
mod operator;
mod paths;
mod service;
mod trials;
mod world;
