//! Server-sent events as they arrive in pieces: what the subscription over GraphQL is read by.

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Pieces that are not a whole event yet.
#[derive(Debug, Default)]
pub(super) struct Events(Vec<u8>);

// === impl Events ===

impl Events {
    /// The events that are whole with this piece. Lines that say nothing (signs of life) are none.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Vec<Event> {
        self.0.extend_from_slice(piece);
        let mut events = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            events.extend(Event::of(&String::from_utf8_lossy(&block)));
        }
        events
    }
}

// === impl Event ===

impl Event {
    fn of(block: &str) -> Option<Self> {
        let mut event = Self { name: "message".to_owned(), data: String::new() };
        let mut is_one = false;
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut event.name),
                "data" if event.data.is_empty() => value.clone_into(&mut event.data),
                "data" => event.data = format!("{}\n{value}", event.data),
                _ => continue,
            }
            is_one = true;
        }
        is_one.then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_wherever_the_pieces_end() {
        let text = b"event: next\ndata: {\"a\":1}\n\n:\n\nevent: complete\ndata:\n\n";
        let event = |name: &str, data: &str| Event { name: name.into(), data: data.into() };
        let expected = [event("next", "{\"a\":1}"), event("complete", "")];
        for size in 1..=text.len() {
            let mut events = Events::default();
            let seen: Vec<_> = text.chunks(size).flat_map(|piece| events.feed(piece)).collect();
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }
}
