//! Promises about dead letters, limits and the time to live.

use std::time::Duration;

use switchboard_core::{Clock, SystemClock};
use switchboard_message::Outcome;
use switchboard_message::exchange::{Binding, Exchange, Job, Kind, Layout, Queue, Reason};

use super::body_of;
use crate::message::{A_WHILE, Subject};

/// A queue, and another one that gets its dead letters.
fn with_dead(queue: Queue, dead: &str) -> Layout {
    Layout::default().with_queue(queue.with_dead_letter("", dead)).with_queue(Queue::new(dead))
}

fn now() -> Outcome {
    Outcome::Retry(SystemClock.now())
}

/// The one death of a message: where, why, how often.
fn death(job: &Job) -> (&str, Reason, u64) {
    assert_eq!(job.deaths.len(), 1, "{:?}", job.deaths);
    (job.deaths[0].queue.as_str(), job.deaths[0].reason, job.deaths[0].count)
}

/// A job that is given up goes to the dead letters and says why.
pub async fn a_rejected_message_is_dead_lettered(subject: &Subject) {
    subject.lay_out(with_dead(Queue::new("reject"), "reject-dead")).await;
    subject.send("", "reject", 0..3).await;
    let mut hand = subject.hand("reject", 3).await;
    let jobs = hand.take(3).await;
    hand.settle(&jobs[0], Outcome::Done);
    hand.settle(&jobs[1], Outcome::Reject);
    hand.settle(&jobs[2], Outcome::Done);
    let job = subject.hand("reject-dead", 1).await.one().await;
    assert_eq!(body_of(&job), 1);
    assert_eq!(death(&job), ("reject", Reason::Rejected, 1));
    assert_eq!((job.exchange.as_str(), job.routing_key.as_str()), ("", "reject-dead"));
    assert_eq!(job.deaths[0].routing_key, "reject");
    assert_eq!(job.redelivered, 0, "in this queue it is new");
    hand.stays_silent().await;
}

/// Bug 22: retries count, so a message that always fails does not go round for ever.
pub async fn bug_22_the_delivery_limit_is_reached_by_retries(subject: &Subject) {
    let queue = Queue::new("limit").with_delivery_limit(2);
    subject.lay_out(with_dead(queue, "limit-dead")).await;
    subject.send("", "limit", 0..1).await;
    let mut hand = subject.hand("limit", 1).await;
    for count in 0..=2 {
        let job = hand.one().await;
        assert_eq!(job.redelivered, count);
        hand.settle(&job, now());
    }
    hand.stays_silent().await;
    let job = subject.hand("limit-dead", 1).await.one().await;
    assert_eq!(death(&job), ("limit", Reason::DeliveryLimit, 1));
}

/// Workers that die with a message count like retries.
pub async fn the_delivery_limit_is_reached_by_workers_that_die(subject: &Subject) {
    let queue = Queue::new("deadly").with_delivery_limit(1);
    subject.lay_out(with_dead(queue, "deadly-dead")).await;
    subject.send("", "deadly", 0..1).await;
    for count in 0..=1 {
        let job = subject.hand("deadly", 1).await.one().await;
        assert_eq!(job.redelivered, count);
    }
    let job = subject.hand("deadly-dead", 1).await.one().await;
    assert_eq!(death(&job), ("deadly", Reason::DeliveryLimit, 1));
}

/// A queue without dead letters drops what is given up.
pub async fn without_a_dead_letter_exchange_it_is_dropped(subject: &Subject) {
    subject.lay_out(Layout::default().with_queue(Queue::new("drop"))).await;
    subject.send("", "drop", 0..2).await;
    let mut hand = subject.hand("drop", 1).await;
    let job = hand.one().await;
    hand.settle(&job, Outcome::Reject);
    assert_eq!(hand.work_off(1).await, [1]);
    hand.stays_silent().await;
}

/// Dead letters are sent like anything else: an exchange routes them.
pub async fn a_dead_letter_keeps_its_routing_key_if_no_other_is_given(subject: &Subject) {
    let layout = Layout::default()
        .with_exchange(Exchange::new("own-in", Kind::Topic))
        .with_exchange(Exchange::new("own-dead", Kind::Topic))
        .with_queue(Queue::new("own").with_dead_letter_exchange("own-dead"))
        .with_queue(Queue::new("own-eu"))
        .with_queue(Queue::new("own-all"))
        .with_binding(Binding::key("own-in", "own", "#"))
        .with_binding(Binding::key("own-dead", "own-eu", "eu.*"))
        .with_binding(Binding::key("own-dead", "own-all", "#"));
    subject.lay_out(layout).await;
    subject.send("own-in", "us.mail", [1]).await;
    subject.send("own-in", "eu.mail", [2]).await;
    let mut hand = subject.hand("own", 2).await;
    for job in hand.take(2).await {
        hand.settle(&job, Outcome::Reject);
    }
    let job = subject.hand("own-eu", 1).await.one().await;
    assert_eq!((body_of(&job), job.routing_key.as_str()), (2, "eu.mail"));
    assert_eq!((job.exchange.as_str(), job.deaths[0].exchange.as_str()), ("own-dead", "own-in"));
    assert_eq!(subject.drain("own-all", 2).await, [1, 2]);
}

/// What waits too long leaves from the head, in order, though nobody works at the queue.
pub async fn what_expires_is_dead_lettered_in_order_without_a_worker(subject: &Subject) {
    let queue = Queue::new("expire").with_ttl(A_WHILE * 2);
    subject.lay_out(with_dead(queue, "expire-dead")).await;
    let mut dead = subject.hand("expire-dead", 100).await;
    subject.send("", "expire", 0..50).await;
    let jobs = dead.take(50).await;
    assert_eq!(jobs.iter().map(body_of).collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
    assert_eq!(death(&jobs[0]), ("expire", Reason::Expired, 1));
    subject.send("", "expire", 50..51).await;
    assert_eq!(body_of(&dead.one().await), 50);
    subject.hand("expire", 1).await.stays_silent().await;
}

/// A job in hand does not expire; one that comes back too late does.
pub async fn a_job_in_hand_does_not_expire(subject: &Subject) {
    let ttl = A_WHILE * 2;
    subject.lay_out(with_dead(Queue::new("hold").with_ttl(ttl), "hold-dead")).await;
    let mut hand = subject.hand("hold", 2).await;
    subject.send("", "hold", 0..2).await;
    let jobs = hand.take(2).await;
    let mut dead = subject.hand("hold-dead", 2).await;
    let over = SystemClock.now().plus(ttl + Duration::from_millis(20));
    while SystemClock.now() < over {
        dead.stays_silent().await;
    }
    hand.settle(&jobs[1], Outcome::Done);
    hand.settle(&jobs[0], now());
    let job = dead.one().await;
    assert_eq!((body_of(&job), death(&job).1), (0, Reason::Expired));
    hand.stays_silent().await;
}

/// A full queue dead-letters its oldest waiting messages; what is in hand does not count.
pub async fn a_full_queue_lets_its_oldest_go(subject: &Subject) {
    let queue = Queue::new("full").with_max_length(3);
    subject.lay_out(with_dead(queue, "full-dead")).await;
    let mut hand = subject.hand("full", 1).await;
    subject.send("", "full", [0]).await;
    let held = hand.one().await;
    for number in 1..=5 {
        subject.send("", "full", [number]).await;
    }
    let mut dead = subject.hand("full-dead", 10).await;
    let jobs = dead.take(2).await;
    assert_eq!(jobs.iter().map(body_of).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(death(&jobs[0]), ("full", Reason::MaxLen, 1));
    dead.stays_silent().await;
    hand.settle(&held, Outcome::Done);
    assert_eq!(hand.work_off(3).await, [3, 4, 5]);
}

/// A second death in the same queue for the same reason raises the count of the first.
pub async fn deaths_are_counted_by_queue_and_reason(subject: &Subject) {
    let layout = Layout::default()
        .with_queue(Queue::new("count-a").with_dead_letter("", "count-b"))
        .with_queue(Queue::new("count-b").with_dead_letter("", "count-a"));
    subject.lay_out(layout).await;
    subject.send("", "count-a", [7]).await;
    let mut a = subject.hand("count-a", 1).await;
    let mut b = subject.hand("count-b", 1).await;
    for hand in [&mut a, &mut b] {
        let job = hand.one().await;
        hand.settle(&job, Outcome::Reject);
    }
    let job = a.one().await;
    a.settle(&job, Outcome::Reject);
    let job = b.one().await;
    let seen: Vec<_> = job.deaths.iter().map(|d| (d.queue.as_str(), d.count)).collect();
    assert_eq!(seen, [("count-a", 2), ("count-b", 1)]);
    b.settle(&job, Outcome::Done);
}

/// Bug 36: what would go round without anybody having rejected it ends.
pub async fn bug_36_a_circle_without_a_rejection_ends(subject: &Subject) {
    let layout = Layout::default()
        .with_queue(Queue::new("round-a").with_ttl(A_WHILE / 4).with_dead_letter("", "round-b"))
        .with_queue(Queue::new("round-b").with_ttl(A_WHILE / 4).with_dead_letter("", "round-a"));
    subject.lay_out(layout).await;
    subject.send("", "round-a", [1]).await;
    let gone = tokio::time::timeout(crate::message::PATIENCE, async {
        loop {
            let depths = subject.queues().depths().await.expect("depths");
            let ours = depths.iter().filter(|depth| depth.queue.starts_with("round-"));
            if ours.map(|depth| depth.ready + depth.unsettled).sum::<u64>() == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    gone.await.expect("the circle ends");
}
