//! Bugs that tests plant to show that they would be found. Never used outside tests.

/// Which bug is planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// The mark and the progress are committed in a unit of their own, before the effect.
    MarkBeforeCommit,
}
