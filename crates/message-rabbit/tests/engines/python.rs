//! A client in another language that knows nothing of us reads what we write, and writes what we
//! read.

use serde_json::{Value, json};
use switchboard_core::{Id, Key};
use switchboard_testkit::message::{Subject, body, envelope};
use switchboard_testkit::python;

use crate::server::{self, Clean};

/// What the stranger prints.
async fn stranger(what: &str, arguments: &[&str], input: &[Value]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines/stranger.py");
    let address = server::url();
    let arguments = [&[what, &address][..], arguments].concat();
    python::lines(script, arguments, input).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_reads_what_we_write() {
    let subject = Subject::new(Clean::new().await);
    subject.declare_with("told", 2, &["g"]).await;
    let sent: Vec<_> =
        (0..20).map(|number| envelope("told", Some(&format!("k{}", number % 5)), number)).collect();
    let acks = subject.publish(sent.clone()).await;
    for partition in 0..2 {
        let of_it = |ack: &switchboard_message::Ack| ack.partition == partition;
        let here: Vec<_> = sent.iter().zip(&acks).filter(|(_, ack)| of_it(ack)).collect();
        let count = here.len().to_string();
        let read = stranger("read", &[&format!("g:told:{partition}"), &count], &[]).await;
        for ((envelope, _), message) in here.into_iter().zip(read) {
            assert_eq!(message["body"], *String::from_utf8_lossy(&envelope.payload), "in order");
            assert_eq!(message["routing_key"], partition.to_string());
            assert_eq!(message["message_id"], envelope.id.to_string());
            assert_eq!(
                (&message["delivery_mode"], &message["redelivered"]),
                (&2.into(), &false.into())
            );
            let key = envelope.key.as_ref().map(|key| String::from_utf8_lossy(key.as_bytes()));
            let headers = &message["headers"];
            assert_eq!(headers["cloudEvents:specversion"], "1.0");
            assert_eq!(headers["cloudEvents:id"], envelope.id.to_string());
            assert_eq!(headers["cloudEvents:source"], envelope.source.as_str());
            assert_eq!(headers["cloudEvents:type"], envelope.kind.as_str());
            assert_eq!(headers["cloudEvents:partitionkey"], json!(key));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_writes_what_we_read() {
    let subject = Subject::new(Clean::new().await);
    subject.declare_with("heard", 1, &["g"]).await;
    let id = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000";
    let mut messages = vec![
        json!({ "routing_key": "0", "body": "0", "properties": {
            "content_type": "application/json",
            "headers": {
                "cloudEvents:specversion": "1.0", "cloudEvents:id": id,
                "cloudEvents:source": "/elsewhere", "cloudEvents:type": "thing.happened",
                "cloudEvents:time": "2026-01-02T03:04:05Z", "cloudEvents:partitionkey": "k",
                "colour": "blue", "size": 7,
            },
        } }),
        json!({ "routing_key": "0", "body": "1", "properties": { "message_id": "order-17" } }),
    ];
    messages.extend((2..20).map(|n| json!({ "routing_key": "0", "body": n.to_string() })));
    stranger("write", &["heard"], &messages).await;

    let mut reader = subject.reader("g", "heard").await;
    let deliveries = reader.take(messages.len()).await;
    assert!(deliveries.iter().map(body).eq(0..20), "in order");
    for delivery in &deliveries {
        assert!(reader.done(delivery));
    }
    let event = deliveries[0].message.as_ref().unwrap();
    assert_eq!(event.id, id.parse::<Id>().unwrap());
    assert_eq!((event.kind.as_str(), event.source.as_str()), ("thing.happened", "/elsewhere"));
    assert_eq!(event.time.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(event.key, Some(Key::from("k")));
    assert_eq!((&*event.headers["colour"], &*event.headers["size"]), ("blue", "7"));
}
