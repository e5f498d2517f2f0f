//! How often, how far apart, and when not, on a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Rng, Verdict};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use super::{Again, Class, Hint, Judge, Policy, RetryLayer};
use crate::backoff::Jitter;
use crate::budget::{self, Budget};
use crate::trial::{Answer, Error, Scripted, dropped_at_every_poll, failed};
use crate::{Backoff, Call, CallError, Reason, Rejected, TimeoutLayer};

type Retries = RetryLayer<u32, Error>;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn plain() -> Backoff {
    Backoff::classic().with_jitter(Jitter::None).unwrap()
}

fn layer(verdict: Verdict) -> Retries {
    RetryLayer::new(plain(), Rng::from_seed(1), move |_: &Error| verdict)
}

fn judged(again: Again) -> Retries {
    let judge = Judge::new(move |answer: &Answer| match answer {
        Ok(_) => Again::No,
        Err(_) => again,
    });
    RetryLayer::judged_by(plain(), Rng::from_seed(1), judge)
}

fn poor(first_tries: u32) -> Budget {
    let policy = budget::Policy::recommended().with_floor_per_second(0.0).unwrap();
    let budget = Budget::new("test", policy);
    (0..first_tries).for_each(|_| budget.first_try(&mut Call::new()));
    budget
}

/// The answer, how many attempts it took, and how long.
async fn check(layer: Retries, service: Scripted, call: Call) -> (Answer, usize, Duration) {
    let notes = service.notes.clone();
    let begun = Instant::now();
    let answer = layer.layer(service).oneshot((call, ())).await;
    assert_eq!(notes.running(), 0);
    (answer, notes.count(), begun.elapsed())
}

fn again() -> Call {
    Call::new().repeatable()
}

#[tokio::test(start_paused = true)]
async fn repeats_until_it_passes_with_the_waits_of_the_policy() {
    let (answer, attempts, took) =
        check(layer(Verdict::Retry), Scripted::failing(2), again()).await;
    assert_eq!((answer.unwrap(), attempts, took), (3, 3, seconds(1 + 2)));
}

/// Chance is shared by all calls, and only a pause needs it: calls that succeed, and those that are
/// not repeated, do not meet at its lock.
#[test]
fn an_answer_takes_no_lock() {
    let layer = layer(Verdict::Retry);
    let settings = layer.layer(()).settings;
    let _held = settings.rng.lock();
    let (sender, answers) = std::sync::mpsc::channel();
    let elsewhere = layer.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let good = elsewhere.layer(Scripted::failing(0)).oneshot((again(), ()));
        sender.send(runtime.block_on(good)).unwrap();
        let bad = elsewhere.layer(Scripted::failing(9)).oneshot((Call::new(), ()));
        sender.send(runtime.block_on(bad)).unwrap();
    });
    let answer = || answers.recv_timeout(seconds(10)).expect("it waits for the lock");
    assert_eq!(answer().unwrap(), 1);
    assert!(answer().is_err(), "not repeatable");
}

#[tokio::test(start_paused = true)]
async fn classic_gives_up_after_five_attempts_without_a_further_wait() {
    let (answer, attempts, took) =
        check(layer(Verdict::Retry), Scripted::failing(99), again()).await;
    assert!(matches!(answer, Err(CallError::Failed("no"))));
    assert_eq!((attempts, took), (5, seconds(1 + 2 + 4 + 8)));
}

#[tokio::test(start_paused = true)]
async fn classic_waits_sixteen_seconds_before_giving_up_where_that_is_asked_for() {
    let waiting = plain().waiting_before_giving_up();
    let layer = || RetryLayer::new(waiting.clone(), Rng::from_seed(1), |_: &Error| Verdict::Retry);
    let (_, attempts, took) = check(layer(), Scripted::failing(99), again()).await;
    assert_eq!((attempts, took), (5, seconds(1 + 2 + 4 + 8 + 16)));
    let call = again().with_deadline(Instant::now() + seconds(20));
    let (_, attempts, took) = check(layer(), Scripted::failing(99), call).await;
    assert_eq!((attempts, took), (5, seconds(20)), "but not past the deadline");
}

#[tokio::test(start_paused = true)]
async fn what_will_fail_again_is_not_repeated() {
    for verdict in [Verdict::Terminal, Verdict::Stuck] {
        let (answer, attempts, took) = check(layer(verdict), Scripted::failing(99), again()).await;
        assert!(answer.is_err());
        assert_eq!((attempts, took), (1, Duration::ZERO));
    }
}

/// R9: the exact moments of all attempts follow from the seed.
#[tokio::test(start_paused = true)]
async fn r9_a_seed_gives_exact_moments() {
    let mut rng = Rng::from_seed(42);
    let waits: Vec<_> = (1..5).map(|n| Backoff::classic().nth(n, &mut rng)).collect();
    let layer = RetryLayer::new(Backoff::classic(), Rng::from_seed(42), |_: &Error| Verdict::Retry);
    let service = Scripted::failing(99);
    let notes = service.notes.clone();
    check(layer, service, again()).await.0.unwrap_err();
    let mut expected = Duration::ZERO;
    for (at, wait) in notes.times().into_iter().skip(1).zip(waits) {
        expected += wait;
        // tokio's clock has milliseconds, and never wakes too early.
        assert!(at >= expected && at < expected + Duration::from_millis(5), "{at:?} {expected:?}");
    }
}

/// R3: a wait that would end past the deadline is not begun, whoever set it.
#[tokio::test(start_paused = true)]
async fn r3_never_waits_past_the_deadline() {
    let total = layer(Verdict::Retry).with_total(seconds(5));
    let (_, attempts, took) = check(total, Scripted::failing(99), again()).await;
    assert_eq!((attempts, took), (3, seconds(1 + 2)));
    let call = again().with_deadline(Instant::now() + seconds(2));
    let (answer, attempts, took) = check(layer(Verdict::Retry), Scripted::failing(99), call).await;
    assert!(matches!(answer, Err(CallError::Failed("no"))), "the last error, not a rejection");
    assert_eq!((attempts, took), (2, seconds(1)));
}

/// R3: an attempt needs a little time to be worth it.
#[tokio::test(start_paused = true)]
async fn r3_an_attempt_without_time_is_not_begun() {
    let check = async |least, left| {
        let policy = Policy::new(plain()).with_least_attempt(Duration::from_millis(least));
        let judge = Judge::of_errors(|_: &Error| Verdict::Retry);
        let layer = RetryLayer::judged_by(policy, Rng::from_seed(1), judge);
        let call = again().with_deadline(Instant::now() + Duration::from_millis(left));
        check(layer, Scripted::failing(1), call).await.1
    };
    assert_eq!(check(100, 1_099).await, 1);
    assert_eq!(check(100, 1_100).await, 2);
}

/// R6: what may have had an effect is repeated only when that does no harm.
#[tokio::test(start_paused = true)]
async fn r6_only_a_repeatable_call_or_one_that_was_not_sent_is_repeated() {
    let throttled = Again::After { class: Class::Throttled, hint: Hint::None };
    for (again_, call, attempts) in [
        (Again::TRANSIENT, Call::new(), 1),
        (Again::TRANSIENT, again(), 5),
        (throttled, Call::new(), 1),
        (throttled, again(), 5),
        (Again::NOT_SENT, Call::new(), 5),
    ] {
        assert_eq!(
            check(judged(again_), Scripted::failing(99), call).await.1,
            attempts,
            "{again_:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r4_the_budget_pays_for_each_repetition_and_its_end_is_the_answer() {
    let budget = poor(14); // three tokens with this call's own first try, less what expires
    let layer = layer(Verdict::Retry).with_budget(budget.clone());
    let (answer, attempts, took) = check(layer, Scripted::failing(99), again()).await;
    assert!(matches!(answer, Err(CallError::Failed("no"))), "R5: the answer stays the answer");
    assert_eq!((attempts, took), (3, seconds(1 + 2)));
    assert_eq!(budget.tokens() as u32, 0);
}

#[tokio::test(start_paused = true)]
async fn r1_under_the_aws_policy_a_repetition_that_succeeds_is_free() {
    let budget = Budget::new("test", budget::Policy::aws());
    let layer = layer(Verdict::Retry).with_budget(budget.clone());
    check(layer.clone(), Scripted::failing(1), again()).await.0.unwrap();
    assert_eq!(budget.tokens(), 500.0);
    check(layer.clone(), Scripted::failing(2), again()).await.0.unwrap();
    assert_eq!(budget.tokens(), 486.0, "the one that failed is paid");
    check(layer, Scripted::failing(0), again()).await.0.unwrap();
    assert_eq!(budget.tokens(), 487.0);
}

/// R7: the attempt's number is told, on top of the caller's own.
#[tokio::test(start_paused = true)]
async fn r7_each_attempt_carries_its_number() {
    let service = Scripted::failing(2);
    let notes = service.notes.clone();
    let call = Call { attempt: 1, ..again() };
    check(layer(Verdict::Retry), service, call).await.0.unwrap();
    assert_eq!(notes.attempts(), [1, 2, 3]);
}

/// R7: a layer that gave up says so, and the layers further out do not begin again.
#[tokio::test(start_paused = true)]
async fn r7_only_the_layer_directly_above_repeats() {
    let judge = || {
        Judge::new(|answer: &Answer| match answer {
            Err(CallError::Failed("overloaded, do not retry")) => {
                Again::After { class: Class::Transient, hint: Hint::Never }
            }
            Err(_) => Again::TRANSIENT,
            Ok(_) => Again::No,
        })
    };
    let layer = || {
        RetryLayer::judged_by(Backoff::recommended(), Rng::from_seed(1), judge()).when_giving_up(
            |answer, _| *answer = Err(CallError::Failed("overloaded, do not retry")),
        )
    };
    let service = Scripted::failing(99);
    let notes = service.notes.clone();
    let three = layer().layer(layer().layer(layer().layer(service)));
    three.oneshot((again(), ())).await.unwrap_err();
    assert_eq!(notes.count(), 3, "instead of 27");
}

/// R8, trap 12: [`Scripted`] panics when a clone is called that was not made ready.
#[tokio::test(start_paused = true)]
async fn r8_trap_12_the_service_is_made_ready_before_each_attempt() {
    let mut service = layer(Verdict::Retry).layer(Scripted::failing(3));
    for _ in 0..3 {
        let ready = ServiceExt::<(Call, ())>::ready(&mut service).await.unwrap();
        ready.call((again(), ())).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn r8_what_readiness_says_is_final_and_costs_nothing() {
    let budget = poor(9);
    let service = Scripted::failing(99);
    *service.notes.fails_readiness_after.lock() = Some(1);
    let layer = layer(Verdict::Retry).with_budget(budget.clone());
    let (answer, attempts, _) = check(layer, service, again()).await;
    assert!(matches!(answer, Err(CallError::Failed("not ready"))));
    assert_eq!(attempts, 1);
    assert_eq!(budget.tokens().round() as u32, 2, "what was not sent goes back");
}

/// B13, trap 14: a breaker that is open is not asked again, nor anything else that lets nothing in.
#[tokio::test(start_paused = true)]
async fn b13_trap_14_a_rejection_is_not_repeated_but_a_time_out_is() {
    let all = [
        Reason::Open,
        Reason::Isolated,
        Reason::Probing,
        Reason::BulkheadFull,
        Reason::BulkheadTimeout,
        Reason::RateLimited,
        Reason::LimitReached,
        Reason::Shed,
        Reason::Throttled,
        Reason::BudgetExhausted,
        Reason::DeadlineExceeded,
        Reason::TimedOut,
        Reason::Chaos,
    ];
    for reason in all {
        let service = Scripted::new(move |_, _| {
            (Duration::ZERO, Err(Rejected::new("inner".into(), reason).into()))
        });
        let (_, attempts, _) = check(layer(Verdict::Retry), service, again()).await;
        let is_attempt = matches!(reason, Reason::TimedOut | Reason::Chaos);
        assert_eq!(attempts, if is_attempt { 5 } else { 1 }, "{reason:?}");
    }
}

/// D2: each attempt has its own time inside, and all together have the deadline.
#[tokio::test(start_paused = true)]
async fn d2_an_attempt_that_hangs_is_repeated_if_it_may_be() {
    let hangs =
        || Scripted::new(|nth, _| (if nth < 2 { seconds(900) } else { seconds(1) }, Ok(nth)));
    let timeout = TimeoutLayer::new(seconds(2));
    let begun = Instant::now();
    let service = layer(Verdict::Retry).layer(timeout.layer(hangs()));
    assert_eq!(service.oneshot((again(), ())).await.unwrap(), 2);
    assert_eq!(begun.elapsed(), seconds(2 + 1 + 2 + 2 + 1));
    let service = layer(Verdict::Retry).layer(timeout.layer(hangs()));
    let error = service.oneshot((Call::new(), ())).await.unwrap_err();
    assert!(matches!(error, CallError::Rejected(rejected) if rejected.reason == Reason::TimedOut));
}

/// R2, from the answer to the wait, through every way in which a hint comes.
#[tokio::test(start_paused = true)]
async fn r2_a_hint_is_honoured_and_passed_on_when_it_is_too_late() {
    let hinted = |hint| judged(Again::After { class: Class::Transient, hint });
    let took = async |hint, call| check(hinted(hint), Scripted::failing(1), call).await;
    assert_eq!(took(Hint::AtLeast(seconds(3)), again()).await.2, seconds(3));
    assert_eq!(took(Hint::Exactly(Duration::ZERO), again()).await.2, Duration::ZERO);
    assert_eq!(took(Hint::Never, again()).await.1, 1);
    let call = again().with_deadline(Instant::now() + seconds(10));
    let (answer, attempts, time) = took(Hint::AtLeast(seconds(11)), call).await;
    assert!(matches!(answer, Err(CallError::Failed("no"))), "its hint is still in it");
    assert_eq!((attempts, time), (1, Duration::ZERO));
}

/// Trap 7: wherever the caller goes away, no attempt runs on and no token is lost.
#[tokio::test(start_paused = true)]
async fn trap_07_dropped_at_every_poll_nothing_runs_on_and_nothing_is_lost() {
    let polls = dropped_at_every_poll(Duration::from_millis(300), || {
        let budget = Budget::new("test", budget::Policy::aws()); // exact: nothing expires
        let service = Scripted::new(|nth, _| {
            (Duration::from_millis(500), if nth < 2 { failed() } else { Ok(nth) })
        });
        let notes = service.notes.clone();
        let retry = layer(Verdict::Retry).with_budget(budget.clone()).layer(service);
        let future = retry.oneshot((again(), ()));
        let check = move || {
            assert_eq!(notes.running(), 0);
            let (attempts, tokens) = (notes.count(), budget.tokens());
            let paid = 500.0 - 14.0 * attempts.saturating_sub(1) as f64;
            let was_refunded = attempts == 3 && tokens == paid + 14.0;
            assert!(tokens == paid || was_refunded, "{attempts} attempts, {tokens} tokens left");
        };
        (future, check)
    })
    .await;
    assert!(polls > 8, "it was dropped {polls} times");
}

#[tokio::test(start_paused = true)]
async fn clones_share_the_budget_and_the_settings() {
    let budget = poor(4);
    let retry = layer(Verdict::Retry).with_budget(budget).layer(Scripted::failing(99));
    let copies = [retry.clone(), retry.clone(), retry];
    let notes: Arc<_> = copies[0].inner.notes.clone();
    for copy in copies {
        copy.oneshot((again(), ())).await.unwrap_err();
    }
    assert_eq!(notes.count(), 3 + 1, "seven first tries pay for one repetition");
}
