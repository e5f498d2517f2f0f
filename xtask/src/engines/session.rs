//! The engines of one run of the tests: in a temporary folder, and gone when the run is over.
//!
//! A guard of its own ends them: a second process that waits for the end of a pipe from us. The pipe
//! ends however we end, also by Ctrl-C or `kill -9`, so nothing is ever left running.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use super::state::{self, Instance};
use super::{Engine, Signal};

/// Engines that run until this is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    environment: HashMap<String, String>,
    root: PathBuf,
    guard: Child,
}

/// The engines that nobody has given us, which are ours to install and to start.
pub(crate) fn ours() -> anyhow::Result<Vec<Engine>> {
    let mut engines = Vec::new();
    for engine in Engine::ALL {
        if given(engine, |name| std::env::var(name).ok())?.is_none() {
            engines.push(engine);
        }
    }
    Ok(engines)
}

/// Ends all engines below a folder when standard input ends, and removes the folder.
pub(crate) fn guard(root: &Path) -> anyhow::Result<()> {
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let ends = super::each(&Engine::ALL, |engine| match Instance::find(engine, root)? {
        Some(instance) => instance.end(Signal::Kill),
        None => Ok(()),
    });
    fs::remove_dir_all(root).with_context(|| format!("removing {}", root.display()))?;
    ends.map(|_| ())
}

/// What the caller's environment says about an engine. An address without the commands that kill,
/// start and stop it is refused: the tests of crashes would have to be left out silently.
fn given(
    engine: Engine,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<HashMap<String, String>>> {
    let address = engine.variable();
    let Some(value) = variable(address) else { return Ok(None) };
    let mut environment = HashMap::from([(address.to_owned(), value)]);
    for ending in ["KILL", "START", "STOP"] {
        let name = format!("{address}_{ending}");
        let Some(command) = variable(&name) else {
            bail!(
                "{address} is set but {name} is not: the tests that crash {} need a command that \
                 does so. Set it, or unset {address} and a private engine is started",
                engine.name()
            );
        };
        environment.insert(name, command);
    }
    Ok(Some(environment))
}

// === impl Session ===

impl Session {
    /// Starts what nobody has given us; all of it must be installed.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let root = tempfile::Builder::new().prefix("switchboard-engines-").tempdir()?.keep();
        state::open_to_others(&root)?;
        // A copy of ourselves, because cargo may replace the original while tests still call it.
        let program = root.join("xtask");
        fs::copy(std::env::current_exe()?, &program)?;
        let guard = Command::new(&program)
            .args(["engines", "guard"])
            .arg(&root)
            .process_group(0) // Ctrl-C ends us; the guard only hears of it
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start the guard of the engines")?;
        let mut session = Self { environment: HashMap::new(), root, guard };
        match session.start_engines(&program) {
            Ok(()) => Ok(session),
            Err(error) => Err(session.failed(error)),
        }
    }

    fn start_engines(&mut self, program: &Path) -> anyhow::Result<()> {
        for engine in Engine::ALL {
            let given = given(engine, |name| std::env::var(name).ok())?;
            self.environment.extend(given.unwrap_or_default());
        }
        for instance in super::start(&ours()?, &self.root)? {
            self.environment.extend(instance.environment(program));
        }
        Ok(())
    }

    /// What the tests need to know, as variables of their environment.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Keeps the logs, whose folder is about to go, and tells where they are.
    pub(crate) fn failed(&self, error: anyhow::Error) -> anyhow::Error {
        match self.keep_logs() {
            Ok(folder) => error.context(format!("the engines' logs are in {}", folder.display())),
            Err(reason) => error.context(format!("the engines' logs are lost: {reason:#}")),
        }
    }

    fn keep_logs(&self) -> anyhow::Result<PathBuf> {
        let folder = state::home()?.join("last-failure");
        fs::create_dir_all(&folder)?;
        for engine in Engine::ALL {
            let Some(instance) = Instance::find(engine, &self.root)? else { continue };
            let log = instance.log();
            if let (true, Some(name)) = (log.exists(), log.file_name()) {
                fs::copy(&log, folder.join(name))?;
            }
        }
        Ok(folder)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_nobody_gives_is_ours() {
        assert_eq!(given(Engine::Kafka, |_| None).unwrap(), None);
    }

    #[test]
    fn a_given_engine_comes_with_its_commands() {
        let all = given(Engine::Rabbit, |name| Some(format!("value of {name}")));
        assert_eq!(all.unwrap().unwrap().len(), 4);
    }

    #[test]
    fn an_address_without_commands_is_refused_by_name() {
        let only_address = |name: &str| (name == "SWITCHBOARD_TEST_POSTGRES").then(String::new);
        let error = given(Engine::Postgres, only_address).unwrap_err().to_string();
        assert!(error.contains("SWITCHBOARD_TEST_POSTGRES_KILL is not"), "{error}");
    }
}
