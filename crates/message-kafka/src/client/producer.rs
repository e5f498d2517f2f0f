//! The producer: an idempotent one, with a thread of ours that hands out its acks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext,
};
use switchboard_core::Key;

use super::{Fault, Headers, Kind, config, trace};
use crate::Options;
use crate::batch::Ticket;

/// A record on its way to the producer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: u32,
    pub(crate) key: Option<Key>,
    pub(crate) payload: Bytes,
    pub(crate) headers: Headers,
}

/// A record that the producer did not take.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no room; try again soon.
    Full(Box<Outgoing>, Box<Ticket>),
    /// It was answered through its ticket.
    Answered,
}

/// Sends records, in order within each partition.
pub(crate) struct Producer {
    inner: Arc<BaseProducer<Reports>>,
    ended: Arc<AtomicBool>,
}

/// Hands acks to whoever waits for them.
#[derive(Default)]
pub(super) struct Reports {
    fatal: AtomicBool,
}

/// How long one poll lasts: how late the thread notices that it is to end.
const POLL: Duration = Duration::from_millis(100);

// === impl Producer ===

impl Producer {
    pub(crate) fn new(options: &Options) -> Result<Self, Fault> {
        let created = config::producer(options).create_with_context(Reports::default());
        let inner: BaseProducer<Reports> =
            created.map_err(Fault::of("the Kafka producer cannot be made"))?;
        let inner = Arc::new(inner);
        let ended = Arc::new(AtomicBool::new(false));
        let (polled, ending) = (Arc::clone(&inner), Arc::clone(&ended));
        let thread = thread::Builder::new().name("kafka-producer".into()).spawn(move || {
            // Dropping a producer blocks, so this thread is the last to hold it.
            while !ending.load(Ordering::Acquire) || Arc::strong_count(&polled) > 1 {
                polled.poll(POLL);
            }
        });
        thread.map_err(|error| Fault::local("no thread for the Kafka producer", &error))?;
        Ok(Self { inner, ended })
    }

    /// Hands a record over. The ticket is told what becomes of it.
    pub(crate) fn send(&self, outgoing: Outgoing, ticket: Box<Ticket>) -> Result<(), Refused> {
        let Outgoing { topic, partition, key, payload, headers } = outgoing;
        let header_bytes = headers.bytes();
        let record = BaseRecord {
            topic: &topic,
            partition: Some(i32::try_from(partition).unwrap_or(i32::MAX)),
            payload: Some(&payload[..]),
            key: key.as_ref().map(Key::as_bytes),
            timestamp: None,
            headers: Some(headers.into_list()),
            delivery_opaque: ticket,
        };
        let Err((error, BaseRecord { headers, delivery_opaque: ticket, .. })) =
            self.inner.send(record)
        else {
            return Ok(());
        };
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        if error == full {
            let headers = headers.map_or_else(
                || Headers::with_capacity(0),
                |list| Headers::again(list, header_bytes),
            );
            let outgoing = Outgoing { topic, partition, key, payload, headers };
            return Err(Refused::Full(Box::new(outgoing), ticket));
        }
        let fault = Fault::of("the Kafka producer did not take the record")(error);
        if fault.kind == Kind::Fatal {
            self.inner.context().fatal.store(true, Ordering::Release);
        }
        ticket.report(Err(fault));
        Err(Refused::Answered)
    }

    /// Whether it is broken for good: its order cannot be kept any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.inner.context().fatal.load(Ordering::Acquire)
    }

    /// Waits until everything is sent. Blocks.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), Fault> {
        self.inner.flush(limit).map_err(Fault::of("not every record was sent"))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

// === impl Reports ===

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        trace(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            tracing::error!(%error, reason, "the Kafka producer is broken and will be replaced");
            self.fatal.store(true, Ordering::Release);
        } else {
            tracing::debug!(%error, reason, "the Kafka producer met an error");
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let report = match result {
            Ok(message) => Ok(u64::try_from(message.offset()).unwrap_or(0)),
            Err((error, _)) => Err(Fault::of("the record was not delivered")(error.clone())),
        };
        ticket.report(report);
    }
}
