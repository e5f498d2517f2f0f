//! A message with its headers, in CloudEvents terms, and its binary form.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Clock, Context, Id, Identity, Message, Rng, Timestamp};

/// Everything that travels: who, what, when, where to, in which order, and the payload.
///
/// The binary form (see [`Envelope::encode`]) begins with a format version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Unique; the CloudEvents `id`.
    pub id: Id,
    /// Where it is published.
    pub topic: Name,
    /// Its type; the CloudEvents `type`.
    pub kind: Name,
    /// The version of the payload's schema.
    pub version: u16,
    /// Who published it; the CloudEvents `source`.
    pub source: Name,
    /// When it happened; the CloudEvents `time`.
    pub time: Timestamp,
    /// What keeps it in order; the CloudEvents `partitionkey`.
    pub key: Option<Key>,
    /// Present when a store committed it; absent when it was published outside a transaction.
    pub identity: Option<Identity>,
    /// Deadline, attempt, priority, causality.
    pub context: Context,
    /// Anything else, by lower-case name.
    pub headers: BTreeMap<Name, Arc<str>>,
    /// The content: JSON unless the header `content-type` says otherwise.
    pub payload: Bytes,
}

/// A short text that is cloned often: a topic, a group, a source, a type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

/// What keeps messages in order: usually a business id. Any bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Bytes);

/// Bytes that are not an envelope, or a payload that is not what its type says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first byte names a format that this version does not know: deploy a newer reader.
    #[error("unknown envelope format {0}")]
    UnknownFormat(u8),
    /// The bytes are cut short or damaged.
    #[error("malformed envelope")]
    Malformed(#[source] postcard::Error),
    /// What a broker keeps beside the payload cannot be read: an attribute is damaged.
    #[error("the headers of the message cannot be read")]
    Headers(#[source] crate::BoxError),
    /// The envelope is sound and its payload is not.
    #[error("the payload is not a `{kind}`")]
    Payload {
        /// The type that was expected.
        kind: &'static str,
        /// What the parser found.
        #[source]
        source: serde_json::Error,
    },
}

const FORMAT: u8 = 1;

// === impl Envelope ===

impl Envelope {
    /// An envelope with an empty payload, which begins a new action.
    pub fn new(
        topic: impl Into<Name>,
        kind: impl Into<Name>,
        source: impl Into<Name>,
        clock: &dyn Clock,
        rng: &mut Rng,
    ) -> Self {
        let id = Id::new(clock, rng);
        Self {
            id,
            topic: topic.into(),
            kind: kind.into(),
            version: 1,
            source: source.into(),
            time: clock.now(),
            key: None,
            identity: None,
            context: Context::of(id),
            headers: BTreeMap::new(),
            payload: Bytes::new(),
        }
    }

    /// The same with a key.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// The same with a payload.
    #[must_use]
    pub fn with_payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// The same with another context.
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Name>, value: impl Into<Arc<str>>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The payload as the type it claims to be.
    ///
    /// # Errors
    /// [`DecodeError::Payload`] when it is not.
    pub fn message<M: Message>(&self) -> Result<M, DecodeError> {
        serde_json::from_slice(&self.payload)
            .map_err(|source| DecodeError::Payload { kind: M::KIND, source })
    }

    /// The binary form: one byte of format, then the fields by postcard.
    pub fn encode(&self) -> Bytes {
        let buffer = Vec::with_capacity(192 + self.payload.len());
        let mut buffer = buffer;
        buffer.push(FORMAT);
        // Writing to memory a value that holds only numbers, texts and maps cannot fail.
        postcard::to_extend(self, buffer).map(Bytes::from).unwrap_or_default()
    }

    /// Reads the binary form back.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are of an unknown format, cut short or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => postcard::from_bytes(rest).map_err(DecodeError::Malformed),
            Some((&other, _)) => Err(DecodeError::UnknownFormat(other)),
            None => Err(DecodeError::Malformed(postcard::Error::DeserializeUnexpectedEnd)),
        }
    }
}

// === impl Name ===

impl Name {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&Self> for Name {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

// === impl Key ===

impl Key {
    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Id> for Key {
    fn from(id: Id) -> Self {
        Self::from(id.to_string())
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for Key {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// The text, or hexadecimal digits after `0x` when it is not text.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) => f.write_str(text),
            Err(_) => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
