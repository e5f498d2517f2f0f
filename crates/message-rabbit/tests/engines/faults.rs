//! Connections that are lost at the worst moment, channels that the server closes, consumers that
//! get nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use switchboard_core::Id;
use switchboard_message::{
    Incoming, Outcome, PublishError, Subscription, metrics as message_names,
};
use switchboard_message_rabbit::{Options, metrics as names};
use switchboard_testkit::message::{PATIENCE, Subject, body, envelope, envelopes};

use crate::proxy::Proxy;
use crate::server::{Clean, ready, until};
use crate::{counted, server};

/// The options of a broker behind a proxy that does not wait long.
fn behind(proxy: &Proxy) -> Options {
    let options = Options::from_url(&proxy.url()).unwrap();
    options.with_backoff(Duration::from_millis(20), Duration::from_millis(100))
}

async fn subject(options: Options) -> Subject {
    Subject::new(Clean::with(options).await)
}

/// Takes until every number below `count` was seen, settling each delivery. Returns the numbers in
/// the order of their first occurrence, and how often each message id was seen.
async fn drain(subject: &Subject, topic: &str, count: u64) -> (Vec<u64>, BTreeMap<Id, u32>) {
    let mut reader = subject.reader("g", topic).await;
    let (mut first, mut ids) = (Vec::new(), BTreeMap::new());
    while (first.len() as u64) < count {
        for delivery in reader.deliveries().await {
            let number = body(&delivery);
            if !first.contains(&number) {
                first.push(number);
            }
            *ids.entry(delivery.message.as_ref().unwrap().id).or_default() += 1;
            reader.done(&delivery);
        }
    }
    (first, ids)
}

/// The server has the messages, and the client cannot know it: they go out again under the same
/// ids, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unconfirmed_messages_are_sent_again_with_the_same_id() {
    let proxy = Proxy::new().await;
    let subject = subject(behind(&proxy)).await;
    subject.declare("resent", 1).await;
    subject.publish(envelopes("resent", "k", 0..10)).await;
    let before = counted::sum(names::RESENT);
    proxy.hold_answers(true);
    let broker = subject.shared();
    let publishing =
        tokio::spawn(async move { broker.publish(envelopes("resent", "k", 10..60)).await });
    until(async || ready("g:resent:0").await == 60).await;
    proxy.hold_answers(false);
    proxy.cut();
    let answers = publishing.await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(counted::sum(names::RESENT) - before >= 50);
    let (first, ids) = drain(&subject, "resent", 60).await;
    assert_eq!(first, (0..60).collect::<Vec<_>>());
    assert_eq!(ids.len(), 60, "a message that is sent again keeps its id");
}

/// Half a confirm is no confirm, and the other half never comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_in_the_middle_of_a_confirm_loses_nothing() {
    let proxy = Proxy::new().await;
    let subject = subject(behind(&proxy)).await;
    subject.declare("cut", 1).await;
    for round in 0..5 {
        proxy.cut_in_the_next_confirm();
        let numbers = round * 40..(round + 1) * 40;
        let answers = subject.broker().publish(envelopes("cut", "k", numbers)).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    let (first, ids) = drain(&subject, "cut", 200).await;
    assert_eq!(first, (0..200).collect::<Vec<_>>(), "first occurrences are in order");
    assert_eq!(ids.len(), 200);
}

/// A server that is away is waited for, but not for ever, and afterwards all is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_answered() {
    let proxy = Proxy::new().await;
    let subject = subject(behind(&proxy).with_publish_patience(Duration::from_millis(400))).await;
    subject.declare("away", 1).await;
    subject.publish(envelopes("away", "k", 0..1)).await;
    proxy.refuse(true);
    proxy.cut();
    let answers = subject.broker().publish(envelopes("away", "k", 1..4)).await;
    let unavailable = |answer: &Result<_, _>| matches!(answer, Err(PublishError::Unavailable(_)));
    assert!(answers.len() == 3 && answers.iter().all(unavailable), "{answers:?}");
    proxy.refuse(false);
    until(async || {
        let again = subject.broker().publish(envelopes("away", "k", 1..4)).await;
        again.iter().all(Result::is_ok)
    })
    .await;
    let (first, _) = drain(&subject, "away", 4).await;
    assert_eq!(first, [0, 1, 2, 3]);
}

/// Bug 24: the receipt of a channel that is gone cannot settle what the next one delivers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_24_a_receipt_of_a_lost_channel_is_a_counted_no_op() {
    let proxy = Proxy::new().await;
    let subject = subject(behind(&proxy)).await;
    subject.declare("generation", 1).await;
    subject.publish(envelopes("generation", "k", 0..6)).await;
    let mut reader = subject.reader("g", "generation").await;
    let in_hand = reader.take(6).await;
    assert!(reader.done(&in_hand[0]));
    until(async || ready("g:generation:0").await == 0).await;
    let before = counted::of(message_names::STALE_RECEIPTS, "g");
    proxy.cut();
    let Incoming::Revoked(_) = reader.next().await else { panic!("expected a revocation") };
    for delivery in &in_hand[1..] {
        for outcome in [Outcome::Done, Outcome::Reject] {
            assert!(!reader.consumer().settle(&delivery.receipt, outcome));
        }
    }
    assert!(counted::of(message_names::STALE_RECEIPTS, "g") - before >= 10);
    let mut again = Vec::new();
    while again.len() < 5 {
        again.extend(reader.deliveries().await);
    }
    // The ack of the first one may have been lost with the connection.
    again.retain(|delivery| body(delivery) != 0);
    assert_eq!(again.iter().map(body).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let (old, new) = (in_hand[1].receipt.generation, again[0].receipt.generation);
    assert!(new > old && again.iter().all(|delivery| delivery.redelivered >= 1));
    assert!(again[0].receipt.position > in_hand[5].receipt.position, "positions rise");
    for delivery in &again {
        assert!(reader.done(delivery));
    }
}

/// Bug 23: the channel that replaces a lost one has its prefetch too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_23_the_prefetch_is_applied_again() {
    let proxy = Proxy::new().await;
    let subject = subject(behind(&proxy).with_prefetch(20)).await;
    subject.declare("qos", 1).await;
    subject.publish(envelopes("qos", "k", 0..100)).await;
    let mut reader = subject.reader("g", "qos").await;
    for _ in 0..3 {
        reader.take(20).await;
        until(async || ready("g:qos:0").await == 80).await;
        reader.stays_silent().await;
        proxy.cut();
        while !matches!(reader.next().await, Incoming::Revoked(_)) {}
    }
}

/// A channel that the server closes is replaced, on the connection that stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_error_recovers_alone() {
    let proxy = Proxy::new().await;
    let subject = subject(behind(&proxy)).await;
    subject.declare("closed", 2).await;
    let mut reader = subject.reader("g", "closed").await;
    subject.publish(envelopes("closed", "k", 0..1)).await;
    assert_eq!(reader.work_off(1).await, [0]);
    let connections = proxy.connections();
    // The exchange goes: the next publication makes the server close the channel.
    let channel = server::channel().await;
    channel.exchange_delete("closed".into(), ExchangeDeleteOptions::default()).await.unwrap();
    subject.publish(envelopes("closed", "k", 1..30)).await;
    // The queue goes: the server cancels the consumer. What was in it is gone as well.
    for partition in 0..2 {
        let queue = format!("g:closed:{partition}");
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    let assigned = reader.assigned.len();
    while reader.assigned.len() < assigned + 2 {
        reader.next().await;
    }
    subject.publish(envelopes("closed", "k", 30..32)).await;
    let mut last = 0;
    while last < 31 {
        last = reader.work_off(1).await.into_iter().max().unwrap_or_default().max(last);
    }
    assert_eq!(proxy.connections(), connections, "no new connection was needed");
}

/// A message that the server cannot take is answered alone; its neighbours are published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_gone_is_declared_again_for_its_messages() {
    let subject = subject(server::options()).await;
    subject.declare("gone", 1).await;
    subject.declare("stays", 1).await;
    let channel = server::channel().await;
    channel.exchange_delete("gone".into(), ExchangeDeleteOptions::default()).await.unwrap();
    let mut batch = envelopes("stays", "k", 0..10);
    batch.push(envelope("gone", Some("k"), 0));
    batch.extend(envelopes("stays", "k", 10..20));
    let answers = subject.broker().publish(batch).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(drain(&subject, "stays", 20).await.0, (0..20).collect::<Vec<_>>());
    assert_eq!(drain(&subject, "gone", 1).await.0, [0]);
}

/// Bug 25: a consumer that the server knows and that gets nothing is registered anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_25_a_phantom_consumer_is_noticed() {
    let proxy = Proxy::new().await;
    let watchdog = Duration::from_millis(150);
    let subject = subject(behind(&proxy).with_prefetch(16).with_watchdog(watchdog)).await;
    subject.declare("phantom", 1).await;
    let before = counted::of(names::PHANTOMS, "g");
    proxy.drop_deliveries(true);
    let mut reader = subject.reader("g", "phantom").await;
    assert_eq!(reader.assignment().await.len(), 1);
    subject.publish(envelopes("phantom", "k", 0..50)).await;
    until(async || counted::of(names::PHANTOMS, "g") > before).await;
    proxy.drop_deliveries(false);
    let mut seen: Vec<u64> = Vec::new();
    while seen.len() < 50 {
        seen.extend(reader.work_off(1).await);
    }
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

/// Bug 22: what comes back by a crash counts, and a message that always fails ends as a dead
/// letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_22_a_poisonous_message_reaches_the_delivery_limit() {
    let proxy = Proxy::new().await;
    let subject = subject(behind(&proxy).with_delivery_limit(2)).await;
    subject.declare("poison", 1).await;
    subject.publish(envelopes("poison", "k", 0..1)).await;
    let mut reader = subject.reader("g", "poison").await;
    for expected in 0..=2 {
        let delivery = reader.take(1).await.remove(0);
        assert_eq!(delivery.redelivered, expected);
        proxy.cut();
        while !matches!(reader.next().await, Incoming::Revoked(_)) {}
    }
    until(async || ready("g:poison.dead").await == 1).await;
    let wish = Subscription::new("g", ["poison".into()]);
    assert!(tokio::time::timeout(PATIENCE, subject.broker().subscribe(wish)).await.is_ok());
}
