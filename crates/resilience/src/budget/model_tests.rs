//! Every interleaving of threads that share one bucket keeps its sums (trap 16).
//!
//! The model schedules the loads and the compare-and-swaps of the very code that runs in programs; only the atomic is exchanged.

use std::sync::Arc;

use proptest::prelude::*;
use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use shuttle::thread;

use super::bucket::{Bucket, Rules};

type Scheduled = AtomicU64;

const RULES: Rules = Rules { floor: 0, max: 5_000, ttl: None };

/// Two tokens, four threads that each want one: exactly two get it, in every order.
#[test]
fn trap_16_the_last_token_is_granted_once() {
    shuttle::check_random(
        || {
            let bucket = Arc::new(Bucket::<Scheduled>::new(2_000));
            let granted = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (bucket, granted) = (bucket.clone(), granted.clone());
                    thread::spawn(move || {
                        if bucket.take(1_000, 0, RULES).is_ok() {
                            granted.fetch_add(1, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(granted.load(Ordering::SeqCst), 2);
            assert_eq!(bucket.balance(0, RULES), 0);
        },
        2_000,
    );
}

/// Deposits, charges and refunds in any order: what was there and came in is there or went out.
#[test]
fn trap_16_deposits_charges_and_refunds_sum_up() {
    shuttle::check_random(
        || {
            let bucket = Arc::new(Bucket::<Scheduled>::new(1_000));
            let spent = Arc::new(AtomicUsize::new(0));
            let payer = {
                let bucket = bucket.clone();
                thread::spawn(move || (0..5).for_each(|_| bucket.add(200, 0, RULES)))
            };
            let takers: Vec<_> = (0..3)
                .map(|taker| {
                    let (bucket, spent) = (bucket.clone(), spent.clone());
                    thread::spawn(move || {
                        if bucket.take(1_000, 0, RULES).is_ok() {
                            if taker == 0 {
                                bucket.add(1_000, 0, RULES); // gives back what it did not use
                            } else {
                                spent.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                    })
                })
                .collect();
            payer.join().unwrap();
            takers.into_iter().for_each(|taker| taker.join().unwrap());
            let spent = spent.load(Ordering::SeqCst) as u64 * 1_000;
            assert_eq!(bucket.balance(0, RULES) + spent, 1_000 + 5 * 200);
        },
        2_000,
    );
}

/// Threads whose clocks disagree by a little neither drain the bucket nor fill it.
#[test]
fn b12_a_clock_read_before_another_thread_wrote_is_no_step() {
    let rules = Rules { floor: 1_000, max: 5_000, ttl: Some(std::time::Duration::from_secs(10)) };
    let bucket = Bucket::<std::sync::atomic::AtomicU64>::new(1_000);
    bucket.add(3_000, 50_000, rules);
    bucket.add(0, 49_990, rules);
    assert_eq!(bucket.balance(49_980, rules), 4_000);
}

proptest! {
    /// Whatever happens when, the balance stays between nothing and the maximum, and within two
    /// tokens of a reference that does not round.
    #[test]
    fn r4_the_balance_stays_within_its_bounds(
        floor in 0_u64..200_000,
        extra in 0_u64..200_000,
        steps in prop::collection::vec((0_u64..3_000, any::<bool>(), 0_u64..5_000), 1..200),
    ) {
        let ttl = std::time::Duration::from_secs(10);
        let rules = Rules { floor, max: floor + extra, ttl: Some(ttl) };
        let bucket = Bucket::<std::sync::atomic::AtomicU64>::new(floor);
        let (mut now, mut reference) = (0, floor as f64);
        for (elapsed, pays_in, amount) in steps {
            now += elapsed;
            let fades = (-(elapsed as f64) / 10_000.0).exp();
            reference = floor as f64 + (reference - floor as f64) * fades;
            if pays_in {
                bucket.add(amount, now, rules);
                reference = (reference + amount as f64).min(rules.max as f64);
            } else if bucket.take(amount, now, rules).is_ok() {
                prop_assert!(reference >= amount as f64 - 1_000.0);
                reference -= amount as f64;
            }
            let balance = bucket.balance(now, rules);
            prop_assert!(balance <= rules.max);
            prop_assert!((balance as f64 - reference).abs() < 2_000.0, "{balance} {reference}");
        }
    }
}
