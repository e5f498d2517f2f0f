//! Threads that take, wait, leave and release in many schedules, each chosen by a seed: never more run than there are places, nobody
//! sleeps beside a free place for ever, and at the end all is free.

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread::{self, Thread};
use tokio::time::Instant;

use crate::bulkhead::places::{Left, Places, Take, Turn};

const PLACES: usize = 2;

struct Shared {
    places: Mutex<Places<Thread>>,
    running: AtomicUsize,
}

impl Shared {
    fn release(&self) {
        let next = self.places.lock().unwrap().release();
        next.iter().for_each(Thread::unpark);
    }

    /// Runs in a place, and gives it back.
    fn run(&self) {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(running <= PLACES, "{running} run in {PLACES} places");
        thread::yield_now();
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.release();
    }

    /// One call. An impatient one leaves when its turn does not come at once.
    fn call(&self, now: Instant, is_patient: bool) {
        let mut places = self.places.lock().unwrap();
        if places.take() == Take::Place {
            drop(places);
            return self.run();
        }
        let Some(ticket) = places.join(thread::current(), now) else { return };
        drop(places);
        loop {
            if !is_patient {
                thread::yield_now();
                let left = self.places.lock().unwrap().leave(ticket);
                if let Left::Next(next) = left {
                    next.unpark();
                }
                return;
            }
            // Not in the head of the match, which would hold the lock to its end.
            let turn = self.places.lock().unwrap().ask(ticket);
            match turn {
                Turn::Place => return self.run(),
                Turn::Pass(_) => return,
                Turn::NotYet => {}
            }
            thread::park();
        }
    }
}

#[test]
fn trap_05_no_schedule_of_threads_loses_or_doubles_a_place() {
    let now = Instant::now();
    shuttle::check_random(
        move || {
            let shared = Arc::new(Shared {
                places: Mutex::new(Places::new(PLACES, 8)),
                running: AtomicUsize::new(0),
            });
            let callers: Vec<_> = (0..6)
                .map(|caller| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        shared.call(now, caller % 3 != 0);
                        shared.call(now, caller % 2 != 0);
                    })
                })
                .collect();
            callers.into_iter().for_each(|caller| caller.join().unwrap());
            let places = shared.places.lock().unwrap();
            assert_eq!((places.taken(), places.free(), places.waiting()), (0, PLACES, 0));
        },
        2_000,
    );
}
