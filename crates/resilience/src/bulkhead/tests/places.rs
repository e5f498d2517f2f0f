//! Trap 5: outstanding + free == N, after anything that can happen, in any order.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tokio::time::Instant;

use crate::bulkhead::places::{Left, Places, Take, Ticket, Turn};
use crate::settings::Mode;

/// What can happen to places. Numbers choose among those who are there.
#[derive(Clone, Copy, Debug)]
enum Event {
    Take,
    Join,
    Ask(usize),
    Leave(usize),
    Release,
    Resize(usize),
    Switch(u8),
}

/// Who has what, as the test knows it.
#[derive(Debug, Default)]
struct Known {
    held: usize,
    waiting: BTreeSet<Ticket>,
    given: BTreeSet<Ticket>,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => Just(Event::Take),
        4 => Just(Event::Join),
        3 => (0..8_usize).prop_map(Event::Ask),
        3 => (0..8_usize).prop_map(Event::Leave),
        4 => Just(Event::Release),
        1 => (1..6_usize).prop_map(Event::Resize),
        1 => (0..3_u8).prop_map(Event::Switch),
    ];
    proptest::collection::vec(event, 0..200)
}

impl Known {
    /// Everybody who has a ticket.
    fn ticket(&self, nth: usize) -> Option<Ticket> {
        let all: Vec<_> = self.waiting.union(&self.given).copied().collect();
        (!all.is_empty()).then(|| all[nth % all.len()])
    }

    fn gave(&mut self, ticket: Ticket) {
        assert!(self.waiting.remove(&ticket), "a place was given to nobody who waits");
        self.given.insert(ticket);
    }

    fn happens(&mut self, places: &mut Places<Ticket>, event: Event, now: Instant) {
        match event {
            Event::Take => self.held += usize::from(places.take() == Take::Place),
            Event::Join => {
                if places.free() == 0
                    && let Some(ticket) = places.join(0, now)
                {
                    // What wakes a waiter is, in this test, its own number.
                    places.rewake(ticket, ticket);
                    self.waiting.insert(ticket);
                }
            }
            Event::Ask(nth) => {
                let Some(ticket) = self.ticket(nth) else { return };
                match places.ask(ticket) {
                    Turn::Place => {
                        assert!(self.given.remove(&ticket));
                        self.held += 1;
                    }
                    Turn::Pass(_) => assert!(self.waiting.remove(&ticket)),
                    Turn::NotYet => assert!(self.waiting.contains(&ticket)),
                }
            }
            Event::Leave(nth) => {
                let Some(ticket) = self.ticket(nth) else { return };
                let left = places.leave(ticket);
                let only_waited = self.waiting.remove(&ticket);
                assert!(only_waited != self.given.remove(&ticket));
                match left {
                    Left::Next(next) => self.gave(next),
                    Left::Waker(own) => assert!(only_waited && own == ticket),
                    Left::Nothing => assert!(!only_waited),
                }
            }
            Event::Release if self.held > 0 => {
                self.held -= 1;
                places.release().into_iter().for_each(|ticket| self.gave(ticket));
            }
            Event::Release => {}
            Event::Resize(limit) => {
                let queue = places.queue();
                places.resize(limit, queue).into_iter().for_each(|ticket| self.gave(ticket));
            }
            Event::Switch(0) => {
                places.switch(Mode::Judging).into_iter().for_each(|ticket| self.gave(ticket));
            }
            Event::Switch(1) => drop(places.switch(Mode::Isolated)),
            Event::Switch(_) => drop(places.switch(Mode::Disabled)),
        }
    }
}

proptest! {
    #[test]
    fn trap_05_outstanding_and_free_places_are_always_all(events in events()) {
        let now = Instant::now();
        let (mut places, mut known) = (Places::new(3, 4), Known::default());
        for event in events {
            known.happens(&mut places, event, now);
            prop_assert_eq!(places.taken(), known.held + known.given.len(), "{:?}", event);
            prop_assert_eq!(places.waiting(), known.waiting.len(), "{:?}", event);
            prop_assert_eq!(places.free(), places.limit().saturating_sub(places.taken()));
            if places.taken() <= places.limit() {
                prop_assert_eq!(places.taken() + places.free(), places.limit());
            }
            // Nobody waits beside a free place.
            if places.mode() == Mode::Judging && places.free() > 0 {
                prop_assert_eq!(places.waiting(), 0, "{:?}", event);
            }
        }
        // When all have ended, all is free.
        while known.held > 0 || !known.given.is_empty() || !known.waiting.is_empty() {
            if known.held > 0 {
                known.happens(&mut places, Event::Release, now);
            } else {
                known.happens(&mut places, Event::Leave(0), now);
            }
        }
        prop_assert_eq!((places.taken(), places.free()), (0, places.limit()));
    }
}
