//! gRPC as a caller meets it: keys, deadlines, panics, health, reflection, and calls that go out.

mod access;
mod calls;
mod health;
mod lines;
mod service;
