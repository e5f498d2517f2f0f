//! The twin: what a program writes that uses the client library directly, with the same settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{DeliveryResult, Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, NoCustomPartitioner, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList};
use switchboard_core::{Envelope, Key, Slot};
use switchboard_message::cloudevents;

use crate::{BATCH, Outcomes, PARTITIONS, WINDOW};

/// A record as texts.
pub(crate) struct Record {
    key: Vec<u8>,
    payload: Vec<u8>,
    partition: i32,
    headers: Vec<(String, String)>,
}

/// Counts acks.
#[derive(Default)]
struct Acks {
    in_flight: AtomicUsize,
    failed: AtomicUsize,
}

/// A producer with a thread that polls it.
pub(crate) struct Writer {
    producer: Arc<BaseProducer<Counted>>,
    acks: Arc<Acks>,
    ended: Arc<AtomicBool>,
}

struct Counted(Arc<Acks>);

// === impl Record ===

impl Record {
    pub(crate) fn of(envelope: &Envelope) -> Self {
        let key = envelope.key.as_ref().map_or(&b""[..], Key::as_bytes);
        let partition = envelope.key.as_ref().map_or(0, |key| Slot::of(key).partition(PARTITIONS));
        let attributes = cloudevents::attributes(envelope);
        let header = |(name, text): &(&str, std::borrow::Cow<'_, str>)| {
            (format!("ce_{name}"), text.to_string())
        };
        Self {
            key: key.to_vec(),
            payload: envelope.payload.to_vec(),
            partition: i32::try_from(partition).unwrap_or(0),
            headers: attributes.iter().map(header).collect(),
        }
    }
}

// === impl Writer ===

impl Writer {
    pub(crate) fn new(address: &str) -> Outcomes<Self> {
        let acks = Arc::new(Acks::default());
        let producer: BaseProducer<Counted> = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("max.in.flight.requests.per.connection", "5")
            .set("message.timeout.ms", "0")
            .set("compression.type", "lz4")
            .set("linger.ms", "1")
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "65536")
            .create_with_context(Counted(Arc::clone(&acks)))?;
        let producer = Arc::new(producer);
        let ended = Arc::new(AtomicBool::new(false));
        let (polled, ending) = (Arc::clone(&producer), Arc::clone(&ended));
        std::thread::spawn(move || {
            while !ending.load(Ordering::Acquire) {
                polled.poll(Duration::from_millis(100));
            }
        });
        Ok(Self { producer, acks, ended })
    }

    /// Writes everything, with as much in flight as ours has. Records per second.
    pub(crate) fn write(&self, topic: &str, records: &[Record]) -> Outcomes<f64> {
        let begun = Instant::now();
        for record in records {
            while self.acks.in_flight.load(Ordering::Acquire) >= BATCH * WINDOW {
                std::thread::yield_now();
            }
            self.send(topic, record)?;
        }
        self.drain()?;
        Ok(records.len() as f64 / begun.elapsed().as_secs_f64())
    }

    /// Writes one record at a time. The times to their acks.
    pub(crate) fn one_by_one(&self, topic: &str, records: &[Record]) -> Outcomes<Vec<Duration>> {
        let one = |record: &Record| {
            let begun = Instant::now();
            self.send(topic, record)?;
            self.drain()?;
            Ok(begun.elapsed())
        };
        records.iter().map(one).collect()
    }

    fn send(&self, topic: &str, record: &Record) -> Outcomes<()> {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (name, text) in &record.headers {
            headers = headers.insert(Header { key: name, value: Some(text) });
        }
        let record = BaseRecord::to(topic)
            .partition(record.partition)
            .key(&record.key)
            .payload(&record.payload)
            .headers(headers);
        self.acks.in_flight.fetch_add(1, Ordering::AcqRel);
        Ok(self.producer.send(record).map_err(|(error, _)| error)?)
    }

    fn drain(&self) -> Outcomes<()> {
        while self.acks.in_flight.load(Ordering::Acquire) > 0 {
            std::thread::yield_now();
        }
        match self.acks.failed.load(Ordering::Acquire) {
            0 => Ok(()),
            _ => Err("a record was not written".into()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

impl ClientContext for Counted {}

impl ProducerContext<NoCustomPartitioner> for Counted {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.failed.fetch_add(1, Ordering::AcqRel);
        }
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reads so many records of a topic; copies key, payload and headers of each if `whole`. Records
/// per second, from the first one on.
pub(crate) fn read(
    address: &str,
    topic: &str,
    partitions: u32,
    records: usize,
    whole: bool,
) -> Outcomes<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "bench-raw")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.queue.backoff.ms", "5")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, i32::try_from(partition)?, Offset::Offset(0))?;
    }
    consumer.assign(&list)?;
    let mut begun = None;
    let mut read = 0;
    let mut bytes = 0;
    while read < records {
        let Some(message) = consumer.poll(Duration::from_secs(1)) else { continue };
        let message = message?;
        begun.get_or_insert_with(Instant::now);
        read += 1;
        if whole {
            let key = message.key().map(<[u8]>::to_vec);
            let payload = message.payload().map(<[u8]>::to_vec);
            let mut headers = Vec::new();
            if let Some(all) = message.headers() {
                for header in all.iter() {
                    let value = header.value.map(<[u8]>::to_vec);
                    headers.push((header.key.to_owned(), value));
                }
            }
            bytes += key.map_or(0, |key| key.len()) + payload.map_or(0, |payload| payload.len());
            bytes += headers.len();
        }
    }
    std::hint::black_box(bytes);
    let time = begun.map_or(Duration::MAX, |begun| begun.elapsed());
    Ok(read as f64 / time.as_secs_f64())
}
