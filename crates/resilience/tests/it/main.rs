//! The crate as its users see it: layers around services.

mod cancelled;
mod guarded;
mod support;
