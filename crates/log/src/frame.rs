//! The frame: how one record or one control entry lies in a file.
//!
//! ```text
//! 0        4      5         8          16       24         28         32
//! | length | kind | channel | position | time   | data crc | head crc | data ... |
//! ```
//!
//! Little endian; `length` counts the whole frame. The head's checksum is verified before any field
//! of it is used, so a damaged length is never followed; a frame is never shorter than its head, so
//! a zero-filled tail is not a frame. Kinds that this version does not know are skipped when their
//! checksums hold.

use std::fmt;

/// Bytes of a frame before its data.
pub(crate) const HEADER: usize = 32;

/// A record of a channel.
pub(crate) const DATA: u8 = 1;
/// The end of a group: everything since the last one is committed.
pub(crate) const COMMIT: u8 = 2;
/// The first frame of a segment.
pub(crate) const HEAD: u8 = 3;
/// Names a channel.
pub(crate) const CHANNEL: u8 = 4;
/// The last value of a cell.
pub(crate) const CELL: u8 = 5;
/// The oldest position that a channel keeps.
pub(crate) const FLOOR: u8 = 6;

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the whole frame.
    pub(crate) len: u32,
    /// What it is.
    pub(crate) kind: u8,
    /// The channel, 24 bits; 0 when there is none.
    pub(crate) channel: u32,
    /// The record's position; other kinds use it as they like.
    pub(crate) position: u64,
    /// Microseconds.
    pub(crate) time: i64,
    /// Checksum of the data.
    pub(crate) data_crc: u32,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The head's checksum does not hold.
    Head,
    /// The length is smaller than a head.
    Length,
    /// The frame would end behind the bytes that there are.
    Short,
    /// The data's checksum does not hold.
    Data,
}

/// CRC-32/ISCSI, also known as CRC-32C.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// Appends one frame whose data's checksum is known already.
pub(crate) fn push(buffer: &mut Vec<u8>, header: &Header, data: &[u8]) {
    buffer.extend_from_slice(&header.encode());
    buffer.extend_from_slice(data);
}

/// Appends a control frame.
pub(crate) fn push_control(
    buffer: &mut Vec<u8>,
    kind: u8,
    channel: u32,
    position: u64,
    data: &[u8],
) {
    let header = Header::new(kind, channel, position, 0, data.len(), crc(data));
    push(buffer, &header, data);
}

/// The frame at the beginning of these bytes, and its data, both verified.
pub(crate) fn parse(bytes: &[u8]) -> Result<(Header, &[u8]), Flaw> {
    let header = Header::decode(bytes)?;
    let data = bytes.get(HEADER..header.len as usize).ok_or(Flaw::Short)?;
    if crc(data) != header.data_crc {
        return Err(Flaw::Data);
    }
    Ok((header, data))
}

/// How many frames these bytes hold, and one checksum over all their heads (and so, as each head
/// holds the checksum of its data, over everything). `frames` must be whole, well-formed frames.
pub(crate) fn digest(frames: &[u8]) -> (u32, u32) {
    let mut sums = Vec::with_capacity(frames.len() / (HEADER + 32) * 4);
    let (mut at, mut count) = (0, 0);
    while let Some(head) = frames.get(at..at + HEADER) {
        sums.extend_from_slice(&head[28..32]);
        at += (u32_at(head, 0) as usize).max(HEADER);
        count += 1;
    }
    (count, crc(&sums))
}

// === impl Header ===

impl Header {
    /// A head for this many bytes of data.
    pub(crate) fn new(
        kind: u8,
        channel: u32,
        position: u64,
        time: i64,
        data_len: usize,
        data_crc: u32,
    ) -> Self {
        let len = u32::try_from(HEADER + data_len).unwrap_or(u32::MAX);
        Self { len, kind, channel, position, time, data_crc }
    }

    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut head = [0; HEADER];
        head[0..4].copy_from_slice(&self.len.to_le_bytes());
        head[4..8].copy_from_slice(&(u32::from(self.kind) | self.channel << 8).to_le_bytes());
        head[8..16].copy_from_slice(&self.position.to_le_bytes());
        head[16..24].copy_from_slice(&self.time.to_le_bytes());
        head[24..28].copy_from_slice(&self.data_crc.to_le_bytes());
        let sum = crc(&head[..28]);
        head[28..32].copy_from_slice(&sum.to_le_bytes());
        head
    }

    /// The head at the beginning of these bytes, verified.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        let head = bytes.get(..HEADER).ok_or(Flaw::Short)?;
        if crc(&head[..28]) != u32_at(head, 28) {
            return Err(Flaw::Head);
        }
        let len = u32_at(head, 0);
        if (len as usize) < HEADER {
            return Err(Flaw::Length);
        }
        let tag = u32_at(head, 4);
        Ok(Self {
            len,
            kind: (tag & 0xff) as u8,
            channel: tag >> 8,
            position: u64_at(head, 8),
            time: u64_at(head, 16) as i64,
            data_crc: u32_at(head, 24),
        })
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "the checksum of a frame's head does not hold",
            Self::Length => "a frame is shorter than its head",
            Self::Short => "the file ends within a frame",
            Self::Data => "the checksum of a frame's data does not hold",
        })
    }
}

/// The number at this place; zero behind the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// The number at this place; zero behind the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(kind: u8, channel: u32, position: u64, time: i64, data: &[u8]) -> Header {
        Header::new(kind, channel, position, time, data.len(), crc(data))
    }

    #[test]
    fn checksum_is_crc32c() {
        assert_eq!(crc(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn rule_2_zeros_are_not_a_frame() {
        assert_eq!(parse(&[0; 64]), Err(Flaw::Head));
    }

    #[test]
    fn rule_2_a_length_of_zero_is_refused_even_with_a_good_checksum() {
        let mut head = header(DATA, 1, 1, 0, b"");
        head.len = 0;
        assert_eq!(parse(&head.encode()), Err(Flaw::Length));
    }

    proptest! {
        #[test]
        fn frames_come_back_as_they_went(
            kind: u8, channel in 0_u32..1 << 24, position: u64, time: i64,
            data in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let head = header(kind, channel, position, time, &data);
            let mut bytes = Vec::new();
            push(&mut bytes, &head, &data);
            bytes.extend_from_slice(b"whatever follows");
            prop_assert_eq!(parse(&bytes), Ok((head, data.as_slice())));
        }

        #[test]
        fn one_flipped_bit_is_noticed(
            data in proptest::collection::vec(any::<u8>(), 0..100), bit: prop::sample::Index,
        ) {
            let mut bytes = Vec::new();
            push(&mut bytes, &header(DATA, 1, 1, 1, &data), &data);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(parse(&bytes).is_err());
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = digest(&bytes);
        }
    }
}
