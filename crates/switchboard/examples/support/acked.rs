//! A broker that remembers when each message was acknowledged, so that a bench can time the way there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard::message::{
    Ack, Broker, Capabilities, Consumer, Inspect, PublishError, SubscribeError, Subscription,
    Topology, TopologyError,
};
use switchboard::{Envelope, Id};
use tokio::sync::watch;

/// Wraps a broker and notes its acks.
#[derive(Debug)]
pub(crate) struct Acked {
    inner: Arc<dyn Broker>,
    times: Mutex<HashMap<Id, Instant>>,
    count: watch::Sender<usize>,
}

impl Acked {
    pub(crate) fn new(inner: Arc<dyn Broker>) -> Self {
        Self { inner, times: Mutex::default(), count: watch::Sender::new(0) }
    }

    /// Waits until so many were acknowledged in all.
    pub(crate) async fn reach(&self, count: usize) {
        // The sender lives as long as this does.
        let _ = self.count.subscribe().wait_for(|acked| *acked >= count).await;
    }

    /// From these moments to each ack, once all are there.
    pub(crate) async fn delays(&self, since: Vec<(Id, Instant)>) -> Vec<Duration> {
        let mut seen = self.count.subscribe();
        loop {
            {
                let times = self.times.lock();
                if since.iter().all(|(id, _)| times.contains_key(id)) {
                    let delay = |(id, from): &(Id, Instant)| times[id].duration_since(*from);
                    return since.iter().map(delay).collect();
                }
            }
            let _ = seen.changed().await;
        }
    }
}

#[async_trait]
impl Broker for Acked {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        self.inner.declare(topology).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        let ids: Vec<Id> = batch.iter().map(|envelope| envelope.id).collect();
        let answers = self.inner.publish(batch).await;
        let now = Instant::now();
        let mut times = self.times.lock();
        let mut acked = 0;
        for (id, answer) in ids.into_iter().zip(&answers) {
            if answer.is_ok() {
                times.entry(id).or_insert(now);
                acked += 1;
            }
        }
        drop(times);
        self.count.send_modify(|count| *count += acked);
        answers
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        self.inner.subscribe(subscription).await
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.inner.inspect()
    }
}
