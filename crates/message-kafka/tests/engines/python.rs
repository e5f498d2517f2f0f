//! A client in another language that knows nothing of us reads what we write, and writes what we
//! read.

use serde_json::{Value, json};
use switchboard_core::{Id, Key, Slot};
use switchboard_testkit::message::{body, envelope};
use switchboard_testkit::python;

use crate::{engine, options, subject};

/// What the stranger prints.
async fn stranger(what: &str, arguments: &[&str], input: &[Value]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines/stranger.py");
    let address = engine::address();
    let arguments = [&[what, &address][..], arguments].concat();
    python::lines(script, arguments, input).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_reads_what_we_write() {
    let options = options();
    let place = format!("{}told", options.prefix);
    let subject = subject(&options).await;
    subject.declare("told", 4).await;
    let sent: Vec<_> = (0..20)
        .map(|number| envelope("told", Some(&format!("k{}", number % 5)), number))
        .chain([envelope("told", None, 20)])
        .collect();
    let acks = subject.publish(sent.clone()).await;

    let read = stranger("read", &[&place, "21"], &[]).await;
    assert_eq!(read.len(), 21);
    for (envelope, ack) in sent.iter().zip(acks) {
        // Kafka counts from 0, positions from 1.
        let lies = |record: &&Value| {
            record["partition"] == ack.partition && record["offset"] == ack.position.0 - 1
        };
        let record = read.iter().find(lies).expect("it lies where the ack says");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(record["key"], json!(envelope.key.as_ref().map(|key| text(key.as_bytes()))));
        assert_eq!(record["value"], text(&envelope.payload));
        let headers = &record["headers"];
        assert_eq!(headers["ce_specversion"], "1.0");
        assert_eq!(headers["ce_id"], envelope.id.to_string());
        assert_eq!(headers["ce_source"], envelope.source.as_str());
        assert_eq!(headers["ce_type"], envelope.kind.as_str());
        assert_eq!(headers["ce_time"], envelope.time.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_writes_what_we_read() {
    let options = options();
    let place = format!("{}heard", options.prefix);
    let subject = subject(&options).await;
    subject.declare("heard", 4).await;
    let id = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000";
    let mut records = vec![
        json!({ "key": "event", "value": "0", "headers": {
            "ce_specversion": "1.0", "ce_id": id, "ce_source": "/elsewhere",
            "ce_type": "thing.happened", "ce_time": "2026-01-02T03:04:05Z",
            "content-type": "application/json", "colour": "blue",
        } }),
        json!({ "value": "1" }),
    ];
    records.extend((2..20).map(|n| json!({ "key": format!("k{n}"), "value": n.to_string() })));
    let places = stranger("write", &[&place], &records).await;
    assert_eq!(places.len(), records.len());

    let mut reader = subject.reader("g", "heard").await;
    let mut deliveries = reader.take(records.len()).await;
    deliveries.sort_by_key(body);
    for ((delivery, record), lies) in deliveries.iter().zip(&records).zip(places) {
        let message = delivery.message.as_ref().unwrap();
        let key = record["key"].as_str().map(Key::from);
        assert_eq!(message.key, key);
        assert_eq!(json!(delivery.receipt.partition), lies["partition"]);
        if let Some(key) = key {
            assert_eq!(delivery.receipt.partition, Slot::of(&key).partition(4), "as Java hashes");
        }
        assert!(reader.done(delivery));
    }
    let event = deliveries[0].message.as_ref().unwrap();
    assert_eq!(event.id, id.parse::<Id>().unwrap());
    assert_eq!((event.kind.as_str(), event.source.as_str()), ("thing.happened", "/elsewhere"));
    assert_eq!(event.time.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(&*event.headers["colour"], "blue");
}
