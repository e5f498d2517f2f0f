//! What an unsynced tail that was lost means to those who may have seen it.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use switchboard_core::{BoxError, Name, Position};
use switchboard_message::{Assignment, Resume, Subscription};
use switchboard_testkit::message::{Subject, envelopes};

use crate::open;

/// A store that remembers one position.
struct At(u64, u64);

#[async_trait]
impl Resume for At {
    async fn resume(&self, topic: &Name, partition: u32) -> Result<Option<Assignment>, BoxError> {
        let (topic, position) = (topic.clone(), Position(self.1));
        Ok(Some(Assignment { topic, partition, epoch: self.0, position }))
    }
}

/// Closes the broker in a folder and leaves half a record behind what is committed.
fn tear(dir: &Path) {
    let broker = open(dir);
    let active = broker.log().inspect().into_iter().find(|segment| segment.active).unwrap();
    drop(broker);
    let file = std::fs::OpenOptions::new().write(true).open(active.path).unwrap();
    file.write_all_at(&[0x5a; 100], active.bytes).unwrap();
}

async fn begins_at(subject: &Subject, epoch: u64, position: u64) -> u64 {
    let mut wish = Subscription::new(format!("{epoch}-{position}"), ["t".into()]);
    wish.resume = Some(Arc::new(At(epoch, position)));
    let assigned = subject.join(wish).await.assignment().await;
    assigned[0].position.0
}

#[tokio::test]
async fn a_torn_tail_begins_a_new_epoch_and_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let first = {
        let subject = Subject::new(open(dir.path()));
        subject.declare("t", 1).await;
        subject.publish(envelopes("t", "k", 0..3)).await[0].epoch
    };
    tear(dir.path());
    let broker = open(dir.path());
    assert!(broker.recovered().cut.is_some());
    let subject = Subject::new(broker);
    let acks = subject.publish(envelopes("t", "k", 3..4)).await;
    assert_eq!((acks[0].epoch, acks[0].position), (first + 1, Position(4)));
    assert_eq!(subject.reader("g", "t").await.work_off(4).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn a_position_beyond_the_lost_tail_is_cut_to_where_it_began_however_late_it_is_met() {
    let dir = tempfile::tempdir().unwrap();
    let first = {
        let subject = Subject::new(open(dir.path()));
        subject.declare("t", 1).await;
        subject.publish(envelopes("t", "k", 0..3)).await[0].epoch
    };
    for round in 0..3 {
        tear(dir.path());
        let subject = Subject::new(open(dir.path()));
        subject.publish(envelopes("t", "k", 0..10)).await;
        assert_eq!(begins_at(&subject, first, 2).await, 2, "below the cut: as it is");
        assert_eq!(begins_at(&subject, first, 5).await, 3, "beyond: where the tail began");
        assert_eq!(begins_at(&subject, first + 1, 12).await, 12, "of the epoch after it");
        // While that epoch is the present one, nobody can say what the position counts.
        let beyond = if round == 0 { 0 } else { 13 };
        assert_eq!(begins_at(&subject, first + 1, 20).await, beyond, "beyond that one's end");
        let last = 13 + round * 10;
        assert_eq!(begins_at(&subject, first + 1 + round, last).await, last, "of the present one");
    }
}
