//! Where messages go that nobody wants or everybody gives up.

use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use switchboard_message::{Broker, Capability, Outcome, Topic, Topology, TopologyError};
use switchboard_testkit::message::{Subject, envelopes};

use crate::server::{self, Clean, ready, until};

fn quorum(rest: &[(&str, &str)]) -> FieldTable {
    let mut arguments = FieldTable::default();
    for (name, value) in [("x-queue-type", "quorum")].iter().chain(rest) {
        arguments.insert((*name).into(), AMQPValue::LongString((*value).into()));
    }
    arguments
}

/// Bug 27: dead letters are kept at least once only with three settings together, and the server
/// falls back in silence when one is missing. A queue without one of them is refused at the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_27_a_queue_that_may_lose_dead_letters_is_refused() {
    let clean = Clean::new().await;
    clean.declare(&Topology::of([Topic::new("triple").with_partitions(1)])).await.unwrap();
    let channel = server::channel().await;
    let weaker = [
        quorum(&[("x-dead-letter-exchange", "g:triple.dead")]),
        quorum(&[
            ("x-dead-letter-exchange", "g:triple.dead"),
            ("x-dead-letter-strategy", "at-least-once"),
            ("x-overflow", "drop-head"),
        ]),
        quorum(&[
            ("x-dead-letter-exchange", "elsewhere"),
            ("x-dead-letter-strategy", "at-least-once"),
            ("x-overflow", "reject-publish"),
        ]),
    ];
    for mut arguments in weaker {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        arguments.insert("x-delivery-limit".into(), 20u32.into());
        let options = QueueDeclareOptions::durable();
        channel.queue_declare("g:triple:0".into(), options, arguments).await.unwrap();
        let topology = Topology::of([]).with_group("g", ["triple".into()]);
        let error = clean.declare(&topology).await.unwrap_err();
        let TopologyError::Differs { what: "queue", name, detail } = &error else {
            panic!("expected a difference, got {error:?}");
        };
        assert_eq!(*name, "g:triple:0", "{detail}");
        assert!(detail.contains("x-"), "{detail}");
        channel.queue_delete("g:triple:0".into(), Default::default()).await.unwrap();
    }
    let topology = Topology::of([]).with_group("g", ["triple".into()]);
    clean.declare(&topology).await.unwrap();
}

/// A rejected message lies among the dead letters, with where it was and why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_message_is_a_dead_letter() {
    let subject = Subject::new(Clean::new().await);
    subject.declare("given-up", 1).await;
    subject.publish(envelopes("given-up", "k", 0..3)).await;
    let mut reader = subject.reader("g", "given-up").await;
    let in_hand = reader.take(3).await;
    assert!(reader.consumer().settle(&in_hand[1].receipt, Outcome::Reject));
    assert!(reader.done(&in_hand[0]) && reader.done(&in_hand[2]));
    until(async || ready("g:given-up.dead").await == 1).await;
    let channel = server::channel().await;
    let options = BasicGetOptions { no_ack: true };
    let dead = channel.basic_get("g:given-up.dead".into(), options).await.unwrap().unwrap();
    assert_eq!(dead.data, b"1");
    let headers = dead.properties.headers().clone().unwrap();
    let text = |name: &str| headers.inner()[name].as_long_string().unwrap().to_string();
    assert_eq!(text("x-first-death-reason"), "rejected");
    assert_eq!(text("x-first-death-queue"), "g:given-up:0");
}

/// Bug 26: the server confirms what no queue takes. A topic without groups is no error, and what
/// was published to it can be looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_26_what_no_group_wants_is_visible() {
    let clean = Clean::new().await;
    clean.declare(&Topology::of([Topic::new("lonely").with_partitions(4)])).await.unwrap();
    let channel = server::channel().await;
    channel.queue_purge("switchboard.unrouted".into(), Default::default()).await.unwrap();
    let answers = clean.publish(envelopes("lonely", "k", 0..5)).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    until(async || clean.broker.unrouted().await.unwrap() >= 5).await;
    let options = BasicGetOptions { no_ack: true };
    let kept = channel.basic_get("switchboard.unrouted".into(), options).await.unwrap().unwrap();
    assert_eq!((kept.exchange.as_str(), &kept.data[..]), ("lonely", &b"0"[..]));
}

/// What RabbitMQ cannot do is refused when it is asked for, and not when it is missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replay_is_refused_when_it_is_declared() {
    let clean = Clean::new().await;
    let topology = Topology { requires: vec![Capability::Replay], ..Topology::default() };
    let error = clean.declare(&topology).await.unwrap_err();
    assert!(error.to_string().contains("RabbitMQ has no replay"), "{error}");
}
