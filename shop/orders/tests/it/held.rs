//! A broker that keeps messages of some types back until the test lets them go: so that a test can look at every moment.

use std::collections::BTreeSet;

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{Envelope, Position};
use switchboard_message::{
    Ack, Broker, Capabilities, Consumer, Durability, Inspect, MemoryBroker, PublishError,
    SubscribeError, Subscription, Topology, TopologyError,
};

#[derive(Debug)]
pub(crate) struct Held {
    inner: MemoryBroker,
    kinds: Mutex<BTreeSet<&'static str>>,
    kept: Mutex<Vec<Envelope>>,
}

impl Held {
    pub(crate) fn new(inner: MemoryBroker) -> Self {
        Self { inner, kinds: Mutex::default(), kept: Mutex::default() }
    }

    /// From now on messages of this type are kept back.
    pub(crate) fn hold(&self, kind: &'static str) {
        self.kinds.lock().insert(kind);
    }

    /// Whether a message of this type is kept back now.
    pub(crate) fn holds(&self, kind: &str) -> bool {
        self.kept.lock().iter().any(|envelope| envelope.kind == kind)
    }

    /// What is kept back is lost, and nothing is kept back any more.
    pub(crate) fn forget(&self) {
        self.kinds.lock().clear();
        self.kept.lock().clear();
    }

    /// Lets everything go that is kept back, and keeps nothing back any more.
    pub(crate) async fn release(&self) {
        self.kinds.lock().clear();
        let kept = std::mem::take(&mut *self.kept.lock());
        for answer in self.inner.publish(kept).await {
            answer.unwrap();
        }
    }
}

#[async_trait]
impl Broker for Held {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        self.inner.declare(topology).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        let mut answers = Vec::with_capacity(batch.len());
        for envelope in batch {
            if self.kinds.lock().contains(&*envelope.kind) {
                self.kept.lock().push(envelope);
                let (position, durability) = (Position::START, Durability::Memory);
                answers.push(Ok(Ack { partition: 0, position, epoch: 1, durability }));
            } else {
                answers.extend(self.inner.publish(vec![envelope]).await);
            }
        }
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
