//! The workflows of the service.

mod fulfil;

pub use fulfil::Fulfilment;
