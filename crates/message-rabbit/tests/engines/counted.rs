//! What the broker has counted, over all tests of this process.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use metrics::atomics::AtomicU64;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;

#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<HashMap<String, Arc<AtomicU64>>>>);

static NUMBERS: OnceLock<Numbers> = OnceLock::new();

/// Begins to count. Call it before the first broker.
pub(crate) fn begin() {
    NUMBERS.get_or_init(|| {
        let numbers = Numbers::default();
        metrics::set_global_recorder(numbers.clone()).unwrap();
        numbers
    });
}

/// The sum of a counter over all labels.
pub(crate) fn sum(name: &str) -> u64 {
    let numbers = NUMBERS.get().unwrap().0.lock();
    let of_name = numbers.iter().filter(|(key, _)| key.split('|').next() == Some(name));
    of_name.map(|(_, number)| number.load(Ordering::SeqCst)).sum()
}

/// A counter with this label.
pub(crate) fn of(name: &str, label: &str) -> u64 {
    let numbers = NUMBERS.get().unwrap().0.lock();
    let number = numbers.get(&format!("{name}|{label}"));
    number.map_or(0, |number| number.load(Ordering::SeqCst))
}

impl Recorder for Numbers {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let name = format!("{}|{}", key.name(), labels.join(","));
        Counter::from_arc(Arc::clone(self.0.lock().entry(name).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
