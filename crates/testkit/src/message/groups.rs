//! Promises about members, handing over, and where a group resumes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use switchboard_core::{BoxError, Name, Position};
use switchboard_message::{
    Assignment, Capability, ConsumeError, Incoming, Resume, SubscribeError, Subscription,
};

use super::{Reader, Subject, body, envelope, envelopes};

/// A store that says the same for every partition, after failing some times.
struct Store {
    answer: Option<(u64, Position)>,
    failures: AtomicU32,
}

#[async_trait]
impl Resume for Store {
    async fn resume(&self, topic: &Name, partition: u32) -> Result<Option<Assignment>, BoxError> {
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err("the store is closed".into());
        }
        let topic = topic.clone();
        let answer = |(epoch, position)| Assignment { topic, partition, epoch, position };
        Ok(self.answer.map(answer))
    }
}

async fn resuming(subject: &Subject, topic: &str, store: Store) -> Reader {
    let mut wish = Subscription::new("g", [topic.into()]);
    wish.resume = Some(Arc::new(store));
    subject.join(wish).await
}

fn partitions(list: &[Assignment]) -> BTreeSet<u32> {
    list.iter().map(|assignment| assignment.partition).collect()
}

/// Two members hold every partition once, and only what must move moves.
pub async fn members_share_the_partitions(subject: &Subject) {
    subject.declare("shared", 8).await;
    let mut first = subject.reader("g", "shared").await;
    assert_eq!(partitions(&first.assignment().await), (0..8).collect());
    let mut second = subject.reader("g", "shared").await;
    let gained = partitions(&second.assignment().await);
    let Incoming::Revoked(lost) = first.next().await else { panic!("expected a revocation") };
    assert_eq!(partitions(&lost), gained);
    assert_eq!(gained.len(), 4);
    let batch = (0..100).map(|n| envelope("shared", Some(&n.to_string()), n)).collect();
    let of_second =
        subject.publish(batch).await.iter().filter(|a| gained.contains(&a.partition)).count();
    let mut seen = first.work_off(100 - of_second).await;
    seen.extend(second.work_off(of_second).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    first.stays_silent().await;
    second.stays_silent().await;
}

/// Bug 17: what was handed out before a revocation cannot be settled after it, and comes to the
/// new holder.
pub async fn bug_17_a_receipt_is_stale_after_its_revocation(subject: &Subject) {
    subject.declare("stale", 2).await;
    let batch = (0..20).map(|n| envelope("stale", Some(&n.to_string()), n)).collect();
    subject.publish(batch).await;
    let mut first = subject.reader("g", "stale").await;
    let in_hand = first.take(20).await;
    let mut second = subject.reader("g", "stale").await;
    let Incoming::Revoked(lost) = first.next().await else { panic!("expected a revocation") };
    let lost = partitions(&lost);
    let mut kept = 0;
    for delivery in &in_hand {
        let is_kept = !lost.contains(&delivery.receipt.partition);
        assert_eq!(first.done(delivery), is_kept);
        kept += usize::from(is_kept);
    }
    let again = second.take(20 - kept).await;
    assert!(again.iter().all(|d| lost.contains(&d.receipt.partition) && d.redelivered >= 1));
    assert!(again.iter().all(|delivery| second.done(delivery)));
}

/// The partitions of a member that leaves go to those that stay, from where it was.
pub async fn who_leaves_hands_over(subject: &Subject) {
    subject.declare("leave", 4).await;
    let batch = (0..40).map(|n| envelope("leave", Some(&n.to_string()), n)).collect();
    subject.publish(batch).await;
    let mut first = subject.reader("g", "leave").await;
    let mut second = subject.reader("g", "leave").await;
    let in_hand = second.deliveries().await;
    assert!(second.done(&in_hand[0]));
    let done = body(&in_hand[0]);
    drop(second);
    let mut seen = Vec::new();
    let mut ended = Vec::new();
    while seen.len() < 39 {
        for delivery in first.deliveries().await {
            assert!(first.done(&delivery));
            seen.push(body(&delivery));
            ended.push(delivery.receipt);
        }
    }
    assert_eq!(first.assigned.last().map(|a| a.topic.clone()), Some("leave".into()));
    seen.push(done);
    seen.sort_unstable();
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
}

/// A group that has no store of its own finds its place again.
pub async fn the_broker_keeps_the_position(subject: &Subject) {
    subject.declare("kept", 2).await;
    subject.publish(envelopes("kept", "k", 0..10)).await;
    let mut reader = subject.reader("g", "kept").await;
    let in_hand = reader.take(10).await;
    for delivery in &in_hand[..4] {
        assert!(reader.done(delivery));
    }
    drop(reader);
    assert_eq!(subject.reader("g", "kept").await.work_off(6).await, [4, 5, 6, 7, 8, 9]);
}

/// The store's position counts, not the broker's.
pub async fn the_store_is_asked_where_to_resume(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("resume", 1).await;
    let epoch = subject.publish(envelopes("resume", "k", 0..10)).await[0].epoch;
    subject.reader("g", "resume").await.work_off(10).await;
    let store = Store { answer: Some((epoch, Position(6))), failures: AtomicU32::new(0) };
    let mut reader = resuming(subject, "resume", store).await;
    assert_eq!(reader.assignment().await[0].position, Position(6));
    assert_eq!(reader.work_off(4).await, [6, 7, 8, 9]);
    drop(reader);
    let nothing_yet = Store { answer: None, failures: AtomicU32::new(0) };
    assert_eq!(resuming(subject, "resume", nothing_yet).await.work_off(10).await.len(), 10);
}

/// A position of a former epoch names records that may be gone: it is cut to where that epoch's
/// successor began.
pub async fn a_position_of_a_former_epoch_is_cut(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("epoch", 1).await;
    let epoch = subject.publish(envelopes("epoch", "k", 0..5)).await[0].epoch;
    let store = Store { answer: Some((epoch - 1, Position(4))), failures: AtomicU32::new(0) };
    assert_eq!(resuming(subject, "epoch", store).await.work_off(5).await, [0, 1, 2, 3, 4]);
}

/// A store that fails does not make the group begin anew.
pub async fn a_store_that_cannot_answer_is_asked_again(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("ask", 1).await;
    let epoch = subject.publish(envelopes("ask", "k", 0..5)).await[0].epoch;
    let store = Store { answer: Some((epoch, Position(3))), failures: AtomicU32::new(2) };
    let mut reader = resuming(subject, "ask", store).await;
    for _ in 0..2 {
        assert!(matches!(reader.consumer().next().await, Err(ConsumeError::Unavailable(_))));
    }
    assert_eq!(reader.work_off(2).await, [3, 4]);
}

/// A position beyond the end counts records that are no more: the log was put back or made anew. The
/// group begins with the oldest record, however often it asks, so that none is passed.
pub async fn a_position_that_was_never_reached_hides_nothing(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("beyond", 1).await;
    let epoch = subject.publish(envelopes("beyond", "k", 0..2)).await[0].epoch;
    let store = Store { answer: Some((epoch, Position(50))), failures: AtomicU32::new(0) };
    let mut reader = resuming(subject, "beyond", store).await;
    assert_eq!(reader.assignment().await[0].position, Position(0));
    subject.publish(envelopes("beyond", "k", 2..3)).await;
    assert_eq!(reader.work_off(3).await, [0, 1, 2]);
}

/// Limits are refused when the group is joined.
pub async fn limits_are_checked(subject: &Subject) {
    subject.declare("limits", 1).await;
    let with = |max_in_flight| {
        let mut wish = Subscription::new("g", ["limits".into()]);
        wish.max_in_flight = max_in_flight;
        wish
    };
    let nameless = Subscription::new("", ["limits".into()]);
    let aimless = Subscription::new("g", []);
    for wish in [with(0), with(65_537), nameless, aimless] {
        let joined = subject.broker().subscribe(wish).await;
        assert!(matches!(joined.err(), Some(SubscribeError::Invalid(_))));
    }
    assert!(subject.broker().subscribe(with(65_536)).await.is_ok());
}
