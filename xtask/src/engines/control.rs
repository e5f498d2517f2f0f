//! What can be done with one private engine, and what others are told about it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::daemon::{self, Ready};
use super::state::Instance;
use super::{Engine, Signal, kafka, postgres, rabbit};

// === impl Engine ===

impl Engine {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Kafka, Self::Rabbit, Self::Postgres];

    /// Its name on the command line, and of its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Rabbit => "rabbitmq",
            Self::Postgres => "postgres",
        }
    }

    /// The variable in which tests look for its address; their commands have endings of their own.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Kafka => "SWITCHBOARD_TEST_KAFKA",
            Self::Rabbit => "SWITCHBOARD_TEST_RABBIT",
            Self::Postgres => "SWITCHBOARD_TEST_POSTGRES",
        }
    }

    /// How many ports it takes.
    pub(crate) fn ports(self) -> usize {
        match self {
            Self::Kafka => 2,    // clients, controller
            Self::Rabbit => 3,   // clients, other nodes, name service
            Self::Postgres => 1, // clients
        }
    }
}

// === impl Instance ===

impl Instance {
    /// Where clients find it, as tests want it.
    pub(super) fn address(&self) -> String {
        let port = self.port();
        match self.engine {
            Engine::Kafka => format!("127.0.0.1:{port}"),
            Engine::Rabbit => format!("amqp://guest:guest@127.0.0.1:{port}/%2f"),
            Engine::Postgres => format!("postgres://{}@127.0.0.1:{port}/postgres", postgres::ROLE),
        }
    }

    /// The option that puts the shop on it.
    pub(super) fn option(&self) -> String {
        match self.engine {
            Engine::Kafka => format!("--broker kafka://{}", self.address()),
            Engine::Rabbit => format!("--broker {}", self.address()),
            Engine::Postgres => format!("--store {}", self.address()),
        }
    }

    /// What tests are told: the address, and commands that kill, start and stop it.
    pub(super) fn environment(&self, program: &Path) -> Vec<(String, String)> {
        let variable = self.engine.variable();
        let mut environment = vec![(variable.to_owned(), self.address())];
        for (ending, signal) in [("KILL", "kill"), ("START", "start"), ("STOP", "stop")] {
            let program = quoted(&program.to_string_lossy());
            let file = quoted(&self.file().to_string_lossy());
            let command = format!("{program} engines signal {signal} {file}");
            environment.push((format!("{variable}_{ending}"), command));
        }
        environment
    }

    /// Does this to it, unless it is so already; one at a time, whoever asks.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        match (signal, self.process()) {
            (Signal::Start, None) => self.launch().with_context(|| {
                format!("{} in {} did not start", self.engine.name(), self.folder.display())
            }),
            (Signal::Kill, Some(process)) => {
                fs::write(self.crashed(), "")?;
                process.kill()
            }
            (Signal::Stop, Some(process)) => process.stop(match self.engine {
                Engine::Kafka | Engine::Rabbit => "TERM",
                Engine::Postgres => "INT", // does not wait for clients to leave
            }),
            (Signal::Start, Some(_)) | (Signal::Kill | Signal::Stop, None) => Ok(()),
        }
    }

    fn launch(&self) -> anyhow::Result<()> {
        // The name service of a node that crashed still has its port, the last one, by right.
        let kept = usize::from(rabbit::name_service(self).is_some());
        self.require_ports(self.ports.len() - kept)?;
        let (command, line) = match self.engine {
            Engine::Kafka => (kafka::prepare(self)?, kafka::READY),
            Engine::Rabbit => (rabbit::prepare(self)?, rabbit::READY),
            Engine::Postgres => (postgres::prepare(self)?, postgres::READY),
        };
        let ready = Ready { line, port: self.port() };
        daemon::start(command, &self.pid_file(), &self.log(), ready)?;
        if self.crashed().exists() {
            if self.engine == Engine::Rabbit {
                rabbit::elect(self)?;
            }
            fs::remove_file(self.crashed())?;
        }
        Ok(())
    }

    /// There while the engine has been killed and has not come back.
    fn crashed(&self) -> PathBuf {
        self.folder.join("crashed")
    }

    /// Ends it for good, with what it leaves running through crashes.
    pub(super) fn end(&self, how: Signal) -> anyhow::Result<()> {
        self.signal(how)?;
        match rabbit::name_service(self) {
            Some(service) => service.kill(),
            None => Ok(()),
        }
    }
}

/// One word of a shell, whatever is in it; plain words stay as they are.
pub(super) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(engine: Engine) -> Instance {
        Instance { engine, ports: vec![2_001, 2_002], folder: PathBuf::from("/it's here") }
    }

    #[test]
    fn addresses_are_what_clients_and_the_shop_take() {
        assert_eq!(instance(Engine::Kafka).option(), "--broker kafka://127.0.0.1:2001");
        let rabbit = instance(Engine::Rabbit);
        assert_eq!(rabbit.address(), "amqp://guest:guest@127.0.0.1:2001/%2f");
        let postgres = instance(Engine::Postgres);
        assert_eq!(postgres.option(), "--store postgres://postgres@127.0.0.1:2001/postgres");
    }

    #[test]
    fn tests_are_told_an_address_and_three_commands_that_a_shell_understands() {
        let environment = instance(Engine::Kafka).environment(Path::new("/a b/xtask"));
        let names: Vec<_> = environment.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "SWITCHBOARD_TEST_KAFKA");
        assert_eq!(names[1], "SWITCHBOARD_TEST_KAFKA_KILL");
        let words = format!("printf '%s|' {}", environment[1].1);
        let output = std::process::Command::new("sh").args(["-c", &words]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "/a b/xtask|engines|signal|kill|/it's here/instance.json|");
    }
}
