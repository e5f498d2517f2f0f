//! RabbitMQ from Debian's package, as a private node: own name, cookie, data, ports and name service.
//!
//! Nothing of the system's node is used or touched. The programs in the path insist on the system's
//! user and folders, so the ones in the package's own folder are called, with every path set.
//!
//! A trap of version 3.10 that no setting cures: a quorum queue is safe against a crash of the node
//! only some seconds after it was made, because the node writes down lazily which queues it has. Killed
//! sooner, the queue comes back without a leader and without the messages that were confirmed. Tests
//! that kill the node wait until their queues are old enough.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::daemon::{self, Process};
use super::state::{self, Instance};
use crate::debian::{Need, Present};
use crate::process;

/// Where the package keeps its versions.
const LIBRARY: &str = "/usr/lib/rabbitmq/lib";
/// The line that the node logs when it serves.
pub(crate) const READY: &str = "Server startup complete";
/// The package. Its dependencies bring Erlang.
pub(crate) const NEED: Need =
    Need { present: Present::Path(LIBRARY), packages: &["rabbitmq-server"] };

/// Whether the package is installed.
pub(crate) fn is_installed() -> bool {
    Path::new(LIBRARY).exists()
}

/// Keeps a node of the system, which the package has just brought, from starting at the next boot.
pub(crate) fn keep_off() {
    if process::exists("systemctl") {
        process::succeeds("systemctl disable rabbitmq-server epmd.socket >/dev/null 2>&1");
    }
}

/// The folder of the unwrapped programs.
fn scripts() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir(LIBRARY).with_context(|| format!("reading {LIBRARY}"))?;
    let newest = versions.flatten().map(|entry| entry.path().join("sbin")).max();
    newest.with_context(|| format!("no version of RabbitMQ in {LIBRARY}"))
}

/// Writes what the node needs, starts its name service, and says how the node is started.
///
/// Erlang would start a name service by itself, which listens for everybody and outlives the node.
pub(crate) fn prepare(instance: &Instance) -> anyhow::Result<Command> {
    let folder = &instance.folder;
    let (port, _, names) = ports(instance)?;
    fs::create_dir_all(folder.join("data"))?;
    fs::write(folder.join("rabbitmq.conf"), settings(port))?;
    fs::write(folder.join("advanced.config"), "[].\n")?;
    fs::write(folder.join("enabled_plugins"), "[].\n")?;
    let cookie = folder.join(".erlang.cookie");
    if !cookie.exists() {
        fs::write(&cookie, format!("{:016X}{:016X}", state::random(), state::random()))?;
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400))?;
    }
    if name_service(instance).is_none() {
        let mut command = Command::new("epmd");
        environment(&mut command, instance)?;
        command.args(["-port", &names.to_string(), "-address", "127.0.0.1"]);
        let log = folder.join("epmd.log");
        daemon::start(command, &epmd_pid(folder), &log, daemon::Ready { line: "", port: names })?;
    }
    command(instance)
}

/// The name service, if it runs. It stays through crashes and stops of the node.
pub(crate) fn name_service(instance: &Instance) -> Option<Process> {
    Process::recall(&epmd_pid(&instance.folder))
}

fn epmd_pid(folder: &Path) -> PathBuf {
    folder.join("epmd.pid")
}

fn command(instance: &Instance) -> anyhow::Result<Command> {
    let mut command = Command::new(scripts()?.join("rabbitmq-server"));
    environment(&mut command, instance)?;
    Ok(command)
}

/// Gives each quorum queue a leader, after a crash.
///
/// A node of this version that is killed within seconds of a queue's making forgets the queue's term,
/// and then, alone, never votes: the queue answers nobody until an operator asks for an election. A
/// cluster would vote by itself. Queues that have a leader do not mind being asked.
pub(crate) fn elect(instance: &Instance) -> anyhow::Result<()> {
    let mut command = Command::new(scripts()?.join("rabbitmqctl"));
    environment(&mut command, instance)?;
    let loopback = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false";
    command.env("RABBITMQ_CTL_ERL_ARGS", loopback);
    let ask = "[ra:trigger_election(amqqueue:get_pid(Q)) || Q <- rabbit_amqqueue:list(), \
               amqqueue:get_type(Q) =:= rabbit_quorum_queue].";
    process::logged(command.args(["eval", ask]), &instance.folder.join("elect.log"))
}

/// Everything that the scripts would otherwise guess from the system.
fn environment(command: &mut Command, instance: &Instance) -> anyhow::Result<()> {
    let folder = &instance.folder;
    let (port, distribution, names) = ports(instance)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", folder).env("LANG", "C.UTF-8");
    command.current_dir(folder);
    // A name at localhost: the machine's own name may not resolve.
    command.env("RABBITMQ_NODENAME", format!("switchboard{port}@localhost"));
    command.env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
    command.env("RABBITMQ_NODE_PORT", port.to_string());
    command.env("RABBITMQ_DIST_PORT", distribution.to_string());
    command.env("ERL_EPMD_PORT", names.to_string()).env("ERL_EPMD_ADDRESS", "127.0.0.1");
    for (name, file) in [
        ("RABBITMQ_MNESIA_BASE", "data"),
        ("RABBITMQ_LOG_BASE", "data"),
        ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
        ("RABBITMQ_PID_FILE", "node.pid"),
    ] {
        command.env(name, folder.join(file));
    }
    command.env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
    // Loopback for the nodes' own port; no busy waiting, which a small machine needs elsewhere.
    command.env(
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
        "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false \
         +sbwt none +sbwtdcpu none +sbwtdio none",
    );
    // Makes the script become the node instead of watching it: its number is the node's number, and
    // the signal to end reaches the node.
    command.env("RUNNING_UNDER_SYSTEMD", "true");
    Ok(())
}

fn ports(instance: &Instance) -> anyhow::Result<(u16, u16, u16)> {
    match instance.ports[..] {
        [port, distribution, names] => Ok((port, distribution, names)),
        _ => bail!("{} must name three ports", instance.file().display()),
    }
}

/// The node's settings. It logs to its output, which we keep; by default it would take two fifths of
/// the machine's memory before it slows publishers down.
fn settings(port: u16) -> String {
    format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\n\
         vm_memory_high_watermark.absolute = 1GB\n\
         disk_free_limit.absolute = 64MB\n\
         log.file = false\n\
         log.console = true\n\
         log.console.level = info\n\
         log.console.use_colors = off\n"
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::engines::Engine;

    #[test]
    fn the_node_listens_on_loopback_and_logs_where_we_look() {
        let text = settings(2_345);
        assert!(text.contains("listeners.tcp.1 = 127.0.0.1:2345\n"));
        assert!(text.contains("log.console = true"));
    }

    #[test]
    fn no_path_of_the_system_is_left_to_be_guessed() {
        let instance = Instance {
            engine: Engine::Rabbit,
            ports: vec![2_001, 2_002, 2_003],
            folder: PathBuf::from("/private"),
        };
        let mut command = Command::new("true");
        environment(&mut command, &instance).unwrap();
        let value = |name: &str| {
            let found = command.get_envs().find(|(known, _)| *known == OsStr::new(name));
            found.and_then(|(_, value)| value).unwrap().to_string_lossy().into_owned()
        };
        for name in ["HOME", "RABBITMQ_MNESIA_BASE", "RABBITMQ_LOG_BASE", "RABBITMQ_CONFIG_FILE"] {
            assert!(value(name).starts_with("/private"), "{name}");
        }
        assert_eq!(value("ERL_EPMD_PORT"), "2003");
        assert_eq!(value("RABBITMQ_NODENAME"), "switchboard2001@localhost");
    }

    #[test]
    fn a_description_with_too_few_ports_is_refused() {
        let instance =
            Instance { engine: Engine::Rabbit, ports: vec![1], folder: PathBuf::from("/x") };
        assert!(ports(&instance).is_err());
    }
}
