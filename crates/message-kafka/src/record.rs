//! An envelope as an ordinary Kafka record, and any record as an envelope.
//!
//! Ours follow the binary mode of the CloudEvents binding: the payload is the value, the key the
//! key, attributes are headers that begin with `ce_`, and everything else keeps its name
//! (`content-type` too). A stranger's record becomes an envelope as well; its id is computed from
//! its place, so that it has the same one whenever it is read.

use std::borrow::Cow;

use switchboard_core::{DecodeError, Envelope, Id, Key, Name, Timestamp};
use switchboard_message::Undecodable;
use switchboard_message::cloudevents::{self, Outer};

use crate::client::{Headers, Raw};

const PREFIX: &str = "ce_";

/// The text of a record's header is not UTF-8, and it is one of ours.
#[derive(Debug, thiserror::Error)]
#[error("the header `{0}` is not text")]
struct NotText(String);

/// The name of a header is not UTF-8.
#[derive(Debug, thiserror::Error)]
#[error("the name of a header is not text")]
struct NamelessHeader;

/// What an envelope writes beside its key and payload.
pub(crate) fn headers(envelope: &Envelope) -> Headers {
    let attributes = cloudevents::attributes(envelope);
    let mut headers = Headers::with_capacity(attributes.len() + envelope.headers.len());
    for (name, text) in &attributes {
        headers = headers.with(&attribute(name), text.as_bytes());
    }
    for (name, text) in &envelope.headers {
        // A header that looks like an attribute must not be read as one.
        let escaped = name.starts_with(PREFIX).then(|| format!("{PREFIX}{name}"));
        headers = headers.with(escaped.as_deref().unwrap_or(name), text.as_bytes());
    }
    headers
}

/// The name of an attribute's header; the frequent ones cost nothing.
fn attribute(name: &str) -> Cow<'static, str> {
    Cow::Borrowed(match name {
        "specversion" => "ce_specversion",
        "id" => "ce_id",
        "source" => "ce_source",
        "type" => "ce_type",
        "time" => "ce_time",
        "schemaversion" => "ce_schemaversion",
        "incarnation" => "ce_incarnation",
        "slot" => "ce_slot",
        "sequence" => "ce_sequence",
        "store" => "ce_store",
        "correlationid" => "ce_correlationid",
        "causationid" => "ce_causationid",
        "deadline" => "ce_deadline",
        "traceparent" => "ce_traceparent",
        other => return Cow::Owned(format!("{PREFIX}{other}")),
    })
}

/// The message in a record that lies in this topic and partition. `place` is the topic as Kafka
/// names it.
pub(crate) fn envelope(
    raw: &Raw,
    topic: &Name,
    place: &str,
    partition: u32,
) -> Result<Envelope, Undecodable> {
    let undecodable = |error| Undecodable {
        bytes: raw.payload(),
        key: raw.key().map(Key::from),
        error: DecodeError::Headers(error),
    };
    if raw.damaged {
        return Err(undecodable(NamelessHeader.into()));
    }
    let mut attributes: Vec<(&str, &str)> = Vec::with_capacity(16);
    let mut others: Vec<(&str, Cow<'_, str>)> = Vec::new();
    for (name, value) in raw.headers() {
        let value = value.unwrap_or_default();
        match name.strip_prefix(PREFIX) {
            Some(attribute) => match std::str::from_utf8(value) {
                Ok(text) => attributes.push((attribute, text)),
                Err(_) => return Err(undecodable(NotText(name.to_owned()).into())),
            },
            None => others.push((name, text(value))),
        }
    }
    let known = attributes.iter().any(|(name, text)| *name == "id" && text.len() == 36);
    let outer = Outer {
        topic: topic.clone(),
        id: if known { Id::from_bytes([0; 16]) } else { id_of(place, partition, raw.position) },
        time: Timestamp::from_micros(raw.millis.saturating_mul(1_000)),
        key: raw.key().map(Key::from),
        payload: raw.payload(),
    };
    let fallback = outer.id;
    let others = others.iter().map(|(name, text)| (*name, &**text));
    let read = cloudevents::envelope(outer, attributes, others)
        .map_err(|invalid| undecodable(invalid.into()))?;
    // 36 letters that are no id after all.
    if known && read.id == fallback {
        return Ok(Envelope { id: id_of(place, partition, raw.position), ..read });
    }
    Ok(read)
}

/// A header as text: as it is, or as hexadecimal digits after `0x` when it is none.
fn text(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(Key::from(value.to_vec()).to_string()),
    }
}

/// A UUID that is computed from a place: version 8, the bits of FNV-1a.
fn id_of(topic: &str, partition: u32, position: u64) -> Id {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let place = [&partition.to_be_bytes()[..], &position.to_be_bytes()[..]].concat();
    let bytes = topic.as_bytes().iter().chain(&place);
    let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
    let mut id = hash.to_be_bytes();
    id[6] = 0x80 | (id[6] & 0x0f);
    id[8] = 0x80 | (id[8] & 0x3f);
    Id::from_bytes(id)
}

#[cfg(test)]
mod tests {
    use switchboard_core::{Clock, Rng, SystemClock};

    use super::*;

    fn read(headers: &[(&str, Option<&[u8]>)]) -> Result<Envelope, Undecodable> {
        let raw = Raw::made(7, Some(b"k"), b"payload", headers);
        envelope(&raw, &"orders".into(), "shop.orders", 3)
    }

    #[test]
    fn a_strangers_record_has_the_same_id_whenever_it_is_read() {
        let first = read(&[("color", Some(b"blue")), ("nothing", None)]).expect("readable");
        let again = read(&[("color", Some(b"blue")), ("nothing", None)]).expect("readable");
        assert_eq!(first, again);
        assert_eq!(first.id.to_string(), "b0c721e1-80d0-80fa-a09f-c87ce8530c80");
        assert_eq!((&*first.headers["color"], &*first.headers["nothing"]), ("blue", ""));
        assert_eq!((first.kind.as_str(), first.topic.as_str()), ("orders", "orders"));
        assert_eq!(first.key, Some("k".into()));
        assert_eq!(first.time.as_millis(), 1_700_000_000_000);
        let elsewhere = envelope(&Raw::made(8, None, b"", &[]), &"o".into(), "shop.orders", 3);
        assert_ne!(elsewhere.expect("readable").id, first.id);
    }

    #[test]
    fn a_strangers_id_is_kept_and_what_only_looks_like_one_is_computed() {
        let text: &[u8] = b"abcdefgh-ijkl-mnop-qrst-uvwxyzabcdef";
        let read = read(&[("ce_id", Some(text)), ("ce_subject", Some(b"7"))]).expect("readable");
        assert_ne!(*read.id.as_bytes(), [0; 16]);
        assert_eq!(read.headers["ce-id"].as_bytes(), text);
        assert_eq!(&*read.headers["subject"], "7");
    }

    #[test]
    fn what_is_damaged_keeps_its_bytes_and_key() {
        let bad: [(&str, &[u8]); 2] = [("ce_time", b"noon"), ("ce_type", &[0xff])];
        for (name, value) in bad {
            let undecodable = read(&[(name, Some(value))]).expect_err("damaged");
            assert_eq!(&undecodable.bytes[..], b"payload");
            assert_eq!(undecodable.key, Some("k".into()));
            assert!(matches!(undecodable.error, DecodeError::Headers(_)));
        }
    }

    #[test]
    fn binary_headers_of_strangers_become_digits() {
        let read = read(&[("kafka_dlt-original-offset", Some(&[0, 0, 0, 0, 0, 0, 0, 0xff]))]);
        let read = read.expect("readable");
        assert_eq!(&*read.headers["kafka_dlt-original-offset"], "0x00000000000000ff");
    }

    #[test]
    fn headers_are_counted_as_they_are_written() {
        let clock: &dyn Clock = &SystemClock;
        let envelope =
            Envelope::new("orders", "k", "s", clock, &mut Rng::from_seed(1)).with_header("a", "bc");
        let attributes = cloudevents::attributes(&envelope);
        let sizes = attributes.iter().map(|(name, text)| 3 + name.len() + text.len() + 4);
        assert_eq!(headers(&envelope).bytes(), sizes.sum::<usize>() + 3 + 4);
    }
}
