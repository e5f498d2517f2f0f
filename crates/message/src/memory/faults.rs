//! What can be made to go wrong with a broker in memory, so that simulations meet it.

use switchboard_core::{Rng, Slot};

use super::MemoryBroker;
use crate::Delivery;

/// A handle that makes a [`MemoryBroker`] misbehave, within what the contract of brokers allows
/// (except [`Faults::reorder`], which stands for consumers that work on keys in parallel).
#[derive(Clone, Debug)]
pub struct Faults(MemoryBroker);

/// What is going to go wrong.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) paused: bool,
    pub(super) refuse_publishes: usize,
    pub(super) lose_acks: usize,
    pub(super) duplicate_publishes: usize,
    duplicate_deliveries: usize,
    reorder: Option<Rng>,
}

// === impl Faults ===

impl Faults {
    pub(super) fn new(broker: MemoryBroker) -> Self {
        Self(broker)
    }

    /// Stops the broker: publishing answers `Unavailable` and stores nothing, consumers pend.
    /// Declaring, joining, settling and asking still work.
    pub fn pause(&self) {
        self.plan(|plan| plan.paused = true);
        self.0.groups.pause();
        self.0.queues.pause();
    }

    /// Lets the broker go on.
    pub fn resume(&self) {
        self.plan(|plan| plan.paused = false);
        self.0.groups.resume();
        self.0.queues.resume();
    }

    /// The next `count` records are not stored, and their publisher is told `Unavailable`.
    pub fn refuse_publishes(&self, count: usize) {
        self.plan(|plan| plan.refuse_publishes = count);
    }

    /// The next `count` records are stored, and their publisher is told `Unavailable`.
    pub fn lose_acks(&self, count: usize) {
        self.plan(|plan| plan.lose_acks = count);
    }

    /// The next `count` records are stored twice, one right behind the other.
    pub fn duplicate_publishes(&self, count: usize) {
        self.plan(|plan| plan.duplicate_publishes = count);
    }

    /// The next `count` deliveries reach their consumer twice under one receipt. Each copy is to
    /// be settled; the record is done when both are.
    pub fn duplicate_deliveries(&self, count: usize) {
        self.plan(|plan| plan.duplicate_deliveries = count);
    }

    /// From now on each batch of deliveries is shuffled, and only records of one slot keep their
    /// order. `None` ends it.
    pub fn reorder(&self, rng: Option<Rng>) {
        self.plan(|plan| plan.reorder = rng);
    }

    fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.0.topics.faults.lock());
    }
}

// === impl Plan ===

impl Plan {
    /// Uses up one of a number of planned faults.
    pub(super) fn spend(count: &mut usize) -> bool {
        let due = *count > 0;
        *count = count.saturating_sub(1);
        due
    }

    pub(super) fn disturb(&mut self, deliveries: &mut Vec<Delivery>) {
        if self.duplicate_deliveries > 0 {
            self.duplicate(deliveries);
        }
        if let Some(rng) = &mut self.reorder {
            shuffle(deliveries, rng);
        }
    }

    fn duplicate(&mut self, deliveries: &mut Vec<Delivery>) {
        for delivery in std::mem::take(deliveries) {
            // What cannot be decoded cannot be copied either, and goes through once.
            let copy = match &delivery.message {
                Ok(message) if Self::spend(&mut self.duplicate_deliveries) => Some(Delivery {
                    receipt: delivery.receipt.clone(),
                    message: Ok(message.clone()),
                    redelivered: 0,
                }),
                _ => None,
            };
            deliveries.push(delivery);
            deliveries.extend(copy);
        }
    }
}

/// Shuffles everything, then puts the records of each slot back into their order.
fn shuffle(deliveries: &mut Vec<Delivery>, rng: &mut Rng) {
    let lane = |delivery: &Delivery| {
        let slot = match &delivery.message {
            Ok(message) => message.key.as_ref().map(Slot::of),
            Err(undecodable) => undecodable.key.as_ref().map(Slot::of),
        };
        (delivery.receipt.topic.clone(), delivery.receipt.partition, slot)
    };
    let mut lanes: Vec<std::collections::VecDeque<Delivery>> = Vec::new();
    let mut names = Vec::new();
    for delivery in deliveries.drain(..) {
        let name = lane(&delivery);
        let index = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            lanes.push(std::collections::VecDeque::new());
            names.len() - 1
        });
        lanes[index].push_back(delivery);
    }
    while !lanes.is_empty() {
        let index = usize::try_from(rng.below(lanes.len() as u64)).unwrap_or(0);
        match lanes[index].pop_front() {
            Some(delivery) => deliveries.push(delivery),
            None => drop(lanes.swap_remove(index)),
        }
    }
}
