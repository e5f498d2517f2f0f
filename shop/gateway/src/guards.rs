//! What stands between a caller and the services: places by importance, a breaker for each service, retries that a budget pays for, and
//! the last good product list for bad times.
//!
//! A route names its pool, so that work nobody waits for cannot take the places of an order. A breaker judges a service by how it answers
//! and costs the others nothing; while it is open, callers are told at once when to come back. Only reads are repeated, within their
//! deadline. What a caller asks for as deadline and priority is taken over, but no caller becomes more important than the route is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode, request::Parts};
use parking_lot::Mutex;
use shop_edge::Problem;
use shop_edge::negotiate::accepts_gzip;
use shop_edge::rpc::deadline::whole_seconds;
use shop_edge::rpc::judged::Judged;
use shop_edge::rpc::upload::Upload;
use switchboard_core::{Clock, Priority, Rng};
use switchboard_resilience::breaker::{Breaker, Environment, Options};
use switchboard_resilience::budget::{Budget, Policy};
use switchboard_resilience::bulkhead::{self, Bulkhead, Place, Pools};
use switchboard_resilience::control::{Health, Status};
use switchboard_resilience::fallback::{Cause, Degraded, Source, StaleCache};
use switchboard_resilience::propagate::{PRIORITY, again, decode_lenient, mark_degraded};
use switchboard_resilience::retry::{self, Again, Progress};
use switchboard_resilience::{Call, InvalidOptions, Outcome, Reason, Registry, Rejected};
use tokio::time::Instant;

use crate::proxy::BODY_TIMEOUT;
use crate::routes::Route;
use crate::unread::held;

/// No attempt begins later than this after the first: a service that takes long to fail is not asked
/// again, or a caller would wait three times as long for the same answer.
const TOTAL: Duration = Duration::from_secs(3);
/// How long a call waits for a place, at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a kept answer may be shown when its service cannot answer.
const STALE: Duration = Duration::from_secs(3_600);
/// Answers that are kept, and the bytes of each, at most.
const KEPT: (usize, usize) = (256, 64 << 10);

/// The policies of one door. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct Guards {
    pools: Pools,
    services: Arc<BTreeMap<&'static str, Service>>,
    answers: StaleCache<Kept>,
}

#[derive(Clone, Debug)]
struct Service {
    breaker: Breaker,
    retries: Retries,
}

/// Further attempts at one service: when, and whether anybody pays.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    budget: Budget,
    policy: retry::Policy,
    clock: Arc<dyn Clock>,
    rng: Arc<Mutex<Rng>>,
}

/// How far the attempts of one call have come.
#[derive(Debug)]
pub(crate) struct Trying {
    /// When the last one may begin.
    until: Option<Instant>,
    progress: Progress,
}

/// A good answer as it was.
#[derive(Clone, Debug)]
struct Kept {
    headers: HeaderMap,
    body: Bytes,
}

/// One call on its way to a service.
pub(crate) struct Passing<'a> {
    guards: &'a Guards,
    service: &'a Service,
    route: &'a Route,
    call: Call,
    /// Where its answer is kept, if this kind of answer is.
    key: Option<String>,
}

/// 20 places for what moves money, 30 for what a person waits for, 10 for the rest. A hundred calls
/// that arrive at once find room to wait; whoever would wait longer is told so at once.
fn pools() -> Result<Pools, InvalidOptions> {
    let pool = |name, places, queue| {
        let options = bulkhead::Options::new(places)?.with_queue(queue, PATIENCE)?;
        Ok(Bulkhead::new(name, options))
    };
    Ok(Pools::new(
        pool("gateway.critical", 20, 1_000)?,
        pool("gateway.standard", 30, 1_000)?,
        pool("gateway.batch", 10, 200)?,
    ))
}

// === impl Guards ===

impl Guards {
    /// Three pools of 20, 30 and 10 places, and for each of these services a breaker and a budget
    /// of retries; all of them registered, so that operators see them.
    ///
    /// # Errors
    /// [`InvalidOptions`] for numbers that are out of bounds: a mistake of ours.
    pub fn new(
        services: impl IntoIterator<Item = &'static str>,
        clock: &Arc<dyn Clock>,
        registry: &Registry,
        mut rng: Rng,
    ) -> Result<Self, InvalidOptions> {
        let pools = pools()?;
        for bulkhead in pools.bulkheads() {
            registry.register(Arc::new(bulkhead));
        }
        let policy = retry::Policy::recommended().with_total(TOTAL);
        let rng = Arc::new(Mutex::new(rng.fork()));
        let service = |name: &'static str| {
            let fallback = match name {
                "inventory" => "the last product list, marked as degraded",
                "content" => "users without their posts over GraphQL",
                _ => "an answer that says when to come back",
            };
            let environment = Environment::process().with_clock(clock.clone());
            let options = Options::recommended().with_fallback(fallback);
            let breaker = Breaker::new(name, options, environment);
            let budget = Budget::new(&*format!("{name}-retries"), Policy::recommended());
            registry.register(Arc::new(breaker.clone()));
            registry.register(Arc::new(budget.clone()));
            let (policy, clock, rng) = (policy.clone(), clock.clone(), rng.clone());
            (name, Service { breaker, retries: Retries { budget, policy, clock, rng } })
        };
        let services = Arc::new(services.into_iter().map(service).collect());
        let answers = StaleCache::new(Duration::ZERO, STALE).with_room(KEPT.0);
        Ok(Self { pools, services, answers })
    }

    /// The pool of this priority.
    pub fn pool(&self, priority: Priority) -> &Bulkhead {
        self.pools.of(priority)
    }

    /// The breaker of a service; `None` for one that nobody named.
    pub fn breaker(&self, service: &str) -> Option<&Breaker> {
        self.services.get(service).map(|service| &service.breaker)
    }

    /// Which services are not answered by themselves now, and what stands in (D11).
    pub fn degraded(&self) -> Vec<Health> {
        let all = self.services.values().map(|service| service.breaker.health());
        all.filter(|health| health.status == Status::Degraded).collect()
    }

    /// What further attempts at a service cost; `None` for one that nobody guards.
    pub(crate) fn retries(&self, service: &str) -> Option<Retries> {
        self.services.get(service).map(|service| service.retries.clone())
    }

    /// A call on its way along this route; `None` for a service that nobody guards.
    pub(crate) fn passing<'a>(
        &'a self,
        route: &'a Route,
        head: &Parts,
        is_bodyless: bool,
    ) -> Option<Passing<'a>> {
        let service = self.services.get(route.service)?;
        let (mut call, _unreadable) = decode_lenient(&head.method, &head.headers, Instant::now());
        // Reads only: of a change that broke off nobody knows whether it is done, and the second try
        // of a DELETE that is would answer 404.
        call.is_repeatable &= is_bodyless && head.method.is_safe();
        // Priorities are ordered from the most important one: whoever says nothing is as important as
        // the route, and nobody is more important.
        let has_said = head.headers.contains_key(PRIORITY);
        call.priority = if has_said { call.priority.max(route.pool) } else { route.pool };
        let key = (route.is_kept && head.method == Method::GET).then(|| key_of(head)).flatten();
        Some(Passing { guards: self, service, route, call, key })
    }
}

// === impl Retries ===

impl Retries {
    /// The first attempt of a call begins: the first ones pay for the others.
    pub(crate) fn begin(&self, call: &mut Call) -> Trying {
        self.budget.first_try(call);
        Trying { until: self.policy.deadline(call.deadline), progress: Progress::default() }
    }

    /// What an answer over HTTP says about asking again.
    pub(crate) fn again<B>(&self, answer: &http::Response<B>) -> Again {
        again(answer, self.clock.now())
    }

    /// How long to wait before one more attempt, which is paid then; `None` when there is none.
    pub(crate) fn wait(&self, call: &Call, trying: &mut Trying, again: Again) -> Option<Duration> {
        let Again::After { class, .. } = again else { return None };
        let left = trying.until.map(|at| at.saturating_duration_since(Instant::now()));
        let (progress, rng) = (&mut trying.progress, &mut self.rng.lock());
        let wait = self.policy.next(progress, again, call.is_repeatable, left, rng).ok()?;
        self.budget.try_charge(class).ok()?.sent();
        Some(wait)
    }
}

// === impl Passing ===

impl Passing<'_> {
    /// How long its body may take to arrive.
    pub(crate) fn patience(&self) -> Duration {
        let left = self.call.remaining(Instant::now());
        left.map_or(BODY_TIMEOUT, |left| left.min(BODY_TIMEOUT))
    }

    /// A place among the calls of its importance.
    pub(crate) async fn place(&self) -> Result<Place, Response> {
        let pool = self.guards.pools.of(self.call.priority);
        pool.acquire(&self.call).await.map_err(|rejected| self.instead(&rejected))
    }

    /// Makes one attempt after another, each judged by the breaker, until one is final.
    pub(crate) async fn attempts<F>(
        mut self,
        place: Place,
        upload: &Upload,
        mut attempt: impl FnMut(Call) -> F,
    ) -> Response
    where
        F: Future<Output = (Response, Outcome)>,
    {
        let retries = &self.service.retries;
        let mut trying = retries.begin(&mut self.call);
        loop {
            let pass = match self.service.breaker.admit_owned() {
                Ok(pass) => Judged::new(pass, upload.clone()),
                Err(rejected) => return self.instead(&rejected),
            };
            let (answer, outcome) = attempt(self.call).await;
            pass.record(outcome);
            let Outcome::Failure { .. } = outcome else {
                return self.kept(answer).await.map(|body| held(body, place));
            };
            match retries.wait(&self.call, &mut trying, retries.again(&answer)) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return self.stale().unwrap_or(answer),
            }
            self.call.attempt += 1;
        }
    }

    /// Keeps a good answer of the kind that is shown in bad times.
    async fn kept(&self, answer: Response) -> Response {
        let Some(key) = &self.key else { return answer };
        let length = answer.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if answer.status() != StatusCode::OK || length.is_none_or(|length| length > KEPT.1) {
            return answer;
        }
        let (head, body) = answer.into_parts();
        match to_bytes(body, KEPT.1).await {
            Ok(body) => {
                let kept = Kept { headers: head.headers.clone(), body: body.clone() };
                self.guards.answers.put(key, kept);
                Response::from_parts(head, Body::from(body))
            }
            Err(_) => {
                Problem::bad_gateway(format!("The {} service broke off.", self.route.service))
                    .into_response()
            }
        }
    }

    /// The last good answer, marked as such.
    fn stale(&self) -> Option<Response> {
        let kept = self.guards.answers.get(self.key.as_deref()?)?;
        let mut answer = Response::new(Body::from(kept.answer.body));
        *answer.headers_mut() = kept.answer.headers;
        let source = Source::Stale { age: kept.age };
        mark_degraded(answer.headers_mut(), Degraded { source, cause: Cause::Failed });
        Some(answer)
    }

    /// What a caller gets whose call was not let through.
    fn instead(&self, rejected: &Rejected) -> Response {
        self.stale().unwrap_or_else(|| problem(self.route.service, rejected).into_response())
    }
}

/// Under what an answer is kept: the page that is asked for, and whether it may be compressed. `None`
/// for whatever else is asked: made-up questions would drive the real ones out.
fn key_of(head: &Parts) -> Option<String> {
    let query = head.uri.query().unwrap_or_default();
    let is_page = |part: &str| part.starts_with("limit=") || part.starts_with("cursor=");
    let is_plain = query.is_empty() || query.split('&').all(is_page);
    let gzip = accepts_gzip(&head.headers);
    is_plain.then(|| format!("{}?{query} {gzip}", head.uri.path()))
}

/// A rejection as a caller sees it: what holds the call back, and when to come back.
fn problem(service: &str, rejected: &Rejected) -> Problem {
    let problem = match rejected.reason {
        Reason::DeadlineExceeded => {
            return Problem::gateway_timeout("There was no time left to wait for a place.");
        }
        Reason::Open | Reason::Probing => Problem::unavailable(format!(
            "The {service} service has failed too often and is left alone for a while."
        )),
        Reason::Isolated => {
            Problem::unavailable(format!("The {service} service is held back by an operator."))
        }
        _ => Problem::unavailable("Too much is being done at once; try again."),
    };
    match rejected.retry_after {
        Some(wait) => problem.retry_after(whole_seconds(wait).max(1)),
        None => problem,
    }
}
