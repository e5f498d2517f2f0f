//! Random layouts and random work, done by two brokers at once: what one delivers, the other must.
//!
//! A plan comes from a seed. Both brokers lay its queues out and do its acts one after another;
//! after each act the answers, the jobs with everything about them, and what is left in every queue
//! are compared. An act ends when both brokers have come to rest, so nothing hangs on how fast
//! either of them moves a dead letter.
//!
//! What it does is counted in a [`Tally`], so that whoever runs it can ask whether anything happened.
//!
//! What is left open on purpose, because RabbitMQ leaves it open: in which order dead letters of
//! *two* queues come to a third, and how much of a queue lies in the hands of a worker who has not
//! asked for it yet. So queues that let go by themselves have a grave of their own, and a worker
//! either takes one job at a time or leaves without settling any. RabbitMQ 3.10 sends a worker one
//! more job than its prefetch for each one that has come back too often to it; so only workers that
//! die drive a message over its delivery limit. Not done here at all, because it hangs on time: jobs
//! in hand while others are sent, retries with a moment, and what expires after it came back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use switchboard_core::{Clock, Envelope, Name, Rng, SystemClock};
use switchboard_message::Outcome;
use switchboard_message::exchange::{
    Binding, Death, Exchange, Job, Kind, Layout, MAX_PREFETCH, Queue, Reason,
};

use super::{body_of, numbered};
use crate::message::{PATIENCE, Subject};

/// How long a message lives in the queue that nobody works at.
const TTL: Duration = Duration::from_millis(5);
/// Deaths of a message after which its workers are done with it: every plan ends.
const DEATHS: u64 = 4;

/// A layout and what is done with it.
#[derive(Clone, Debug)]
struct Plan {
    layout: Layout,
    acts: Vec<Act>,
}

/// What has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that some queue took.
    pub routed: u64,
    /// Messages that none took.
    pub unrouted: u64,
    /// Jobs that were handed out for the first time.
    pub fresh: u64,
    /// Jobs that had come back.
    pub returned: u64,
    /// Deaths by reason, as jobs told them.
    pub deaths: BTreeMap<Reason, u64>,
}

#[derive(Clone, Debug)]
enum Act {
    /// Some messages with the same key and headers.
    Send { exchange: Name, key: Name, headers: BTreeMap<Name, &'static str>, count: u64 },
    /// A worker takes one job after another until the queue is empty.
    Work { queue: Name },
    /// Workers, one after the other, take so many jobs and die.
    Abandon { queue: Name, count: usize, workers: u64 },
}

/// A job as both brokers must deliver it.
#[derive(PartialEq, Eq)]
struct Seen {
    envelope: Envelope,
    exchange: Name,
    key: Name,
    redelivered: u32,
    deaths: Vec<Death>,
}

/// Makes parts of a plan.
struct Draw {
    rng: Rng,
    prefix: String,
}

/// Lets two brokers do the same and compares them. The first one is asked how much there is to wait
/// for, so it is the one whose queues settle without a network in between.
///
/// # Panics
/// When they differ, naming the seed and the act.
pub async fn compare(first: &Subject, second: &Subject, seed: u64, tally: &mut Tally) {
    let plan = Plan::random(seed);
    first.lay_out(plan.layout.clone()).await;
    second.lay_out(plan.layout.clone()).await;
    let mut number = 0;
    for (at, act) in plan.acts.iter().enumerate() {
        let context = format!("seed {seed}, act {at}: {act:?}\n{:#?}", plan.layout);
        match act {
            Act::Send { exchange, key, headers, count } => {
                let batch = envelopes(number..number + count, headers);
                number += count;
                let one = send(first, exchange, key, batch.clone()).await;
                let other = send(second, exchange, key, batch).await;
                assert_eq!(one, other, "whether they were routed; {context}");
                tally.sent(&one);
            }
            Act::Work { queue } => {
                let limit = plan.limit(queue);
                let one = work(first, queue, None, limit, seed).await;
                let other = work(second, queue, Some(one.len()), limit, seed).await;
                assert_eq!(one, other, "the jobs; {context}");
                tally.taken(&one);
            }
            Act::Abandon { queue, count, workers } => {
                for _ in 0..*workers {
                    let ready = plan.depths(first).await[queue];
                    let count = usize::try_from(ready).unwrap_or(0).min(*count);
                    let one = abandon(first, queue, count).await;
                    let other = abandon(second, queue, count).await;
                    assert_eq!(one, other, "the jobs; {context}");
                    tally.taken(&one);
                    plan.come_to_rest(first, second, &context).await;
                }
            }
        }
        plan.come_to_rest(first, second, &context).await;
    }
}

fn envelopes(
    numbers: std::ops::Range<u64>,
    headers: &BTreeMap<Name, &'static str>,
) -> Vec<Envelope> {
    let with = |envelope: Envelope, (name, value): (&Name, &&str)| {
        envelope.with_header(name.clone(), *value)
    };
    numbers.map(|number| headers.iter().fold(numbered(number), with)).collect()
}

async fn send(subject: &Subject, exchange: &str, key: &str, batch: Vec<Envelope>) -> Vec<bool> {
    let answers = subject.queues().send(exchange, key, batch).await;
    answers.into_iter().map(|answer| answer.expect("a message that was taken").routed).collect()
}

/// Takes `count` jobs one by one, or all that there are, and settles each as its fate says.
async fn work(
    subject: &Subject,
    queue: &str,
    count: Option<usize>,
    limit: u32,
    seed: u64,
) -> Vec<Seen> {
    let mut hand = subject.hand(queue, 1).await;
    let mut seen = Vec::new();
    loop {
        match count {
            Some(count) if seen.len() == count => break,
            None if at_rest(subject).await[queue] == 0 => break,
            _ => {}
        }
        let job = hand.one().await;
        let fate = fate(&job, limit, seed);
        hand.settle(&job, fate);
        seen.push(Seen::from(job));
    }
    seen
}

/// Takes `count` jobs at once and settles none of them.
async fn abandon(subject: &Subject, queue: &str, count: usize) -> Vec<Seen> {
    if count == 0 {
        return Vec::new();
    }
    let mut hand = subject.hand(queue, count.min(MAX_PREFETCH)).await;
    let jobs = hand.take(count).await;
    jobs.into_iter().map(Seen::from).collect()
}

/// What a worker says to a job: the same to the same job, wherever it is.
fn fate(job: &Job, limit: u32, seed: u64) -> Outcome {
    let deaths: u64 = job.deaths.iter().map(|death| death.count).sum();
    let state = seed ^ body_of(job).rotate_left(20) ^ (deaths << 8) ^ u64::from(job.redelivered);
    match Rng::from_seed(state).below(4) {
        _ if deaths >= DEATHS => Outcome::Done,
        0 if job.redelivered < limit => Outcome::Retry(SystemClock.now()),
        1 => Outcome::Reject,
        _ => Outcome::Done,
    }
}

/// Ready messages by queue, when nothing moves any more inside a broker that moves by itself.
async fn at_rest(subject: &Subject) -> BTreeMap<Name, u64> {
    let mut before = ready(subject).await;
    let mut still = 0;
    while still < 20 {
        tokio::task::yield_now().await;
        let now = ready(subject).await;
        still = if now == before { still + 1 } else { 0 };
        before = now;
    }
    before
}

async fn ready(subject: &Subject) -> BTreeMap<Name, u64> {
    let depths = subject.queues().depths().await.expect("depths");
    depths.into_iter().map(|depth| (depth.queue, depth.ready + depth.unsettled)).collect()
}

// === impl Plan ===

impl Plan {
    /// The plan of a seed.
    fn random(seed: u64) -> Self {
        let mut draw = Draw { rng: Rng::from_seed(seed), prefix: format!("plan-{seed}") };
        let layout = draw.layout();
        let acts = (0..24).map(|_| draw.act(&layout));
        // In the end everything is looked at.
        let lasting = layout.queues.iter().filter(|queue| queue.ttl.is_none());
        let rest = lasting.map(|queue| Act::Work { queue: queue.name.clone() });
        Self { acts: acts.chain(rest).collect(), layout: layout.clone() }
    }

    fn limit(&self, queue: &str) -> u32 {
        self.layout.queue(queue).map_or(0, |queue| queue.delivery_limit)
    }

    /// What lies in the plan's own queues.
    async fn depths(&self, subject: &Subject) -> BTreeMap<Name, u64> {
        let mut all = at_rest(subject).await;
        let own = self.layout.queues.iter().map(|queue| queue.name.clone());
        own.map(|name| (name.clone(), all.remove(&name).unwrap_or(0))).collect()
    }

    /// Waits until both have as much in every queue, and nothing in one that lets everything go.
    async fn come_to_rest(&self, first: &Subject, second: &Subject, context: &str) {
        let until = tokio::time::Instant::now() + PATIENCE;
        let passing: Vec<_> =
            self.layout.queues.iter().filter(|queue| queue.ttl.is_some()).collect();
        loop {
            let (one, other) = (self.depths(first).await, self.depths(second).await);
            if one == other && passing.iter().all(|queue| one[&queue.name] == 0) {
                return;
            }
            assert!(
                tokio::time::Instant::now() < until,
                "what is left differs: {one:?} and {other:?}; {context}"
            );
            // Queues are looked at over the network: not more often than makes sense.
            let _ = tokio::time::timeout(TTL, std::future::pending::<()>()).await;
        }
    }
}

// === impl Tally ===

impl Tally {
    fn sent(&mut self, routed: &[bool]) {
        let count = routed.iter().filter(|routed| **routed).count() as u64;
        self.routed += count;
        self.unrouted += routed.len() as u64 - count;
    }

    fn taken(&mut self, jobs: &[Seen]) {
        for job in jobs {
            match job.redelivered {
                0 => self.fresh += 1,
                _ => self.returned += 1,
            }
            for death in &job.deaths {
                *self.deaths.entry(death.reason).or_default() += 1;
            }
        }
    }

    /// Asserts that everything has happened that can.
    ///
    /// # Panics
    /// When something has not.
    pub fn assert_whole(&self) {
        let Self { routed, unrouted, fresh, returned, deaths } = self;
        let least = [routed, unrouted, fresh, returned].into_iter().min().copied();
        assert!(least > Some(10) && deaths.len() == 4, "hardly anything happened: {self:?}");
    }
}

// === impl Draw ===

impl Draw {
    fn name(&self, rest: &str) -> Name {
        format!("{}-{rest}", self.prefix).into()
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.rng.below(count) == 0
    }

    fn from<T: Copy>(&mut self, items: &[T]) -> T {
        *self.rng.pick(items).expect("something to pick from")
    }

    fn layout(&mut self) -> Layout {
        let kinds = [Kind::Direct, Kind::Topic, Kind::Fanout, Kind::Headers];
        let mut layout = Layout::default();
        // Exchanges that others name come first: what the alternate names must exist.
        for (at, kind) in kinds.into_iter().enumerate() {
            let mut exchange = Exchange::new(self.name(&format!("x{at}")), kind);
            if at > 0 && self.one_in(2) {
                let alternate = self.rng.below(at as u64);
                exchange = exchange.with_alternate(self.name(&format!("x{alternate}")));
            }
            layout = layout.with_exchange(exchange);
        }
        for at in 0..4_u64 {
            let mut queue = Queue::new(self.name(&format!("q{at}")));
            queue = queue.with_delivery_limit(1 + u32::try_from(self.rng.below(3)).unwrap_or(0));
            if self.one_in(4) {
                queue = queue.with_single_active_consumer();
            }
            queue = match self.rng.below(4) {
                0 => queue,
                1 => queue.with_dead_letter_exchange(self.name("x1")),
                2 => queue.with_dead_letter("", self.name("grave")),
                _ => {
                    let to = self.rng.below(4);
                    queue.with_dead_letter("", self.name(&format!("q{to}")))
                }
            };
            layout = layout.with_queue(queue);
        }
        let short = Queue::new(self.name("short")).with_max_length(1 + self.rng.below(4));
        let brief = Queue::new(self.name("brief")).with_ttl(TTL);
        layout = layout
            .with_queue(short.with_dead_letter("", self.name("short-grave")))
            .with_queue(brief.with_dead_letter("", self.name("brief-grave")));
        for grave in ["grave", "short-grave", "brief-grave"] {
            layout = layout.with_queue(Queue::new(self.name(grave)));
        }
        for _ in 0..10 {
            let binding = self.binding();
            if !layout.bindings.contains(&binding) {
                layout = layout.with_binding(binding);
            }
        }
        layout
    }

    fn binding(&mut self) -> Binding {
        let exchange = self.rng.below(4);
        let queue = self.from(&["q0", "q1", "q2", "q3", "short", "brief"]);
        let (from, to) = (self.name(&format!("x{exchange}")), self.name(queue));
        // What is dead-lettered by way of an exchange must not meet a queue that lets go by itself.
        let to = if exchange == 1 && !queue.starts_with('q') { self.name("grave") } else { to };
        if exchange == 3 {
            let values = [("h1", Some("x")), ("h1", Some("y")), ("h2", None), ("h2", Some("x"))];
            let count = usize::try_from(self.rng.below(3)).unwrap_or(0);
            let chosen: Vec<_> = (0..count).map(|_| self.from(&values)).collect();
            let all = self.one_in(2);
            return Binding::headers(from, to, all, chosen);
        }
        let words = if exchange == 1 { &["a", "b", "*", "#"][..] } else { &["a", "b"] };
        let pattern = self.words(words);
        Binding::key(from, to, pattern)
    }

    /// Up to three words with dots between them.
    fn words(&mut self, words: &[&'static str]) -> Name {
        let count = self.rng.below(4);
        let chosen: Vec<_> = (0..count).map(|_| self.from(words)).collect();
        chosen.join(".").into()
    }

    fn act(&mut self, layout: &Layout) -> Act {
        let queue = |draw: &mut Self| loop {
            let at = usize::try_from(draw.rng.below(layout.queues.len() as u64)).unwrap_or(0);
            let queue = &layout.queues[at];
            if queue.ttl.is_none() {
                break queue.name.clone();
            }
        };
        match self.rng.below(8) {
            0..=3 => {
                let to_queue = self.one_in(4);
                let exchange = match to_queue {
                    true => Name::from(""),
                    false => {
                        let at = self.rng.below(4);
                        self.name(&format!("x{at}"))
                    }
                };
                let key = if to_queue { queue(self) } else { self.words(&["a", "b", "c"]) };
                let mut headers = BTreeMap::new();
                for name in ["h1", "h2"] {
                    if self.one_in(2) {
                        let value = self.from(&["x", "y"]);
                        headers.insert(name.into(), value);
                    }
                }
                Act::Send { exchange, key, headers, count: 1 + self.rng.below(4) }
            }
            4..=6 => Act::Work { queue: queue(self) },
            _ => {
                let count = usize::try_from(1 + self.rng.below(3)).unwrap_or(1);
                Act::Abandon { queue: queue(self), count, workers: 1 + self.rng.below(4) }
            }
        }
    }
}

// === impl Seen ===

impl From<Job> for Seen {
    fn from(job: Job) -> Self {
        Self {
            envelope: job.message.expect("a message that can be decoded"),
            exchange: job.exchange,
            key: job.routing_key,
            redelivered: job.redelivered,
            deaths: job.deaths,
        }
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { envelope, exchange, key, redelivered, deaths } = self;
        write!(f, "{envelope:?} by `{exchange}` `{key}` again {redelivered} died")?;
        let entry = |death: &Death| {
            let Death { queue, reason, count, exchange, routing_key } = death;
            format!(
                " {count} x {} in `{queue}` from `{exchange}` `{routing_key}`",
                Reason::as_str(*reason)
            )
        };
        deaths.iter().try_for_each(|death| f.write_str(&entry(death)))
    }
}
