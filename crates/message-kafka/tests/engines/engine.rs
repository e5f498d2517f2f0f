//! The engine under test: where it is, names that no other test uses, and commands that kill and start it.

use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use std::sync::Arc;

/// Whoever restarts the engine has it alone.
static ENGINE: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// The right to use the engine.
pub(crate) struct Engine;

pub(crate) fn address() -> String {
    setting("SWITCHBOARD_TEST_KAFKA")
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `cargo xtask test`, or `cargo xtask engines up kafka`")
    })
}

/// Something before the names of a test's topics and groups, unlike any other.
pub(crate) fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let run = switchboard_core::Rng::from_entropy().u64();
    format!("t{run:x}-{}.", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Engine {
    /// The engine, shared with others.
    pub(crate) async fn shared() -> OwnedRwLockReadGuard<()> {
        Arc::clone(&ENGINE).read_owned().await
    }

    /// The engine, alone: it may be killed.
    pub(crate) async fn alone() -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&ENGINE).write_owned().await
    }

    /// Kills it at once, as a crash would.
    pub(crate) fn kill() {
        run("SWITCHBOARD_TEST_KAFKA_KILL");
    }

    /// Starts it on the same port with the same data, and waits until it is ready.
    pub(crate) fn start() {
        run("SWITCHBOARD_TEST_KAFKA_START");
    }
}

fn run(name: &str) {
    let status = Command::new("sh").arg("-c").arg(setting(name)).status().unwrap();
    assert!(status.success(), "{name}: {status}");
}
