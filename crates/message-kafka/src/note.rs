//! What is noted beside a committed position: which records beyond it are done, and which were handed out.
//!
//! Kafka keeps up to 4096 bytes of text with each committed offset. A member that takes over skips
//! what is done already, and knows of the rest whether somebody has had it in hand. The form is
//! `sb1:` and base64 of numbers in groups of seven bits, all relative to what came before: how far
//! was handed out, then for each run of done positions the distance to it and its length.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

/// The most that Kafka keeps, by its default `offset.metadata.max.bytes`.
const LIMIT: usize = 4096;
const FORM: &str = "sb1:";

/// What a former assignment left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// The highest position that was handed out.
    pub(crate) seen: u64,
    /// Runs of positions that are done, first and last, rising.
    done: Vec<(u64, u64)>,
}

// === impl Note ===

impl Note {
    /// The note beside this position. What does not fit is left out, and done again.
    pub(crate) fn write(
        position: u64,
        seen: u64,
        done: impl IntoIterator<Item = (u64, u64)>,
    ) -> String {
        if seen <= position {
            return String::new();
        }
        let room = (LIMIT - FORM.len()) / 4 * 3;
        let mut bytes = Vec::new();
        put(&mut bytes, seen - position);
        let mut before = position;
        for (first, last) in done {
            let length = bytes.len();
            put(&mut bytes, first - before);
            put(&mut bytes, last - first);
            if bytes.len() > room {
                bytes.truncate(length);
                break;
            }
            before = last;
        }
        format!("{FORM}{}", BASE64.encode(bytes))
    }

    /// The note that was written beside this position. A text of somebody else says nothing.
    pub(crate) fn read(position: u64, text: &str) -> Self {
        let nothing = Self { seen: position, done: Vec::new() };
        let bytes = text.strip_prefix(FORM).and_then(|rest| BASE64.decode(rest).ok());
        let Some(bytes) = bytes else { return nothing };
        let mut rest = bytes.as_slice();
        let Some(seen) = take(&mut rest) else { return nothing };
        let mut note = Self { seen: position.saturating_add(seen), done: Vec::new() };
        let mut before = position;
        while let (Some(distance), Some(length)) = (take(&mut rest), take(&mut rest)) {
            let first = before.saturating_add(distance);
            let last = first.saturating_add(length);
            // Nothing that was not handed out can be done.
            if distance == 0 || last > note.seen {
                return nothing;
            }
            note.done.push((first, last));
            before = last;
        }
        note
    }

    /// The same without what is done: whoever begins elsewhere has its reasons to see that again.
    pub(crate) fn only_seen(self) -> Self {
        Self { done: Vec::new(), ..self }
    }

    /// Runs of done positions that lie wholly beyond this one.
    pub(crate) fn done_beyond(&self, position: u64) -> impl Iterator<Item = (u64, u64)> {
        let first = self.done.partition_point(|(first, _)| *first <= position);
        self.done[first..].iter().copied()
    }

    /// Whether a former assignment has done this record.
    pub(crate) fn is_done(&self, position: u64) -> bool {
        let run = self.done.partition_point(|(_, last)| *last < position);
        self.done.get(run).is_some_and(|(first, _)| *first <= position)
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_note_says_what_was_written(
            position in 0_u64..1 << 40,
            runs in proptest::collection::vec((1_u64..300, 0_u64..300), 0..200),
        ) {
            let mut done = Vec::new();
            let mut at = position;
            for (distance, length) in runs {
                done.push((at + distance, at + distance + length));
                at += distance + length;
            }
            let text = Note::write(position, at + 1, done.clone());
            prop_assert!(text.len() <= LIMIT);
            prop_assert_eq!(Note::read(position, &text), Note { seen: at + 1, done });
        }

        #[test]
        fn any_text_is_read_without_panic(position in any::<u64>(), text in "(sb1:)?[A-Za-z0-9+/]{0,40}") {
            let note = Note::read(position, &text);
            prop_assert!(note.seen >= position);
        }
    }

    #[test]
    fn a_note_that_is_too_long_keeps_its_beginning() {
        let done = (0..100_000).map(|run| (10 + run * 3, 10 + run * 3));
        let text = Note::write(0, 1_000_000, done);
        assert!(text.len() <= LIMIT && text.len() > LIMIT - 8, "{}", text.len());
        let note = Note::read(0, &text);
        assert!(note.is_done(10) && !note.is_done(11) && note.is_done(13));
        assert!(note.done.len() > 1_500);
    }

    #[test]
    fn nothing_is_noted_when_nothing_is_open() {
        assert_eq!(Note::write(7, 7, []), "");
        assert_eq!(Note::read(7, ""), Note { seen: 7, done: Vec::new() });
        assert_eq!(Note::read(7, "somebody else's"), Note { seen: 7, done: Vec::new() });
    }
}
