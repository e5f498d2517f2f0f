//! How often, how long apart, and when a message is given up.

use super::*;
use switchboard_core::Timestamp;

fn failed(attempt: u32, verdict: Verdict) -> Failure {
    Failure { at: Timestamp::default(), attempt, verdict, error: String::new() }
}

fn retries() -> Retries {
    Retries::of(&Options::default())
}

#[test]
fn immediate_tries_are_few_and_between_10_and_100_ms() {
    let mut rng = Rng::from_seed(1);
    for tries in 1..=3 {
        let wait = retries().immediate(tries, &mut rng).unwrap();
        assert!((FASTEST..=SLOWEST).contains(&wait), "{wait:?}");
    }
    assert_eq!(retries().immediate(4, &mut rng), None);
}

#[test]
fn the_schedule_is_5_s_then_30_s_then_2_min_then_parked() {
    let mut rng = Rng::from_seed(2);
    for (tries, seconds) in [(4, 5.0), (8, 30.0), (12, 120.0)] {
        let delay = retries().delay(Verdict::Retry, tries, &mut rng).unwrap().as_secs_f64();
        assert!((seconds * 0.8..=seconds * 1.2).contains(&delay), "{tries} tries: {delay}");
    }
    assert_eq!(retries().delay(Verdict::Retry, 16, &mut rng), None);
    assert_eq!(retries().delay(Verdict::Terminal, 1, &mut rng), None);
    assert_eq!(retries().delay(Verdict::Stuck, 1, &mut rng), None);
}

#[test]
fn a_message_that_was_parked_starts_anew_and_one_that_waits_goes_on() {
    let retries = retries();
    assert_eq!(retries.tried(&[]), 0);
    assert_eq!(retries.tried(&[failed(4, Verdict::Retry)]), 4);
    assert_eq!(retries.tried(&[failed(4, Verdict::Retry), failed(8, Verdict::Retry)]), 8);
    assert_eq!(retries.tried(&[failed(16, Verdict::Retry)]), 0, "attempts were used up");
    assert_eq!(retries.tried(&[failed(1, Verdict::Terminal)]), 0, "it was parked at once");
}

#[test]
fn backoff_doubles_up_to_its_bound_and_never_overflows() {
    let mut rng = Rng::from_seed(3);
    for tries in [1, 2, 10, 1_000, u32::MAX] {
        let wait = backoff(tries, FASTEST, SLOWEST, &mut rng);
        assert!((FASTEST..=SLOWEST).contains(&wait));
    }
}
