//! What is known about a private engine: its folder, its ports, its log, and whether it runs.
//!
//! The folder is the whole truth. Another process that is given `instance.json` can kill, start and
//! stop the same engine on the same ports and data, as tests of crashes do.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::daemon::Process;
use super::ports;
use crate::debian;

/// The file in an instance's folder that says what it is.
const FILE: &str = "instance.json";

/// One private engine.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// Which engine.
    pub(crate) engine: Engine,
    /// Its ports; the first is the one that clients use.
    pub(crate) ports: Vec<u16>,
    /// Where everything of it lies; not in the file, as the file lies there too.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// Where engines that are started by hand keep their folders.
///
/// Root's home is usually closed to others, and PostgreSQL refuses to run as root, so root's engines
/// live where a user without privileges can reach them.
pub(crate) fn home() -> anyhow::Result<PathBuf> {
    let base = match std::env::var_os("XDG_STATE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None if debian::is_root() => PathBuf::from("/var/lib"),
        None => {
            let home = std::env::var_os("HOME").context("HOME is not set")?;
            PathBuf::from(home).join(".local/state")
        }
    };
    let folder = base.join("switchboard/engines");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}

// === impl Instance ===

impl Instance {
    /// A new one below `root`, on free ports; nothing is started.
    pub(crate) fn create(engine: Engine, root: &Path) -> anyhow::Result<Self> {
        let folder = root.join(engine.name());
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let ports = ports::free(engine.ports(), random())?;
        let instance = Self { engine, ports, folder };
        fs::write(instance.file(), serde_json::to_string(&instance)?)?;
        Ok(instance)
    }

    /// The one that this file describes.
    pub(crate) fn load(file: &Path) -> anyhow::Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let mut instance: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} does not describe an engine", file.display()))?;
        instance.folder = file.parent().context("a file without a folder")?.to_owned();
        Ok(instance)
    }

    /// The one below `root`, if it was ever created.
    pub(crate) fn find(engine: Engine, root: &Path) -> anyhow::Result<Option<Self>> {
        let file = root.join(engine.name()).join(FILE);
        if file.exists() { Self::load(&file).map(Some) } else { Ok(None) }
    }

    /// The file to give to another process.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Where the engine writes what it says; kept until the folder is erased.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.engine.name()))
    }

    /// Where the number of the engine's process is kept.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// The port that clients use.
    pub(crate) fn port(&self) -> u16 {
        self.ports.first().copied().unwrap_or_default()
    }

    /// The engine's process, if it runs.
    pub(crate) fn process(&self) -> Option<Process> {
        Process::recall(&self.pid_file())
    }

    /// Keeps other processes from starting or stopping it until the answer is dropped.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        let file = File::create(self.folder.join("lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// Fails if another program has taken one of its first `count` ports since they were chosen.
    pub(crate) fn require_ports(&self, count: usize) -> anyhow::Result<()> {
        let name = self.engine.name();
        match self.ports.iter().take(count).find(|port| ports::is_kept(**port)) {
            None => Ok(()),
            Some(port) => bail!(
                "port {port} of {name} is taken by another program: start anew after \
                 `cargo xtask engines down {name} --erase`"
            ),
        }
    }

    /// Removes everything of it.
    pub(crate) fn erase(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("removing {}", self.folder.display()))
    }
}

/// Lets users without privileges pass through this folder, if we are root and they will have to.
pub(crate) fn open_to_others(folder: &Path) -> anyhow::Result<()> {
    if debian::is_root() {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
    }
    Ok(())
}

/// A number that nobody can foresee, for ports and cookies.
pub(crate) fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_found_again_from_its_file() {
        let root = tempfile::tempdir().unwrap();
        let made = Instance::create(Engine::Kafka, root.path()).unwrap();
        assert_eq!(made.ports.len(), Engine::Kafka.ports());
        assert_eq!(Instance::load(&made.file()).unwrap(), made);
        assert_eq!(Instance::find(Engine::Kafka, root.path()).unwrap(), Some(made));
        assert_eq!(Instance::find(Engine::Rabbit, root.path()).unwrap(), None);
    }

    #[test]
    fn a_taken_port_is_named() {
        let root = tempfile::tempdir().unwrap();
        let made = Instance::create(Engine::Postgres, root.path()).unwrap();
        made.require_ports(1).unwrap();
        let _taken = std::net::TcpListener::bind(("127.0.0.1", made.port())).unwrap();
        let error = made.require_ports(1).unwrap_err().to_string();
        assert!(error.contains(&made.port().to_string()), "{error}");
    }
}
