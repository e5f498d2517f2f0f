//! Where the records of one segment lie, by channel; built while appending, or from a scan.
//!
//! An index is disposable: everything in it can be read out of the records again. That of a sealed
//! segment is kept beside it as a sidecar file, so that opening a large log does not read it all.
//!
//! ```text
//! sidecar: magic | segment's head crc | end | sequence | count | crc of all locations
//!          { channel | first | count | bytes | oldest | newest } ...  | crc of everything so far
//!          { offset | length } ...                     in the order of the channels above
//! ```

use crate::control::Input;
use crate::frame::{self, HEADER};
use crate::scan::Scanned;

const MAGIC: &[u8; 8] = b"SWBD-IDX";
const FIXED: usize = 8 + 4 + 8 + 8 + 4 + 4;
const ROW: usize = 4 + 8 + 4 + 8 + 8 + 8;
const LOCATION: usize = 8;

/// Where a frame lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) offset: u32,
    /// Bytes of the whole frame.
    pub(crate) len: u32,
}

/// The records of one channel in one segment: positions without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) channel: u32,
    pub(crate) first: u64,
    pub(crate) count: u32,
    /// Bytes of data, without heads.
    pub(crate) bytes: u64,
    pub(crate) oldest: i64,
    pub(crate) newest: i64,
}

/// All records of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// By channel number; channels without a record here are absent or have a count of 0.
    rows: Vec<(Run, Vec<Location>)>,
    records: u64,
}

/// The part of a sidecar that is read when the log is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Ties the sidecar to the very file that it was built from.
    pub(crate) head_crc: u32,
    /// Where the segment's committed bytes end.
    pub(crate) end: u64,
    /// The number of its last group.
    pub(crate) sequence: u64,
    pub(crate) runs: Vec<Run>,
    locations_crc: u32,
}

/// Bytes to read first: they tell how many more the summary takes.
pub(crate) const SUMMARY_START: usize = FIXED;

// === impl Run ===

impl Run {
    /// The last position; below `first` when the run is empty.
    pub(crate) fn last(&self) -> u64 {
        self.first + u64::from(self.count) - 1
    }
}

// === impl Index ===

impl Index {
    /// The index of what a scan found.
    pub(crate) fn of(scanned: &Scanned) -> Result<Self, u64> {
        let mut index = Self::default();
        for found in &scanned.records {
            let header = found.header;
            let at = Location { offset: low(found.offset), len: header.len };
            if !index.push(header.channel, header.position, header.time, at) {
                return Err(found.offset);
            }
        }
        Ok(index)
    }

    /// Notes a record; false when its position does not follow the last one of its channel here.
    pub(crate) fn push(&mut self, channel: u32, position: u64, time: i64, at: Location) -> bool {
        let row = channel as usize;
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Default::default);
        }
        let Some((run, locations)) = self.rows.get_mut(row) else { return false };
        if run.count == 0 {
            *run = Run { channel, first: position, oldest: time, newest: time, ..Run::default() };
        }
        if position != run.first + u64::from(run.count) {
            return false;
        }
        run.count += 1;
        run.bytes += u64::from(at.len).saturating_sub(HEADER as u64);
        run.oldest = run.oldest.min(time);
        run.newest = run.newest.max(time);
        locations.push(at);
        self.records += 1;
        true
    }

    /// The run of a channel.
    pub(crate) fn run(&self, channel: u32) -> Option<&Run> {
        self.rows.get(channel as usize).map(|(run, _)| run).filter(|run| run.count > 0)
    }

    /// Where the records of a channel lie, from a position on.
    pub(crate) fn locations(&self, channel: u32, from: u64) -> &[Location] {
        let Some((run, locations)) = self.rows.get(channel as usize) else { return &[] };
        let skip = usize::try_from(from.saturating_sub(run.first)).unwrap_or(usize::MAX);
        locations.get(skip..).unwrap_or_default()
    }

    /// All runs.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.rows.iter().map(|(run, _)| run).filter(|run| run.count > 0)
    }

    /// The sidecar's bytes.
    pub(crate) fn encode(&self, head_crc: u32, end: u64, sequence: u64) -> Vec<u8> {
        let mut locations = Vec::new();
        for (_, row) in self.rows.iter().filter(|(run, _)| run.count > 0) {
            for at in row {
                locations.extend_from_slice(&at.offset.to_le_bytes());
                locations.extend_from_slice(&at.len.to_le_bytes());
            }
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&head_crc.to_le_bytes());
        bytes.extend_from_slice(&end.to_le_bytes());
        bytes.extend_from_slice(&sequence.to_le_bytes());
        bytes.extend_from_slice(&low(self.runs().count() as u64).to_le_bytes());
        bytes.extend_from_slice(&frame::crc(&locations).to_le_bytes());
        for run in self.runs() {
            bytes.extend_from_slice(&run.channel.to_le_bytes());
            bytes.extend_from_slice(&run.first.to_le_bytes());
            bytes.extend_from_slice(&run.count.to_le_bytes());
            bytes.extend_from_slice(&run.bytes.to_le_bytes());
            bytes.extend_from_slice(&run.oldest.to_le_bytes());
            bytes.extend_from_slice(&run.newest.to_le_bytes());
        }
        let sum = frame::crc(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&locations);
        bytes
    }

    /// Builds the index from a summary and the locations that follow it, if they verify.
    pub(crate) fn decode(summary: &Summary, locations: &[u8]) -> Option<Self> {
        if frame::crc(locations) != summary.locations_crc {
            return None;
        }
        let mut index = Self::default();
        let mut input = Input(locations);
        for run in &summary.runs {
            let row = run.channel as usize;
            if index.rows.len() <= row {
                index.rows.resize_with(row + 1, Default::default);
            }
            let mut places = Vec::with_capacity(run.count as usize);
            for _ in 0..run.count {
                places.push(Location { offset: input.u32()?, len: input.u32()? });
            }
            *index.rows.get_mut(row)? = (*run, places);
            index.records += u64::from(run.count);
        }
        Some(index)
    }
}

// === impl Summary ===

impl Summary {
    /// Bytes of the whole summary, as its beginning tells; `None` when it is not one.
    pub(crate) fn len(start: &[u8]) -> Option<usize> {
        let mut input = Input(start);
        if input.take(MAGIC.len())? != MAGIC {
            return None;
        }
        input.take(20)?;
        let count = input.u32()? as usize;
        (count < 1 << 24).then_some(FIXED + count * ROW + 4)
    }

    /// Reads a summary, if it verifies.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if frame::crc(body) != frame::u32_at(sum, 0) {
            return None;
        }
        let mut input = Input(body);
        input.take(MAGIC.len())?;
        let mut summary = Self {
            head_crc: input.u32()?,
            end: input.u64()?,
            sequence: input.u64()?,
            runs: Vec::new(),
            locations_crc: 0,
        };
        let count = input.u32()?;
        summary.locations_crc = input.u32()?;
        for _ in 0..count {
            summary.runs.push(Run {
                channel: input.u32()?,
                first: input.u64()?,
                count: input.u32()?,
                bytes: input.u64()?,
                oldest: input.u64()? as i64,
                newest: input.u64()? as i64,
            });
        }
        Some(summary)
    }

    /// Bytes of the summary itself.
    pub(crate) fn encoded_len(&self) -> usize {
        FIXED + self.runs.len() * ROW + 4
    }

    /// Bytes of the locations that follow the summary.
    pub(crate) fn locations_len(&self) -> usize {
        self.runs.iter().map(|run| run.count as usize * LOCATION).sum()
    }
}

/// Offsets within a segment fit, as segments are at most 1 GiB.
pub(crate) fn low(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Index {
        let mut index = Index::default();
        assert!(index.push(3, 10, 5, Location { offset: 100, len: 40 }));
        assert!(index.push(1, 1, 9, Location { offset: 140, len: 50 }));
        assert!(index.push(3, 11, 2, Location { offset: 190, len: 60 }));
        index
    }

    fn split(bytes: &[u8]) -> Option<(Summary, &[u8])> {
        let len = Summary::len(bytes.get(..SUMMARY_START)?)?;
        Some((Summary::decode(bytes.get(..len)?)?, &bytes[len..]))
    }

    #[test]
    fn a_sidecar_comes_back_as_it_went() {
        let bytes = sample().encode(7, 250, 4);
        let (summary, locations) = split(&bytes).unwrap();
        assert_eq!((summary.head_crc, summary.end, summary.sequence), (7, 250, 4));
        let run = summary.runs[1];
        assert_eq!((run.channel, run.first, run.last(), run.bytes), (3, 10, 11, 36));
        assert_eq!((run.oldest, run.newest), (2, 5));
        let index = Index::decode(&summary, locations).unwrap();
        assert_eq!(index.locations(3, 11), [Location { offset: 190, len: 60 }]);
        assert_eq!(index.runs().count(), 2);
    }

    #[test]
    fn rule_9_a_damaged_sidecar_is_ignored() {
        let good = sample().encode(7, 250, 4);
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            let read = split(&bytes).and_then(|(summary, rest)| Index::decode(&summary, rest));
            assert_eq!(read, None, "byte {at}");
        }
    }

    #[test]
    fn a_gap_in_a_channel_is_refused() {
        assert!(!sample().push(3, 13, 0, Location::default()));
    }
}
