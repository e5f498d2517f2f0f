//! Promises about exchanges, bindings and declarations.

use switchboard_core::Key;
use switchboard_message::exchange::{Binding, Exchange, Kind, Layout, Queue};
use switchboard_message::{PublishError, SubscribeError, TopologyError};

use super::numbered;
use crate::message::Subject;

fn exchange(name: &str, kind: Kind, queues: &[&str]) -> Layout {
    let layout = Layout::default().with_exchange(Exchange::new(name, kind));
    queues.iter().fold(layout, |layout, queue| layout.with_queue(Queue::new(*queue)))
}

/// A direct exchange compares whole keys, and several queues may be bound by one.
pub async fn a_direct_exchange_looks_at_the_whole_key(subject: &Subject) {
    let layout = exchange("direct", Kind::Direct, &["direct-a", "direct-b"])
        .with_binding(Binding::key("direct", "direct-a", "x.y"))
        .with_binding(Binding::key("direct", "direct-b", "x.y"))
        .with_binding(Binding::key("direct", "direct-b", "x.*"));
    subject.lay_out(layout).await;
    assert!(subject.send("direct", "x.y", [1]).await[0].routed);
    assert!(subject.send("direct", "x.*", [2]).await[0].routed);
    assert!(!subject.send("direct", "x", [3]).await[0].routed);
    assert_eq!(subject.drain("direct-a", 1).await, [1]);
    assert_eq!(subject.drain("direct-b", 2).await, [1, 2]);
}

/// `*` is one word, `#` any number of them.
pub async fn a_topic_exchange_matches_words(subject: &Subject) {
    let layout = exchange("topic", Kind::Topic, &["topic-star", "topic-hash", "topic-mid"])
        .with_binding(Binding::key("topic", "topic-star", "a.*"))
        .with_binding(Binding::key("topic", "topic-hash", "a.#"))
        .with_binding(Binding::key("topic", "topic-mid", "#.c.#"));
    subject.lay_out(layout).await;
    for (number, key) in (1..).zip(["a", "a.b", "a.b.c", "c", "", "b.a"]) {
        subject.send("topic", key, [number]).await;
    }
    assert_eq!(subject.drain("topic-star", 1).await, [2]);
    assert_eq!(subject.drain("topic-hash", 3).await, [1, 2, 3]);
    assert_eq!(subject.drain("topic-mid", 2).await, [3, 4]);
}

/// A fanout exchange does not look at the key.
pub async fn a_fanout_exchange_gives_to_all(subject: &Subject) {
    let layout = exchange("fanout", Kind::Fanout, &["fanout-a", "fanout-b", "fanout-c"])
        .with_binding(Binding::key("fanout", "fanout-a", ""))
        .with_binding(Binding::key("fanout", "fanout-b", "whatever"));
    subject.lay_out(layout).await;
    subject.send("fanout", "k", [1, 2]).await;
    assert_eq!(subject.drain("fanout-a", 2).await, [1, 2]);
    assert_eq!(subject.drain("fanout-b", 2).await, [1, 2]);
    subject.hand("fanout-c", 1).await.stays_silent().await;
}

/// A headers exchange wants all of its values, or any; a name without a value has to be there.
pub async fn a_headers_exchange_looks_at_headers(subject: &Subject) {
    let values = [("color", Some("red")), ("size", None), ("x-ignored", Some("1"))];
    let layout = exchange("headers", Kind::Headers, &["headers-all", "headers-any"])
        .with_binding(Binding::headers("headers", "headers-all", true, values))
        .with_binding(Binding::headers("headers", "headers-any", false, values));
    subject.lay_out(layout).await;
    let batch = vec![
        numbered(1).with_header("color", "red").with_header("size", "8"),
        numbered(2).with_header("color", "red"),
        numbered(3).with_header("color", "blue").with_header("size", "9"),
        numbered(4).with_header("color", "blue").with_header("x-ignored", "1"),
    ];
    let answers = subject.queues().send("headers", "", batch).await;
    let routed: Vec<bool> = answers.into_iter().map(|a| a.expect("an answer").routed).collect();
    assert_eq!(routed, [true, true, true, false]);
    assert_eq!(subject.drain("headers-all", 1).await, [1]);
    assert_eq!(subject.drain("headers-any", 3).await, [1, 2, 3]);
}

/// The exchange with the empty name gives to the queue that the routing key names.
pub async fn the_nameless_exchange_gives_to_the_named_queue(subject: &Subject) {
    subject.lay_out(Layout::default().with_queue(Queue::new("named"))).await;
    assert!(subject.send("", "named", [1]).await[0].routed);
    assert!(!subject.send("", "nobody", [2]).await[0].routed);
    assert_eq!(subject.drain("named", 1).await, [1]);
}

/// However many bindings match.
pub async fn a_queue_gets_a_message_once(subject: &Subject) {
    let layout = exchange("once", Kind::Topic, &["once"])
        .with_binding(Binding::key("once", "once", "a.*"))
        .with_binding(Binding::key("once", "once", "*.b"))
        .with_binding(Binding::key("once", "once", "#"));
    subject.lay_out(layout).await;
    subject.send("once", "a.b", [1]).await;
    assert_eq!(subject.drain("once", 1).await, [1]);
}

/// An alternate gets what no binding takes; without one, or when it has no queue either, the
/// sender is told.
pub async fn what_nothing_takes_goes_to_the_alternate_or_is_told(subject: &Subject) {
    let layout = exchange("alt", Kind::Direct, &["alt-mine", "alt-rest"])
        .with_exchange(Exchange::new("alt-first", Kind::Topic).with_alternate("alt-second"))
        .with_exchange(Exchange::new("alt-second", Kind::Direct).with_alternate("alt"))
        .with_binding(Binding::key("alt-first", "alt-mine", "mine"))
        .with_binding(Binding::key("alt", "alt-rest", "rest"));
    subject.lay_out(layout).await;
    assert!(subject.send("alt-first", "mine", [1]).await[0].routed);
    assert!(subject.send("alt-first", "rest", [2]).await[0].routed);
    assert!(!subject.send("alt-first", "nobody", [3]).await[0].routed);
    assert_eq!(subject.drain("alt-mine", 1).await, [1]);
    assert_eq!(subject.drain("alt-rest", 1).await, [2]);
}

/// Nobody sends to, or works at, what was not declared.
pub async fn what_was_not_declared_is_refused(subject: &Subject) {
    let answers = subject.queues().send("nowhere", "k", vec![numbered(1), numbered(2)]).await;
    assert_eq!(answers.len(), 2);
    for answer in &answers {
        assert!(matches!(answer, Err(PublishError::UnknownExchange(e)) if e == "nowhere"));
    }
    let worker = subject.queues().work("nowhere", 1).await;
    assert!(matches!(worker.err(), Some(SubscribeError::UnknownQueue(q)) if q == "nowhere"));
}

/// What exists stays, with its messages; what is new is added.
pub async fn declaring_again_only_adds(subject: &Subject) {
    let layout = exchange("again", Kind::Direct, &["again-a"])
        .with_binding(Binding::key("again", "again-a", "k"));
    subject.lay_out(layout.clone()).await;
    subject.send("again", "k", [1]).await;
    let more = layout
        .with_queue(Queue::new("again-b"))
        .with_binding(Binding::key("again", "again-b", "k"));
    subject.lay_out(more.clone()).await;
    subject.lay_out(more).await;
    subject.send("again", "k", [2]).await;
    assert_eq!(subject.drain("again-a", 2).await, [1, 2]);
    assert_eq!(subject.drain("again-b", 1).await, [2]);
}

/// A mismatch is an error, and what exists goes on as it was.
pub async fn other_settings_are_reported_and_change_nothing(subject: &Subject) {
    let layout = exchange("fixed", Kind::Direct, &["fixed"])
        .with_binding(Binding::key("fixed", "fixed", "k"));
    subject.lay_out(layout).await;
    let other_queue = Queue::new("fixed").with_max_length(1);
    for layout in [
        Layout::default().with_queue(other_queue),
        Layout::default().with_exchange(Exchange::new("fixed", Kind::Fanout)),
    ] {
        let declared = subject.queues().declare(&layout).await;
        let named =
            matches!(&declared, Err(TopologyError::Differs { name, .. }) if name == "fixed");
        assert!(named, "{declared:?}");
    }
    subject.send("fixed", "k", [1, 2]).await;
    assert!(!subject.send("fixed", "other", [3]).await[0].routed);
    assert_eq!(subject.drain("fixed", 2).await, [1, 2]);
}

/// Names have limits, and what a layout refers to has to exist.
pub async fn a_wrong_layout_is_refused(subject: &Subject) {
    let dangling = exchange("wrong", Kind::Direct, &["wrong"]);
    for layout in [
        Layout::default().with_queue(Queue::new("")),
        Layout::default().with_queue(Queue::new("amq.mine")),
        Layout::default().with_queue(Queue::new("q".repeat(256))),
        Layout::default().with_exchange(Exchange::new("", Kind::Direct)),
        Layout::default().with_queue(Queue::new("none").with_max_length(0)),
        Layout::default().with_queue(Queue::new("now").with_ttl(std::time::Duration::ZERO)),
        dangling.clone().with_binding(Binding::key("wrong", "absent", "k")),
        dangling.clone().with_binding(Binding::key("absent", "wrong", "k")),
        dangling.with_binding(Binding::headers("wrong", "wrong", true, [])),
    ] {
        let declared = subject.queues().declare(&layout).await;
        assert!(matches!(declared, Err(TopologyError::Invalid(_))), "{layout:?}: {declared:?}");
    }
}

/// A message that is too large is refused alone.
pub async fn one_bad_message_does_not_fail_its_neighbours(subject: &Subject) {
    subject.lay_out(Layout::default().with_queue(Queue::new("mixed"))).await;
    let limit = subject.broker().capabilities().max_message_bytes;
    let huge = numbered(2).with_payload(vec![b'x'; limit]);
    let batch = vec![numbered(1), huge, numbered(3)];
    let answers = subject.queues().send("", "mixed", batch).await;
    assert!(matches!(&answers[..], [Ok(_), Err(PublishError::TooLarge { limit: l, .. }), Ok(_)]
        if *l == limit));
    assert_eq!(subject.drain("mixed", 2).await, [1, 3]);
}

/// Nothing of an envelope is lost or changed on its way, and the job says how it came.
pub async fn an_envelope_arrives_as_it_was_sent(subject: &Subject) {
    let layout = exchange("whole", Kind::Topic, &["whole"])
        .with_binding(Binding::key("whole", "whole", "#"));
    subject.lay_out(layout).await;
    let sent = numbered(1)
        .with_key(Key::from("k"))
        .with_header("content-type", "application/json")
        .with_header("empty", "");
    let answers = subject.queues().send("whole", "a.b", vec![sent.clone()]).await;
    assert!(matches!(&answers[..], [Ok(sent)] if sent.routed));
    let job = subject.hand("whole", 1).await.one().await;
    assert_eq!(job.message.expect("an envelope"), sent);
    assert_eq!((job.exchange.as_str(), job.routing_key.as_str()), ("whole", "a.b"));
    assert_eq!((job.redelivered, job.deaths.len()), (0, 0));
}
