//! The form of a message in a queue: its routing and deaths can be read even when its envelope cannot.
//!
//! ```text
//! ┌────────┬──────────────────┬─────────┬──────────────────┐
//! │ format │ length of the    │ routing │ encoded envelope │
//! │ 1 byte │ routing, u32 LE  │ postcard│                  │
//! └────────┴──────────────────┴─────────┴──────────────────┘
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use switchboard_core::{DecodeError, Envelope, Key, Name};

use crate::Undecodable;
use crate::exchange::{Death, Reason};

const FORMAT: u8 = 1;
const HEADER: usize = 5;

/// How a message came into its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Routing {
    pub(super) exchange: Name,
    pub(super) routing_key: Name,
    /// The envelope's key, for when the envelope cannot be read.
    pub(super) key: Option<Key>,
    /// The latest first.
    pub(super) deaths: Vec<Death>,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    exchange: Name,
    routing_key: Name,
    key: Option<Key>,
    deaths: Vec<(Name, u8, u64, Name, Name)>,
}

// === impl Routing ===

impl Routing {
    /// The way of a message that was sent here.
    pub(super) fn new(exchange: &str, routing_key: &str, key: Option<Key>) -> Self {
        let (exchange, routing_key) = (exchange.into(), routing_key.into());
        Self { exchange, routing_key, key, deaths: Vec::new() }
    }

    /// Puts an encoded envelope behind its routing.
    pub(super) fn encode(&self, envelope: &[u8]) -> Bytes {
        let death = |death: &Death| {
            let Death { queue, reason, count, exchange, routing_key } = death.clone();
            (queue, code(reason), count, exchange, routing_key)
        };
        let written = Written {
            exchange: self.exchange.clone(),
            routing_key: self.routing_key.clone(),
            key: self.key.clone(),
            deaths: self.deaths.iter().map(death).collect(),
        };
        let mut item = Vec::with_capacity(HEADER + 64 + envelope.len());
        item.extend_from_slice(&[FORMAT, 0, 0, 0, 0]);
        // Writing to memory a value that holds only numbers, texts and lists cannot fail.
        let mut item = postcard::to_extend(&written, item).unwrap_or_default();
        let length = u32::try_from(item.len() - HEADER).unwrap_or(u32::MAX);
        item[1..HEADER].copy_from_slice(&length.to_le_bytes());
        item.extend_from_slice(envelope);
        item.into()
    }

    /// Notes that the message left `queue` for this reason. The latest death comes first.
    pub(super) fn die(&mut self, queue: &Name, reason: Reason) {
        let same = |death: &Death| death.queue == *queue && death.reason == reason;
        let mut death = match self.deaths.iter().position(same) {
            Some(index) => self.deaths.remove(index),
            None => Death {
                queue: queue.clone(),
                reason,
                count: 0,
                exchange: self.exchange.clone(),
                routing_key: self.routing_key.clone(),
            },
        };
        death.count += 1;
        self.deaths.insert(0, death);
    }

    /// Whether the message, which has just died, would go in a circle if `queue` got it: it was
    /// there, and was not rejected since.
    pub(super) fn circles_to(&self, queue: &Name) -> bool {
        let Some(last) = self.deaths.iter().position(|death| death.queue == *queue) else {
            return false;
        };
        self.deaths[..=last].iter().all(|death| death.reason != Reason::Rejected)
    }
}

/// Reads an item, or what can be read of it. Keeps no part of `item` alive but the key.
pub(super) fn decode(item: &[u8]) -> (Routing, Result<Envelope, Undecodable>) {
    let (routing, envelope) = split(item);
    let decoded = match item.first() {
        Some(&FORMAT) => Envelope::decode(envelope),
        Some(&other) => Err(DecodeError::UnknownFormat(other)),
        None => Envelope::decode(&[]),
    };
    let message = decoded.map_err(|error| Undecodable {
        bytes: Bytes::copy_from_slice(envelope),
        key: routing.key.clone(),
        error,
    });
    (routing, message)
}

/// An item's routing, and its envelope as it lies there; the whole item when it has no routing.
pub(super) fn split(item: &[u8]) -> (Routing, &[u8]) {
    let parts = || {
        let (header, rest) = item.split_at_checked(HEADER)?;
        let length = u32::from_le_bytes(header[1..].try_into().ok()?);
        let (routing, envelope) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let written = (header[0] == FORMAT).then(|| postcard::from_bytes::<Written>(routing))?;
        Some((read(written.ok()?)?, envelope))
    };
    parts().unwrap_or_else(|| (Routing::new("", "", None), item))
}

fn read(written: Written) -> Option<Routing> {
    let Written { exchange, routing_key, key, deaths } = written;
    let death = |(queue, reason, count, exchange, routing_key)| {
        Some(Death { queue, reason: reason_of(reason)?, count, exchange, routing_key })
    };
    let deaths = deaths.into_iter().map(death).collect::<Option<_>>()?;
    Some(Routing { exchange, routing_key, key, deaths })
}

/// Written in files: never change a number.
const fn code(reason: Reason) -> u8 {
    match reason {
        Reason::Rejected => 0,
        Reason::Expired => 1,
        Reason::MaxLen => 2,
        Reason::DeliveryLimit => 3,
    }
}

const fn reason_of(code: u8) -> Option<Reason> {
    match code {
        0 => Some(Reason::Rejected),
        1 => Some(Reason::Expired),
        2 => Some(Reason::MaxLen),
        3 => Some(Reason::DeliveryLimit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing() -> Routing {
        Routing::new("e", "a.b", Some(Key::from("k")))
    }

    #[test]
    fn what_is_written_is_read() {
        let mut routing = routing();
        for reason in [
            Reason::Rejected,
            Reason::Expired,
            Reason::MaxLen,
            Reason::DeliveryLimit,
            Reason::Expired,
        ] {
            routing.die(&"q".into(), reason);
        }
        let item = routing.encode(b"body");
        assert_eq!(split(&item), (routing, &b"body"[..]));
    }

    #[test]
    fn no_bytes_panic() {
        let item = routing().encode(b"\x09body");
        for length in 0..item.len() {
            assert!(decode(&item[..length]).1.is_err(), "{length}");
        }
        let (routing, message) = decode(&item);
        assert_eq!(routing.routing_key, "a.b");
        assert_eq!(message.unwrap_err().key, Some(Key::from("k")));
        assert!(decode(&[1, 0xff, 0xff, 0xff, 0xff, 0]).1.is_err());
        let other = decode(b"\x07rest").1.unwrap_err().error;
        assert!(matches!(other, DecodeError::UnknownFormat(7)));
    }

    #[test]
    fn deaths_are_counted_and_the_latest_comes_first() {
        let (mut routing, a, b) = (routing(), Name::from("a"), Name::from("b"));
        routing.die(&a, Reason::Expired);
        routing.die(&b, Reason::Expired);
        assert!(routing.circles_to(&a) && routing.circles_to(&b));
        routing.die(&a, Reason::Expired);
        let seen: Vec<_> = routing.deaths.iter().map(|d| (d.queue.as_str(), d.count)).collect();
        assert_eq!(seen, [("a", 2), ("b", 1)]);
        routing.die(&b, Reason::Rejected);
        assert!(!routing.circles_to(&a), "it was rejected on the way");
        assert!(!routing.circles_to(&"c".into()));
    }
}
