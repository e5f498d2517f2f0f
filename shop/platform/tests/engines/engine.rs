//! The engines that tests run on, as `cargo xtask test` names them in the environment; and how they are killed and started.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

use switchboard_core::Rng;
use tokio::sync::RwLock;

/// Tests that kill an engine have all of them; others share them.
pub(crate) static ENGINES: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Kafka,
    Rabbit,
    Postgres,
}

// === impl Engine ===

impl Engine {
    const fn word(self) -> &'static str {
        match self {
            Self::Kafka => "KAFKA",
            Self::Rabbit => "RABBIT",
            Self::Postgres => "POSTGRES",
        }
    }

    /// Its address as `--broker` or `--store` takes it.
    pub(crate) fn url(self) -> String {
        let address = variable(&format!("SWITCHBOARD_TEST_{}", self.word()));
        match self {
            // Its own patience with a member that says nothing is 45 s.
            Self::Kafka => format!("kafka://{address}?session=6s&heartbeat=2s"),
            Self::Rabbit | Self::Postgres => address,
        }
    }

    /// `kill -9`: it gets no chance to write anything.
    pub(crate) async fn kill(self) {
        self.order("KILL").await;
    }

    /// Starts it again, on the same port with what it had.
    pub(crate) async fn start(self) {
        self.order("START").await;
    }

    async fn order(self, what: &str) {
        let command = variable(&format!("SWITCHBOARD_TEST_{}_{what}", self.word()));
        let ended = tokio::task::spawn_blocking(move || {
            // Its output goes nowhere: an engine that stays behind must not hold a pipe of ours.
            let mut shell = Command::new("sh");
            shell.args(["-c", &command]).stdin(Stdio::null());
            shell.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
        });
        let status = ended.await.unwrap();
        assert!(status.success(), "{what} of {self:?} ended with {status}");
    }
}

/// A name in front of topics and schemas, so that no run meets what another has left.
pub(crate) fn namespace() -> String {
    format!("t{:010x}", Rng::from_entropy().u64() >> 24)
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `cargo xtask test`, or `cargo xtask engines up` for engines \
             that stay"
        )
    })
}
