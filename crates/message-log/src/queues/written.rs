//! The form of the layout's cell and of the journal's records. What is written here is read by
//! later versions, so it has types of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use switchboard_core::{Name, Timestamp};
use switchboard_message::exchange::embedded::{Back, Note};
use switchboard_message::exchange::{Binding, DeadLetter, Exchange, Kind, Layout, Matching, Queue};

const FORMAT: u8 = 1;
/// Stretches or returns of one piece of a note.
const PIECE: usize = 64;

/// A layout in its cell.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WrittenLayout {
    exchanges: Vec<WrittenExchange>,
    /// In the order of their numbers.
    queues: Vec<WrittenQueue>,
    bindings: Vec<WrittenBinding>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenExchange {
    name: Name,
    kind: u8,
    alternate: Option<Name>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenQueue {
    name: Name,
    dead_letter: Option<(Name, Option<Name>)>,
    ttl_millis: Option<u64>,
    delivery_limit: u32,
    max_length: Option<u64>,
    single_active_consumer: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenBinding {
    exchange: Name,
    queue: Name,
    matching: WrittenMatching,
}

#[derive(Debug, Serialize, Deserialize)]
enum WrittenMatching {
    Key(Name),
    Headers(bool, BTreeMap<Name, Option<Arc<str>>>),
}

/// A note in the journal.
#[derive(Debug, Serialize, Deserialize)]
struct WrittenNote {
    queue: u32,
    handed: u64,
    settled: Vec<(u64, u64)>,
    /// Position, count, and the moment in microseconds if there is one.
    back: Vec<(u64, u32, Option<i64>)>,
}

// === impl WrittenLayout ===

impl From<&Layout> for WrittenLayout {
    fn from(layout: &Layout) -> Self {
        let exchange = |exchange: &Exchange| WrittenExchange {
            name: exchange.name.clone(),
            kind: code(exchange.kind),
            alternate: exchange.alternate.clone(),
        };
        let dead = |dead: &DeadLetter| (dead.exchange.clone(), dead.routing_key.clone());
        let millis = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let queue = |queue: &Queue| WrittenQueue {
            name: queue.name.clone(),
            dead_letter: queue.dead_letter.as_ref().map(dead),
            ttl_millis: queue.ttl.map(millis),
            delivery_limit: queue.delivery_limit,
            max_length: queue.max_length,
            single_active_consumer: queue.single_active_consumer,
        };
        let binding = |binding: &Binding| WrittenBinding {
            exchange: binding.exchange.clone(),
            queue: binding.queue.clone(),
            matching: match binding.matching.clone() {
                Matching::Key(key) => WrittenMatching::Key(key),
                Matching::Headers { all, values } => WrittenMatching::Headers(all, values),
            },
        };
        Self {
            exchanges: layout.exchanges.iter().map(exchange).collect(),
            queues: layout.queues.iter().map(queue).collect(),
            bindings: layout.bindings.iter().map(binding).collect(),
        }
    }
}

impl TryFrom<WrittenLayout> for Layout {
    type Error = postcard::Error;

    fn try_from(written: WrittenLayout) -> Result<Self, Self::Error> {
        let exchange = |exchange: WrittenExchange| {
            let WrittenExchange { name, kind, alternate } = exchange;
            let kind = kind_of(kind).ok_or(postcard::Error::DeserializeBadEncoding)?;
            Ok(Exchange { name, kind, alternate })
        };
        let dead = |(exchange, routing_key)| DeadLetter { exchange, routing_key };
        let queue = |queue: WrittenQueue| Queue {
            name: queue.name,
            dead_letter: queue.dead_letter.map(dead),
            ttl: queue.ttl_millis.map(Duration::from_millis),
            delivery_limit: queue.delivery_limit,
            max_length: queue.max_length,
            single_active_consumer: queue.single_active_consumer,
        };
        let binding = |binding: WrittenBinding| Binding {
            exchange: binding.exchange,
            queue: binding.queue,
            matching: match binding.matching {
                WrittenMatching::Key(key) => Matching::Key(key),
                WrittenMatching::Headers(all, values) => Matching::Headers { all, values },
            },
        };
        Ok(Self {
            exchanges: written.exchanges.into_iter().map(exchange).collect::<Result<_, _>>()?,
            queues: written.queues.into_iter().map(queue).collect(),
            bindings: written.bindings.into_iter().map(binding).collect(),
        })
    }
}

/// Written in files: never change a number.
const fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Direct => 0,
        Kind::Topic => 1,
        Kind::Fanout => 2,
        Kind::Headers => 3,
    }
}

const fn kind_of(code: u8) -> Option<Kind> {
    match code {
        0 => Some(Kind::Direct),
        1 => Some(Kind::Topic),
        2 => Some(Kind::Fanout),
        3 => Some(Kind::Headers),
        _ => None,
    }
}

// === notes ===

/// Notes as records of the journal, each of at most about `limit` bytes.
pub(super) fn records(notes: Vec<Note>, limit: usize) -> Vec<Bytes> {
    let mut records = Vec::new();
    let (mut open, mut bytes) = (Vec::new(), 0);
    for piece in notes.into_iter().flat_map(pieces) {
        // Numbers take at most ten bytes each.
        let size = 40 + 20 * piece.settled.len() + 26 * piece.back.len();
        if bytes + size > limit && !open.is_empty() {
            records.push(encode(&open));
            (open, bytes) = (Vec::new(), 0);
        }
        bytes += size;
        open.push(piece);
    }
    if !open.is_empty() {
        records.push(encode(&open));
    }
    records
}

/// The notes of a record of the journal.
pub(super) fn decode(record: &[u8]) -> Result<Vec<Note>, postcard::Error> {
    let written: Vec<WrittenNote> = match record.split_first() {
        Some((&FORMAT, rest)) => postcard::from_bytes(rest)?,
        _ => return Err(postcard::Error::DeserializeBadEncoding),
    };
    let back = |(position, count, due): (u64, u32, Option<i64>)| {
        (position, Back { count, due: due.map(Timestamp::from_micros) })
    };
    let note = |note: WrittenNote| Note {
        queue: usize::try_from(note.queue).unwrap_or(usize::MAX),
        handed: note.handed,
        settled: note.settled,
        back: note.back.into_iter().map(back).collect(),
    };
    Ok(written.into_iter().map(note).collect())
}

fn encode(notes: &Vec<WrittenNote>) -> Bytes {
    // Writing to memory a value that holds only numbers and lists cannot fail.
    postcard::to_extend(notes, vec![FORMAT]).map(Bytes::from).unwrap_or_default()
}

/// A note in pieces that are small whatever it says.
fn pieces(note: Note) -> Vec<WrittenNote> {
    let queue = u32::try_from(note.queue).unwrap_or(u32::MAX);
    let handed = note.handed;
    let piece = |settled: &[(u64, u64)], back: &[(u64, Back)]| {
        let micros = |due: Timestamp| due.as_micros();
        let back = back.iter().map(|(p, back)| (*p, back.count, back.due.map(micros))).collect();
        WrittenNote { queue, handed, settled: settled.to_vec(), back }
    };
    let mut pieces: Vec<_> = note.settled.chunks(PIECE).map(|some| piece(some, &[])).collect();
    pieces.extend(note.back.chunks(PIECE).map(|some| piece(&[], some)));
    if pieces.is_empty() {
        pieces.push(piece(&[], &[]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_read_as_it_was_written() {
        let layout = Layout::default()
            .with_exchange(Exchange::new("h", Kind::Headers).with_alternate("t"))
            .with_exchange(Exchange::new("t", Kind::Topic))
            .with_queue(
                Queue::new("q")
                    .with_dead_letter("", "dead")
                    .with_ttl(Duration::from_millis(1_500))
                    .with_delivery_limit(3)
                    .with_max_length(9)
                    .with_single_active_consumer(),
            )
            .with_queue(Queue::new("dead").with_dead_letter_exchange("t"))
            .with_binding(Binding::key("t", "q", "a.#"))
            .with_binding(Binding::headers("h", "q", false, [("a", Some("1")), ("b", None)]));
        let bytes = postcard::to_allocvec(&WrittenLayout::from(&layout)).unwrap();
        let read: WrittenLayout = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(Layout::try_from(read).unwrap(), layout);
    }

    #[test]
    fn large_notes_become_several_records_that_say_the_same() {
        let due = Some(Timestamp::from_micros(77));
        let note = Note {
            queue: 3,
            handed: 10_000,
            settled: (0..1_000).map(|n| (n * 3 + 1, n * 3 + 2)).collect(),
            back: (0..500).map(|n| (n * 3 + 3, Back { count: 2, due })).collect(),
        };
        let records = records(vec![note.clone()], 4_096);
        assert!(records.len() > 3 && records.iter().all(|record| record.len() <= 4_096));
        let mut notes = records.iter().flat_map(|record| decode(record).unwrap());
        let mut read = notes.next().unwrap();
        notes.for_each(|piece| {
            read.settled.extend(piece.settled);
            read.back.extend(piece.back);
        });
        assert_eq!(read, note);
        assert!(decode(b"\x09").is_err() && decode(b"").is_err());
    }
}
