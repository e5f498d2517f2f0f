//! Groups against the twins of store and broker, on paused time.

mod crashes;
mod delivery;
mod failures;
mod life;
mod operator;
mod planted;
mod simulation;
mod support;
