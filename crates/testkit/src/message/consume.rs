//! Promises about order, the budget in flight, and settling.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_core::{Clock, Name, Position, SystemClock};
use switchboard_message::{Capability, Delivery, Outcome, Start, Subscription};

use super::{Reader, Subject, body, envelope, envelopes};

/// Records of one key arrive in the order in which they were published, whatever is between.
pub async fn a_slot_keeps_its_order(subject: &Subject) {
    subject.declare("order", 4).await;
    let keys = ["a", "b", "c", "d", "e"];
    let mut all = 0;
    for round in 0..40 {
        let batch = keys.iter().map(|key| envelope("order", Some(key), round)).collect();
        all += subject.publish(batch).await.len();
    }
    let mut reader = subject.reader("g", "order").await;
    let mut seen: BTreeMap<Name, Vec<u64>> = BTreeMap::new();
    while all > 0 {
        for delivery in reader.deliveries().await {
            let key = delivery.message.as_ref().ok().and_then(|m| m.key.clone()).expect("a key");
            seen.entry(key.to_string().into()).or_default().push(body(&delivery));
            assert!(reader.done(&delivery));
            all -= 1;
        }
    }
    for key in keys {
        assert_eq!(seen[key], (0..40).collect::<Vec<_>>(), "{key}");
    }
}

/// Groups do not share records.
pub async fn every_group_gets_its_own_copy(subject: &Subject) {
    subject.declare_with("copies", 2, &["one", "two"]).await;
    subject.publish(envelopes("copies", "k", 0..5)).await;
    for group in ["one", "two"] {
        let mut reader = subject.reader(group, "copies").await;
        assert_eq!(reader.work_off(5).await, [0, 1, 2, 3, 4], "{group}");
    }
}

/// A group that begins at the end sees only what is published after its assignment.
pub async fn a_group_may_begin_at_the_end(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("late", 1).await;
    subject.publish(envelopes("late", "k", 0..5)).await;
    let mut wish = Subscription::new("g", ["late".into()]);
    wish.start = Start::End;
    let mut reader = subject.join(wish.clone()).await;
    assert_eq!(reader.assignment().await[0].position, Position(5));
    // Even when nothing was delivered yet, the beginning is remembered.
    drop(reader);
    subject.publish(envelopes("late", "k", 5..7)).await;
    assert_eq!(subject.join(wish).await.work_off(2).await, [5, 6]);
}

/// No more than `max_in_flight` are unsettled; each settled one makes room for the next.
pub async fn deliveries_in_flight_are_bounded(subject: &Subject) {
    subject.declare("bounded", 4).await;
    for key in ["a", "b", "c", "d", "e", "f"] {
        subject.publish(envelopes("bounded", key, 0..4)).await;
    }
    let mut wish = Subscription::new("g", ["bounded".into()]);
    wish.max_in_flight = 3;
    let mut reader = subject.join(wish).await;
    let mut in_hand = reader.take(3).await;
    reader.stays_silent().await;
    for _ in 0..21 {
        let oldest = in_hand.remove(0);
        assert!(reader.done(&oldest));
        in_hand.extend(reader.take(1).await);
    }
    for delivery in &in_hand {
        assert!(reader.done(delivery));
    }
    reader.stays_silent().await;
}

/// Bug 16: the group's position is the highest below which everything is done, not the highest
/// done.
///
/// A broker without replay keeps each delivery by itself, and gives back what is not done; one that
/// has it may remember what is done beyond the position, and then skips exactly that.
pub async fn bug_16_progress_is_contiguous(subject: &Subject) {
    let replays = subject.has(Capability::Replay);
    subject.declare("contiguous", 1).await;
    subject.publish(envelopes("contiguous", "k", 0..5)).await;
    let mut reader = subject.reader("g", "contiguous").await;
    let in_hand = reader.take(5).await;
    for index in [1, 4, 2] {
        assert!(reader.done(&in_hand[index]));
    }
    drop(reader);
    let mut reader = subject.reader("g", "contiguous").await;
    if !replays {
        assert_eq!(reader.work_off(2).await, [0, 3]);
        return;
    }
    subject.publish(envelopes("contiguous", "k", 5..6)).await;
    let again = up_to(&mut reader, 5).await;
    let bodies: Vec<u64> = again.iter().map(body).collect();
    let remembers = bodies == [0, 3, 5];
    assert!(remembers || bodies == [0, 1, 2, 3, 4, 5], "{bodies:?}");
    for delivery in again.iter().filter(|delivery| [0, 1, 3].contains(&body(delivery))) {
        assert!(reader.done(delivery));
    }
    drop(reader);
    let left: &[u64] = if remembers { &[5] } else { &[2, 3, 4, 5] };
    assert_eq!(subject.reader("g", "contiguous").await.work_off(left.len()).await, left);
}

/// Takes deliveries up to this one, without settling them.
async fn up_to(reader: &mut Reader, last: u64) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.last().is_none_or(|delivery| body(delivery) != last) {
        taken.extend(reader.deliveries().await);
    }
    taken
}

/// A record that is to be tried again comes again, alone, and says how often it came.
pub async fn a_retry_comes_again_and_is_counted(subject: &Subject) {
    subject.declare("retry", 1).await;
    subject.publish(envelopes("retry", "k", 0..3)).await;
    let mut reader = subject.reader("g", "retry").await;
    let in_hand = reader.take(3).await;
    let now = SystemClock.now();
    assert!(reader.consumer().settle(&in_hand[1].receipt, Outcome::Retry(now)));
    for expected in 1..=3 {
        let again = reader.take(1).await.remove(0);
        assert_eq!((body(&again), again.redelivered), (1, expected));
        assert_eq!(again.receipt, in_hand[1].receipt);
        let outcome = if expected < 3 { Outcome::Retry(now) } else { Outcome::Done };
        assert!(reader.consumer().settle(&again.receipt, outcome));
    }
    assert!(reader.done(&in_hand[0]));
    assert!(reader.done(&in_hand[2]));
    reader.stays_silent().await;
}

/// A retry comes not before its moment, keeps its place in the budget, and lets others pass.
pub async fn a_retry_waits_for_its_moment(subject: &Subject) {
    subject.declare("wait", 1).await;
    subject.publish(envelopes("wait", "k", 0..3)).await;
    let mut wish = Subscription::new("g", ["wait".into()]);
    wish.max_in_flight = 2;
    let mut reader = subject.join(wish).await;
    let in_hand = reader.take(2).await;
    let due = SystemClock.now().plus(Duration::from_millis(150));
    assert!(reader.consumer().settle(&in_hand[0].receipt, Outcome::Retry(due)));
    assert!(!reader.done(&in_hand[0]), "what waits is not in hand");
    assert!(reader.done(&in_hand[1]));
    let third = reader.take(1).await.remove(0);
    assert_eq!(body(&third), 2);
    let again = reader.take(1).await.remove(0);
    assert_eq!((body(&again), again.redelivered), (0, 1));
    // The clock and the timer may differ by the timer's resolution.
    assert!(SystemClock.now().plus(Duration::from_millis(3)) >= due);
    assert!(reader.done(&again) && reader.done(&third));
}

/// A record that its consumer gives up does not come again.
pub async fn a_rejected_record_is_passed(subject: &Subject) {
    subject.declare("reject", 1).await;
    subject.publish(envelopes("reject", "k", 0..2)).await;
    let mut reader = subject.reader("g", "reject").await;
    let in_hand = reader.take(2).await;
    assert!(reader.consumer().settle(&in_hand[0].receipt, Outcome::Reject));
    drop(reader);
    assert_eq!(subject.reader("g", "reject").await.work_off(1).await, [1]);
}

/// Bug 24: a receipt is good for one settlement, and cannot move another record.
pub async fn bug_24_settling_twice_is_a_no_op(subject: &Subject) {
    subject.declare("twice", 1).await;
    subject.publish(envelopes("twice", "k", 0..3)).await;
    let mut reader = subject.reader("g", "twice").await;
    let in_hand = reader.take(3).await;
    assert!(reader.done(&in_hand[1]));
    for outcome in [Outcome::Done, Outcome::Retry(SystemClock.now()), Outcome::Reject] {
        assert!(!reader.consumer().settle(&in_hand[1].receipt, outcome));
    }
    let mut foreign = in_hand[0].receipt.clone();
    foreign.position = Position(99);
    assert!(!reader.consumer().settle(&foreign, Outcome::Done));
    reader.stays_silent().await;
    drop(reader);
    subject.publish(envelopes("twice", "k", 3..4)).await;
    let again = up_to(&mut subject.reader("g", "twice").await, 3).await;
    let bodies: Vec<u64> = again.iter().map(body).collect();
    // What is done beyond the position may be remembered; without replay it is gone.
    let whole = bodies == [0, 1, 2, 3] && subject.has(Capability::Replay);
    assert!(whole || bodies == [0, 2, 3], "{bodies:?}");
}

/// Dropping `next` at any moment loses nothing.
pub async fn next_is_cancel_safe(subject: &Subject) {
    subject.declare("cancel", 2).await;
    let mut reader = subject.reader("g", "cancel").await;
    let mut seen = Vec::new();
    for number in 0..200 {
        subject.publish(vec![envelope("cancel", Some("k"), number)]).await;
        for polls in 0..3 {
            let limit = Duration::from_micros(polls * 20);
            let next = tokio::time::timeout(limit, reader.consumer().next()).await;
            if let Ok(Ok(switchboard_message::Incoming::Deliveries(deliveries))) = next {
                for delivery in deliveries {
                    assert!(reader.done(&delivery));
                    seen.push(body(&delivery));
                }
            }
        }
    }
    let left = 200 - seen.len();
    seen.extend(reader.work_off(left).await);
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
}

/// Bug 15: a consumer that catches up while others publish misses nothing and repeats nothing.
pub async fn bug_15_nothing_falls_between_catching_up_and_the_live_end(subject: &Subject) {
    subject.declare("live", 1).await;
    subject.publish(envelopes("live", "k", 0..100)).await;
    let broker = subject.shared();
    let publisher = tokio::spawn(async move {
        for number in 100..600 {
            let answers = broker.publish(vec![envelope("live", Some("k"), number)]).await;
            assert!(answers[0].is_ok());
        }
    });
    let mut reader = subject.reader("g", "live").await;
    assert_eq!(reader.work_off(600).await, (0..600).collect::<Vec<_>>());
    publisher.await.expect("a publisher that ends well");
    reader.stays_silent().await;
}
