//! The whole standard order (D13), built as programs build it: each layer is named by what it holds back, the outermost first.
//!
//! fallback > deadline > shed > rate limit > retry (budget) > hedge (same budget) > breaker > bulkhead > attempt timeout > chaos > transport

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use switchboard_core::{Rng, Verdict};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use crate::backoff::Jitter;
use crate::breaker::{Environment, Options, Window};
use crate::budget::{self, Budget};
use crate::bulkhead;
use crate::chaos::{ChaosLayer, Faults, Switch};
use crate::control::{Action, Controlled};
use crate::fallback::{FallbackLayer, StaleCache};
use crate::hedge::{Delay, HedgeLayer};
use crate::pipeline::Pipeline;
use crate::rate_limit::{Rate, RateLimit, RateLimitLayer};
use crate::retry::Judge;
use crate::shed::{Shed, ShedLayer};
use crate::trial::{Error, Notes, Scripted};
use crate::{
    Backoff, Breaker, Bulkhead, BulkheadLayer, Call, Classifier, DeadlineLayer, Reason, RetryLayer,
    SeamError, TimeoutLayer,
};

type Request = (Call, &'static str);
type Stack = tower::util::BoxCloneService<Request, u32, Error>;

/// Of D13, but for what traces.
const ORDER: [&str; 10] = [
    "Fallback",
    "Deadline",
    "Shed",
    "RateLimit",
    "Retry",
    "Hedge",
    "Breaker",
    "Bulkhead",
    "Timeout",
    "Chaos",
];

const SECOND: Duration = Duration::from_secs(1);

/// Everything that can hold a call back, and the service behind all of it.
struct Rig {
    stack: Stack,
    order: String,
    policies: [Arc<dyn Controlled>; 4],
    faults: Switch,
    /// Whether the fallback answers for what failed.
    is_covering: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
    notes: Arc<Notes>,
}

fn rig() -> Rig {
    let (is_covering, hangs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (covers, is_hanging) = (is_covering.clone(), hangs.clone());
    let service = Scripted::new(move |_, _| {
        (if is_hanging.load(Ordering::SeqCst) { SECOND * 60 } else { Duration::ZERO }, Ok(7))
    });
    let notes = service.notes.clone();
    let judge = || Judge::of_errors(|_: &Error| Verdict::Retry);
    let backoff = Backoff::new(3, SECOND / 10, SECOND).unwrap().with_jitter(Jitter::None).unwrap();
    let budget = Budget::new("budget", budget::Policy::aws());
    let shed = Shed::new("shed", || 0.0, Rng::from_seed(1));
    let rate = RateLimit::new("rate", Rate::bursty(1_000, SECOND).unwrap());
    let options = Options::classic().with_window(Window::Consecutive(100)).unwrap();
    let breaker = Breaker::new("breaker", options, Environment::seeded(1));
    let bulkhead = Bulkhead::new("bulkhead", bulkhead::Options::new(10).unwrap());
    let faults = Switch::new("chaos", Rng::from_seed(1));
    let fallback = FallbackLayer::new(Classifier::of_errors())
        .covering(move |_| covers.load(Ordering::SeqCst))
        .with_cache(
            StaleCache::new(SECOND, SECOND * 3_600),
            |(_, key): &Request| Some((*key).to_owned()),
            |answer| Some(*answer),
        );
    let pipeline = Pipeline::new("whole")
        .layer(fallback)
        .layer(DeadlineLayer::new(SECOND * 20).named("deadline"))
        .layer(ShedLayer::new(shed.clone()))
        .layer(RateLimitLayer::new(rate.clone()))
        .layer(
            RetryLayer::judged_by(backoff, Rng::from_seed(1), judge()).with_budget(budget.clone()),
        )
        .layer(HedgeLayer::new(Delay::Fixed(SECOND / 5), budget, judge()).unwrap())
        .layer(breaker.layer(Classifier::of_errors()))
        .layer(BulkheadLayer::new(bulkhead.clone()))
        .layer(TimeoutLayer::new(SECOND * 2).named("timeout"))
        .layer(ChaosLayer::new(faults.clone()))
        .build()
        .expect("the standard order is one that can be meant");
    Rig {
        stack: Stack::new(pipeline.layer(service)),
        order: pipeline.explain(),
        policies: [Arc::new(shed), Arc::new(rate), Arc::new(breaker), Arc::new(bulkhead)],
        faults,
        is_covering,
        hangs,
        notes,
    }
}

impl Rig {
    async fn call(&self, call: Call) -> Result<u32, Error> {
        self.stack.clone().oneshot((call.repeatable(), "lamp")).await
    }

    /// Who held a call back, why, and how long that took. The fallback, outside of all, answers for
    /// it as soon as it covers.
    async fn held_back(&self) -> (&'static str, Reason, Duration) {
        let begun = Instant::now();
        let error = self.call(Call::new()).await.unwrap_err();
        let rejected = *error.rejected().expect("a policy held it back");
        let took = begun.elapsed();
        self.is_covering.store(true, Ordering::SeqCst);
        assert_eq!(self.call(Call::new()).await.unwrap(), 7, "what was kept");
        self.is_covering.store(false, Ordering::SeqCst);
        (rejected.policy.as_str(), rejected.reason, took)
    }
}

#[tokio::test(start_paused = true)]
async fn d13_of_layers_that_all_hold_back_the_outermost_is_named() {
    let rig = rig();
    let from = |layer: &str| rig.order.find(layer).unwrap_or_else(|| panic!("{}", rig.order));
    assert!(ORDER.map(from).is_sorted(), "{}", rig.order);
    assert_eq!(rig.call(Call::new()).await.unwrap(), 7);
    rig.policies.iter().for_each(|policy| policy.act(&Action::Isolate).unwrap());
    rig.faults.set(Faults { error_share: 1.0, ..Faults::default() });
    rig.hangs.store(true, Ordering::SeqCst);

    // Who comes too late is not even shed.
    let late = rig.call(Call::new().with_deadline(Instant::now())).await.unwrap_err();
    let late = late.rejected().unwrap();
    assert_eq!((late.policy.as_str(), late.reason), ("deadline", Reason::DeadlineExceeded));
    for (name, policy) in ["shed", "rate", "breaker", "bulkhead"].into_iter().zip(&rig.policies) {
        // Also those inside the retry are asked once: they are no attempts (B13).
        assert_eq!(rig.held_back().await, (name, Reason::Isolated, Duration::ZERO));
        policy.act(&Action::Release).unwrap();
    }
    // What is further in than the breaker is an attempt, and repeated.
    let waits = SECOND / 10 + SECOND / 5;
    assert_eq!(rig.held_back().await, ("chaos", Reason::Chaos, waits));
    rig.faults.clear();
    assert_eq!(rig.notes.count(), 1, "nothing has reached the service but the first call");
    // Each of three attempts is hedged, and ends with its second one.
    let attempts = 3 * (SECOND / 5 + SECOND * 2);
    assert_eq!(rig.held_back().await, ("timeout", Reason::TimedOut, attempts + waits));
    assert_eq!((rig.notes.count(), rig.notes.running()), (1 + 2 * 6, 0));
    rig.hangs.store(false, Ordering::SeqCst);
    assert_eq!(rig.call(Call::new()).await.unwrap(), 7);
}
