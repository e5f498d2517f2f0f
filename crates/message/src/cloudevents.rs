//! An envelope as CloudEvents attributes, for brokers whose messages other clients read and write too.
//!
//! Each attribute is a name and a text; an adapter adds its binding's prefix (`ce_` on Kafka,
//! `cloudEvents:` on AMQP) and puts payload and key where its broker keeps them. What CloudEvents
//! does not know travels as extension attributes, whose names are lower-case letters and digits as
//! the specification wants: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>.
//!
//! A stranger's message may have none of them: it becomes an envelope with the adapter's fallback
//! id, and its other headers stay as they are.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use switchboard_core::{Context, Envelope, Id, Identity, Key, Name, Priority, Slot, Timestamp};

/// The attribute that says which version of CloudEvents is spoken.
pub const SPEC_VERSION: &str = "1.0";

/// What an adapter knows of a message beside its attributes.
#[derive(Clone, Debug)]
pub struct Outer {
    /// Where it was read.
    pub topic: Name,
    /// The id, if the message names none that is a UUID.
    pub id: Id,
    /// The time, if the message names none.
    pub time: Timestamp,
    /// What keeps it in order.
    pub key: Option<Key>,
    /// The content.
    pub payload: Bytes,
}

/// An attribute is there, and its text is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the attribute `{name}` is `{text}`, which is not {expected}")]
pub struct InvalidAttribute {
    /// The attribute's name, without a prefix.
    pub name: &'static str,
    /// What it says.
    pub text: String,
    /// What it should be.
    pub expected: &'static str,
}

/// The attributes of an envelope, without key and payload. Headers of the envelope are not among
/// them: an adapter writes those under their own names.
pub fn attributes(envelope: &Envelope) -> Vec<(&'static str, Cow<'_, str>)> {
    let context = &envelope.context;
    let mut list: Vec<(&'static str, Cow<'_, str>)> = Vec::with_capacity(16);
    list.push(("specversion", SPEC_VERSION.into()));
    list.push(("id", envelope.id.to_string().into()));
    list.push(("source", envelope.source.as_str().into()));
    list.push(("type", envelope.kind.as_str().into()));
    list.push(("time", envelope.time.to_string().into()));
    list.push(("schemaversion", envelope.version.to_string().into()));
    if let Some(identity) = &envelope.identity {
        list.push(("incarnation", identity.incarnation.to_string().into()));
        list.push(("slot", identity.slot.0.to_string().into()));
        list.push(("sequence", identity.sequence.to_string().into()));
        if identity.source != envelope.source {
            list.push(("store", identity.source.as_str().into()));
        }
    }
    list.push(("correlationid", context.correlation.to_string().into()));
    if let Some(causation) = context.causation {
        list.push(("causationid", causation.to_string().into()));
    }
    if let Some(deadline) = context.deadline {
        list.push(("deadline", deadline.to_string().into()));
    }
    if context.attempt > 0 {
        list.push(("attempt", context.attempt.to_string().into()));
    }
    if context.priority != Priority::Standard {
        list.push(("priority", priority(context.priority).into()));
    }
    if let Some(key) = &context.idempotency_key {
        list.push(("idempotencykey", (&**key).into()));
    }
    if let Some(trace) = &context.traceparent {
        list.push(("traceparent", (&**trace).into()));
    }
    list
}

/// An envelope from its attributes (names without a prefix) and everything else it had as headers.
///
/// # Errors
/// [`InvalidAttribute`] when one of ours is there and cannot be read: the message is damaged, and
/// guessing would break its order or its identity. An `id` that is no UUID is a stranger's right.
pub fn envelope<'a>(
    outer: Outer,
    attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Envelope, InvalidAttribute> {
    let Outer { topic, id, time, key, payload } = outer;
    let mut envelope = Envelope {
        id,
        kind: topic.clone(),
        topic,
        version: 1,
        source: "".into(),
        time,
        key,
        identity: None,
        context: Context::of(id),
        headers: headers.into_iter().map(|(name, text)| (name.into(), Arc::from(text))).collect(),
        payload,
    };
    let mut correlation = None;
    let (mut incarnation, mut slot, mut sequence, mut store) = (None, None, None, None);
    for (name, text) in attributes {
        let context = &mut envelope.context;
        match name {
            "specversion" => {}
            "id" => match Id::from_str(text) {
                Ok(id) => envelope.id = id,
                Err(_) => drop(envelope.headers.insert("ce-id".into(), text.into())),
            },
            "source" => envelope.source = text.into(),
            "type" => envelope.kind = text.into(),
            "time" => envelope.time = parse("time", text, "an RFC 3339 time")?,
            "schemaversion" => envelope.version = parse("schemaversion", text, "a number")?,
            "incarnation" => incarnation = Some(parse("incarnation", text, "a number")?),
            "slot" => slot = Some(Slot(parse("slot", text, "a number up to 255")?)),
            "sequence" => sequence = Some(parse("sequence", text, "a number")?),
            "store" => store = Some(Name::from(text)),
            "correlationid" => correlation = Some(parse("correlationid", text, "a UUID")?),
            "causationid" => context.causation = Some(parse("causationid", text, "a UUID")?),
            "deadline" => context.deadline = Some(parse("deadline", text, "an RFC 3339 time")?),
            "attempt" => context.attempt = parse("attempt", text, "a number")?,
            "priority" => context.priority = priority_of(text)?,
            "idempotencykey" => context.idempotency_key = Some(text.into()),
            "traceparent" => context.traceparent = Some(text.into()),
            other => drop(envelope.headers.insert(other.into(), text.into())),
        }
    }
    envelope.context.correlation = correlation.unwrap_or(envelope.id);
    // The three belong together: a stranger may use one of the names for something of its own.
    if let (Some(incarnation), Some(slot), Some(sequence)) = (incarnation, slot, sequence) {
        let source = store.unwrap_or_else(|| envelope.source.clone());
        envelope.identity = Some(Identity { source, incarnation, sequence, slot });
    }
    Ok(envelope)
}

fn parse<T: FromStr>(
    name: &'static str,
    text: &str,
    expected: &'static str,
) -> Result<T, InvalidAttribute> {
    text.parse().map_err(|_| InvalidAttribute { name, text: text.into(), expected })
}

const fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "critical",
        Priority::Standard => "standard",
        Priority::Batch => "batch",
    }
}

fn priority_of(text: &str) -> Result<Priority, InvalidAttribute> {
    [Priority::Critical, Priority::Standard, Priority::Batch]
        .into_iter()
        .find(|known| priority(*known) == text)
        .ok_or_else(|| InvalidAttribute {
            name: "priority",
            text: text.into(),
            expected: "`critical`, `standard` or `batch`",
        })
}

#[cfg(test)]
mod tests {
    use switchboard_core::{Clock, Rng, SystemClock};

    use super::*;

    fn round_trip(sent: &Envelope) -> Envelope {
        let clock: &dyn Clock = &SystemClock;
        let outer = Outer {
            topic: sent.topic.clone(),
            id: Id::new(clock, &mut Rng::from_seed(99)),
            time: clock.now(),
            key: sent.key.clone(),
            payload: sent.payload.clone(),
        };
        let attributes = attributes(sent);
        let attributes = attributes.iter().map(|(name, text)| (*name, &**text));
        let headers = sent.headers.iter().map(|(name, text)| (name.as_str(), &**text));
        envelope(outer, attributes, headers).expect("our own attributes")
    }

    fn plain() -> Envelope {
        Envelope::new("orders", "order.placed", "shop", &SystemClock, &mut Rng::from_seed(7))
            .with_key("order-7".into())
            .with_payload("{}")
    }

    #[test]
    fn an_envelope_survives_the_round_trip() {
        let mut full = plain().with_header("content-type", "application/json");
        full.version = 3;
        full.identity =
            Some(Identity { source: "orders".into(), incarnation: 2, sequence: 41, slot: Slot(9) });
        full.context.deadline = Some(Timestamp::from_micros(1_500_000));
        full.context.attempt = 2;
        full.context.priority = Priority::Critical;
        full.context.idempotency_key = Some("k 1".into());
        full.context.causation = Some(Id::from_bytes([7; 16]));
        full.context.traceparent = Some("00-a-b-01".into());
        for sent in [plain(), full] {
            assert_eq!(round_trip(&sent), sent);
        }
    }

    #[test]
    fn a_stranger_needs_no_attributes() {
        let outer = Outer {
            topic: "orders".into(),
            id: Id::from_bytes([1; 16]),
            time: Timestamp::from_micros(5),
            key: None,
            payload: "hello".into(),
        };
        let read = envelope(outer, [("id", "order/7")], [("color", "blue")]).expect("readable");
        assert_eq!(read.id, Id::from_bytes([1; 16]));
        assert_eq!(read.kind, "orders");
        assert_eq!(read.identity, None);
        assert_eq!(&*read.headers["ce-id"], "order/7");
        assert_eq!(&*read.headers["color"], "blue");
    }

    #[test]
    fn a_damaged_attribute_is_named() {
        let outer = Outer {
            topic: "orders".into(),
            id: Id::from_bytes([1; 16]),
            time: Timestamp::from_micros(5),
            key: None,
            payload: Bytes::new(),
        };
        let error = envelope(outer, [("sequence", "many")], []).expect_err("not a number");
        assert_eq!(error.to_string(), "the attribute `sequence` is `many`, which is not a number");
    }
}
