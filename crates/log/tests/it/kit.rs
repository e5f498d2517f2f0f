//! What the tests share: a small log on a disk that can fail.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use switchboard_log::{ChannelId, Log, OpenError, Options, Recovered};
use switchboard_testkit::file::FaultyFiles;

/// Segments of 32 KiB on a disk in memory.
pub(crate) fn options(files: &FaultyFiles) -> Options {
    Options::new("log").with_segment_bytes(32 << 10).with_files(Arc::new(files.clone()))
}

pub(crate) fn open(files: &FaultyFiles) -> Log {
    reopen(files).expect("the log opens").0
}

pub(crate) fn reopen(files: &FaultyFiles) -> Result<(Log, Recovered), OpenError> {
    Log::open(options(files))
}

/// Appends one record and waits for its position.
pub(crate) fn put(log: &Log, channel: ChannelId, data: impl Into<Bytes>) -> u64 {
    let appended = log.append(vec![(channel, data.into(), 0)]).wait().expect("appended");
    appended[0].position
}

/// All data of a channel after a position, as text.
pub(crate) fn texts(log: &Log, channel: ChannelId, after: u64) -> Vec<String> {
    let records = log.read(channel, after, 10_000, 1 << 20).expect("readable");
    records.iter().map(|record| String::from_utf8_lossy(&record.data).into_owned()).collect()
}

/// The file of a segment.
pub(crate) fn segment(id: u64) -> PathBuf {
    Path::new("log").join(format!("{id:016}.seg"))
}

/// Fills whole segments: appends 1 KiB records until this many segments are sealed.
pub(crate) fn fill(log: &Log, channel: ChannelId, sealed: usize) {
    while log.inspect().len() <= sealed {
        put(log, channel, vec![b'x'; 1024]);
    }
}

/// Where the committed bytes of the active segment end.
pub(crate) fn end(log: &Log) -> usize {
    log.inspect().last().map_or(0, |segment| segment.bytes as usize)
}
