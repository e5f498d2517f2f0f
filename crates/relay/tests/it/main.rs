//! The relay against the twins of store and broker, on paused time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod incarnation;
mod leases;
mod order;
mod parking;
mod planted;
mod processes;
mod simulation;
mod support;
mod timers;
