//! Groups against the twins of store and broker, on paused time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crashes;
mod delivery;
mod failures;
mod guarded;
mod leases;
mod life;
mod operator;
mod planted;
mod simulation;
mod support;
