//! Bugs that tests plant to show that they would be found. The feature `planted` opens them; no
//! program has it.

/// Which bug is planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted"),
    allow(dead_code, unreachable_pub, reason = "only tests plant bugs")
)]
#[non_exhaustive]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// A slot's checkpoint is stored before the broker has answered.
    CheckpointBeforeAck,
    /// Units do not say under which lease they were made.
    Unfenced,
}
