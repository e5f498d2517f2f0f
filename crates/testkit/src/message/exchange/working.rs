//! Promises about order, prefetch, settling, and workers that come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use switchboard_core::{Clock, SystemClock};
use switchboard_message::exchange::{Layout, MAX_PREFETCH, Queue};
use switchboard_message::{Outcome, SubscribeError};

use super::{Hand, body_of};
use crate::message::{A_WHILE, Subject};

async fn queue(subject: &Subject, name: &str) {
    subject.lay_out(Layout::default().with_queue(Queue::new(name))).await;
}

fn now() -> Outcome {
    Outcome::Retry(SystemClock.now())
}

/// First in, first out, over batches and calls.
pub async fn a_queue_keeps_its_order(subject: &Subject) {
    queue(subject, "order").await;
    subject.send("", "order", 0..300).await;
    let mut hand = subject.hand("order", 100).await;
    let mut seen = hand.work_off(150).await;
    subject.send("", "order", 300..400).await;
    seen.extend(hand.work_off(400 - seen.len()).await);
    assert_eq!(seen, (0..400).collect::<Vec<_>>());
}

/// A worker gets no more than its prefetch until it settles.
pub async fn jobs_in_hand_are_bounded(subject: &Subject) {
    queue(subject, "bounded").await;
    subject.send("", "bounded", 0..10).await;
    let mut hand = subject.hand("bounded", 3).await;
    let jobs = hand.take(3).await;
    hand.stays_silent().await;
    hand.settle(&jobs[1], Outcome::Done);
    assert_eq!(body_of(&hand.one().await), 3);
    hand.stays_silent().await;
}

/// Two workers never have the same job, and miss none.
pub async fn every_job_goes_to_one_worker(subject: &Subject) {
    queue(subject, "compete").await;
    let mut hands = [subject.hand("compete", 5).await, subject.hand("compete", 5).await];
    subject.send("", "compete", 0..200).await;
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let [one, two] = &mut hands;
        let (jobs, hand) = tokio::select! {
            jobs = one.next() => (jobs, one),
            jobs = two.next() => (jobs, two),
        };
        for job in jobs {
            hand.settle(&job, Outcome::Done);
            seen.push(body_of(&job));
        }
    }
    assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), (0..200).collect());
    assert_eq!(seen.len(), 200);
}

/// A worker with a large prefetch does not take what another one waits for.
pub async fn workers_share_alike(subject: &Subject) {
    queue(subject, "share").await;
    let mut one = subject.hand("share", 100).await;
    let mut two = subject.hand("share", 100).await;
    // In this order: both wait before anything is sent.
    let sending = subject.send("", "share", 0..20);
    let (mut first, mut second, _) = tokio::join!(biased; one.next(), two.next(), sending);
    while first.len() + second.len() < 20 {
        tokio::select! {
            jobs = one.next() => first.extend(jobs),
            jobs = two.next() => second.extend(jobs),
        }
    }
    assert!(first.len() >= 5 && second.len() >= 5, "{} and {}", first.len(), second.len());
}

/// What a worker held goes to the others, before what was not handed out, with a higher count.
pub async fn what_a_dropped_worker_held_comes_first_and_is_counted(subject: &Subject) {
    queue(subject, "dropped").await;
    subject.send("", "dropped", 0..6).await;
    let mut first = subject.hand("dropped", 3).await;
    let jobs = first.take(3).await;
    first.settle(&jobs[1], Outcome::Done);
    drop(first);
    let mut second = subject.hand("dropped", 1).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let job = second.one().await;
        second.settle(&job, Outcome::Done);
        seen.push((body_of(&job), job.redelivered));
    }
    // A remote broker may have sent the next one ahead to the worker that left.
    let ahead = seen[2].1.min(1);
    assert_eq!(seen, [(0, 1), (2, 1), (3, ahead), (4, 0), (5, 0)]);
}

/// A retry stands at the head again and says how often it came back.
pub async fn a_retry_comes_first_and_is_counted(subject: &Subject) {
    queue(subject, "retry").await;
    subject.send("", "retry", 0..3).await;
    let mut hand = subject.hand("retry", 1).await;
    for count in 0..3 {
        let job = hand.one().await;
        assert_eq!((body_of(&job), job.redelivered), (0, count));
        hand.settle(&job, now());
    }
    assert_eq!(hand.work_off(3).await, [0, 1, 2]);
}

/// Rule 8: whoever came back first is handed out first, before what was not handed out yet.
pub async fn what_comes_back_stands_behind_what_came_back_before(subject: &Subject) {
    queue(subject, "turns").await;
    subject.send("", "turns", 0..4).await;
    drop({
        let mut leaving = subject.hand("turns", 3).await;
        assert_eq!(leaving.take(3).await.iter().map(body_of).collect::<Vec<_>>(), [0, 1, 2]);
        leaving
    });
    let mut hand = subject.hand("turns", 1).await;
    let job = hand.one().await;
    assert_eq!((body_of(&job), job.redelivered), (0, 1));
    hand.settle(&job, now());
    assert_eq!(hand.work_off(4).await, [1, 2, 0, 3]);
}

/// A retry does not come before its moment, holds up nobody, and takes no room in the hand.
pub async fn a_retry_waits_for_its_moment(subject: &Subject) {
    queue(subject, "moment").await;
    subject.send("", "moment", 0..2).await;
    let mut hand = subject.hand("moment", 1).await;
    let job = hand.one().await;
    let due = SystemClock.now().plus(A_WHILE * 4);
    hand.settle(&job, Outcome::Retry(due));
    assert_eq!(hand.work_off(1).await, [1]);
    let again = hand.one().await;
    assert!(SystemClock.now() >= due, "it came too early");
    assert_eq!((body_of(&again), again.redelivered), (0, 1));
}

/// Bug 24: a tag is good once.
pub async fn bug_24_settling_twice_is_a_no_op(subject: &Subject) {
    queue(subject, "twice").await;
    subject.send("", "twice", 0..2).await;
    let mut hand = subject.hand("twice", 1).await;
    let job = hand.one().await;
    hand.settle(&job, Outcome::Done);
    for outcome in [Outcome::Done, Outcome::Reject, now()] {
        assert!(!hand.worker().settle(job.tag, outcome));
    }
    assert_eq!(hand.work_off(1).await, [1]);
    hand.stays_silent().await;
}

/// A tag of a worker that is gone, or of another one, settles nothing.
pub async fn a_tag_is_good_for_its_worker_only(subject: &Subject) {
    queue(subject, "tags").await;
    subject.send("", "tags", 0..1).await;
    let mut first = subject.hand("tags", 1).await;
    let lost = first.one().await.tag;
    drop(first);
    let mut second = subject.hand("tags", 1).await;
    let job = second.one().await;
    assert_ne!(lost, job.tag);
    assert!(!second.worker().settle(lost, Outcome::Done));
    second.settle(&job, Outcome::Done);
}

/// Dropping the future of `next` neither loses a job nor counts it.
pub async fn next_is_cancel_safe(subject: &Subject) {
    queue(subject, "cancel").await;
    let mut hand = subject.hand("cancel", 10).await;
    let mut seen = Vec::new();
    for number in 0..50 {
        let _dropped = tokio::time::timeout(Duration::from_micros(50), hand.worker().next()).await;
        if let Ok(jobs) = _dropped {
            collect(&mut hand, jobs.expect("jobs"), &mut seen);
        }
        subject.send("", "cancel", [number]).await;
    }
    while seen.len() < 50 {
        let jobs = hand.next().await;
        collect(&mut hand, jobs, &mut seen);
    }
    assert_eq!(seen, (0..50).map(|number| (number, 0)).collect::<Vec<_>>());
}

fn collect(
    hand: &mut Hand,
    jobs: Vec<switchboard_message::exchange::Job>,
    seen: &mut Vec<(u64, u32)>,
) {
    for job in jobs {
        hand.settle(&job, Outcome::Done);
        seen.push((body_of(&job), job.redelivered));
    }
}

/// Only one worker of such a queue gets jobs; when it leaves, the next one does.
pub async fn a_single_active_consumer_is_followed_by_the_next(subject: &Subject) {
    let queue = Queue::new("single").with_single_active_consumer();
    subject.lay_out(Layout::default().with_queue(queue)).await;
    let mut first = subject.hand("single", 1).await;
    let mut second = subject.hand("single", 10).await;
    subject.send("", "single", 0..3).await;
    let job = first.one().await;
    second.stays_silent().await;
    first.settle(&job, Outcome::Done);
    assert_eq!(body_of(&first.one().await), 1);
    drop(first);
    assert_eq!(second.work_off(2).await, [1, 2]);
}

/// A prefetch has limits.
pub async fn limits_are_checked(subject: &Subject) {
    queue(subject, "limits").await;
    for prefetch in [0, MAX_PREFETCH + 1] {
        let worker = subject.queues().work("limits", prefetch).await;
        assert!(matches!(worker.err(), Some(SubscribeError::Invalid(_))), "{prefetch}");
    }
}

/// Operators see what waits, what is in hand, and who works. A remote broker may count a little
/// later.
pub async fn depths_are_shown(subject: &Subject) {
    queue(subject, "depth").await;
    subject.send("", "depth", 0..5).await;
    let mut hand = subject.hand("depth", 2).await;
    let _held = hand.take(2).await;
    let seen = tokio::time::timeout(crate::message::PATIENCE, async {
        loop {
            let depths = subject.queues().depths().await.expect("depths");
            let depth = depths.into_iter().find(|depth| depth.queue == "depth").expect("a row");
            if (depth.ready, depth.unsettled, depth.workers) == (3, 2, 1) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    seen.await.expect("three that wait, two in one worker's hands");
}
