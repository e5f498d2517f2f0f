//! Backups of a running shop, and putting one back: the stores, the log, the keys, as of one moment.
//!
//! - [`manifest`] what is in a backup, and whether it is as it was
//! - [`take`] copying while everything goes on
//! - [`job`] the copy as operators ask for it
//! - [`restore`] the whole shop, or one service, as it was then
//! - [`loss`] what cannot come back
//!
//! A store or a log is never copied file by file while it is in use: each is asked for its state at one moment, in which nobody commits.
//! So no store knows of a record that the log in the backup lacks, and the log has no record that its sender in the backup does not know.

pub mod job;
pub mod loss;
pub mod manifest;
pub mod restore;
pub mod take;

mod files;

pub use manifest::{Manifest, ManifestError};
pub use restore::{RestoreError, Restored};
pub use take::{BackupError, Sources, StoreFile};

/// What is to be done where the stores are PostgreSQL's.
pub(crate) const POSTGRES: &str = "\
the stores are on PostgreSQL, which has backups of its own: run `pg_dump --format=directory` for one \
moment, or take base backups and archive the WAL (`pg_basebackup`) for any moment; copy `signing-key` \
and `operator-token` out of the data folder as well. After a restore there, the stores notice that \
the broker knows more than they do, and begin a new incarnation";
