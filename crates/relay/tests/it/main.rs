//! The relay against the twins of store and broker, on paused time.

mod incarnation;
mod order;
mod parking;
mod planted;
mod simulation;
mod support;
mod timers;
