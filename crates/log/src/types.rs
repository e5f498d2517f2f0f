//! The values that go into a log and come out of it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

/// Names a channel within one log. Given by [`Log::channel`](crate::Log::channel), kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub(crate) u32);

/// One record on its way into the log: the channel, the data, the time in microseconds.
pub type Staging = (ChannelId, Bytes, i64);

/// Where a record was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The channel.
    pub channel: ChannelId,
    /// The record's place in it. The first is 1, and there are no gaps.
    pub position: u64,
}

/// A record as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in its channel.
    pub position: u64,
    /// The time that was given with it, in microseconds.
    pub time: i64,
    /// Its bytes. They share one buffer with their neighbours in the answer (at most 1 MiB, or one
    /// record), so copy what you keep for long.
    pub data: Bytes,
}

/// What a channel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest position that is kept; `last + 1` when there is none.
    pub first: u64,
    /// The newest position that is synced; 0 when nothing was ever appended.
    pub last: u64,
    /// Bytes of the records in the files, without headers. May include records below `first` that
    /// share a file with others that are kept.
    pub bytes: u64,
}

/// How long the records of a channel are kept. A file goes when nothing in it is to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Records older than this may go; none go by age when absent.
    pub age: Option<Duration>,
    /// The newest records up to this many bytes stay; none go by size when absent.
    pub bytes: Option<u64>,
    /// Records above this position stay whatever the rest says: somebody still has to read them.
    pub not_beyond: Option<u64>,
}

/// What retention gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Segments that were dropped whole.
    pub dropped: usize,
    /// Segments whose survivors were written anew.
    pub rewritten: usize,
    /// Bytes of disk that came free.
    pub bytes: u64,
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The log's epoch, raised if a tail was cut.
    pub epoch: u64,
    /// Segments that hold records.
    pub segments: usize,
    /// Channels.
    pub channels: usize,
    /// The unfinished tail that was cut, if there was one. Nothing in it was ever acknowledged.
    pub cut: Option<Cut>,
    /// Segments that were prepared and never written, and went.
    pub unwritten: usize,
    /// Indexes that were absent or wrong and were built again from the records.
    pub rebuilt: usize,
}

/// An unfinished tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub path: PathBuf,
    /// The end of what is committed.
    pub offset: u64,
}

/// One segment file, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number; segments are written in this order.
    pub id: u64,
    /// The file.
    pub path: PathBuf,
    /// Whether records are still appended to it.
    pub active: bool,
    /// Bytes that are committed.
    pub bytes: u64,
    /// Records that it holds.
    pub records: u64,
    /// Channels that have records in it.
    pub channels: usize,
    /// The earliest time of a record; `None` when there is none.
    pub oldest: Option<i64>,
    /// The latest time of a record; `None` when there is none.
    pub newest: Option<i64>,
}

// === impl ChannelId ===

impl ChannelId {
    /// The number in the files, from 1.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
