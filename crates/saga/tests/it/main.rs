//! Sagas from outside: the table, participants, runs on a store in memory, diagrams, and the trials.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod definition;
mod diagram;
mod flows;
mod operator;
mod participant;
mod table;
mod timeouts;
mod trials;
mod trip;
mod world;
