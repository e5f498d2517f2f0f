//! An envelope as an AMQP message, and back.
//!
//! Attributes are headers with CloudEvents' prefix, everything else keeps its own name. What AMQP
//! has properties for is written there as well, so that other clients and the server's console see
//! it; our own reader trusts the attributes.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use switchboard_core::{DecodeError, Envelope, Id, Key, Name, Timestamp};
use switchboard_message::cloudevents::{self, Outer};
use switchboard_message::{PublishError, Undecodable};

use crate::names;

/// What CloudEvents' AMQP binding puts before attributes.
const PREFIX: &str = "cloudEvents:";
/// The same, as clients of JMS have to write it.
const OTHER_PREFIX: &str = "cloudEvents_";
const PARTITION_KEY: &str = "partitionkey";
/// Written where the exchange does not tell the topic.
const TOPIC: &str = "topic";
const CONTENT_TYPE: &str = "content-type";
/// Stored on disk before it is confirmed.
const PERSISTENT: u8 = 2;
/// Headers that the server writes about what it did.
const SERVERS_OWN: [&str; 6] = [
    "x-delivery-count",
    "x-acquired-count",
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-opt-",
];

/// A message as the server sent it.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) properties: BasicProperties,
    pub(crate) payload: Bytes,
}

/// A header's name is longer than AMQP allows, or looks like an attribute.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot be the name of a header: up to 255 bytes that do not begin with cloudEvents")]
struct InvalidHeader(Name);

/// Everything of an envelope but its payload, with its topic if the exchange does not tell it.
pub(crate) fn encode(
    envelope: &Envelope,
    with_topic: bool,
    limit: usize,
) -> Result<BasicProperties, PublishError> {
    let mut headers = FieldTable::default();
    let mut bytes = envelope.payload.len();
    let mut insert = |name: ShortString, value: LongString| {
        bytes += name.as_str().len() + value.len() + 6;
        headers.insert(name, AMQPValue::LongString(value));
    };
    for (name, text) in cloudevents::attributes(envelope) {
        insert(attribute(name), text.into_owned().into_bytes().into());
    }
    if let Some(key) = &envelope.key {
        insert(attribute(PARTITION_KEY), key.as_bytes().to_vec().into());
    }
    if with_topic {
        insert(attribute(TOPIC), envelope.topic.as_str().into());
    }
    for (name, text) in &envelope.headers {
        let ours = name.starts_with(PREFIX) || name.starts_with(OTHER_PREFIX);
        let short = ShortString::try_new(name.as_str()).ok().filter(|_| !ours);
        let invalid = || PublishError::Refused(Box::new(InvalidHeader(name.clone())));
        insert(short.ok_or_else(invalid)?, text.as_bytes().into());
    }
    if bytes > limit {
        return Err(PublishError::TooLarge { bytes, limit });
    }
    let seconds = u64::try_from(envelope.time.as_micros() / 1_000_000).unwrap_or(0);
    let content_type = envelope.headers.get(CONTENT_TYPE).map_or("application/json", |text| text);
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(names::short(envelope.id.to_string()))
        .with_correlation_id(names::short(envelope.context.correlation.to_string()))
        .with_timestamp(seconds)
        .with_headers(headers);
    if let Ok(content_type) = ShortString::try_new(content_type) {
        properties = properties.with_content_type(content_type);
    }
    Ok(properties)
}

/// Reads a message of `topic`. Attributes that are missing come from elsewhere: a stranger's
/// message has the id that its message id stands for, or `drawn`, and the time `now`.
///
/// Two equal messages without ids cannot be told from one that came twice. They get a new id each
/// time they are delivered, because handling one twice is better than losing one.
pub(crate) fn decode(
    raw: &Raw,
    topic: &Name,
    is_queue: bool,
    drawn: impl FnOnce() -> Id,
    now: Timestamp,
) -> Result<Envelope, Undecodable> {
    let mut attributes: Vec<(&str, &str)> = Vec::with_capacity(16);
    let mut others: Vec<(&str, std::borrow::Cow<'_, str>)> = Vec::new();
    let (mut key, mut topic) = (None, topic.clone());
    let headers = raw.properties.headers().as_ref().map(FieldTable::inner);
    for (name, value) in headers.into_iter().flatten() {
        let name = name.as_str();
        let prefixed = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(OTHER_PREFIX));
        match prefixed {
            Some(PARTITION_KEY) => key = key_of(value),
            Some(TOPIC) if is_queue => {
                if let Some(text) = text_of(value) {
                    topic = Name::from(&*text);
                }
            }
            Some(attribute) => match value {
                AMQPValue::LongString(text) => match std::str::from_utf8(text.as_bytes()) {
                    Ok(text) => attributes.push((attribute, text)),
                    Err(error) => return Err(undecodable(raw, key_in(raw), error)),
                },
                other => others.extend(text_of(other).map(|text| (attribute, text))),
            },
            None if SERVERS_OWN.iter().any(|own| name.starts_with(own)) => {}
            None => others.extend(text_of(value).map(|text| (name, text))),
        }
    }
    let properties = &raw.properties;
    let is_ours = attributes.iter().any(|(name, _)| *name == "specversion");
    if !is_ours && let Some(content_type) = properties.content_type() {
        others.push((CONTENT_TYPE, content_type.as_str().into()));
    }
    let message_id = properties.message_id().as_ref().map(ShortString::as_str);
    let id = message_id.map_or_else(drawn, |text| text.parse().unwrap_or_else(|_| id_of(text)));
    let stamped = properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    let time = stamped.map_or(now, |seconds| Timestamp::from_micros(seconds * 1_000_000));
    let outer = Outer { topic, id, time, key: key.clone(), payload: raw.payload.clone() };
    let others = others.iter().map(|(name, text)| (*name, &**text));
    cloudevents::envelope(outer, attributes, others).map_err(|error| undecodable(raw, key, error))
}

/// How often the server knows that it delivered the message before.
pub(crate) fn delivery_count(properties: &BasicProperties, redelivered: bool) -> u32 {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let count = headers.and_then(|headers| headers.get("x-delivery-count")).and_then(number_of);
    let count = count.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX));
    count.max(u32::from(redelivered))
}

/// A whole number, of whatever width.
pub(crate) fn number_of(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(number) => Some((*number).into()),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => Some((*number).into()),
        AMQPValue::ShortUInt(number) => Some((*number).into()),
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::LongLongInt(number) => Some(*number),
        AMQPValue::Timestamp(number) => i64::try_from(*number).ok(),
        _ => None,
    }
}

/// What a value says as text; nothing for tables and lists.
pub(crate) fn text_of(value: &AMQPValue) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes())),
        AMQPValue::ShortString(text) => Some(text.as_str().into()),
        AMQPValue::Boolean(truth) => Some(truth.to_string().into()),
        AMQPValue::Float(number) => Some(number.to_string().into()),
        AMQPValue::Double(number) => Some(number.to_string().into()),
        other => number_of(other).map(|number| number.to_string().into()),
    }
}

fn key_of(value: &AMQPValue) -> Option<Key> {
    match value {
        AMQPValue::LongString(text) => Some(Key::from(text.as_bytes().to_vec())),
        AMQPValue::ByteArray(bytes) => Some(Key::from(bytes.as_slice().to_vec())),
        other => text_of(other).map(|text| Key::from(&*text)),
    }
}

fn key_in(raw: &Raw) -> Option<Key> {
    let headers = raw.properties.headers().as_ref().map(FieldTable::inner)?;
    let key = |prefix: &str| headers.get(&*format!("{prefix}{PARTITION_KEY}"));
    key(PREFIX).or_else(|| key(OTHER_PREFIX)).and_then(key_of)
}

fn undecodable(
    raw: &Raw,
    key: Option<Key>,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Undecodable {
    let error = DecodeError::Headers(Box::new(error));
    Undecodable { bytes: raw.payload.clone(), key, error }
}

fn attribute(name: &str) -> ShortString {
    let mut text = String::with_capacity(PREFIX.len() + name.len());
    text.push_str(PREFIX);
    text.push_str(name);
    names::short(text)
}

/// The id that stands for a message id which is none of ours: the same text, the same id.
fn id_of(text: &str) -> Id {
    // FNV-1a over 128 bits: no defence against an attacker, who may as well send the same text.
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let hash = text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    let mut bytes = hash.to_be_bytes();
    // RFC 9562: version 8 is "made in some way of one's own".
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Id::from_bytes(bytes)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
