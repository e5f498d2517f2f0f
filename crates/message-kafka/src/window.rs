//! What is handed out of one partition and not yet done, in order of position.
//!
//! It answers as [`Contiguous`](switchboard_message::Contiguous) does (a test holds them together),
//! and knows more of each record: whether it is in hand, how often it came, and its bytes, to
//! deliver it again. Positions on Kafka have gaps, where transactions end or records were compacted
//! away: the window follows what was delivered, not what would be next.

use std::collections::VecDeque;

use crate::client::Raw;

/// The records of one assignment that are handed out.
#[derive(Debug)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    /// The highest position that was handed out, or after which the assignment began.
    newest: u64,
    done: u64,
}

/// A record that is handed out.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) position: u64,
    /// How often it was handed out before this time.
    pub(crate) redelivered: u32,
    pub(crate) stage: Stage,
    /// Its bytes, until it is done.
    pub(crate) raw: Option<Raw>,
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// With the consumer.
    InHand,
    /// Waiting to be delivered again, or to be a dead letter.
    Waiting,
    /// Done, and one before it is not.
    Done,
}

// === impl Window ===

impl Window {
    /// Nothing handed out, everything up to `position` done.
    pub(crate) fn after(position: u64) -> Self {
        Self { entries: VecDeque::new(), newest: position, done: position }
    }

    /// The highest position that was handed out.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// The highest position at or below which everything is done.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// A record is handed out. Positions rise.
    pub(crate) fn start(&mut self, position: u64, redelivered: u32, raw: Raw) {
        debug_assert!(position > self.newest, "positions start in rising order");
        self.newest = position;
        let entry = Entry { position, redelivered, stage: Stage::InHand, raw: Some(raw) };
        self.entries.push_back(entry);
    }

    /// A record was done by a former assignment.
    pub(crate) fn pass(&mut self, position: u64) {
        debug_assert!(position > self.newest, "positions start in rising order");
        self.newest = position;
        if self.entries.is_empty() {
            self.done = position;
        } else {
            let entry = Entry { position, redelivered: 0, stage: Stage::Done, raw: None };
            self.entries.push_back(entry);
        }
    }

    /// The record at this position, unless it is done or was never handed out.
    pub(crate) fn get(&mut self, position: u64) -> Option<&mut Entry> {
        let index = self.entries.binary_search_by_key(&position, |entry| entry.position).ok()?;
        self.entries.get_mut(index).filter(|entry| entry.stage != Stage::Done)
    }

    /// A record is done. False when it was done before, or never handed out.
    pub(crate) fn finish(&mut self, position: u64) -> bool {
        let Some(entry) = self.get(position) else { return false };
        entry.stage = Stage::Done;
        entry.raw = None;
        while self.entries.front().is_some_and(|entry| entry.stage == Stage::Done) {
            self.entries.pop_front();
        }
        self.done = self.entries.front().map_or(self.newest, |oldest| oldest.position - 1);
        true
    }

    /// Records that take a place of the budget.
    pub(crate) fn outstanding(&self) -> usize {
        self.entries.iter().filter(|entry| entry.stage != Stage::Done).count()
    }

    /// Records that are with the consumer.
    pub(crate) fn in_hand(&self) -> usize {
        self.entries.iter().filter(|entry| entry.stage == Stage::InHand).count()
    }

    /// Runs of positions above [`Window::done`] that are done as well, first and last. A gap inside
    /// a run belongs to it.
    pub(crate) fn done_beyond(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut entries = self.entries.iter().peekable();
        std::iter::from_fn(move || {
            let first = entries.find(|entry| entry.stage == Stage::Done)?.position;
            let mut last = first;
            while let Some(entry) = entries.next_if(|entry| entry.stage == Stage::Done) {
                last = entry.position;
            }
            Some((first, last))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use switchboard_core::Position;
    use switchboard_message::Contiguous;

    use super::*;

    fn raw() -> Raw {
        Raw::made(1, None, b"", &[])
    }

    proptest! {
        #[test]
        fn it_answers_as_contiguous_does(
            begin in 0_u64..5,
            gaps in proptest::collection::vec(1_u64..4, 1..40),
            finishes in proptest::collection::vec((0_usize..60, 0_usize..40), 0..80),
        ) {
            let (mut window, mut model) = (Window::after(begin), Contiguous::after(Position(begin)));
            let mut positions = Vec::new();
            let mut at = begin;
            let mut left = gaps.into_iter();
            for (start, finish) in finishes {
                for gap in left.by_ref().take(start % 3) {
                    at += gap;
                    positions.push(at);
                    window.start(at, 0, raw());
                    model.start(Position(at));
                }
                let position = positions.get(finish).copied().unwrap_or(at + 9);
                let finished = window.finish(position);
                prop_assert_eq!(finished, model.finish(Position(position)));
                // What was not outstanding moves the model past a gap, and not the window.
                prop_assert!(window.done() <= model.done().0);
                prop_assert!(!finished || window.done() == model.done().0);
                prop_assert_eq!(window.outstanding(), model.outstanding());
                for (first, last) in window.done_beyond() {
                    prop_assert!(first > window.done() && first <= last);
                }
            }
        }
    }

    #[test]
    fn runs_of_what_is_done_beyond() {
        let mut window = Window::after(10);
        for position in [11, 12, 14, 15, 20, 21] {
            window.start(position, 0, raw());
        }
        for position in [12, 14, 20] {
            assert!(window.finish(position));
        }
        assert_eq!(window.done_beyond().collect::<Vec<_>>(), [(12, 14), (20, 20)]);
        assert!(window.finish(11));
        assert_eq!(window.done(), 14);
        assert_eq!(window.done_beyond().collect::<Vec<_>>(), [(20, 20)]);
        assert_eq!((window.outstanding(), window.in_hand()), (2, 2));
        window.pass(22);
        assert_eq!(window.done_beyond().collect::<Vec<_>>(), [(20, 20), (22, 22)]);
    }
}
