//! Stored forms of what a backend keeps beside plain columns. Each begins with a format version.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use switchboard_core::{BoxError, Context, Key, Name, Timestamp, Verdict};

use crate::{Failure, NewMessage, StoreError};

const FORMAT: u8 = 1;

/// What an event carries beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head<'a> {
    /// What led to it.
    pub context: Option<Cow<'a, Context>>,
    /// Its tags.
    pub tags: Cow<'a, [Name]>,
}

#[derive(Serialize, Deserialize)]
struct Message<'a> {
    topic: Cow<'a, Name>,
    kind: Cow<'a, Name>,
    version: u16,
    key: Option<Cow<'a, Key>>,
    payload: Cow<'a, Bytes>,
    context: Option<Cow<'a, Context>>,
    headers: Cow<'a, BTreeMap<Name, Arc<str>>>,
}

/// Verdicts are numbers here, and texts in what people read.
#[derive(Serialize, Deserialize)]
struct Attempt<'a> {
    at: Timestamp,
    attempt: u32,
    verdict: u8,
    error: Cow<'a, str>,
}

// === impl Head ===

impl Head<'_> {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`StoreError::Undecodable`], with `what` as the record's name.
    pub fn decode(bytes: &[u8], what: impl FnOnce() -> String) -> Result<Self, StoreError> {
        decode(bytes, what)
    }
}

/// The stored form of a timer's message.
pub fn encode_message(message: &NewMessage) -> Vec<u8> {
    encode(&Message {
        topic: Cow::Borrowed(&message.topic),
        kind: Cow::Borrowed(&message.kind),
        version: message.version,
        key: message.key.as_ref().map(Cow::Borrowed),
        payload: Cow::Borrowed(&message.payload),
        context: message.context.as_ref().map(Cow::Borrowed),
        headers: Cow::Borrowed(&message.headers),
    })
}

/// Reads the stored form of a timer's message.
///
/// # Errors
/// [`StoreError::Undecodable`], with `what` as the record's name.
pub fn decode_message(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<NewMessage, StoreError> {
    let message: Message<'_> = decode(bytes, what)?;
    Ok(NewMessage {
        topic: message.topic.into_owned(),
        kind: message.kind.into_owned(),
        version: message.version,
        key: message.key.map(Cow::into_owned),
        payload: message.payload.into_owned(),
        context: message.context.map(Cow::into_owned),
        headers: message.headers.into_owned(),
    })
}

/// The stored form of a waiting message's failures.
pub fn encode_failures(failures: &[Failure]) -> Vec<u8> {
    let attempts = failures.iter().map(|failure| Attempt {
        at: failure.at,
        attempt: failure.attempt,
        verdict: match failure.verdict {
            Verdict::Retry => 0,
            Verdict::Terminal => 1,
            Verdict::Stuck => 2,
        },
        error: Cow::Borrowed(&failure.error),
    });
    encode(&attempts.collect::<Vec<_>>())
}

/// Reads the stored form of a waiting message's failures.
///
/// # Errors
/// [`StoreError::Undecodable`], with `what` as the record's name.
pub fn decode_failures(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<Vec<Failure>, StoreError> {
    let attempts: Vec<Attempt<'_>> = decode(bytes, what)?;
    let failures = attempts.into_iter().map(|attempt| Failure {
        at: attempt.at,
        attempt: attempt.attempt,
        verdict: match attempt.verdict {
            0 => Verdict::Retry,
            1 => Verdict::Terminal,
            _ => Verdict::Stuck,
        },
        error: attempt.error.into_owned(),
    });
    Ok(failures.collect())
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Writing numbers, texts and maps to memory cannot fail.
    postcard::to_extend(value, vec![FORMAT]).unwrap_or_default()
}

fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    let result: Result<T, BoxError> = match bytes.split_first() {
        Some((&FORMAT, rest)) => postcard::from_bytes(rest).map_err(Into::into),
        Some((&other, _)) => Err(format!("unknown format {other}: deploy a newer version").into()),
        None => Err("it is empty".into()),
    };
    result.map_err(|source| StoreError::Undecodable { what: what(), source })
}
