//! What is counted of calls: their routes' templates, never their paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use parking_lot::Mutex;
use shop_edge::serve::Passed;

use crate::{ask, request};

/// Counters by name and labels.
#[derive(Clone, Default)]
struct Counted(Arc<Mutex<BTreeMap<String, u64>>>);

struct One(Counted, String);

impl CounterFn for One {
    fn increment(&self, by: u64) {
        *self.0.0.lock().entry(self.1.clone()).or_default() += by;
    }

    fn absolute(&self, _: u64) {}
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
        Counter::from_arc(Arc::new(One(
            self.clone(),
            format!("{} {}", key.name(), labels.join(" ")),
        )))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn calls_are_counted_by_template_and_class_and_endless_labels_are_impossible() {
    let counted = Counted::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics::with_local_recorder(&counted, || {
        runtime.block_on(async {
            let passed = || async { Extension(Passed("/passed")) };
            let things = Router::new().route("/things/{id}", get(|| async {}));
            let routes = Router::new().nest("/api", things).route("/passed/{*rest}", get(passed));
            for (method, path) in [
                ("GET", "/api/things/1"),
                ("GET", "/api/things/2"),
                ("DELETE", "/api/things/3"),
                ("GET", "/x/1"),
                ("GET", "/passed/1"),
                ("GET", "/passed/2"),
                ("BREW", "/x/2"),
                ("STIR", "/x/2"),
            ] {
                ask(&routes, request(method, path, &[], "")).await;
            }
        });
    });
    let counted = counted.0.lock();
    let calls: Vec<_> = counted.iter().filter(|(name, _)| name.contains(".calls ")).collect();
    let seen: Vec<_> = calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(
        seen,
        [
            "switchboard.edge.calls DELETE /api/things/{id} 4xx 1",
            "switchboard.edge.calls GET - 4xx 1",
            "switchboard.edge.calls GET /api/things/{id} 2xx 2",
            "switchboard.edge.calls GET /passed 2xx 2",
            "switchboard.edge.calls TRACE - 5xx 2",
        ]
    );
}
