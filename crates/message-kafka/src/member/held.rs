//! One partition that a member holds, from the moment when its beginning is known.

use crate::client::{Committed, Raw};
use crate::note::Note;
use crate::window::Window;

/// A partition whose records flow.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) generation: u64,
    pub(super) window: Window,
    /// What former assignments left behind.
    note: Note,
    /// The last position that was fetched.
    pub(super) fetched: u64,
    /// It is to be given up: nothing more is handed out.
    pub(super) draining: bool,
    /// What was committed last.
    pub(super) committed: Option<(u64, String)>,
}

// === impl Held ===

impl Held {
    /// A partition that begins after this position.
    pub(super) fn new(generation: u64, after: u64, committed: &Committed) -> Self {
        let note = match committed.position {
            Some(position) if position == after => Note::read(position, &committed.note),
            Some(position) => Note::read(position, &committed.note).only_seen(),
            None => Note::default(),
        };
        Self {
            generation,
            window: Window::after(after),
            note,
            fetched: after,
            draining: false,
            committed: committed.position.map(|position| (position, committed.note.clone())),
        }
    }

    /// Whether a fetched record is one that is expected. What was fetched twice, after fetching was
    /// paused, is taken once.
    pub(super) fn accept(&mut self, position: u64) -> bool {
        let expected = !self.draining && position > self.fetched;
        if expected {
            self.fetched = position;
        }
        expected
    }

    /// Notes that a record is handed out. Returns it with how often that happened before, or `None`
    /// when it is done already.
    pub(super) fn hand_out(&mut self, raw: Raw) -> Option<(u32, Raw)> {
        if self.note.is_done(raw.position) {
            self.window.pass(raw.position);
            return None;
        }
        let redelivered = u32::from(raw.position <= self.note.seen);
        self.window.start(raw.position, redelivered, raw.clone());
        Some((redelivered, raw))
    }

    /// What is to be committed: the position, and a note of what is done beyond it.
    pub(super) fn progress(&self) -> (u64, String) {
        let (done, newest) = (self.window.done(), self.window.newest());
        let beyond = self.window.done_beyond().chain(self.note.done_beyond(newest));
        (done, Note::write(done, newest.max(self.note.seen), beyond))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(position: u64) -> Raw {
        Raw::made(position, None, b"x", &[])
    }

    fn hand_out(held: &mut Held, position: u64) -> Option<u32> {
        assert!(held.accept(position));
        held.hand_out(raw(position)).map(|(redelivered, _)| redelivered)
    }

    fn committed(held: &Held) -> Committed {
        let (position, note) = held.progress();
        Committed { position: Some(position), note }
    }

    #[test]
    fn a_restart_does_not_redo_what_is_noted() {
        let mut held = Held::new(1, 0, &Committed::default());
        for position in 1..=5 {
            assert_eq!(hand_out(&mut held, position), Some(0));
        }
        for position in [2, 3, 5] {
            assert!(held.window.finish(position));
        }
        let after = committed(&held);
        assert_eq!(after.position, Some(0));
        let mut next = Held::new(2, 0, &after);
        // A crash before anything came again must not forget the note.
        assert_eq!(committed(&next), after);
        assert_eq!(hand_out(&mut next, 1), Some(1));
        assert_eq!(hand_out(&mut next, 2), None);
        assert_eq!(hand_out(&mut next, 3), None);
        assert_eq!(committed(&next), after);
        assert_eq!(hand_out(&mut next, 4), Some(1));
        assert!(next.window.finish(1));
        assert_eq!(next.window.done(), 3);
        assert_eq!(hand_out(&mut next, 5), None);
        assert!(next.window.finish(4));
        assert_eq!(next.progress(), (5, String::new()));
        assert_eq!(hand_out(&mut next, 6), Some(0));
    }

    #[test]
    fn whoever_begins_elsewhere_sees_everything_again() {
        let mut held = Held::new(1, 0, &Committed::default());
        for position in 1..=3 {
            hand_out(&mut held, position);
        }
        assert!(held.window.finish(3));
        let mut next = Held::new(2, 1, &committed(&held));
        assert_eq!(hand_out(&mut next, 2), Some(1));
        assert_eq!(hand_out(&mut next, 3), Some(1));
    }

    #[test]
    fn what_is_fetched_twice_is_taken_once() {
        let mut held = Held::new(1, 10, &Committed::default());
        assert!(!held.accept(10) && held.accept(12) && !held.accept(12) && !held.accept(11));
        held.draining = true;
        assert!(!held.accept(13));
    }
}
