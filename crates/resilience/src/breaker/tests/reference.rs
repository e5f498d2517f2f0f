//! Random histories against the plainest breaker that can be written: a list of results, and ifs.

use proptest::prelude::*;

use super::*;
use crate::breaker::Window;

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Admit,
    /// The oldest, or the newest, call that runs ends.
    End {
        is_oldest: bool,
        result: Ending,
    },
    Pass {
        ms: u64,
    },
    Release,
    Isolate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Success,
    SlowSuccess,
    Failure,
    Ignored,
    Dropped,
}

/// The breaker as its documentation says it: 4 failures of 8 calls or 6 slow ones among the last 8
/// (or of the last ten seconds) open it for 5 s, and 3 probes decide within 10 s.
struct Plain {
    window: Window,
    state: State,
    generation: u64,
    now: u64,
    until: u64,
    /// When, failed, slow; of this generation.
    results: Vec<(u64, bool, bool)>,
    running: usize,
    counted: Vec<(bool, bool)>,
    ignored: usize,
}

const MIN: usize = 8;
const PROBES: usize = 3;
const OPEN_MS: u64 = 5_000;

// === impl Plain ===

impl Plain {
    fn new(window: Window) -> Self {
        Self {
            window,
            state: State::Closed,
            generation: 1,
            now: 1,
            until: 0,
            results: Vec::new(),
            running: 0,
            counted: Vec::new(),
            ignored: 0,
        }
    }

    fn options(window: Window) -> Options {
        Options::recommended()
            .with_window(window)
            .and_then(|options| options.with_failure_rate(0.5))
            .and_then(|options| options.with_slow_calls(SECOND, 0.75))
            .and_then(|options| options.with_min_calls(MIN as u32))
            .and_then(|options| options.with_probes(PROBES as u32))
            .and_then(|options| options.with_open(Duration::from_millis(OPEN_MS), 1.0, SECOND * 60))
            .and_then(|options| options.with_jitter(0.0))
            .unwrap()
    }

    fn become_(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.until = self.now + if state == State::HalfOpen { 2 * OPEN_MS } else { OPEN_MS };
        self.results.clear();
        self.counted.clear();
        (self.running, self.ignored) = (0, 0);
    }

    /// The generation of a call that passes.
    fn admit(&mut self) -> Option<u64> {
        if self.state == State::HalfOpen && self.now > self.until {
            self.become_(State::Open);
        } else if self.state == State::Open && self.now > self.until {
            self.become_(State::HalfOpen);
        }
        match self.state {
            State::Closed => Some(self.generation),
            State::HalfOpen if self.running + self.counted.len() < PROBES => {
                self.running += 1;
                Some(self.generation)
            }
            _ => None,
        }
    }

    /// A call ends that began in this generation, so long ago.
    fn end(&mut self, generation: u64, ran_ms: u64, ending: Ending) {
        if generation != self.generation {
            return;
        }
        let hung = ending == Ending::Dropped && ran_ms >= 2_000;
        let failed = ending == Ending::Failure || hung;
        let slow = ending == Ending::SlowSuccess || (hung && ran_ms >= 1_000);
        let counts = failed || matches!(ending, Ending::Success | Ending::SlowSuccess);
        match self.state {
            State::Closed if counts => {
                self.results.push((self.now, failed, slow));
                if self.is_bad() {
                    self.become_(State::Open);
                }
            }
            State::HalfOpen => {
                self.running -= 1;
                if counts {
                    self.counted.push((failed, slow));
                    self.ignored = 0;
                } else if ending == Ending::Ignored {
                    self.ignored += 1;
                }
                self.decide();
            }
            _ => {}
        }
    }

    fn is_bad(&self) -> bool {
        let recent: Vec<_> = match self.window {
            Window::Time(time) => {
                let bucket = time.as_millis() as u64 / 10;
                let first = (self.now / bucket).saturating_sub(9);
                self.results.iter().filter(|(at, ..)| at / bucket >= first).collect()
            }
            Window::Count(calls) => self.results.iter().rev().take(calls as usize).collect(),
            Window::Consecutive(_) => unreachable!("not in this test"),
        };
        let share = |count: usize| count as f64 / recent.len() as f64;
        let failures = recent.iter().filter(|(_, failed, _)| *failed).count();
        let slow = recent.iter().filter(|(.., slow)| *slow).count();
        recent.len() >= MIN && (share(failures) >= 0.5 || share(slow) >= 0.75)
    }

    /// With all the probes that are missing good, and with all of them bad: if both say the same,
    /// it is decided. Two of three is the least that reaches 50 %, three that reaches 75 %.
    fn decide(&mut self) {
        let failures = self.counted.iter().filter(|(failed, _)| *failed).count();
        let slow = self.counted.iter().filter(|(_, slow)| *slow).count();
        let left = PROBES - self.counted.len();
        if failures >= 2 || slow >= 3 {
            self.become_(State::Open);
        } else if (failures + left < 2 && slow + left < 3) || self.ignored >= PROBES || left == 0 {
            self.become_(State::Closed);
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ending = prop_oneof![
        4 => Just(Ending::Success),
        1 => Just(Ending::SlowSuccess),
        4 => Just(Ending::Failure),
        1 => Just(Ending::Ignored),
        1 => Just(Ending::Dropped),
    ];
    let end =
        (any::<bool>(), ending).prop_map(|(is_oldest, result)| Step::End { is_oldest, result });
    let step = prop_oneof![
        40 => Just(Step::Admit),
        40 => end,
        10 => (1..400_u64).prop_map(|ms| Step::Pass { ms }),
        4 => (1..12_000_u64).prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::Release),
        1 => Just(Step::Isolate),
    ];
    prop::collection::vec(step, 1..400)
}

fn check(window: Window, steps: &[Step]) {
    let rig = rig(Plain::options(window));
    let mut plain = Plain::new(window);
    let mut running = Vec::new();
    for step in steps {
        match *step {
            Step::Admit => {
                let expected = plain.admit();
                let permit = rig.breaker.admit_owned().ok();
                assert_eq!(permit.is_some(), expected.is_some());
                running.extend(permit.zip(expected).map(|(p, g)| (p, g, plain.now)));
            }
            Step::End { is_oldest, result } if !running.is_empty() => {
                let at = if is_oldest { 0 } else { running.len() - 1 };
                let (permit, generation, began) = running.remove(at);
                plain.end(generation, plain.now - began, result);
                match result {
                    Ending::Success => {
                        let _ = permit.success(QUICK);
                    }
                    Ending::SlowSuccess => {
                        let _ = permit.success(SECOND);
                    }
                    Ending::Failure => {
                        let _ = permit.failure(QUICK);
                    }
                    Ending::Ignored => {
                        let _ = permit.ignore(QUICK);
                    }
                    Ending::Dropped => drop(permit),
                }
            }
            Step::End { .. } => {}
            Step::Pass { ms } => {
                plain.now += ms;
                rig.pass(Duration::from_millis(ms));
            }
            Step::Release => {
                plain.become_(State::Closed);
                rig.breaker.release("a", "b");
            }
            Step::Isolate => {
                plain.become_(State::Isolated);
                rig.breaker.isolate("a", "b");
            }
        }
        assert_eq!(
            (rig.breaker.state(), rig.breaker.generation()),
            (plain.state, plain.generation)
        );
        // Trap 5: what runs and what is free are always all there are.
        if plain.state == State::HalfOpen {
            assert_eq!(rig.figure("probes_running"), plain.running as f64);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_history_in_a_count_window_goes_as_the_plain_breaker_says(steps in steps()) {
        check(Window::Count(8), &steps);
    }

    #[test]
    fn any_history_in_a_time_window_goes_as_the_plain_breaker_says(steps in steps()) {
        check(Window::Time(SECOND * 10), &steps);
    }
}
