//! How fast the adapter is, beside the client library by itself: one line of JSON per case.
//!
//! ```text
//! SWITCHBOARD_TEST_KAFKA=127.0.0.1:9092 \
//!     cargo run --release -p switchboard-message-kafka --example bench [-- ROUNDS [RECORDS]]
//! ```
//!
//! Both sides use the same settings of librdkafka, and the same bytes lie on the broker: key,
//! payload and the headers of CloudEvents. `raw` writes headers whose texts it was given, where ours
//! makes them from envelopes; it reads what a program needs of a record: key, payload and headers,
//! copied out of the library. `bare` is a loop that polls and looks at nothing. Rounds of all take
//! turns; medians are shown, and medians of the ratios of neighbours. `latency` sends one record and
//! waits for its ack before the next; the spread is that of the twin's rounds.

mod raw;

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use switchboard_core::{Envelope, Identity, Key, Name, Rng, Slot, SystemClock};
use switchboard_message::{Broker, Incoming, Outcome, Subscription, Topic, Topology};
use switchboard_message_kafka::{KafkaBroker, Options};

/// Partitions of each topic.
const PARTITIONS: u32 = 8;
/// Records in a batch, and batches in flight.
const BATCH: usize = 1_000;
const WINDOW: usize = 8;
/// Records of a round that are sent one by one.
const SINGLE: usize = 400;

type Outcomes<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcomes<()> {
    let address = std::env::var("SWITCHBOARD_TEST_KAFKA")
        .map_err(|_| "SWITCHBOARD_TEST_KAFKA is not set: run `cargo xtask engines up kafka`")?;
    let mut args = std::env::args().skip(1);
    let rounds: usize = args.next().map_or(Ok(7), |rounds| rounds.parse())?;
    let records: usize = args.next().map_or(Ok(200_000), |records| records.parse())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        for (bytes, records) in [(100, records), (1024, records / 2)] {
            Bench::new(&address, bytes, records).await?.run(rounds).await?;
        }
        Ok(())
    })
}

struct Bench {
    address: String,
    prefix: String,
    broker: KafkaBroker,
    bytes: usize,
    records: usize,
}

// === impl Bench ===

impl Bench {
    async fn new(address: &str, bytes: usize, records: usize) -> Outcomes<Self> {
        let prefix = format!("bench{:x}.", Rng::from_entropy().u64());
        let options = Options::new(address).with_prefix(&prefix);
        let broker = KafkaBroker::connect(options).await?;
        let topic = |name: &str| Topic::new(name).with_partitions(PARTITIONS);
        broker.declare(&Topology::of([topic("ours"), topic("raw")])).await?;
        Ok(Self { address: address.into(), prefix, broker, bytes, records })
    }

    async fn run(&self, rounds: usize) -> Outcomes<()> {
        let raw = raw::Writer::new(&self.address)?;
        let batches = self.batches("ours");
        let texts = self.batches("raw").concat();
        let texts: Vec<raw::Record> = texts.iter().map(raw::Record::of).collect();
        let (mut ours, mut twin, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        // The first round warms everything up.
        for round in 0..=rounds {
            let place = format!("{}raw", self.prefix);
            let (own, other) = if round % 2 == 0 {
                let own = self.publish(batches.clone()).await?;
                (own, raw.write(&place, &texts)?)
            } else {
                let other = raw.write(&place, &texts)?;
                (self.publish(batches.clone()).await?, other)
            };
            if round > 0 {
                ours.push(own);
                twin.push(other);
                ratios.push(own / other);
            }
        }
        self.print("produce", &mut ours, &mut twin, &mut ratios, "");
        let (mut own_delays, mut raw_delays) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let place = format!("{}raw", self.prefix);
            let (own, other) = if round % 2 == 0 {
                let own = self.one_by_one(&batches[0][..SINGLE]).await?;
                (own, raw.one_by_one(&place, &texts[..SINGLE])?)
            } else {
                let other = raw.one_by_one(&place, &texts[..SINGLE])?;
                (self.one_by_one(&batches[0][..SINGLE]).await?, other)
            };
            if round > 0 {
                own_delays.push(own);
                raw_delays.push(other);
            }
        }
        self.print_delays(own_delays, raw_delays);
        let (mut ours, mut twin, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bare, mut bare_ratios) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let own = self.consume(&format!("group-{round}")).await?;
            let place = format!("{}ours", self.prefix);
            let other = raw::read(&self.address, &place, PARTITIONS, self.records, true)?;
            let nothing = raw::read(&self.address, &place, PARTITIONS, self.records, false)?;
            if round > 0 {
                ours.push(own);
                twin.push(other);
                ratios.push(own / other);
                bare.push(nothing);
                bare_ratios.push(own / nothing);
            }
        }
        let more = format!(
            ",\"bare_per_s\":{:.0},\"bare_ratio\":{:.3}",
            median(&mut bare),
            median(&mut bare_ratios)
        );
        self.print("consume", &mut ours, &mut twin, &mut ratios, &more);
        for topic in ["ours", "raw"] {
            self.broker.delete_topic(topic).await?;
        }
        self.broker.close().await;
        Ok(())
    }

    fn batches(&self, topic: &str) -> Vec<Vec<Envelope>> {
        let mut rng = Rng::from_seed(7);
        let topic = Name::from(topic);
        let mut envelope = |number: usize| {
            let mut payload = vec![0; self.bytes];
            // Half of it can be compressed, as usual payloads can.
            rng.fill(&mut payload[..self.bytes / 2]);
            let key = Key::from(format!("key-{}", number % 1_000));
            let slot = Slot::of(&key);
            let mut envelope =
                Envelope::new(topic.clone(), "bench.counted", "bench", &SystemClock, &mut rng)
                    .with_key(key)
                    .with_payload(payload);
            let sequence = number as u64 + 1;
            envelope.identity =
                Some(Identity { source: "bench".into(), incarnation: 1, sequence, slot });
            envelope
        };
        let all: Vec<Envelope> = (0..self.records).map(&mut envelope).collect();
        all.chunks(BATCH).map(<[Envelope]>::to_vec).collect()
    }

    /// Publishes all batches, some at a time. Records per second.
    async fn publish(&self, batches: Vec<Vec<Envelope>>) -> Outcomes<f64> {
        let mut lanes: Vec<Vec<Vec<Envelope>>> = vec![Vec::new(); WINDOW];
        for (index, batch) in batches.into_iter().enumerate() {
            lanes[index % WINDOW].push(batch);
        }
        let begun = Instant::now();
        let lane = |batches: Vec<Vec<Envelope>>| async move {
            for batch in batches {
                for answer in self.broker.publish(batch).await {
                    answer?;
                }
            }
            Ok::<_, switchboard_message::PublishError>(())
        };
        try_join_all(lanes.into_iter().map(lane)).await?;
        Ok(self.records as f64 / begun.elapsed().as_secs_f64())
    }

    /// Publishes one record at a time. The times to their acks.
    async fn one_by_one(&self, records: &[Envelope]) -> Outcomes<Vec<Duration>> {
        let mut delays = Vec::with_capacity(SINGLE);
        for record in records {
            let batch = vec![record.clone()];
            let begun = Instant::now();
            for answer in self.broker.publish(batch).await {
                answer?;
            }
            delays.push(begun.elapsed());
        }
        Ok(delays)
    }

    fn print_delays(&self, ours: Vec<Vec<Duration>>, raw: Vec<Vec<Duration>>) {
        let at = |rounds: &[Vec<Duration>], share: usize| -> Vec<f64> {
            let of_round = |round: &Vec<Duration>| {
                let mut round = round.clone();
                round.sort_unstable();
                round[round.len() * share / 100].as_secs_f64() * 1e3
            };
            rounds.iter().map(of_round).collect()
        };
        let (mut own_p99s, mut raw_p99s) = (at(&ours, 99), at(&raw, 99));
        let (own_p99, raw_p99) = (median(&mut own_p99s), median(&mut raw_p99s));
        println!(
            "{{\"case\":\"latency\",\"bytes\":{},\"p50_ms\":{:.3},\"p99_ms\":{own_p99:.3},\
             \"raw_p50_ms\":{:.3},\"raw_p99_ms\":{raw_p99:.3},\"raw_spread\":\"{:.2} to {:.2}\"}}",
            self.bytes,
            median(&mut at(&ours, 50)),
            median(&mut at(&raw, 50)),
            raw_p99s[0],
            raw_p99s[raw_p99s.len() - 1],
        );
    }

    /// Reads everything as a new group. Records per second, from the first one on.
    async fn consume(&self, group: &str) -> Outcomes<f64> {
        let mut wish = Subscription::new(group, ["ours".into()]);
        wish.max_in_flight = 8_192;
        let mut consumer = self.broker.subscribe(wish).await?;
        let mut begun = None;
        let mut read = 0;
        while read < self.records {
            let Incoming::Deliveries(deliveries) = consumer.next().await? else { continue };
            begun.get_or_insert_with(Instant::now);
            for delivery in deliveries {
                if delivery.message.is_err() {
                    return Err("a record was not read".into());
                }
                consumer.settle(&delivery.receipt, Outcome::Done);
                read += 1;
            }
        }
        let time = begun.map_or(Duration::MAX, |begun| begun.elapsed());
        Ok(read as f64 / time.as_secs_f64())
    }

    fn print(&self, case: &str, ours: &mut [f64], raw: &mut [f64], ratios: &mut [f64], more: &str) {
        println!(
            "{{\"case\":\"{case}\",\"bytes\":{},\"ours_per_s\":{:.0},\"raw_per_s\":{:.0},\
             \"ratio\":{:.3}{more}}}",
            self.bytes,
            median(ours),
            median(raw),
            median(ratios),
        );
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
