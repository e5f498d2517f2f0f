//! Power cuts under the SQLite store: units go in, the power goes, and everything is counted.
//!
//! Each cycle commits units, many at a time, until the disk dies in the middle of a write or a
//! sync (or fails a sync, or is full). What the disk has not synced is torn, reordered or gone.
//! Then the store is opened again, and every unit must be there whole if it was acknowledged, and
//! whole or not at all if it was not; it is delivered once more, as a broker would, and must then
//! be there exactly once.

mod check;
mod trial;
mod work;

use std::fmt;

use switchboard_core::BoxError;
use switchboard_store_sqlite::Planted;

/// What so many cycles came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Power cuts.
    pub cycles: u64,
    /// Units that were answered with `Ok`.
    pub acknowledged: u64,
    /// Parts of acknowledged units that are gone, and units that can never be had again.
    pub lost: u64,
    /// Effects that nobody asked for, or that are there twice.
    pub invented: u64,
}

/// Runs so many cycles over the SQLite store. The same seed cuts the power at the same writes; what
/// threads do in between is theirs.
///
/// # Errors
/// When the machine itself fails: no temporary folder, no threads.
pub fn store_crash_cycles(seed: u64, cycles: u64) -> Result<Report, BoxError> {
    trial::run(seed, cycles, None)
}

/// The same over a store with a planted bug, to prove that the cycles find it.
///
/// # Errors
/// As [`store_crash_cycles`].
#[doc(hidden)]
pub fn planted_crash_cycles(seed: u64, cycles: u64, bug: Planted) -> Result<Report, BoxError> {
    trial::run(seed, cycles, Some(bug))
}

/// One line of JSON.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cycles, acknowledged, lost, invented } = self;
        write!(
            f,
            "{{\"case\":\"store\",\"cycles\":{cycles},\"acknowledged\":{acknowledged},\
             \"lost\":{lost},\"invented\":{invented}}}"
        )
    }
}
