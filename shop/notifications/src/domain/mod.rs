//! What is said and what is counted about each event: pure.

pub mod counting;
pub mod happening;
pub mod identity;
pub mod letter;
pub mod notice;
pub mod words;

pub use happening::Happening;

#[cfg(test)]
mod tests;
