//! One append-only log that many channels share: bytes in, bytes out, an acknowledgement means synced.

pub mod error;
pub mod file;
mod catalog;
mod control;
mod frame;
mod index;
mod inspect;
mod keeper;
mod log;
pub mod metrics;
mod options;
mod read;
mod recover;
mod retain;
mod scan;
mod segment;
mod stage;
mod ticket;
mod types;
mod writer;

pub use error::{AppendError, Damage, OpenError, ReadError, RetainError};
pub use inspect::{Verified, verify};
pub use log::Log;
pub use read::Tail;
pub use ticket::Append;
pub use options::{InvalidOptions, Options, Planted};
pub use types::{
    Appended, Bounds, ChannelId, Cut, Keep, Record, Recovered, Reclaimed, SegmentInfo, Staging,
};
