//! One append-only log that many channels share: bytes in, bytes out, and an answer means synced.
//!
//! ```
//! use bytes::Bytes;
//! use switchboard_log::{Log, Options};
//!
//! # let dir = std::env::temp_dir().join(format!("switchboard-log-doc-{}", std::process::id()));
//! let (log, recovered) = Log::open(Options::new(&dir))?;
//! assert_eq!((recovered.epoch, recovered.cut), (1, None));
//!
//! // One batch over two channels: all of it or nothing, acknowledged by one sync.
//! let (orders, stock) = (log.channel("orders/0")?, log.channel("stock/3")?);
//! let batch = vec![(orders, Bytes::from("placed"), 1), (stock, Bytes::from("taken"), 1)];
//! let appended = log.append(batch).wait()?; // or `.await`
//! assert_eq!(appended[0].position, 1);
//!
//! let records = log.read(orders, 0, 100, 1 << 20)?;
//! assert_eq!(records[0].data, "placed");
//! # drop(log); std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//!
//! - An append is answered after its bytes are synced; what was answered survives a power cut.
//! - A batch is there as a whole or not at all. Positions of a channel begin at 1, without gaps.
//! - Readers see only what is synced, and every record is verified before it is returned.
//! - Damage to what was committed is an error with its place, never an end, and never an empty log.
//! - After a failed sync the log stops and has to be opened again: nobody guesses.
//!
//! # The parts
//!
//! - [`Log`] the handle: channels, append, read, follow, cells, retention, close
//! - [`Options`] sizes and bounds; [`file`](mod@file) the file system as two traits, which tests replace
//! - [`error`] what each failure means, and who does what next
//! - [`Log::hold`] what is committed at one moment, to be copied while the log goes on
//! - [`verify`] reads a folder without opening it, for operators
//! - `frame`, `control` how bytes lie in a file; `scan` where what is committed ends
//! - `stage`, `ticket`, `writer`, `patience`, `keeper` the way of a record to the disk
//! - `catalog`, `index`, `segment`, `read` the way back
//! - `recover` opening after anything; `retain` dropping and rewriting segments
//!
//! # What it is not
//!
//! No topics, groups, keys or message formats (that is `switchboard-message-log`), no replication,
//! and no second process: the folder is locked.

mod catalog;
mod control;
pub mod error;
pub mod file;
mod frame;
mod index;
mod inspect;
mod keeper;
mod log;
pub mod metrics;
mod options;
mod patience;
mod read;
mod recover;
mod retain;
mod scan;
mod segment;
mod snapshot;
mod stage;
mod ticket;
mod types;
mod writer;

pub use error::{AppendError, Damage, OpenError, ReadError, RetainError};
pub use inspect::{Verified, verify};
pub use log::Log;
pub use options::{InvalidOptions, Options};
pub use read::Tail;
pub use snapshot::{Extent, Hold, Moment};
pub use ticket::Append;
pub use types::{
    Appended, Bounds, ChannelId, Cut, Keep, Reclaimed, Record, Recovered, SegmentInfo, Staging,
};

#[cfg(feature = "planted")]
#[doc(hidden)]
pub use options::Planted;
