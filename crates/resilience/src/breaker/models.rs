//! The lock-free parts under thousands of schedules that a checker chooses, replayable from a seed.
//!
//! What runs here is the code itself, over the checker's atomics: the word with its changes, the end of a state that is written down after
//! the change, and the probes.

use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use shuttle::thread;

use super::gate::{Gate, Kept};
use super::probes::{Decision, Ended, Rule};
use super::state::{Cause, State};
use super::word::Word;

const SCHEDULES: usize = 3_000;
const RULE: Rule = Rule { permits: 2, failures: 2, slow: 3 };

type Model = Gate<AtomicU64>;

/// One model of what several threads do at once.
fn check(
    threads: usize,
    prepare: fn() -> Model,
    run: fn(&Model, &Counts),
    end: fn(&Model, &Counts),
) {
    shuttle::check_random(
        move || {
            let shared = Arc::new((prepare(), Counts::default()));
            let all: Vec<_> = (0..threads)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || run(&shared.0, &shared.1))
                })
                .collect();
            for one in all {
                one.join().unwrap();
            }
            end(&shared.0, &shared.1);
        },
        SCHEDULES,
    );
}

#[derive(Default)]
struct Counts {
    admitted: AtomicUsize,
    moved: AtomicUsize,
    late: AtomicUsize,
}

/// Open since moment 0, until moment 10.
fn open() -> Model {
    let gate = Model::new();
    let word = gate.change(Word::FIRST, Cause::Trip).unwrap();
    gate.publish(word, 10);
    gate
}

/// A call comes at this moment; whoever moves the gate publishes the next end after it.
fn admit(gate: &Model, counts: &Counts, now: u64) -> Result<Word, Kept> {
    gate.admit(
        now,
        || RULE,
        |word, cause| {
            if let Some(to) = gate.change(word, cause) {
                counts.moved.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                gate.publish(to, now + 10);
            }
        },
    )
}

/// B8 and trap 1: of all the calls after the wait one moves the breaker, and two are probes.
#[test]
fn b8_trap_01_one_moves_it_and_no_more_pass_than_there_are_permits() {
    let run = |gate: &Model, counts: &Counts| {
        if admit(gate, counts, 11).is_ok() {
            counts.admitted.fetch_add(1, Ordering::SeqCst);
        }
    };
    check(5, open, run, |gate, counts| {
        assert_eq!(counts.moved.load(Ordering::SeqCst), 1);
        assert_eq!(counts.admitted.load(Ordering::SeqCst), 2);
        assert_eq!(gate.word().state(), State::HalfOpen);
        assert_eq!(gate.until(gate.word()), Some(21));
    });
}

/// Traps 4 and 5: whatever ends and in whatever order, what runs is never more than there are
/// permits, and in the end nothing runs.
#[test]
fn trap_05_slots_are_neither_lost_nor_granted_twice() {
    let run = |gate: &Model, counts: &Counts| {
        for ended in [Ended::Released, Ended::Ignored] {
            let Ok(word) = admit(gate, counts, 11) else { continue };
            let running = counts.admitted.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(running <= 2, "{running} probes run");
            thread::yield_now();
            counts.admitted.fetch_sub(1, Ordering::SeqCst);
            assert!(gate.probes.end(word.generation(), ended, &RULE).is_some());
        }
    };
    check(4, open, run, |gate, _| {
        let figures = gate.probes.figures(gate.word().generation());
        assert_eq!((figures.running, figures.counted), (0, 0));
    });
}

/// B3 and B7: two probes fail while an operator releases the breaker. Whoever comes first, it moves
/// as that one says, and a result of the old generation moves nothing.
#[test]
fn b3_probes_and_an_operator_move_it_once_per_generation() {
    let run = |gate: &Model, counts: &Counts| {
        let word = gate.word();
        if word.is(State::HalfOpen) && gate.probes.admit(word.generation(), &RULE) {
            let bad = Ended::Counted { is_failure: true, is_slow: false };
            match gate.probes.end(word.generation(), bad, &RULE) {
                Some(Decision::Failed) => {
                    if gate.change(word, Cause::ProbesFailed).is_some() {
                        counts.moved.fetch_add(1, Ordering::SeqCst);
                    } else {
                        counts.late.fetch_add(1, Ordering::SeqCst);
                    }
                }
                Some(_) => {}
                None => assert_ne!(gate.word(), word, "only a moved generation refuses"),
            }
        } else if gate.change(word, Cause::Release).is_some() {
            counts.moved.fetch_add(1, Ordering::SeqCst);
        }
    };
    let half_open = || {
        let gate = open();
        let word = gate.change(gate.word(), Cause::WaitOver).unwrap();
        gate.publish(word, 30);
        gate
    };
    check(3, half_open, run, |gate, counts| {
        let moved = counts.moved.load(Ordering::SeqCst) as u64;
        assert_eq!(gate.word().generation(), 3 + moved, "one generation per change");
    });
}

/// In the instant between a change and its end nobody takes an old end for the new one.
#[test]
fn b8_an_end_belongs_to_its_own_generation() {
    let run = |gate: &Model, counts: &Counts| {
        // Late enough for the first open time, too early for every later end.
        match admit(gate, counts, 11) {
            Ok(word) => assert_eq!(word.state(), State::HalfOpen),
            Err(kept) => assert_eq!(kept, Kept::Probing),
        }
        // The end that this thread reads is none, or the one of the word it read.
        let word = gate.word();
        if let Some(until) = gate.until(word) {
            assert_eq!(until, 21, "{word:?}");
        }
    };
    check(4, open, run, |gate, counts| {
        assert_eq!(counts.moved.load(Ordering::SeqCst), 1);
        assert_eq!(gate.word().state(), State::HalfOpen);
    });
}
