//! An engine that is not there when the shop starts: it is waited for, and given up with what to do.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::engine::{self, Engine, namespace};
use crate::programs::{PROGRAM, Shop};

/// Runs `up` on these engines for as long as it lives, and answers what it said.
fn given_up(broker: &str, store: &str) -> String {
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .args(["up", "--listen", "127.0.0.1:0", "--engine-wait", "2", "--broker", broker])
        .args(["--store", store, "--namespace", &namespace(), "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_engine_that_does_not_come_is_given_up_with_what_to_do() {
    let _engines = engine::shared().await;
    let (kafka, postgres) = (Engine::Kafka.url(), Engine::Postgres.url());
    for (broker, store, flag) in [
        ("kafka://127.0.0.1:9", &*postgres, "--broker"),
        ("amqp://guest:hush@127.0.0.1:9/%2f", &postgres, "--broker"),
        (&kafka, "postgres://ann:hush@127.0.0.1:9/shop", "--store"),
    ] {
        let said = given_up(broker, store);
        assert!(said.contains("waiting up to 2 s"), "{said}");
        assert!(said.contains("start it, name another with"), "{said}");
        assert!(said.contains(flag) && !said.contains("hush"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broker_that_comes_late_is_waited_for() {
    let _engines = engine::alone().await;
    Engine::Rabbit.kill().await;
    let starting = Shop::begin(Engine::Rabbit);
    Engine::Rabbit.start().await;
    let shop = starting.await.unwrap();
    shop.view.ready().await;
    shop.end();
}
