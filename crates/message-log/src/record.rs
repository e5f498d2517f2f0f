//! The form of a record: its key can be read even when its envelope cannot.
//!
//! ```text
//! ┌────────┬──────────────────────────┬─────┬──────────────────┐
//! │ format │ length of the key, plus  │ key │ encoded envelope │
//! │ 1 byte │ one; 0 is no key. u32 LE │     │                  │
//! └────────┴──────────────────────────┴─────┴──────────────────┘
//! ```

use bytes::Bytes;
use switchboard_core::{DecodeError, Envelope, Key};
use switchboard_message::Undecodable;

const FORMAT: u8 = 1;
const HEADER: usize = 5;

/// Puts an encoded envelope behind its key.
pub(crate) fn encode(key: Option<&Key>, envelope: &[u8]) -> Bytes {
    let key = key.map(Key::as_bytes);
    let length = key.map_or(0, |key| u32::try_from(key.len() + 1).unwrap_or(u32::MAX));
    let key = key.unwrap_or_default();
    let mut record = Vec::with_capacity(HEADER + key.len() + envelope.len());
    record.push(FORMAT);
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(key);
    record.extend_from_slice(envelope);
    record.into()
}

/// Reads a record, or says what can be said about it. Keeps no part of `record` alive.
pub(crate) fn decode(record: &[u8]) -> Result<Envelope, Undecodable> {
    let (key, envelope) = match split(record) {
        Some(parts) => parts,
        None => (None, record),
    };
    let format = match record.first() {
        Some(&FORMAT) | None => None,
        Some(other) => Some(*other),
    };
    let decoded = match format {
        Some(other) => Err(DecodeError::UnknownFormat(other)),
        None => Envelope::decode(envelope),
    };
    decoded.map_err(|error| Undecodable {
        bytes: Bytes::copy_from_slice(envelope),
        key: key.map(|key| Key::from(key.to_vec())),
        error,
    })
}

fn split(record: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (header, rest) = record.split_at_checked(HEADER)?;
    let (FORMAT, length) = (header[0], u32::from_le_bytes(header[1..].try_into().ok()?)) else {
        return None;
    };
    match usize::try_from(length).ok()?.checked_sub(1) {
        None => Some((None, rest)),
        Some(length) => rest.split_at_checked(length).map(|(key, rest)| (Some(key), rest)),
    }
}

#[cfg(test)]
mod tests {
    use switchboard_core::{ManualClock, Rng};

    use super::*;

    fn envelope() -> Envelope {
        let clock = ManualClock::default();
        Envelope::new("t", "k", "s", &clock, &mut Rng::from_seed(1)).with_payload(b"{}".to_vec())
    }

    #[test]
    fn what_is_written_is_read() {
        for key in [None, Some(Key::from("")), Some(Key::from("order-1"))] {
            let mut sent = envelope();
            sent.key.clone_from(&key);
            assert_eq!(decode(&encode(key.as_ref(), &sent.encode())).unwrap(), sent);
        }
    }

    #[test]
    fn the_key_survives_a_damaged_envelope() {
        let key = Key::from("order-1");
        let undecodable = decode(&encode(Some(&key), b"\x09nonsense")).unwrap_err();
        assert_eq!(undecodable.key, Some(key));
        assert_eq!(&undecodable.bytes[..], b"\x09nonsense");
        assert!(matches!(undecodable.error, DecodeError::UnknownFormat(9)));
    }

    #[test]
    fn no_bytes_panic() {
        let whole = encode(Some(&Key::from("k")), &envelope().encode());
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length}");
        }
        assert!(matches!(decode(b"\x07rest").unwrap_err().error, DecodeError::UnknownFormat(7)));
        assert!(decode(&[1, 0xff, 0xff, 0xff, 0xff, 0]).unwrap_err().key.is_none());
    }
}
