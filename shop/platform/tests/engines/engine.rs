//! The engines that tests run on, as `cargo xtask test` names them in the environment; and how they are killed and started.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

use switchboard_core::Rng;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static ENGINES: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

/// All engines, for a test that kills them. Whatever becomes of the test, they run afterwards: the
/// next one must not fail for what this one left behind.
pub(crate) struct Alone {
    _all_of_them: RwLockWriteGuard<'static, ()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Kafka,
    Rabbit,
    Postgres,
}

/// The engines among others who leave them alone.
pub(crate) async fn shared() -> RwLockReadGuard<'static, ()> {
    ENGINES.read().await
}

/// The engines for a test that kills them.
pub(crate) async fn alone() -> Alone {
    Alone { _all_of_them: ENGINES.write().await }
}

// === impl Alone ===

impl Drop for Alone {
    fn drop(&mut self) {
        for engine in [Engine::Kafka, Engine::Rabbit, Engine::Postgres] {
            // One that runs already is left as it is. The test's own failure is the one to tell.
            let _its_own_words = engine.command("START").status();
        }
    }
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
        let mut command = self.command(what);
        let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
        assert!(status.success(), "{what} of {self:?} ended with {status}");
    }

    fn command(self, what: &str) -> Command {
        let words = variable(&format!("SWITCHBOARD_TEST_{}_{what}", self.word()));
        let mut shell = Command::new("sh");
        // Its output goes nowhere: an engine that stays behind must not hold a pipe of ours.
        shell.args(["-c", &words]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        shell
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
