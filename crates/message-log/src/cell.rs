//! Small values that change in place: a format byte, then postcard.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use switchboard_log::{AppendError, Log};

use crate::OpenError;

const FORMAT: u8 = 1;

/// Writes a cell; it is durable with the log's next sync.
pub(crate) fn put<T: Serialize>(log: &Log, name: &str, value: &T) -> Result<(), AppendError> {
    // Writing to memory a value that holds only numbers, texts and lists cannot fail.
    let bytes = postcard::to_extend(value, vec![FORMAT]).unwrap_or_default();
    log.set_cell(name, Bytes::from(bytes))
}

/// All cells whose names begin with `prefix`, without it.
pub(crate) fn all<T: DeserializeOwned>(
    log: &Log,
    prefix: &str,
) -> Result<Vec<(String, T)>, OpenError> {
    let read = |(name, bytes): (std::sync::Arc<str>, Bytes)| {
        let value = match bytes.split_first() {
            Some((&FORMAT, rest)) => postcard::from_bytes(rest),
            _ => Err(postcard::Error::DeserializeBadEncoding),
        };
        match value {
            Ok(value) => Ok((name[prefix.len()..].to_owned(), value)),
            Err(source) => Err(OpenError::Cell { name: name.to_string(), source }),
        }
    };
    log.cells(prefix).into_iter().map(read).collect()
}
