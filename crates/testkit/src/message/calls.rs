//! Promises about calls: request and reply over messages, on every broker.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, Context, Envelope, SystemClock, Timestamp};
use switchboard_message::request::{
    Address, CORRELATION_ID, CallError, REPLY_TO, Replied, Replies, Requester, Responder,
};
use switchboard_message::{Capability, Subscription, Topic, Topology};
use tokio::task::JoinHandle;

use super::{A_WHILE, PATIENCE, Reader, Subject, envelope};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Topics for requests and replies, and two callers' groups.
async fn declare(subject: &Subject, name: &str) {
    let replies = format!("{name}.replies");
    let topology = Topology::of([
        Topic::new(name).with_partitions(2),
        Topic::new(&*replies).with_partitions(2),
    ])
    .with_group("g", [name.into()])
    .with_group("one", [(&*replies).into()])
    .with_group("two", [(&*replies).into()]);
    subject.broker().declare(&topology).await.expect("declared topics");
}

async fn requester(subject: &Subject, name: &str, group: &str, most: usize) -> Requester {
    let replies = Replies::topic(format!("{name}.replies"), group).with_max_outstanding(most);
    Requester::open(subject.shared(), clock(), replies).await.expect("a requester")
}

/// Answers every request with its own number.
fn echo(subject: &Subject, name: &str) -> JoinHandle<()> {
    let responder = Responder::new(subject.shared(), clock());
    let subscription = Subscription::new("g", [name.into()]);
    tokio::spawn(async move {
        let serving = responder.serve(subscription, |request: Envelope| async move {
            Envelope { kind: "test.echoed".into(), ..request }
        });
        serving.await.expect("a group to serve");
    })
}

fn number(reply: &Envelope) -> u64 {
    std::str::from_utf8(&reply.payload).expect("text").parse().expect("a number")
}

/// The next request, which is done with.
async fn request(reader: &mut Reader) -> Envelope {
    let delivery = reader.take(1).await.remove(0);
    reader.done(&delivery);
    delivery.message.expect("a request")
}

/// Each call gets its own reply, however many there are at once, and the reply says what it is an
/// answer to.
pub async fn a_call_is_answered(subject: &Subject) {
    declare(subject, "calls").await;
    let requester = Arc::new(requester(subject, "calls", "one", 64).await);
    let serving = echo(subject, "calls");
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let requester = Arc::clone(&requester);
            tokio::spawn(async move {
                let question = envelope("calls", Some(&format!("k{n}")), n);
                let (id, correlation) = (question.id, question.context.correlation);
                let reply = requester.call(question, PATIENCE).await.expect("a reply");
                assert_eq!(number(&reply), n);
                assert_eq!((&*reply.kind, reply.context.causation), ("test.echoed", Some(id)));
                assert_eq!(reply.context.correlation, correlation);
            })
        })
        .collect();
    for call in calls {
        call.await.expect("an answered call");
    }
    assert_eq!((requester.outstanding(), requester.strays()), (0, 0));
    serving.abort();
}

/// A call ends at its deadline, and leaves nothing behind.
pub async fn a_call_without_a_reply_ends_at_its_deadline(subject: &Subject) {
    declare(subject, "silent").await;
    let requester = requester(subject, "silent", "one", 4).await;
    let begun = SystemClock.now();
    let outcome = requester.call(envelope("silent", None, 1), A_WHILE).await;
    assert!(matches!(outcome, Err(CallError::Late)), "{outcome:?}");
    assert!(SystemClock.now().since(begun) >= A_WHILE);
    assert_eq!(requester.outstanding(), 0);
    // The context's deadline is the earlier one.
    let mut hurried = envelope("silent", None, 2);
    hurried.context.deadline = Some(begun);
    let outcome = tokio::time::timeout(PATIENCE, requester.call(hurried, PATIENCE * 9)).await;
    assert!(matches!(outcome, Ok(Err(CallError::Late))), "{outcome:?}");
}

/// A reply that comes too late, or twice, is counted and changes nothing.
pub async fn late_and_second_replies_are_counted(subject: &Subject) {
    declare(subject, "late").await;
    let requester = requester(subject, "late", "one", 4).await;
    let mut requests = subject.reader("g", "late").await;
    let outcome = requester.call(envelope("late", None, 1), A_WHILE).await;
    assert!(matches!(outcome, Err(CallError::Late)), "{outcome:?}");
    let mut first = request(&mut requests).await;
    let responder = Responder::new(subject.shared(), clock());
    let reply = || envelope("", None, 7);
    assert!(!responder.is_awaited(&first));
    assert_eq!(responder.reply(&first, reply()).await.expect("an answer"), Replied::TooLate);
    // A responder whose clock is slow sends it all the same.
    first.context.deadline = None;
    assert_eq!(responder.reply(&first, reply()).await.expect("sent"), Replied::Sent);
    let twice = async {
        let second = request(&mut requests).await;
        for n in [8, 9] {
            // One key keeps them in order, whatever partitions the topic has.
            responder.reply(&second, envelope("", Some("k"), n)).await.expect("sent");
        }
    };
    let (reply, ()) = tokio::join!(requester.call(envelope("late", None, 2), PATIENCE), twice);
    assert_eq!(number(&reply.expect("the first reply")), 8);
    let counted = async {
        while requester.strays() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("two replies that nobody waited for");
    assert_eq!((requester.strays(), requester.outstanding()), (2, 0));
}

/// A call that is dropped makes room for another one; more than the limit is refused at once.
pub async fn outstanding_calls_are_bounded(subject: &Subject) {
    declare(subject, "bounded-calls").await;
    let requester = Arc::new(requester(subject, "bounded-calls", "one", 2).await);
    let call = |n| {
        let requester = Arc::clone(&requester);
        tokio::spawn(async move {
            let question = envelope("bounded-calls", None, n);
            requester.call(question, PATIENCE).await.map(drop)
        })
    };
    let waiting = [call(1), call(2)];
    let both = async {
        while requester.outstanding() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("two calls that wait");
    let refused = requester.call(envelope("bounded-calls", None, 3), PATIENCE).await;
    assert!(matches!(refused, Err(CallError::TooMany { limit: 2 })), "{refused:?}");
    for call in waiting {
        call.abort();
        assert!(call.await.is_err());
    }
    assert_eq!(requester.outstanding(), 0);
    let serving = echo(subject, "bounded-calls");
    let reply = requester.call(envelope("bounded-calls", None, 4), PATIENCE).await;
    assert_eq!(number(&reply.expect("a reply")), 4);
    serving.abort();
}

/// Two processes may share a topic of replies: each takes its own, and counts none of the other's.
pub async fn callers_get_their_own_replies(subject: &Subject) {
    declare(subject, "shared").await;
    let one = requester(subject, "shared", "one", 8).await;
    let two = requester(subject, "shared", "two", 8).await;
    let serving = echo(subject, "shared");
    for n in 0..5 {
        let (first, second) = tokio::join!(
            one.call(envelope("shared", None, n), PATIENCE),
            two.call(envelope("shared", None, 100 + n), PATIENCE),
        );
        assert_eq!(number(&first.expect("a reply")), n);
        assert_eq!(number(&second.expect("a reply")), 100 + n);
    }
    assert_eq!((one.strays(), two.strays()), (0, 0));
    serving.abort();
}

/// A request to what does not exist is an error at once, and a message that asks for nothing gets
/// nothing.
pub async fn a_call_that_cannot_be_sent_ends_at_once(subject: &Subject) {
    declare(subject, "unsent").await;
    let requester = requester(subject, "unsent", "one", 4).await;
    let call = requester.call(envelope("nowhere-to-call", None, 1), PATIENCE * 9);
    let outcome = tokio::time::timeout(PATIENCE, call).await.expect("an answer at once");
    assert!(matches!(outcome, Err(CallError::NotSent(_))), "{outcome:?}");
    assert_eq!(requester.outstanding(), 0);
    let responder = Responder::new(subject.shared(), clock());
    let asked = envelope("unsent", None, 1);
    assert_eq!(Address::of(&asked), None);
    assert!(!responder.is_awaited(&asked));
    let reply = envelope("", None, 2).with_header(REPLY_TO, "topic:x");
    assert_eq!(responder.reply(&asked, reply).await.expect("nothing"), Replied::NotAsked);
    let addressed = asked.with_header(REPLY_TO, "queue:q").with_header(CORRELATION_ID, "1-1");
    assert_eq!(Address::of(&addressed), Some(Address::Queue("q".into())));
    assert!(responder.is_awaited(&addressed));
    let late = Context { deadline: Some(Timestamp::from_micros(1)), ..addressed.context.clone() };
    assert!(!responder.is_awaited(&addressed.with_context(late)));
}

/// What is asked through an exchange is answered in a queue, on brokers that have queues.
pub async fn a_call_goes_through_queues_too(subject: &Subject) {
    use switchboard_message::Outcome;
    use switchboard_message::exchange::{Binding, Exchange, Kind, Layout, Queue};

    declare(subject, "queued").await;
    let Some(queues) = subject.broker().queues() else {
        let replies = Replies::queue("queued-replies");
        let opened = Requester::open(subject.shared(), clock(), replies).await;
        assert!(opened.is_err(), "there are no queues");
        assert!(subject.lacks(Capability::Exchanges));
        return;
    };
    let layout = Layout::default()
        .with_exchange(Exchange::new("ask", Kind::Direct))
        .with_queue(Queue::new("asked"))
        .with_queue(Queue::new("queued-replies").with_ttl(Duration::from_secs(60)))
        .with_binding(Binding::key("ask", "asked", "price"));
    queues.declare(&layout).await.expect("a layout");
    let replies = Replies::queue("queued-replies");
    let requester = Requester::open(subject.shared(), clock(), replies).await.expect("a requester");
    let nobody = requester.call_exchange("ask", "colour", envelope("a", None, 1), PATIENCE).await;
    assert!(matches!(nobody, Err(CallError::NotRouted { .. })), "{nobody:?}");
    let mut worker = subject.hand("asked", 1).await;
    let responder = Responder::new(subject.shared(), clock());
    let answer = async {
        let job = worker.one().await;
        let request = job.message.as_ref().expect("a request");
        let replied = responder.reply(request, envelope("", None, 9)).await.expect("a reply");
        assert_eq!(replied, Replied::Sent);
        worker.settle(&job, Outcome::Done);
    };
    let call = requester.call_exchange("ask", "price", envelope("a", None, 2), PATIENCE);
    let (reply, ()) = tokio::join!(call, answer);
    assert_eq!(number(&reply.expect("a reply")), 9);
}
