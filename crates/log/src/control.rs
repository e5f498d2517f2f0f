//! What the control frames say: a segment's head with all that is known so far, the commit marker.

use std::sync::Arc;

use bytes::Bytes;

use crate::frame::{self, CELL, CHANNEL, COMMIT, FLOOR, HEADER};

/// The newest format of a segment that this version reads; it writes the same.
pub(crate) const FORMAT: u16 = 1;
/// Bytes of a commit marker's frame.
pub(crate) const MARKER: usize = HEADER + 20;
const MAGIC: &[u8; 8] = b"SWBD-LOG";

/// The first frame of every segment. It repeats all channels and cells, so a segment can be dropped
/// without asking what else was in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The segment's number.
    pub(crate) id: u64,
    /// The last number whose records are in this file: above `id` when segments were merged.
    pub(crate) through: u64,
    /// 0 as first written; counts how often survivors were written anew.
    pub(crate) generation: u32,
    /// The log's epoch from here on.
    pub(crate) epoch: u64,
    /// Drawn once per log, repeated in each commit marker: data cannot pretend to be one.
    pub(crate) salt: u32,
    /// The number of this segment's first group.
    pub(crate) sequence: u64,
    /// The segment before, and where its committed bytes end; 0 when there is none.
    pub(crate) previous: (u64, u64),
    /// Channels by number, from 1.
    pub(crate) channels: Vec<ChannelState>,
    /// Cells by name.
    pub(crate) cells: Vec<(Arc<str>, Bytes)>,
}

/// What a head says about a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelState {
    pub(crate) name: Arc<str>,
    /// The last position before this segment.
    pub(crate) last: u64,
    /// The oldest position that is kept.
    pub(crate) floor: u64,
}

/// The end of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Counts the groups of a log.
    pub(crate) sequence: u64,
    /// Where the group begins in the file.
    pub(crate) from: u64,
    /// Frames in the group.
    pub(crate) count: u32,
    /// [`frame::digest`] of the group.
    pub(crate) digest: u32,
    pub(crate) salt: u32,
}

/// A head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHead {
    /// It is not a head, or its fields do not fit together.
    Malformed,
    /// It was written by a newer version.
    Newer(u16),
}

// === impl Head ===

impl Head {
    /// Appends the frame.
    pub(crate) fn push(&self, buffer: &mut Vec<u8>) {
        let mut data = Vec::new();
        data.extend_from_slice(MAGIC);
        data.extend_from_slice(&FORMAT.to_le_bytes());
        data.extend_from_slice(&self.generation.to_le_bytes());
        data.extend_from_slice(&self.salt.to_le_bytes());
        let (previous, end) = self.previous;
        for number in [self.id, self.through, self.epoch, self.sequence, previous, end] {
            data.extend_from_slice(&number.to_le_bytes());
        }
        put_len(&mut data, self.channels.len());
        for channel in &self.channels {
            put(&mut data, channel.name.as_bytes());
            data.extend_from_slice(&channel.last.to_le_bytes());
            data.extend_from_slice(&channel.floor.to_le_bytes());
        }
        put_len(&mut data, self.cells.len());
        for (name, value) in &self.cells {
            put(&mut data, name.as_bytes());
            put(&mut data, value);
        }
        frame::push_control(buffer, frame::HEAD, 0, self.id, &data);
    }

    /// Reads a head's data.
    pub(crate) fn decode(data: &[u8]) -> Result<Self, BadHead> {
        let mut input = Input(data);
        if input.take(MAGIC.len()) != Some(MAGIC) {
            return Err(BadHead::Malformed);
        }
        match input.u16() {
            Some(format) if format > FORMAT => Err(BadHead::Newer(format)),
            Some(_) => Self::fields(&mut input).ok_or(BadHead::Malformed),
            None => Err(BadHead::Malformed),
        }
    }

    fn fields(input: &mut Input<'_>) -> Option<Self> {
        let mut head = Self { generation: input.u32()?, salt: input.u32()?, ..Self::default() };
        head.id = input.u64()?;
        head.through = input.u64()?;
        head.epoch = input.u64()?;
        head.sequence = input.u64()?;
        head.previous = (input.u64()?, input.u64()?);
        for _ in 0..input.u32()? {
            let name = input.text()?;
            head.channels.push(ChannelState { name, last: input.u64()?, floor: input.u64()? });
        }
        for _ in 0..input.u32()? {
            let name = input.text()?;
            head.cells.push((name, Bytes::copy_from_slice(input.bytes()?)));
        }
        Some(head)
    }
}

// === impl Commit ===

impl Commit {
    /// The marker for the frames of a group that begins at `from`.
    pub(crate) fn of(frames: &[u8], sequence: u64, from: u64, salt: u32) -> Self {
        let (count, digest) = frame::digest(frames);
        Self { sequence, from, count, digest, salt }
    }

    /// Appends the frame.
    pub(crate) fn push(&self, buffer: &mut Vec<u8>) {
        let mut data = [0; MARKER - HEADER];
        data[0..8].copy_from_slice(&self.from.to_le_bytes());
        data[8..12].copy_from_slice(&self.count.to_le_bytes());
        data[12..16].copy_from_slice(&self.digest.to_le_bytes());
        data[16..20].copy_from_slice(&self.salt.to_le_bytes());
        frame::push_control(buffer, COMMIT, 0, self.sequence, &data);
    }

    /// Reads a marker's data; `sequence` is the frame's position.
    pub(crate) fn decode(sequence: u64, data: &[u8]) -> Option<Self> {
        let mut input = Input(data);
        Some(Self {
            sequence,
            from: input.u64()?,
            count: input.u32()?,
            digest: input.u32()?,
            salt: input.u32()?,
        })
    }
}

// === the small ones ===

/// Appends the declaration of a channel.
pub(crate) fn push_channel(buffer: &mut Vec<u8>, channel: u32, name: &str) {
    frame::push_control(buffer, CHANNEL, channel, 0, name.as_bytes());
}

/// Appends a cell's value.
pub(crate) fn push_cell(buffer: &mut Vec<u8>, name: &str, value: &[u8]) {
    let mut data = Vec::with_capacity(8 + name.len() + value.len());
    put(&mut data, name.as_bytes());
    put(&mut data, value);
    frame::push_control(buffer, CELL, 0, 0, &data);
}

/// Appends the oldest position that a channel keeps.
pub(crate) fn push_floor(buffer: &mut Vec<u8>, channel: u32, floor: u64) {
    frame::push_control(buffer, FLOOR, channel, floor, &[]);
}

/// A cell's name and value.
pub(crate) fn decode_cell(data: &[u8]) -> Option<(Arc<str>, Bytes)> {
    let mut input = Input(data);
    let name = input.text()?;
    Some((name, Bytes::copy_from_slice(input.bytes()?)))
}

fn put_len(data: &mut Vec<u8>, len: usize) {
    data.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

fn put(data: &mut Vec<u8>, bytes: &[u8]) {
    put_len(data, bytes.len());
    data.extend_from_slice(bytes);
}

/// Bytes still to be read. Every answer is `None` at the end, never a panic.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

// === impl Input ===

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    fn text(&mut self) -> Option<Arc<str>> {
        std::str::from_utf8(self.bytes()?).ok().map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_comes_back_as_it_went() {
        let head = Head {
            id: 7,
            through: 9,
            generation: 2,
            epoch: 3,
            salt: 5,
            sequence: 100,
            previous: (6, 4096),
            channels: vec![ChannelState { name: "a/0".into(), last: 12, floor: 4 }],
            cells: vec![("g".into(), Bytes::from_static(b"value"))],
        };
        let mut bytes = Vec::new();
        head.push(&mut bytes);
        let (_, data) = frame::parse(&bytes).unwrap();
        assert_eq!(Head::decode(data), Ok(head));
    }

    #[test]
    fn a_head_of_a_newer_format_is_named() {
        let mut data = MAGIC.to_vec();
        data.extend_from_slice(&(FORMAT + 1).to_le_bytes());
        assert_eq!(Head::decode(&data), Err(BadHead::Newer(FORMAT + 1)));
    }

    #[test]
    fn a_marker_has_the_size_that_is_reserved_for_it() {
        let mut bytes = Vec::new();
        Commit::of(&[], 1, 2, 3).push(&mut bytes);
        assert_eq!(bytes.len(), MARKER);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut head = MAGIC.to_vec();
            head.extend_from_slice(&FORMAT.to_le_bytes());
            head.extend_from_slice(&bytes);
            let _ = Head::decode(&head);
            let _ = Commit::decode(1, &bytes);
            let _ = decode_cell(&bytes);
        }
    }
}
