//! Members that come and go while handlers are slow.

use std::collections::BTreeSet;

use switchboard_core::Rng;
use switchboard_message::{Incoming, Outcome, Receipt, Subscription};
use switchboard_testkit::message::{Reader, Subject, envelope};

use crate::{options, subject};

const PARTITIONS: u32 = 8;
const RECORDS: u64 = 400;

/// A place of the topic.
type Place = (u32, u64);

/// A member with what it has in hand.
struct Slow {
    reader: Reader,
    in_hand: Vec<Receipt>,
}

impl Slow {
    async fn join(subject: &Subject) -> Self {
        let mut wish = Subscription::new("slow", ["slow".into()]);
        wish.max_in_flight = 60;
        Self { reader: subject.join(wish).await, in_hand: Vec::new() }
    }

    /// Takes what is there, settles some of it in any order, and keeps the rest.
    async fn work(&mut self, rng: &mut Rng, done: &mut BTreeSet<Place>, keep: usize) {
        while let Ok(incoming) =
            tokio::time::timeout(std::time::Duration::from_millis(50), self.reader.next()).await
        {
            match incoming {
                Incoming::Assigned(_) => {}
                Incoming::Revoked(gone) => self
                    .in_hand
                    .retain(|receipt| !gone.iter().any(|gone| gone.partition == receipt.partition)),
                Incoming::Deliveries(all) => {
                    self.in_hand.extend(all.into_iter().map(|delivery| delivery.receipt));
                    break;
                }
            }
        }
        while self.in_hand.len() > keep {
            let index = usize::try_from(rng.below(self.in_hand.len() as u64)).unwrap();
            let receipt = self.in_hand.swap_remove(index);
            // A receipt that has just become stale is done by somebody else.
            if self.reader.consumer().settle(&receipt, Outcome::Done) {
                done.insert((receipt.partition, receipt.position.0));
            }
        }
    }
}

/// Bugs 16 and 17: no committed offset passes work that is in flight, whoever joins or leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bugs_16_and_17_no_commit_passes_what_is_in_flight() {
    let subject = subject(&options()).await;
    subject.declare("slow", PARTITIONS).await;
    let batch = (0..RECORDS).map(|n| envelope("slow", Some(&format!("k{n}")), n)).collect();
    let acks = subject.publish(batch).await;
    let all: BTreeSet<Place> = acks.iter().map(|ack| (ack.partition, ack.position.0)).collect();
    let mut rng = Rng::from_seed(17);
    let mut done = BTreeSet::new();
    let mut members = vec![Slow::join(&subject).await];
    for round in 0..6 {
        for member in &mut members {
            member.work(&mut rng, &mut done, 20).await;
        }
        // Asking lets every member commit first, so this is what a crash now would begin from.
        for row in subject.broker().inspect().unwrap().groups().await.unwrap() {
            for position in 1..=row.position.0 {
                assert!(done.contains(&(row.partition, position)), "{row:?} passed {position}");
            }
        }
        match round {
            1 | 3 => members.push(Slow::join(&subject).await),
            2 | 4 => drop(members.remove(0)),
            _ => {}
        }
    }
    while done.len() < all.len() {
        for member in &mut members {
            member.work(&mut rng, &mut done, 0).await;
        }
    }
    assert_eq!(done, all);
    drop(members);
    for row in subject.broker().inspect().unwrap().groups().await.unwrap() {
        assert_eq!((row.lag, row.members), (0, 0), "{row:?}");
    }
}
