//! Processes that outlive us: started into the background, found again by pid, ended with their children.
//!
//! A pid alone proves nothing, as numbers are used again. With the moment of birth from `/proc` it
//! names one process for as long as the machine runs.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::process;

/// How long an engine may take to become ready: generous, for machines that compile meanwhile.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);
/// How long an orderly stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// One process, for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// When it was born, in clock ticks since the machine started.
    born: u64,
}

/// How a daemon shows that it is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// Text that it logs once it serves; empty if the port alone tells.
    pub(crate) line: &'static str,
    /// The port that then accepts connections.
    pub(crate) port: u16,
}

/// Starts a daemon, keeps its number in `pid_file`, appends what it says to `log`, and waits until
/// it is ready. If it ends or takes too long, the error shows the end of the log.
pub(crate) fn start(
    mut command: Command,
    pid_file: &Path,
    log: &Path,
    ready: Ready,
) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let file = OpenOptions::new().create(true).append(true).open(log)?;
    let before = file.metadata()?.len();
    // A group of its own: Ctrl-C at the terminal is for us, not for it.
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    let daemon = Process::of(child.id());
    if let Some(daemon) = daemon {
        daemon.remember(pid_file)?;
    }
    let begun = Instant::now();
    loop {
        let said = since(log, before)?;
        if said.contains(ready.line) && accepts(ready.port) {
            // Its end must be taken notice of: until then others would see it as alive, PostgreSQL
            // among them, which looks for its predecessor before it starts.
            std::thread::spawn(move || child.wait());
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("`{name}` ended while it started ({status}).\n{}", process::tail(log));
        }
        if begun.elapsed() > START_LIMIT {
            daemon.map_or(Ok(()), Process::kill)?;
            bail!("`{name}` was not ready within {START_LIMIT:?}.\n{}", process::tail(log));
        }
        pause();
    }
}

/// Whether something accepts connections on this loopback port.
pub(crate) fn accepts(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// What was appended to a file since it was this long.
fn since(log: &Path, position: u64) -> anyhow::Result<String> {
    let mut file = fs::File::open(log)?;
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A short wait between two looks at a process that cannot tell us.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(20));
}

// === impl Process ===

impl Process {
    /// The process of this number, unless there is none or it has ended already.
    fn of(pid: u32) -> Option<Self> {
        let stat = Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        (!stat.ended).then_some(Self { pid, born: stat.born })
    }

    /// The process that a pid file remembers, if it still lives.
    pub(crate) fn recall(pid_file: &Path) -> Option<Self> {
        let text = fs::read_to_string(pid_file).ok()?;
        let (pid, born) = text.trim().split_once(' ')?;
        let process = Self { pid: pid.parse().ok()?, born: born.parse().ok()? };
        process.lives().then_some(process)
    }

    fn remember(self, pid_file: &Path) -> anyhow::Result<()> {
        fs::write(pid_file, format!("{} {}\n", self.pid, self.born))
            .with_context(|| format!("writing {}", pid_file.display()))
    }

    fn lives(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Ends it and all its children as a crash of the machine would: none can clean up.
    pub(crate) fn kill(self) -> anyhow::Result<()> {
        let mut family = Vec::new();
        // One that begets another while we look would leave an orphan behind, which holds on to
        // ports and memory: so all stand still before any is killed.
        loop {
            let seen = self.family();
            let fresh: Vec<_> = seen.iter().filter(|one| !family.contains(*one)).copied().collect();
            if fresh.is_empty() {
                break;
            }
            signal("STOP", &fresh);
            family.extend(fresh);
        }
        signal("KILL", &family);
        wait_for_end(&family, STOP_LIMIT)
    }

    /// Asks it to end with this signal, and waits for it and its children.
    pub(crate) fn stop(self, signal: &str) -> anyhow::Result<()> {
        let family = self.family();
        self::signal(signal, &[self]);
        wait_for_end(&family, STOP_LIMIT)
    }

    /// Itself and everything that descends from it.
    fn family(self) -> Vec<Self> {
        let mut children: HashMap<u32, Vec<Self>> = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let text = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if let Some(stat) = Stat::parse(&text) {
                children.entry(stat.parent).or_default().push(Self { pid, born: stat.born });
            }
        }
        let mut family = vec![self];
        let mut next = 0;
        while let Some(member) = family.get(next).copied() {
            family.extend(children.remove(&member.pid).unwrap_or_default());
            next += 1;
        }
        family
    }
}

/// Sends a signal to those of them that still live.
fn signal(name: &str, to: &[Process]) {
    let numbers: Vec<_> = to.iter().map(|one| one.pid.to_string()).collect();
    process::succeeds(&format!("kill -{name} {} 2>/dev/null", numbers.join(" ")));
}

fn wait_for_end(family: &[Process], within: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    while let Some(one) = family.iter().find(|one| one.lives()) {
        if begun.elapsed() > within {
            bail!("process {} did not end within {within:?}", one.pid);
        }
        pause();
    }
    Ok(())
}

/// What `/proc/PID/stat` says about a process.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    born: u64,
    /// Ended, though its parent has not taken notice.
    ended: bool,
}

// === impl Stat ===

impl Stat {
    /// The name in parentheses may hold anything, also parentheses: fields are counted behind it.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let threads: u32 = fields.get(17)?.parse().ok()?;
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            born: fields.get(19)?.parse().ok()?,
            // The first thread may have ended while others still hold files and ports.
            ended: matches!(*fields.first()?, "Z" | "X") && threads <= 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "123 (a) b (c) S 77 123 123 0 -1 4194560 1 0 0 0 5 2 0 0 20 0 9 0 987654 1 2";

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = Stat::parse(STAT).unwrap();
        assert_eq!(stat, Stat { parent: 77, born: 987_654, ended: false });
    }

    #[test]
    fn a_process_has_ended_when_its_last_thread_has() {
        let dead = STAT.replace(" S ", " Z ");
        assert!(!Stat::parse(&dead).unwrap().ended);
        assert!(Stat::parse(&dead.replace(" 0 9 0 ", " 0 1 0 ")).unwrap().ended);
        assert_eq!(Stat::parse("123 (cut"), None);
    }

    #[test]
    fn a_pid_that_another_process_has_now_is_not_the_one_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let own = Process::of(std::process::id()).unwrap();
        own.remember(&file).unwrap();
        assert_eq!(Process::recall(&file), Some(own));
        Process { born: own.born + 1, ..own }.remember(&file).unwrap();
        assert_eq!(Process::recall(&file), None);
    }

    #[test]
    fn a_killed_family_leaves_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (pid_file, log) = (folder.path().join("pid"), folder.path().join("log"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 & sleep 600 & echo begun; wait"]);
        start(shell, &pid_file, &log, Ready { line: "begun", port }).unwrap();
        let family = Process::recall(&pid_file).unwrap().family();
        assert_eq!(family.len(), 3);
        family[0].kill().unwrap();
        assert!(family.iter().all(|one| !one.lives()));
        assert_eq!(Process::recall(&pid_file), None);
    }

    #[test]
    fn a_family_that_grows_while_it_is_killed_leaves_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (pid_file, log) = (folder.path().join("pid"), folder.path().join("log"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut shell = Command::new("sh");
        // The children are known by their standard input.
        let known = folder.path().join("known");
        fs::write(&known, "").unwrap();
        let birth = format!("sleep 600 < {} &", known.display());
        let many = format!("echo begun; i=0; while [ $i -lt 500 ]; do {birth} i=$((i+1)); done");
        shell.args(["-c", &format!("{many}; wait")]);
        start(shell, &pid_file, &log, Ready { line: "begun", port }).unwrap();
        Process::recall(&pid_file).unwrap().kill().unwrap();
        let inputs = fs::read_dir("/proc").unwrap().flatten();
        let left = inputs.filter(|entry| {
            fs::read_link(entry.path().join("fd/0")).is_ok_and(|input| input == known)
        });
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn a_daemon_that_ends_early_shows_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let (pid_file, log) = (folder.path().join("pid"), folder.path().join("log"));
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo cannot bind; exit 3"]);
        let error = start(shell, &pid_file, &log, Ready { line: "ready", port: 1 }).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("cannot bind") && text.contains("log"), "{text}");
    }
}
