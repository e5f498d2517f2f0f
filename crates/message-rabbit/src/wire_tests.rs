//! What is written is read, and what strangers write is read as far as it goes.

use switchboard_core::{Identity, Rng, Slot, SystemClock};

use super::*;

fn plain() -> Envelope {
    Envelope::new("orders", "order.placed", "shop", &SystemClock, &mut Rng::from_seed(7))
        .with_payload("{}")
}

fn read(raw: &Raw) -> Result<Envelope, Undecodable> {
    let drawn = || Id::from_bytes([9; 16]);
    decode(raw, &"orders".into(), false, drawn, Timestamp::from_micros(5))
}

fn raw_of(sent: &Envelope, with_topic: bool) -> Raw {
    let properties = encode(sent, with_topic, 1 << 20).unwrap();
    Raw { properties, payload: sent.payload.clone() }
}

#[test]
fn an_envelope_survives_the_round_trip() {
    let mut full = plain().with_header("content-type", "text/plain").with_header("x-own", "");
    full.key = Some(Key::from(vec![0, 159, 146, 150]));
    full.identity =
        Some(Identity { source: "orders".into(), incarnation: 2, sequence: 41, slot: Slot(9) });
    for sent in [plain(), plain().with_key("k".into()), full] {
        assert_eq!(read(&raw_of(&sent, false)).unwrap(), sent);
    }
}

#[test]
fn other_clients_see_properties() {
    let sent = plain();
    let properties = encode(&sent, false, 1 << 20).unwrap();
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), sent.id.to_string());
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert!(properties.timestamp().is_some() && properties.correlation_id().is_some());
}

#[test]
fn a_queue_keeps_the_topic() {
    let sent = plain();
    let raw = raw_of(&sent, true);
    let drawn = || Id::from_bytes([9; 16]);
    let of_queue = decode(&raw, &"mail".into(), true, drawn, sent.time).unwrap();
    assert_eq!(of_queue, sent);
}

#[test]
fn a_stranger_is_read_by_its_properties() {
    let mut headers = FieldTable::default();
    headers.insert("color".into(), AMQPValue::LongString("blue".into()));
    headers.insert("size".into(), AMQPValue::LongInt(7));
    headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(3));
    headers.insert("cloudEvents_type".into(), AMQPValue::LongString("painted".into()));
    let properties = BasicProperties::default()
        .with_message_id("order/7".into())
        .with_content_type("text/xml".into())
        .with_timestamp(12)
        .with_headers(headers);
    let raw = Raw { properties, payload: "<a/>".into() };
    let envelope = read(&raw).unwrap();
    assert_eq!(envelope.id, read(&raw).unwrap().id, "the same message id, the same id");
    assert_ne!(envelope.id, Id::from_bytes([9; 16]));
    assert_eq!((&*envelope.kind, &*envelope.topic), ("painted", "orders"));
    assert_eq!(envelope.time, Timestamp::from_micros(12_000_000));
    let headers: Vec<(&str, &str)> =
        envelope.headers.iter().map(|(name, text)| (name.as_str(), &**text)).collect();
    assert_eq!(headers, [("color", "blue"), ("content-type", "text/xml"), ("size", "7")]);
    assert_eq!(delivery_count(&raw.properties, true), 3);
}

#[test]
fn without_a_message_id_an_id_is_drawn() {
    let raw = Raw { properties: BasicProperties::default(), payload: Bytes::new() };
    let envelope = read(&raw).unwrap();
    assert_eq!(envelope.id, Id::from_bytes([9; 16]));
    assert_eq!(envelope.time, Timestamp::from_micros(5));
    assert_eq!(delivery_count(&raw.properties, true), 1);
    assert_eq!(delivery_count(&raw.properties, false), 0);
}

#[test]
fn a_damaged_attribute_keeps_bytes_and_key() {
    let sent = plain().with_key("k".into());
    let mut raw = raw_of(&sent, false);
    let mut headers = raw.properties.headers().clone().unwrap();
    headers.insert("cloudEvents:time".into(), AMQPValue::LongString("noon".into()));
    raw.properties = raw.properties.with_headers(headers);
    let undecodable = read(&raw).unwrap_err();
    assert_eq!((&undecodable.bytes[..], undecodable.key), (&b"{}"[..], Some("k".into())));
    assert!(switchboard_core::chain(&undecodable.error).contains("noon"));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let long = plain().with_header("h".repeat(256), "");
    assert!(matches!(encode(&long, false, 1 << 20), Err(PublishError::Refused(_))));
    let disguised = plain().with_header("cloudEvents:id", "");
    assert!(matches!(encode(&disguised, false, 1 << 20), Err(PublishError::Refused(_))));
    let large = plain().with_payload(vec![0; 500]);
    assert!(matches!(encode(&large, false, 500), Err(PublishError::TooLarge { .. })));
}
