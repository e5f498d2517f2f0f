//! Real engines without containers: private, on free loopback ports, each in a folder of its own.
//!
//! `up` starts them for development and keeps them until `down`; `cargo xtask test` has its own, for
//! one run ([`session`]). What both share is in [`state`] (what an engine is) and [`daemon`] (its
//! process).

mod control;
mod daemon;
mod install;
mod kafka;
mod ports;
mod postgres;
mod rabbit;
pub(crate) mod session;
mod state;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use control::quoted;
use state::Instance;

pub(crate) use install::{
    MVN, Package, VENV, class_path, from_debian, from_registries, maven, python,
};

/// The engines that the toolkit works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Engine {
    /// Apache Kafka.
    Kafka,
    /// RabbitMQ.
    #[value(name = "rabbitmq", alias = "rabbit")]
    Rabbit,
    /// PostgreSQL.
    #[value(alias = "postgresql")]
    Postgres,
}

/// What can be done with private engines.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Starts engines, or finds them running, and prints what a shell needs to know of them:
    /// `eval "$(cargo xtask engines up kafka)"`.
    Up {
        /// Which; all by default.
        engines: Vec<Engine>,
    },
    /// Stops engines; data and logs stay for the next `up`.
    Down {
        /// Which; all by default.
        #[arg(value_parser = engine_or_all)]
        engines: Vec<Choice>,
        /// Removes data and logs too.
        #[arg(long)]
        erase: bool,
    },
    /// Says what runs, where, and where the logs are.
    Status,
    /// Installs what is missing, and starts nothing.
    Install {
        /// Which; all by default.
        engines: Vec<Engine>,
    },
    /// Kills, starts or stops the engine that a file describes; tests of crashes call it.
    #[command(hide = true)]
    Signal {
        /// What happens to it.
        signal: Signal,
        /// Its `instance.json`.
        file: PathBuf,
    },
    /// Waits for the end of its input, then ends all engines below a folder and removes it.
    #[command(hide = true)]
    Guard {
        /// The folder of a test's engines.
        root: PathBuf,
    },
}

/// One engine, or all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// This one.
    One(Engine),
    /// Every one.
    All,
}

/// What can happen to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signal {
    /// As a crash: no process of it can clean up.
    Kill,
    /// Start it, and return when it serves.
    Start,
    /// In order, and return when it is gone.
    Stop,
}

/// Does it.
pub(crate) fn run(action: Action) -> anyhow::Result<()> {
    match action {
        Action::Up { engines } => up(&all_if_empty(engines)),
        Action::Down { engines, erase } => down(&chosen(&engines), erase),
        Action::Status => status(),
        Action::Install { engines } => ready_to_start(&all_if_empty(engines)),
        Action::Signal { signal, file } => Instance::load(&file)?.signal(signal),
        Action::Guard { root } => session::guard(&root),
    }
}

pub(crate) fn ready_to_start(engines: &[Engine]) -> anyhow::Result<()> {
    from_debian(engines, false, &[])?;
    from_registries(engines, false)
}

/// How often a new engine is started before that is an error.
const TRIES: u32 = 3;

/// Starts engines below the user's own folder. What it prints is a shell's own language.
fn up(engines: &[Engine]) -> anyhow::Result<()> {
    ready_to_start(engines)?;
    let home = state::home()?;
    let program = std::env::current_exe()?;
    let running = start(engines, &home)?;
    for instance in running {
        println!("# {}", line(&instance));
        println!("#   the shop on it: {}", instance.option());
        for (name, value) in instance.environment(&program) {
            println!("export {name}={}", quoted(&value));
        }
    }
    Ok(())
}

fn down(engines: &[Engine], erase: bool) -> anyhow::Result<()> {
    let home = state::home()?;
    each(engines, |engine| {
        let Some(instance) = Instance::find(engine, &home)? else { return Ok(()) };
        instance.end(if erase { Signal::Kill } else { Signal::Stop })?;
        if erase {
            instance.erase()?;
        }
        eprintln!("{} is down", engine.name());
        Ok(())
    })
    .map(|_| ())
}

fn status() -> anyhow::Result<()> {
    let home = state::home()?;
    for engine in Engine::ALL {
        match Instance::find(engine, &home)? {
            Some(instance) => println!("{}", line(&instance)),
            None => println!("{:<8} never started", engine.name()),
        }
    }
    Ok(())
}

fn line(instance: &Instance) -> String {
    let state = match instance.process() {
        Some(process) => format!("runs as process {}", process.pid),
        None => "is down".to_owned(),
    };
    let (name, address) = (instance.engine.name(), instance.address());
    format!("{name:<8} {state}, at {address}, log {}", instance.log().display())
}

/// Starts engines below a folder at the same time; those that run already are left alone.
fn start(engines: &[Engine], root: &Path) -> anyhow::Result<Vec<Instance>> {
    each(engines, |engine| {
        let begun = Instant::now();
        let (instance, how) = match Instance::find(engine, root)? {
            Some(instance) => {
                let how = if instance.process().is_some() { "runs already" } else { "is ready" };
                instance.signal(Signal::Start)?;
                (instance, how)
            }
            None => (start_new(engine, root)?, "is ready"),
        };
        eprintln!("{} {how} ({:.1} s)", engine.name(), begun.elapsed().as_secs_f64());
        Ok(instance)
    })
}

/// Starts one that was not there before. Its ports were free a moment ago, and are its own only once
/// it listens: if it does not come up, it gets others.
fn start_new(engine: Engine, root: &Path) -> anyhow::Result<Instance> {
    for _ in 1..TRIES {
        let instance = Instance::create(engine, root)?;
        let Err(error) = instance.signal(Signal::Start) else { return Ok(instance) };
        eprintln!("{} did not start; once more, on other ports. {error:#}", engine.name());
        let _down_already = instance.signal(Signal::Kill);
        instance.erase()?;
    }
    let instance = Instance::create(engine, root)?;
    instance.signal(Signal::Start)?;
    Ok(instance)
}

/// Does something for each engine at the same time. If some fail, the error tells of all of them.
fn each<T: Send>(
    engines: &[Engine],
    work: impl Fn(Engine) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let work = &work;
    let ends: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            engines.iter().map(|engine| (*engine, scope.spawn(move || work(*engine)))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| bail!("a panic, shown above"))
        };
        threads.into_iter().map(|(engine, thread)| (engine, join(thread))).collect()
    });
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for (engine, end) in ends {
        match end {
            Ok(value) => done.push(value),
            Err(error) => failures.push(format!("{}: {error:#}", engine.name())),
        }
    }
    if failures.is_empty() { Ok(done) } else { bail!("{}", failures.join("\n")) }
}

fn all_if_empty(engines: Vec<Engine>) -> Vec<Engine> {
    if engines.is_empty() { Engine::ALL.to_vec() } else { engines }
}

fn chosen(choices: &[Choice]) -> Vec<Engine> {
    let wanted = |engine: &Engine| {
        choices.is_empty()
            || choices.iter().any(|choice| match choice {
                Choice::One(one) => one == engine,
                Choice::All => true,
            })
    };
    Engine::ALL.into_iter().filter(wanted).collect()
}

fn engine_or_all(text: &str) -> Result<Choice, String> {
    if text == "all" { Ok(Choice::All) } else { Engine::from_str(text, true).map(Choice::One) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_takes_names_or_all() {
        assert_eq!(chosen(&[]).len(), 3);
        assert_eq!(chosen(&[engine_or_all("all").unwrap()]).len(), 3);
        let two = [engine_or_all("kafka").unwrap(), engine_or_all("rabbit").unwrap()];
        assert_eq!(chosen(&two), [Engine::Kafka, Engine::Rabbit]);
        assert!(engine_or_all("mysql").is_err());
    }

    #[test]
    fn every_failure_is_told() {
        let error = each(&Engine::ALL, |engine| match engine {
            Engine::Postgres => Ok(()),
            other => bail!("{} broke", other.name()),
        });
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "kafka: kafka broke\nrabbitmq: rabbitmq broke");
    }
}
