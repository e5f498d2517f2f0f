//! Records as they come and go: headers on their way out, and what was fetched, copied once into memory of ours.

use std::panic::AssertUnwindSafe;

use bytes::{BufMut, Bytes, BytesMut};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};

/// Records share blocks of this size, so that not each one asks for memory of its own; a record
/// that is kept keeps its block.
const BLOCK: usize = 16 << 10;

/// Headers of a record that is to be sent.
#[derive(Debug)]
pub(crate) struct Headers {
    list: OwnedHeaders,
    bytes: usize,
}

/// Where fetched records are copied to.
#[derive(Debug, Default)]
pub(crate) struct Arena(BytesMut);

/// A fetched record.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    /// Its place, from 1.
    pub(crate) position: u64,
    /// When it was written, in milliseconds since 1970; 0 when that is not known.
    pub(crate) millis: i64,
    /// Key, payload, then each header as two lengths, its name and its value.
    bytes: Bytes,
    /// `None` without a key.
    key: Option<u32>,
    payload: u32,
    headers: u32,
    /// The headers could not be read.
    pub(crate) damaged: bool,
}

/// A header with no value has this for its length.
const NULL: u32 = u32::MAX;

// === impl Headers ===

impl Headers {
    pub(crate) fn with_capacity(headers: usize) -> Self {
        Self { list: OwnedHeaders::new_with_capacity(headers), bytes: 0 }
    }

    #[must_use]
    pub(crate) fn with(self, name: &str, value: &[u8]) -> Self {
        self.and(name, Some(value))
    }

    #[must_use]
    pub(crate) fn and(self, name: &str, value: Option<&[u8]>) -> Self {
        // The lengths of both, as Kafka writes them, take two bytes each for all that is usual.
        let bytes = self.bytes + name.len() + value.map_or(0, <[u8]>::len) + 4;
        let list = self.list.insert(Header { key: name, value });
        Self { list, bytes }
    }

    /// About what they take on the wire.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_list(self) -> OwnedHeaders {
        self.list
    }

    pub(super) fn again(list: OwnedHeaders, bytes: usize) -> Self {
        Self { list, bytes }
    }
}

// === impl Arena ===

impl Arena {
    /// Copies a record out of librdkafka's memory.
    pub(super) fn copy(&mut self, message: &BorrowedMessage<'_>) -> Raw {
        let (key, payload) = (message.key(), message.payload().unwrap_or_default());
        let body = key.map_or(0, <[u8]>::len) + payload.len();
        self.room(body);
        self.0.put_slice(key.unwrap_or_default());
        self.0.put_slice(payload);
        let before = self.0.len();
        // A foreign header's name that is not UTF-8 panics in rdkafka.
        let read = std::panic::catch_unwind(AssertUnwindSafe(|| self.headers(message)));
        let (headers, damaged) = match read {
            Ok(count) => (count, false),
            Err(_) => {
                self.0.truncate(before);
                (0, true)
            }
        };
        Raw {
            position: u64::try_from(message.offset()).map_or(0, |offset| offset + 1),
            millis: message.timestamp().to_millis().unwrap_or(0),
            bytes: self.0.split().freeze(),
            key: key.map(|key| length(key.len())),
            payload: length(payload.len()),
            headers,
            damaged,
        }
    }

    fn headers(&mut self, message: &BorrowedMessage<'_>) -> u32 {
        let Some(headers) = message.headers() else { return 0 };
        let count = headers.count();
        for index in 0..count {
            let Header { key, value } = headers.get(index);
            let bytes = value.unwrap_or_default();
            self.room(8 + key.len() + bytes.len());
            self.0.put_u32_le(length(key.len()));
            self.0.put_u32_le(value.map_or(NULL, |value| length(value.len())));
            self.0.put_slice(key.as_bytes());
            self.0.put_slice(bytes);
        }
        length(count)
    }

    fn room(&mut self, bytes: usize) {
        if self.0.capacity() - self.0.len() < bytes {
            self.0.reserve(bytes.max(BLOCK));
        }
    }
}

/// Kafka's own lengths have 31 bits.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(NULL - 1)
}

// === impl Raw ===

impl Raw {
    pub(crate) fn key(&self) -> Option<Bytes> {
        self.key.map(|length| self.bytes.slice(..length as usize))
    }

    pub(crate) fn payload(&self) -> Bytes {
        let start = self.key.unwrap_or(0) as usize;
        self.bytes.slice(start..start + self.payload as usize)
    }

    /// Names and values, in the order in which they were written; `None` for a null.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let mut rest = &self.bytes[self.key.unwrap_or(0) as usize + self.payload as usize..];
        (0..self.headers).map_while(move |_| {
            let (name, after) = rest.split_first_chunk::<4>()?;
            let (value, after) = after.split_first_chunk::<4>()?;
            let (name, value) = (u32::from_le_bytes(*name), u32::from_le_bytes(*value));
            let (name, after) = after.split_at_checked(name as usize)?;
            let (bytes, after) =
                after.split_at_checked(if value == NULL { 0 } else { value } as usize)?;
            rest = after;
            Some((std::str::from_utf8(name).ok()?, (value != NULL).then_some(bytes)))
        })
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    #[cfg(test)]
    pub(crate) fn made(
        position: u64,
        key: Option<&[u8]>,
        payload: &[u8],
        headers: &[(&str, Option<&[u8]>)],
    ) -> Self {
        let mut bytes = BytesMut::new();
        bytes.put_slice(key.unwrap_or_default());
        bytes.put_slice(payload);
        for (name, value) in headers {
            bytes.put_u32_le(length(name.len()));
            bytes.put_u32_le(value.map_or(NULL, |value| length(value.len())));
            bytes.put_slice(name.as_bytes());
            bytes.put_slice(value.unwrap_or_default());
        }
        Self {
            position,
            millis: 1_700_000_000_000,
            bytes: bytes.freeze(),
            key: key.map(|key| length(key.len())),
            payload: length(payload.len()),
            headers: length(headers.len()),
            damaged: false,
        }
    }
}
