//! The complete twin in memory.
/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {}
