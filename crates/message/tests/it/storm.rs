//! Members come and go, settle in any order and forget things; still nothing is lost, and no
//! record is passed that nobody has done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, ManualClock, Position, Rng};
use switchboard_message::{
    Broker, Consumer, Delivery, Incoming, MemoryBroker, Outcome, Subscription, Topic, Topology,
};
use switchboard_testkit::message::{body, envelope};

const PARTITIONS: u32 = 4;
const RECORDS: u64 = 300;

struct Member {
    consumer: Box<dyn Consumer>,
    limit: usize,
    in_hand: Vec<Delivery>,
    /// The last new position by partition and generation.
    seen: BTreeMap<(u32, u64), u64>,
}

struct Storm {
    clock: Arc<ManualClock>,
    broker: MemoryBroker,
    rng: Rng,
    members: Vec<Member>,
    published: u64,
    done: BTreeSet<u64>,
}

impl Storm {
    async fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::default());
        let broker = MemoryBroker::new(clock.clone());
        let topic = Topic::new("t").with_partitions(PARTITIONS);
        broker.declare(&Topology::of([topic])).await.unwrap();
        let rng = Rng::from_seed(seed);
        Self { clock, broker, rng, members: Vec::new(), published: 0, done: BTreeSet::new() }
    }

    async fn publish(&mut self) {
        let count = self.rng.below(8).min(RECORDS - self.published);
        let keys: Vec<String> = (0..count).map(|_| self.rng.below(20).to_string()).collect();
        let batch = (self.published..).zip(&keys).map(|(n, key)| envelope("t", Some(key), n));
        for answer in self.broker.publish(batch.collect()).await {
            answer.unwrap();
        }
        self.published += count;
    }

    async fn join(&mut self) {
        let mut wish = Subscription::new("g", ["t".into()]);
        wish.max_in_flight = 1 + usize::try_from(self.rng.below(9)).unwrap();
        let limit = wish.max_in_flight;
        let consumer = self.broker.subscribe(wish).await.unwrap();
        self.members.push(Member { consumer, limit, in_hand: Vec::new(), seen: BTreeMap::new() });
    }

    fn some_member(&mut self) -> Option<usize> {
        let count = self.members.len() as u64;
        (count > 0).then(|| usize::try_from(self.rng.below(count)).unwrap())
    }

    async fn take(&mut self, index: usize) {
        let member = &mut self.members[index];
        let next = tokio::time::timeout(Duration::ZERO, member.consumer.next()).await;
        match next {
            Err(_) => {}
            Ok(Ok(Incoming::Deliveries(deliveries))) => {
                for delivery in deliveries {
                    member.receive(delivery);
                }
            }
            Ok(Ok(Incoming::Revoked(lost))) => member.in_hand.retain(|held| {
                lost.iter().all(|assignment| assignment.partition != held.receipt.partition)
            }),
            Ok(Ok(Incoming::Assigned(_))) => {}
            Ok(Err(error)) => panic!("a broker that is well: {error}"),
        }
    }

    fn settle(&mut self, index: usize) {
        let now = self.clock.now();
        let member = &mut self.members[index];
        let count = member.in_hand.len() as u64;
        if count == 0 {
            return;
        }
        let delivery = member.in_hand.swap_remove(usize::try_from(self.rng.below(count)).unwrap());
        let outcome = match self.rng.below(10) {
            0..3 => Outcome::Retry(now),
            _ => Outcome::Done,
        };
        let valid = member.consumer.settle(&delivery.receipt, outcome);
        if valid && outcome == Outcome::Done {
            self.done.insert(body(&delivery));
        }
        assert!(!member.consumer.settle(&delivery.receipt, Outcome::Done), "settled twice");
    }

    /// Everything that the group has passed was done by somebody who held it.
    async fn check(&self) {
        let inspect = self.broker.inspect().unwrap();
        for row in inspect.groups().await.unwrap() {
            let count = usize::try_from(row.position.0).unwrap();
            let passed = inspect.read("t", row.partition, Position::START, count).await.unwrap();
            for stored in passed {
                let message = stored.message.unwrap();
                let number = std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
                assert!(self.done.contains(&number), "{number} was passed and not done");
            }
        }
    }

    async fn step(&mut self) {
        match self.rng.below(20) {
            0..3 => self.publish().await,
            3 if self.members.len() < 6 => self.join().await,
            4 => {
                if let Some(index) = self.some_member() {
                    self.members.swap_remove(index);
                }
            }
            5..12 => {
                if let Some(index) = self.some_member() {
                    self.take(index).await;
                }
            }
            _ => {
                if let Some(index) = self.some_member() {
                    self.settle(index);
                }
            }
        }
    }

    async fn finish(&mut self) {
        while self.published < RECORDS {
            self.publish().await;
        }
        self.members.clear();
        self.join().await;
        while (self.done.len() as u64) < RECORDS {
            self.take(0).await;
            let member = &mut self.members[0];
            for delivery in std::mem::take(&mut member.in_hand) {
                assert!(member.consumer.settle(&delivery.receipt, Outcome::Done));
                self.done.insert(body(&delivery));
            }
        }
    }
}

impl Member {
    fn receive(&mut self, delivery: Delivery) {
        let place = (delivery.receipt.partition, delivery.receipt.generation);
        let position = delivery.receipt.position.0;
        match self.seen.insert(place, position) {
            Some(last) if delivery.redelivered == 0 => assert_eq!(position, last + 1, "a gap"),
            Some(last) => {
                self.seen.insert(place, last.max(position));
            }
            None => {}
        }
        self.in_hand.push(delivery);
        assert!(self.in_hand.len() <= self.limit, "more in flight than asked for");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_nothing_is_passed_undone() {
    for seed in 0..40 {
        let mut storm = Storm::new(seed).await;
        for step in 0..1_500 {
            storm.step().await;
            if step % 50 == 0 {
                storm.check().await;
            }
        }
        storm.finish().await;
        storm.check().await;
        assert_eq!(storm.done.len() as u64, RECORDS, "seed {seed}");
    }
}
