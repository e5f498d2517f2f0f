//! Engines are installed once, into the user's cache, and each piece is whole or not there.
//!
//! Debian's packages come first and in one go; then what Maven and pip fetch, side by side.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};

use super::{Engine, kafka, postgres, rabbit};
use crate::debian::{self, Need, Present};
use crate::{house, process};

/// The part of Maven that fetches, of one exact version.
const MAVEN_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
/// What the tests check us against: other people's clients, and a mail server.
const PYTHON_PACKAGES: &[&str] = &[
    "aiosmtpd==1.4.6",
    "confluent-kafka==2.16.1",
    "grpcio==1.85.3",
    "grpcio-health-checking==1.85.1",
    "grpcio-reflection==1.85.1",
    "grpcio-status==1.85.3",
    "grpcio-tools==1.85.1",
    "pika==1.4.4",
];
/// Two Mavens at once may damage the store that they share.
static MAVEN: Mutex<()> = Mutex::new(());

const JAVA: Need =
    Need { present: Present::Program("java"), packages: &["openjdk-17-jre-headless"] };
pub(crate) const MVN: Need = Need { present: Present::Program("mvn"), packages: &["maven"] };
const XZ: Need = Need { present: Present::Program("xz"), packages: &["xz-utils"] };
const SETPRIV: Need = Need { present: Present::Program("setpriv"), packages: &["util-linux"] };
/// Makes virtual environments of Python.
pub(crate) const VENV: Need = Need {
    present: Present::Command("python3 -c 'import ensurepip, venv' 2>/dev/null"),
    packages: &["python3", "python3-venv"],
};

/// Installs what is missing from Debian for these engines, and for Python's tests if asked.
///
/// They share one run of apt-get with `more`, which the caller needs besides.
pub(crate) fn from_debian(engines: &[Engine], python: bool, more: &[Need]) -> anyhow::Result<()> {
    let mut needs = more.to_vec();
    for engine in engines {
        match engine {
            Engine::Kafka if kafka::package()?.is_whole() => needs.push(JAVA),
            Engine::Kafka => needs.extend([JAVA, MVN]),
            Engine::Postgres if postgres::package()?.is_whole() => {}
            Engine::Postgres => needs.extend([MVN, XZ]),
            Engine::Rabbit => needs.push(rabbit::NEED),
        }
    }
    if engines.contains(&Engine::Postgres) && debian::is_root() {
        needs.push(SETPRIV);
    }
    if python && !python_package()?.is_whole() {
        needs.push(VENV);
    }
    let had_rabbit = rabbit::is_installed();
    debian::ensure(&needs)?;
    if !had_rabbit && rabbit::is_installed() {
        rabbit::keep_off();
    }
    Ok(())
}

/// Installs what is missing from Maven and PyPI, side by side.
pub(crate) fn from_registries(engines: &[Engine], python: bool) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let python = scope.spawn(move || if python { install_python() } else { Ok(()) });
        let engines = super::each(engines, |engine| match engine {
            Engine::Kafka => kafka::install(),
            Engine::Postgres => postgres::install(),
            Engine::Rabbit => Ok(()),
        });
        let python = python.join().unwrap_or_else(|_| bail!("installing for Python panicked"));
        engines.map(|_| ()).and(python)
    })
}

/// Runs one goal of Maven's dependency plugin in a folder; its log stays there if it fails.
pub(crate) fn maven(folder: &Path, goal: &[&str]) -> anyhow::Result<()> {
    let _one_at_a_time = MAVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let [goal, arguments @ ..] = goal else { bail!("no goal for Maven") };
    let mut command = Command::new("mvn");
    command.args(["--batch-mode", "--quiet", &format!("{MAVEN_PLUGIN}:{goal}")]).args(arguments);
    process::logged(command.current_dir(folder), &folder.join("maven.log"))
}

/// The jars that [`maven`] has copied into a folder as a class path, always in the same order.
pub(crate) fn class_path(folder: &Path) -> anyhow::Result<String> {
    let mut jars = Vec::new();
    for entry in fs::read_dir(folder.join("libs"))? {
        jars.push(entry?.path().to_string_lossy().into_owned());
    }
    jars.sort();
    Ok(jars.join(":"))
}

/// The Python whose packages the tests use.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    Ok(python_package()?.folder().join("bin/python"))
}

fn python_package() -> anyhow::Result<Package> {
    let versions: Vec<_> =
        PYTHON_PACKAGES.iter().filter_map(|package| package.rsplit_once('=')).collect();
    let versions: Vec<_> = versions.iter().map(|(_, version)| *version).collect();
    Package::named("python", &versions.join("-"))
}

/// A virtual environment knows its own place, so it is made where it stays.
fn install_python() -> anyhow::Result<()> {
    python_package()?.install(|folder| {
        let target = folder.to_string_lossy();
        let log = folder.with_extension("log");
        process::logged(Command::new("python3").args(["-m", "venv", &target]), &log)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
        process::logged(pip.args(PYTHON_PACKAGES), &log)
    })
}

/// A folder of the cache that is complete or unused.
#[derive(Debug)]
pub(crate) struct Package {
    folder: PathBuf,
}

// === impl Package ===

impl Package {
    /// The place of a package of one version; others of the same name are left alone.
    pub(crate) fn named(name: &str, version: &str) -> anyhow::Result<Self> {
        Ok(Self { folder: house::cache()?.join("engines").join(format!("{name}-{version}")) })
    }

    /// Where it lies, or will lie.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it was installed to the end.
    pub(crate) fn is_whole(&self) -> bool {
        self.mark().exists()
    }

    /// Installs it unless it is whole: into an empty folder, with a mark at the end, so that an
    /// attempt that was cut short is begun again. Only one process installs at a time.
    pub(crate) fn install(
        &self,
        fill: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        fs::create_dir_all(self.folder.parent().context("a package lies in a folder")?)?;
        let lock = File::create(self.folder.with_added_extension("lock"))?;
        lock.lock()?;
        if self.is_whole() {
            return Ok(());
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir(&self.folder)?;
        eprintln!("installing into {}", self.folder.display());
        fill(&self.folder)?;
        fs::write(self.mark(), "")?;
        Ok(())
    }

    fn mark(&self) -> PathBuf {
        self.folder.join(".whole")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_cut_short_is_begun_again_and_a_whole_one_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let package = Package { folder: root.path().join("thing-1.2.3") };
        let cut = package.install(|folder| {
            fs::write(folder.join("half"), "")?;
            bail!("the network went away")
        });
        assert!(cut.is_err() && !package.is_whole());
        package.install(|folder| Ok(fs::write(folder.join("all"), "")?)).unwrap();
        assert!(package.folder().join("all").exists());
        assert!(!package.folder().join("half").exists());
        package.install(|_| bail!("must not be installed twice")).unwrap();
    }
}
