//! Reading: find the places under a lock, then read the file without one, and verify every record.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::catalog::{Limit, Place};
use crate::error::{Damage, ReadError};
use crate::file::{File, read_full_at};
use crate::frame::{self, DATA};
use crate::index::Location;
use crate::log::Log;
use crate::segment::read_error;
use crate::stage::Core;
use crate::types::{ChannelId, Record};

/// Bytes per read, unless a single record is larger.
const CHUNK: u64 = 1 << 20;
/// Bytes of other channels' records that are read along rather than asking the kernel once more.
const SKIP: u64 = 16 << 10;

/// Reads a channel in order and waits at its end for more. Catching up and following live are the
/// same loop: read what is after the cursor; if there is nothing, wait until the end moves.
#[derive(Debug)]
pub struct Tail {
    log: Log,
    channel: ChannelId,
    after: u64,
    end: watch::Receiver<u64>,
}

/// Records of one file that one read fetches.
struct Stretch<'a> {
    file: &'a dyn File,
    path: &'a Path,
    channel: ChannelId,
    first: u64,
    locations: &'a [Location],
}

// === impl Core ===

impl Core {
    /// The records after a position; see [`Log::read`].
    pub(crate) fn read(
        &self,
        channel: ChannelId,
        after: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let mut records: Vec<Record> = Vec::new();
        let mut limit = Limit { records: max_records, bytes: max_bytes, at_least_one: true };
        let mut after = after;
        loop {
            let begun = records.len();
            if !self.read_place(channel, after, limit, &mut records)? {
                break;
            }
            let added = records.get(begun..).unwrap_or_default();
            let Some(last) = added.last() else { break };
            after = last.position;
            limit.records -= added.len();
            let bytes: usize = added.iter().map(|record| record.data.len()).sum();
            limit.bytes = limit.bytes.saturating_sub(bytes);
            limit.at_least_one = false;
        }
        Ok(records)
    }

    /// Reads from the one segment that holds the next record; false at the end of the channel.
    fn read_place(
        &self,
        channel: ChannelId,
        after: u64,
        limit: Limit,
        records: &mut Vec<Record>,
    ) -> Result<bool, ReadError> {
        let begun = records.len();
        let mut tries = 0;
        loop {
            let place = self.catalog.read().locate(channel, after, limit)?;
            let outcome = match place {
                Place::End => return Ok(false),
                Place::Active { file, path, first, locations } => {
                    let (file, path, locations) = (&*file, path.as_path(), &*locations);
                    Stretch { file, path, channel, first, locations }.read(records)
                }
                Place::Sealed { segment, first } => {
                    segment.load(&*self.options.files, &self.cache).and_then(|loaded| {
                        let rest = loaded.index.locations(channel.0, first);
                        let locations = limit.take(rest);
                        let (file, path) = (&*loaded.file, segment.path.as_path());
                        Stretch { file, path, channel, first, locations }.read(records)
                    })
                }
            };
            // Retention may have dropped or replaced the file between the two steps; then the
            // catalog knows better by now.
            tries += 1;
            match outcome {
                Ok(()) => return Ok(true),
                Err(error) if tries > 3 => return Err(error),
                Err(_) => records.truncate(begun),
            }
        }
    }
}

// === impl Stretch ===

impl Stretch<'_> {
    /// Reads everything, in chunks of neighbouring records.
    fn read(&self, records: &mut Vec<Record>) -> Result<(), ReadError> {
        let mut position = self.first;
        let mut rest = self.locations;
        while let Some(begin) = rest.first() {
            let start = u64::from(begin.offset);
            let mut end = start + u64::from(begin.len);
            let mut count = 1;
            for at in rest.iter().skip(1) {
                let (offset, next) = (u64::from(at.offset), u64::from(at.offset + at.len));
                if offset > end + SKIP || next - start > CHUNK {
                    break;
                }
                end = next;
                count += 1;
            }
            let (chunk, later) = rest.split_at(count);
            self.chunk(chunk, position, start, end, records)?;
            position += count as u64;
            rest = later;
        }
        Ok(())
    }

    fn chunk(
        &self,
        locations: &[Location],
        mut position: u64,
        start: u64,
        end: u64,
        records: &mut Vec<Record>,
    ) -> Result<(), ReadError> {
        let mut buffer = vec![0; usize::try_from(end - start).unwrap_or(0)];
        let count = read_full_at(self.file, &mut buffer, start).map_err(read_error)?;
        if count < buffer.len() {
            return Err(Damage::at(self.path, start + count as u64, "the file ends early").into());
        }
        let buffer = Bytes::from(buffer);
        records.reserve(locations.len());
        for at in locations {
            let skip = usize::try_from(u64::from(at.offset) - start).unwrap_or(usize::MAX);
            let bytes = buffer.get(skip..).unwrap_or_default();
            let damage = |why: String| Damage::at(self.path, u64::from(at.offset), why);
            let (header, data) = frame::parse(bytes).map_err(|flaw| damage(flaw.to_string()))?;
            if (header.kind, header.channel, header.position) != (DATA, self.channel.0, position) {
                let why = format!("expected record {position} of channel {}", self.channel);
                return Err(damage(why).into());
            }
            records.push(Record { position, time: header.time, data: buffer.slice_ref(data) });
            position += 1;
        }
        Ok(())
    }
}

// === impl Tail ===

impl Tail {
    pub(crate) fn new(log: Log, channel: ChannelId, after: u64, end: watch::Receiver<u64>) -> Self {
        Self { log, channel, after, end }
    }

    /// The position of the last record that was returned.
    pub fn position(&self) -> u64 {
        self.after
    }

    /// The next records; waits while there are none. Never empty.
    ///
    /// # Errors
    /// As [`Log::read`]; `Closed` once the log is closed or poisoned and everything was returned.
    ///
    /// # Cancel safety
    /// Cancel safe: the cursor moves only when records are returned.
    pub async fn next(
        &mut self,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, ReadError> {
        loop {
            // Looked at before the read: what is committed later wakes `changed`.
            self.end.borrow_and_update();
            let stopped = self.log.is_stopped();
            let records = self.log.read(self.channel, self.after, max_records.max(1), max_bytes)?;
            if let Some(last) = records.last() {
                self.after = last.position;
                return Ok(records);
            }
            if stopped || self.end.changed().await.is_err() {
                return Err(ReadError::Closed);
            }
        }
    }
}

/// What [`Log::watch`] and [`Log::tail`] wait on.
pub(crate) fn subscribe(
    core: &Arc<Core>,
    channel: ChannelId,
) -> Result<watch::Receiver<u64>, ReadError> {
    core.catalog.read().watch(channel).ok_or(ReadError::UnknownChannel(channel))
}
