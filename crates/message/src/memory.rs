//! A complete broker in memory: the twin on which tests and simulations run.
/// A broker in memory.
#[derive(Debug, Default)]
pub struct MemoryBroker {}
