//! Orders from the first call to their end, with the real participants, on memory and paused time.

mod cancellation;
mod crashes;
mod edge;
mod held;
mod operator;
mod paths;
mod service;
mod trials;
mod world;
