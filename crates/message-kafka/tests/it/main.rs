//! What needs no Kafka: what the crate says when there is none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connecting;
