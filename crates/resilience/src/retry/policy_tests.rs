//! The pure decision, row by row of its table.

use std::time::Duration;

use proptest::prelude::*;
use switchboard_core::Rng;

use super::{Again, Class, Hint, Policy, Progress, Stop};
use crate::Backoff;
use crate::backoff::Jitter;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn classic() -> Policy {
    Policy::new(Backoff::classic().with_jitter(Jitter::None).unwrap())
}

fn hinted(hint: Hint) -> Again {
    Again::After { class: Class::Transient, hint }
}

/// The first decision of a repeatable call with so much time left.
fn check(hint: Hint, left: Option<u64>) -> Result<Duration, Stop> {
    let (mut progress, mut rng) = (Progress::default(), Rng::from_seed(1));
    classic().next(&mut progress, hinted(hint), true, left.map(seconds), &mut rng)
}

#[test]
fn r2_a_wait_lies_between_the_own_and_five_seconds_more() {
    for (hint, wait) in [(0, 1), (1, 1), (2, 2), (6, 6), (7, 6), (16, 6)] {
        assert_eq!(check(Hint::AtLeast(seconds(hint)), None), Ok(seconds(wait)), "{hint}");
    }
}

/// A day parked a task elsewhere; here it is no wait at all, and the caller learns of the day.
#[test]
fn r2_a_hint_beyond_the_cap_or_the_deadline_fails_at_once() {
    assert_eq!(check(Hint::AtLeast(seconds(86_400)), None), Err(Stop::TooLate));
    assert_eq!(check(Hint::Exactly(seconds(86_400)), None), Err(Stop::TooLate));
    assert_eq!(check(Hint::AtLeast(seconds(4)), Some(3)), Err(Stop::TooLate));
    assert_eq!(check(Hint::Exactly(seconds(4)), Some(3)), Err(Stop::TooLate));
    assert_eq!(check(Hint::AtLeast(seconds(3)), Some(3)), Err(Stop::Deadline));
    assert_eq!(check(Hint::None, Some(1)), Err(Stop::Deadline));
    assert_eq!(check(Hint::None, Some(2)), Ok(seconds(1)));
}

#[test]
fn r2_pushback_is_exact_and_waits_begin_anew_after_it() {
    let (mut progress, mut rng) = (Progress::default(), Rng::from_seed(1));
    let mut next = |hint| classic().next(&mut progress, hinted(hint), true, None, &mut rng);
    assert_eq!(next(Hint::None), Ok(seconds(1)));
    assert_eq!(next(Hint::None), Ok(seconds(2)));
    assert_eq!(next(Hint::Exactly(Duration::from_millis(7))), Ok(Duration::from_millis(7)));
    assert_eq!(next(Hint::None), Ok(seconds(1)), "as if nothing had failed before");
    assert_eq!(next(Hint::None), Err(Stop::Attempts), "but attempts are counted on");
}

#[test]
fn r7_who_is_asked_not_to_repeat_does_not_even_what_was_not_sent() {
    let again = Again::After { class: Class::NotSent, hint: Hint::Never };
    let (mut progress, mut rng) = (Progress::default(), Rng::from_seed(1));
    assert_eq!(classic().next(&mut progress, again, true, None, &mut rng), Err(Stop::Refused));
}

#[test]
fn r1_a_throttled_attempt_waits_by_its_own_backoff() {
    let fixed = |base| Backoff::new(3, base, seconds(20)).unwrap().with_jitter(Jitter::None);
    let policy = Policy::new(fixed(Duration::from_millis(50)).unwrap());
    let policy = policy.with_throttled(fixed(seconds(1)).unwrap());
    let wait = |class| {
        let again = Again::After { class, hint: Hint::None };
        policy.next(&mut Progress::default(), again, true, None, &mut Rng::from_seed(1))
    };
    assert_eq!(wait(Class::Transient), Ok(Duration::from_millis(50)));
    assert_eq!(wait(Class::Throttled), Ok(seconds(1)));
}

proptest! {
    /// Whatever is answered, a wait ends in time, never exceeds the cap by more than its jitter,
    /// and the attempts end.
    #[test]
    fn r3_waits_end_before_the_deadline_and_attempts_end(
        seed: u64,
        left in prop::option::of(0_u64..60_000),
        hints in prop::collection::vec((0_u8..4, 0_u64..100_000), 1..20),
    ) {
        let policy = Policy::classic();
        let (mut progress, mut rng) = (Progress::default(), Rng::from_seed(seed));
        let mut left = left.map(Duration::from_millis);
        let mut repetitions = 0;
        for (kind, millis) in hints {
            let millis = Duration::from_millis(millis);
            let hint = match kind {
                0 => Hint::None,
                1 => Hint::AtLeast(millis),
                2 => Hint::Exactly(millis),
                _ => Hint::Never,
            };
            let Ok(wait) = policy.next(&mut progress, hinted(hint), true, left, &mut rng) else {
                break;
            };
            repetitions += 1;
            prop_assert!(wait <= seconds(16).mul_f64(1.2));
            if let Some(left) = &mut left {
                prop_assert!(wait < *left);
                *left -= wait;
            }
        }
        prop_assert!(repetitions <= 4);
    }
}
