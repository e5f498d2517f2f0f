//! Files that tear, forget, fail and fill up, and the cycles that prove a log survives them.
//!
//! Killing a process proves little about durability: the kernel keeps what the process wrote. Here
//! the machine itself fails. [`FaultyFiles`] remembers which bytes and names were synced;
//! [`FaultyFiles::crash`] keeps those and, sector by sector, whatever chance leaves of the rest.
//!
//! ```
//! use std::path::Path;
//! use switchboard_log::file::{Access, FileLayer};
//! use switchboard_testkit::file::FaultyFiles;
//!
//! let files = FaultyFiles::new(7);
//! let file = files.open(Path::new("d/a"), Access::Create).unwrap();
//! file.write_at(b"synced", 0).unwrap();
//! file.sync_data().unwrap();
//! files.sync_dir(Path::new("d")).unwrap();
//! files.crash();
//! assert_eq!(files.contents(Path::new("d/a")).unwrap(), b"synced");
//! assert!(file.write_at(b"gone", 0).is_err(), "open files do not survive");
//! ```

mod cycles;
mod disk;
mod faulty;
mod model;

pub use cycles::{Report, log_crash_cycles, log_crash_cycles_planted};
pub use faulty::FaultyFiles;
