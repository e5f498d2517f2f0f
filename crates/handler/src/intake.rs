//! Takes deliveries from the broker, keeps each key in order, runs different keys side by side.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use switchboard_core::Key;
use switchboard_message::{
    Assignment, Broker, ConsumeError, Consumer, Delivery, Incoming, Outcome, Receipt,
    SubscribeError, Subscription,
};
use switchboard_store::{CommitError, Unit};

use crate::Error;
use crate::job::Job;
use crate::runner::{OUTAGE, Runner};
use crate::track::StoredProgress;

/// The one task of a group that owns its consumer.
///
/// All handlers run as futures of this task, at most [`Options::in_flight`](crate::Options) of
/// them: nothing is spawned for a message. A key has at most one future; its later messages queue
/// in its lane.
pub(crate) struct Intake {
    runner: Arc<Runner>,
    broker: Arc<dyn Broker>,
    /// One entry for each key that is being handled, with what waits behind.
    lanes: HashMap<Key, VecDeque<Job>>,
    running: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// Jobs in lanes, so that the gauge costs nothing.
    queued: usize,
}

/// What a future of the group came to.
enum Ended {
    Handled { receipt: Receipt, key: Key, taken: Result<bool, Error> },
    Flushed(Result<(), CommitError>),
}

/// How consuming ended.
enum Consumed {
    Stopped,
    Lost,
}

// === impl Intake ===

impl Intake {
    pub(crate) fn new(runner: Arc<Runner>, broker: Arc<dyn Broker>) -> Self {
        let (lanes, running) = (HashMap::new(), FuturesUnordered::new());
        Self { runner, broker, lanes, running, queued: 0 }
    }

    /// Consumes until the group is told to stop; joins again when the broker was away.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        while let Some(mut consumer) = self.subscribe().await? {
            match self.consume(&mut *consumer).await? {
                Consumed::Stopped => {
                    self.finish(Some(&mut *consumer)).await?;
                    return Ok(());
                }
                Consumed::Lost => {
                    self.drop_queued(|_| false);
                    self.runner.tracks.lock().clear();
                    let wait = self.runner.wait(1, OUTAGE);
                    self.work_for(wait).await?;
                }
            }
        }
        self.finish(None).await
    }

    /// Joins the group; `None` when the group is told to stop.
    async fn subscribe(&mut self) -> Result<Option<Box<dyn Consumer>>, Error> {
        let group = self.runner.group.clone();
        let store = Arc::clone(&self.runner.store);
        let resume = StoredProgress { group: group.clone(), store };
        let subscription = Subscription {
            start: self.runner.options.start,
            resume: Some(Arc::new(resume)),
            max_in_flight: self.runner.options.in_flight,
            ..Subscription::new(group.clone(), self.runner.routes.topics().cloned())
        };
        let mut tries = 0;
        while !self.runner.stop.is_cancelled() {
            match self.broker.subscribe(subscription.clone()).await {
                Ok(consumer) => return Ok(Some(consumer)),
                Err(error @ SubscribeError::Unavailable(_)) => {
                    tries += 1;
                    tracing::warn!(%group, tries, %error, "cannot subscribe; trying again");
                    let wait = self.runner.wait(tries, OUTAGE);
                    self.work_for(wait).await?;
                }
                Err(source) => return Err(Error::Subscribe { group, source }),
            }
        }
        Ok(None)
    }

    async fn consume(&mut self, consumer: &mut dyn Consumer) -> Result<Consumed, Error> {
        let stop = self.runner.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Consumed::Stopped),
                incoming = consumer.next() => match incoming {
                    Ok(incoming) => self.admit(incoming),
                    Err(error @ ConsumeError::Unavailable(_)) => {
                        let group = &self.runner.group;
                        tracing::warn!(%group, %error, "the broker is away; joining again");
                        return Ok(Consumed::Lost);
                    }
                    Err(source) => return Err(self.ended(source)),
                },
                Some(ended) = self.running.next() => {
                    self.settle(ended, Some(&mut *consumer))?;
                    // The others that are ready cost no second look at the broker.
                    while let Some(Some(ended)) = self.running.next().now_or_never() {
                        self.settle(ended, Some(&mut *consumer))?;
                    }
                    self.flush_when_idle();
                }
            }
            self.runner.numbers.in_flight.set((self.running.len() + self.queued) as f64);
        }
    }

    fn admit(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Assigned(all) => {
                let mut tracks = self.runner.tracks.lock();
                all.iter().for_each(|assignment| tracks.assign(assignment));
            }
            Incoming::Revoked(all) => {
                let mut tracks = self.runner.tracks.lock();
                all.iter().for_each(|gone| tracks.revoke(&gone.topic, gone.partition));
                drop(tracks);
                self.drop_queued(|receipt| !all.iter().any(|gone| covers(gone, receipt)));
            }
            Incoming::Deliveries(all) => {
                let held = self.start_tracking(&all);
                for (delivery, held) in all.into_iter().zip(held) {
                    if held {
                        self.enter(Job::of(delivery));
                    }
                }
            }
        }
    }

    /// Notes all deliveries as outstanding, lowest position first, before any of them can finish:
    /// progress must never pass one that was handed out in another order. Returns whether the
    /// partition of each is held.
    fn start_tracking(&self, all: &[Delivery]) -> Vec<bool> {
        let mut tracks = self.runner.tracks.lock();
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|&index| all[index].receipt.position);
        let mut held = vec![false; all.len()];
        for index in order {
            held[index] = tracks.start(&all[index].receipt);
        }
        held
    }

    /// Starts the job, or puts it behind the one that its key is busy with.
    fn enter(&mut self, job: Job) {
        match self.lanes.entry(job.key.clone()) {
            Entry::Occupied(mut lane) => {
                lane.get_mut().push_back(job);
                self.queued += 1;
            }
            Entry::Vacant(lane) => {
                lane.insert(VecDeque::new());
                self.start(job);
            }
        }
    }

    fn start(&self, job: Job) {
        let runner = Arc::clone(&self.runner);
        self.running.push(Box::pin(async move {
            let taken = runner.take(&job).await;
            Ended::Handled { receipt: job.receipt, key: job.key, taken }
        }));
    }

    fn settle(&mut self, ended: Ended, consumer: Option<&mut dyn Consumer>) -> Result<(), Error> {
        let (receipt, key, taken) = match ended {
            Ended::Handled { receipt, key, taken } => (receipt, key, taken?),
            Ended::Flushed(Err(error @ CommitError::Unknown(_))) => {
                return Err(self.runner.lost_store(error));
            }
            // Progress that was not stored only repeats work, which the marks recognise.
            Ended::Flushed(_) => return Ok(()),
        };
        if taken && let Some(consumer) = consumer {
            consumer.settle(&receipt, Outcome::Done);
        }
        match self.lanes.get_mut(&key).and_then(VecDeque::pop_front) {
            Some(job) => {
                self.queued -= 1;
                self.start(job);
            }
            None => {
                self.lanes.remove(&key);
            }
        }
        Ok(())
    }

    /// Keeps running handlers going while there is no broker.
    async fn work_for(&mut self, wait: std::time::Duration) -> Result<(), Error> {
        let stop = self.runner.stop.clone();
        let sleep = tokio::time::sleep(wait);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = &mut sleep => return Ok(()),
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.running.next() => self.settle(ended, None)?,
            }
        }
    }

    /// Messages that finish out of order leave the stored progress behind; once nothing runs, it
    /// is brought up to date without hurry.
    fn flush_when_idle(&mut self) {
        if self.running.is_empty()
            && let Some(unit) = self.unstored(true)
        {
            let store = Arc::clone(&self.runner.store);
            self.running.push(Box::pin(async move {
                Ended::Flushed(store.commit(unit).await.map(|_| ()))
            }));
        }
    }

    fn unstored(&self, lazy: bool) -> Option<Unit> {
        let progress = self.runner.tracks.lock().unstored(&self.runner.group);
        (!progress.is_empty()).then(|| Unit { progress, lazy, ..Unit::new() })
    }

    /// Ends what runs, within the group's patience, and stores the progress.
    async fn finish(&mut self, mut consumer: Option<&mut dyn Consumer>) -> Result<(), Error> {
        self.drop_queued(|_| false);
        let patience = self.runner.options.patience;
        let ending = async {
            while let Some(ended) = self.running.next().await {
                // A closure cannot lend the consumer twice; reborrow it for each settlement.
                let consumer = consumer.as_mut().map(|consumer| &mut **consumer as _);
                self.settle(ended, consumer)?;
            }
            match self.unstored(false) {
                Some(unit) => match self.runner.store.commit(unit).await {
                    Err(error @ CommitError::Unknown(_)) => Err(self.runner.lost_store(error)),
                    _ => Ok(()),
                },
                None => Ok(()),
            }
        };
        let ended = tokio::time::timeout(patience, ending).await;
        self.runner.numbers.in_flight.set(0.0);
        ended.unwrap_or_else(|_| {
            let (group, left) = (&self.runner.group, self.running.len());
            tracing::warn!(%group, left, "handlers did not end in time; they are delivered again");
            Ok(())
        })
    }

    fn drop_queued(&mut self, keep: impl Fn(&Receipt) -> bool) {
        for lane in self.lanes.values_mut() {
            lane.retain(|job| keep(&job.receipt));
        }
        self.queued = self.lanes.values().map(VecDeque::len).sum();
    }

    fn ended(&self, source: ConsumeError) -> Error {
        let group = self.runner.group.clone();
        if matches!(source, ConsumeError::BelowRetention { .. }) {
            self.runner.numbers.stuck.increment(1);
            tracing::error!(%group, error = %source, "records are lost to the group");
        }
        Error::Consume { group, source }
    }
}

fn covers(assignment: &Assignment, receipt: &Receipt) -> bool {
    assignment.topic == receipt.topic && assignment.partition == receipt.partition
}
