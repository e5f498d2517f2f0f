//! Queues on the log: what a restart and a crash leave, and what retention gives back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, Key, Rng, SystemClock};
use switchboard_message::exchange::{
    Binding, Exchange, Job, Kind, Layout, Queue, Queues, Reason, Worker,
};
use switchboard_message::{Broker, ConsumeError, MemoryBroker, Outcome};
use switchboard_message_log::{LogBroker, OpenError, Options};
use switchboard_testkit::file::FaultyFiles;
use switchboard_testkit::message::Subject;
use switchboard_testkit::message::exchange::{body_of, differential, numbered};

use crate::{open, options};

/// A fanout to two queues, of which one gives up what is rejected.
fn layout() -> Layout {
    Layout::default()
        .with_exchange(Exchange::new("x", Kind::Fanout))
        .with_queue(Queue::new("a").with_dead_letter("", "dead").with_delivery_limit(1_000))
        .with_queue(Queue::new("b").with_delivery_limit(1_000))
        .with_queue(Queue::new("dead").with_delivery_limit(1_000))
        .with_binding(Binding::key("x", "a", ""))
        .with_binding(Binding::key("x", "b", ""))
}

async fn taken(worker: &mut dyn Worker) -> Vec<Job> {
    tokio::time::timeout(Duration::from_secs(20), worker.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_orderly_restart_keeps_messages_counts_and_moments() {
    let dir = tempfile::tempdir().unwrap();
    let due = SystemClock.now().plus(Duration::from_secs(3_600));
    {
        let broker = open(dir.path());
        let subject = Subject::new(broker.clone());
        subject.lay_out(layout()).await;
        subject.send("x", "", 0..6).await;
        let mut hand = subject.hand("a", 4).await;
        let jobs = hand.take(4).await;
        hand.settle(&jobs[0], Outcome::Done);
        hand.settle(&jobs[1], Outcome::Retry(due));
        hand.settle(&jobs[2], Outcome::Reject);
        broker.close().await;
        assert!(matches!(hand.worker().next().await, Err(ConsumeError::Closed)));
        assert!(subject.queues().work("a", 1).await.is_ok(), "and it is told that it is closed");
    }
    let subject = Subject::new(open(dir.path()));
    let mut hand = subject.hand("a", 10).await;
    let jobs = hand.take(3).await;
    let seen: Vec<_> = jobs.iter().map(|job| (body_of(job), job.redelivered)).collect();
    assert_eq!(seen, [(3, 1), (4, 0), (5, 0)], "1 waits for its moment, 2 is dead");
    hand.stays_silent().await;
    let dead = subject.hand("dead", 1).await.one().await;
    assert_eq!((body_of(&dead), dead.deaths[0].reason), (2, Reason::Rejected));
    let depths = subject.queues().depths().await.unwrap();
    assert_eq!((depths[0].queue.as_str(), depths[0].ready), ("a", 1));
    assert_eq!(subject.drain("b", 6).await, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn what_cannot_be_decoded_is_a_job_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    let subject = Subject::new(broker.clone());
    subject.lay_out(layout()).await;
    let sent = broker.send_raw("a", Some(Key::from("k")), &b"\x09nonsense"[..]).await.unwrap();
    assert!(sent.routed);
    let mut hand = subject.hand("a", 1).await;
    let job = hand.one().await;
    assert_eq!(job.message.as_ref().unwrap_err().key, Some(Key::from("k")));
    hand.settle(&job, Outcome::Reject);
    let job = subject.hand("dead", 1).await.one().await;
    assert_eq!(&job.message.unwrap_err().bytes[..], b"\x09nonsense");
    assert_eq!(job.deaths[0].queue, "a");
}

#[tokio::test]
async fn a_paused_broker_hands_out_nothing_and_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    let subject = Subject::new(broker.clone());
    subject.lay_out(layout()).await;
    subject.send("x", "", 0..1).await;
    broker.pause();
    let mut hand = subject.hand("a", 1).await;
    hand.stays_silent().await;
    let answers = subject.queues().send("x", "", vec![numbered(1)]).await;
    assert!(answers[0].is_err());
    broker.resume();
    assert_eq!(hand.work_off(1).await, [0]);
}

/// What is settled from the front on goes, and the journal is written anew; nothing else changes.
#[tokio::test]
async fn retention_drops_what_is_settled_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let small = || {
        let options = options(dir.path());
        let log = options.log.clone().with_segment_bytes(64 << 10);
        LogBroker::open(options.with_log(log)).unwrap()
    };
    {
        let broker = small();
        let subject = Subject::new(broker.clone());
        subject.lay_out(layout()).await;
        let mut hand = subject.hand("b", 100).await;
        for round in 0..40 {
            let body = |n| numbered(n).with_payload(format!("{n:0>1000}").into_bytes());
            let batch = (round * 10..round * 10 + 10).map(body).collect();
            for answer in subject.queues().send("", "b", batch).await {
                assert!(answer.unwrap().routed);
            }
            let mut done = 0;
            while done < 10 {
                for job in hand.next().await {
                    // The last one of each round but one stays.
                    if body_of(&job) < 390 {
                        hand.settle(&job, Outcome::Done);
                    }
                    done += 1;
                }
            }
        }
        broker.enforce_retention().await.unwrap();
        let held: u64 = broker.log().inspect().iter().map(|segment| segment.bytes).sum();
        assert!(held < 160 << 10, "{held} bytes of 400 KiB are kept");
        let journal = broker.log().find("queues:journal").unwrap();
        let bounds = broker.log().bounds(journal).unwrap();
        assert!(bounds.last - bounds.first < 8, "{bounds:?}");
        drop(hand);
        assert_eq!(subject.queues().depths().await.unwrap()[1].ready, 10);
        broker.close().await;
    }
    let subject = Subject::new(small());
    let mut hand = subject.hand("b", 100).await;
    let jobs = hand.take(10).await;
    let seen: Vec<_> = jobs.iter().map(|job| (body_of(job), job.redelivered)).collect();
    assert_eq!(seen, (390..400).map(|n| (n, 1)).collect::<Vec<_>>());
}

/// A job that brings the process down before anything more is synced still reaches its limit.
#[test]
fn a_job_that_crashes_the_process_reaches_its_delivery_limit() {
    let files = FaultyFiles::new(4);
    life(&files, async |broker| {
        let subject = Subject::new(broker);
        let poison = Queue::new("p").with_delivery_limit(3).with_dead_letter("", "dead");
        subject.lay_out(Layout::default().with_queue(poison).with_queue(Queue::new("dead"))).await;
        subject.send("", "p", 0..2).await;
        files.cut_power_at(1);
    });
    let mut seen = Vec::new();
    while seen.last() != Some(&(1, 1)) {
        assert!(seen.len() < 10, "it goes on for ever: {seen:?}");
        seen.push(life(&files, async |broker| {
            let mut worker = broker.work("p", 1).await.unwrap();
            let job = taken(&mut *worker).await.remove(0);
            files.cut_power_at(1);
            (body_of(&job), job.redelivered)
        }));
    }
    // At first it is only suspected, as is the innocent one behind it.
    assert_eq!(seen, [(0, 1), (0, 1), (0, 2), (0, 3), (1, 1)]);
    life(&files, async |broker| {
        let job = taken(&mut *broker.work("dead", 1).await.unwrap()).await.remove(0);
        assert_eq!((body_of(&job), job.deaths[0].reason), (0, Reason::DeliveryLimit));
    });
}

// === crashes ===

fn faulty(files: &FaultyFiles) -> Result<LogBroker, OpenError> {
    let options = Options::new("broker", Arc::new(SystemClock));
    let log = options.log.clone().with_segment_bytes(64 << 10).with_files(Arc::new(files.clone()));
    LogBroker::open(options.with_log(log))
}

/// One life of a broker. Whatever it started is over when the power comes back: nothing of it may
/// write into the next one.
fn life<T>(files: &FaultyFiles, work: impl AsyncFnOnce(LogBroker) -> T) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let broker =
        faulty(files).unwrap_or_else(|error| panic!("{}", switchboard_core::chain(&error)));
    let outcome = runtime.block_on(work(broker));
    drop(runtime);
    files.crash();
    outcome
}

fn plan(files: &FaultyFiles, rng: &mut Rng) {
    match rng.below(4) {
        0 => files.fail_sync_at(1 + rng.below(150)),
        1 => files.fail_write_at(1 + rng.below(150)),
        _ => files.cut_power_at(1 + rng.below(400)),
    }
}

/// What must be true of the queues, whatever happened to them.
#[derive(Default)]
struct Model {
    sent: u64,
    /// Sent and acknowledged: each of the two queues has it, or it was settled there.
    acknowledged: BTreeSet<u64>,
    /// By queue: settled in this life, and perhaps not synced.
    settled: BTreeMap<&'static str, BTreeSet<u64>>,
    /// By queue: settled, and a later ack of a later message proves that it was synced.
    gone: BTreeMap<&'static str, BTreeSet<u64>>,
    rejected: BTreeSet<u64>,
    /// Handed out or settled, by queue, in any life.
    touched: BTreeMap<&'static str, BTreeSet<u64>>,
}

const QUEUES: [&str; 3] = ["a", "b", "dead"];

impl Model {
    /// Compares everything that a fresh broker hands out with what it must.
    async fn compare(&mut self, broker: &LogBroker, seed: u64) {
        let mut found: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        if broker.declare_layout().await.is_err() {
            return;
        }
        for queue in QUEUES {
            let depths = broker.depths().await.unwrap();
            let ready = depths.iter().find(|depth| depth.queue == queue).unwrap().ready;
            let mut worker = broker.work(queue, 10_000).await.unwrap();
            let (mut last, mut count) = (None, 0);
            while count < ready {
                for job in taken(&mut *worker).await {
                    let body = body_of(&job);
                    assert!(queue == "dead" || last < Some(body), "{seed}: {queue} out of order");
                    last = Some(body);
                    assert!(found.entry(queue).or_default().insert(body), "{seed}: twice {body}");
                    let touched = self.touched.get(queue).is_some_and(|t| t.contains(&body));
                    assert!(!touched || job.redelivered > 0, "{seed}: {queue}/{body} unflagged");
                    count += 1;
                }
            }
            for body in found.get(queue).into_iter().flatten() {
                assert!(!self.gone_from(queue).contains(body), "{seed}: {queue}/{body} came back");
            }
        }
        let has = |queue: &str, body: u64| found.get(queue).is_some_and(|set| set.contains(&body));
        for &body in &self.acknowledged {
            let b = has("b", body) || self.settled_in("b").contains(&body);
            assert!(b, "{seed}: b has lost {body}");
            let moved = has("dead", body) || self.settled_in("dead").contains(&body);
            let a = has("a", body) || self.settled_in("a").contains(&body);
            assert!(a || moved, "{seed}: a has lost {body}");
            assert!(!(has("a", body) && moved), "{seed}: {body} is in both");
        }
        // All or none of the queues of a message that was not acknowledged.
        for body in (0..self.sent).filter(|body| !self.acknowledged.contains(body)) {
            let in_a = has("a", body) || has("dead", body) || self.anywhere("a", body);
            let in_b = has("b", body) || self.settled_in("b").contains(&body);
            assert_eq!(in_a, in_b, "{seed}: {body} is in one of the queues");
        }
        // What came in again was not settled durably, and is to be done again.
        for queue in QUEUES {
            let found = found.remove(queue).unwrap_or_default();
            self.touched.entry(queue).or_default().extend(&found);
            if let Some(settled) = self.settled.get_mut(queue) {
                settled.retain(|body| !found.contains(body));
                self.gone.entry(queue).or_default().extend(settled.iter().copied());
            }
        }
    }

    fn gone_from(&self, queue: &str) -> BTreeSet<u64> {
        self.gone.get(queue).cloned().unwrap_or_default()
    }

    fn settled_in(&self, queue: &str) -> BTreeSet<u64> {
        self.settled.get(queue).cloned().unwrap_or_default()
    }

    fn anywhere(&self, queue: &str, body: u64) -> bool {
        self.settled_in(queue).contains(&body) || self.settled_in("dead").contains(&body)
    }

    /// Sends a batch; false when the broker gave up.
    async fn send(&mut self, broker: &LogBroker, rng: &mut Rng) -> bool {
        // What was settled before this call is noted in the same batch of the log, or an earlier one.
        let settled = self.settled.clone();
        let first = self.sent;
        self.sent += 1 + rng.below(6);
        let batch = (first..self.sent).map(numbered).collect();
        let answers = broker.send("x", "", batch).await;
        let ok = answers.iter().all(Result::is_ok);
        for (body, answer) in (first..).zip(answers) {
            if answer.is_ok() {
                self.acknowledged.insert(body);
            }
        }
        if ok {
            for (queue, bodies) in settled {
                self.gone.entry(queue).or_default().extend(bodies);
            }
        }
        ok
    }

    async fn work(&mut self, broker: &LogBroker, rng: &mut Rng) {
        let mut workers = BTreeMap::new();
        for queue in QUEUES {
            let Ok(worker) = broker.work(queue, 16).await else { return };
            workers.insert(queue, worker);
        }
        for round in 0..60 {
            if !self.send(broker, rng).await {
                return;
            }
            for (queue, worker) in &mut workers {
                let next = tokio::time::timeout(Duration::ZERO, worker.next()).await;
                let Ok(Ok(jobs)) = next else { continue };
                for job in jobs {
                    let body = body_of(&job);
                    self.touched.entry(queue).or_default().insert(body);
                    match rng.below(8) {
                        0 => drop(worker.settle(job.tag, Outcome::Retry(SystemClock.now()))),
                        1 if *queue == "a" => {
                            self.rejected.insert(body);
                            worker.settle(job.tag, Outcome::Reject);
                        }
                        2 => {} // kept until the worker is dropped
                        _ => {
                            assert!(worker.settle(job.tag, Outcome::Done));
                            self.settled.entry(queue).or_default().insert(body);
                        }
                    }
                }
            }
            if rng.below(10) == 0 {
                // It leaves with what it holds, and another one comes.
                let queue = QUEUES[round % 3];
                workers.remove(queue);
                let Ok(worker) = broker.work(queue, 16).await else { return };
                workers.insert(queue, worker);
            }
            if round % 20 == 19 {
                let _may_fail = broker.enforce_retention().await;
            }
        }
    }
}

/// The layout, declared anew in each life.
trait Declares {
    async fn declare_layout(&self) -> Result<(), switchboard_message::TopologyError>;
}

impl Declares for LogBroker {
    async fn declare_layout(&self) -> Result<(), switchboard_message::TopologyError> {
        Queues::declare(self, &layout()).await
    }
}

/// A hundred lives of brokers that end badly.
#[test]
fn bug_10_queues_survive_every_crash() {
    let (mut acknowledged, mut dead) = (0, 0);
    for seed in 0..20 {
        let mut rng = Rng::from_seed(seed);
        let files = FaultyFiles::new(seed);
        let mut model = Model::default();
        for _ in 0..5 {
            life(&files, async |broker| {
                model.compare(&broker, seed).await;
                plan(&files, &mut rng);
                if broker.declare_layout().await.is_ok() {
                    model.work(&broker, &mut rng).await;
                }
                files.cut_power_at(1);
            });
        }
        life(&files, async |broker| model.compare(&broker, seed).await);
        acknowledged += model.acknowledged.len();
        dead += model.rejected.len();
    }
    println!("{acknowledged} acknowledged, {dead} rejected");
    assert!(acknowledged > 1_000 && dead > 100, "{acknowledged} acknowledged, {dead} rejected");
}

#[test]
fn the_capability_is_promised() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    assert!(broker.capabilities().has.contains(&switchboard_message::Capability::Exchanges));
    assert!(broker.queues().is_some());
}

/// Queues on the log and in memory deliver the same, whatever is declared and done.
#[tokio::test]
async fn the_log_and_memory_deliver_the_same() {
    let mut tally = differential::Tally::default();
    for seed in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let memory = Subject::new(MemoryBroker::new(Arc::new(SystemClock)));
        let log = Subject::new(open(dir.path()));
        differential::compare(&memory, &log, seed, &mut tally).await;
    }
    tally.assert_whole();
}
