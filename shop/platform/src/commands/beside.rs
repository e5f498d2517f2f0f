//! The shop in a process of its own beside this one: what measurements need, so that they measure the shop and not themselves.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use switchboard_core::BoxError;
use tokio::sync::oneshot;

use crate::compare::cpu_in;

/// How long it may take until it takes orders, which is more than it allows itself.
const STARTING: Duration = Duration::from_secs(150);
/// How long it may take to end; it promises less. Then it is killed.
const ENDING: Duration = Duration::from_secs(10);

/// This program, running an ephemeral shop; ended in order also when this is dropped.
#[derive(Debug)]
pub(super) struct Shop {
    child: Child,
    /// Closed when the shop has closed its output, which it does by ending.
    open: mpsc::Receiver<()>,
    /// Where the public port is, once it is ready.
    pub(super) url: String,
}

// === impl Shop ===

impl Shop {
    /// Starts it, and waits until it takes orders.
    ///
    /// # Errors
    /// When it ends before that, or takes too long.
    ///
    /// # Cancel safety
    /// Dropping the future ends it, and waits for that.
    pub(super) async fn start() -> Result<Self, BoxError> {
        let mut shop = Command::new(std::env::current_exe()?);
        shop.args(["up", "--ephemeral", "--listen", "127.0.0.1:0"]);
        Self::start_by(shop, STARTING).await
    }

    async fn start_by(mut command: Command, within: Duration) -> Result<Self, BoxError> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A Ctrl-C at the terminal is for us: we end it in order, and once.
            .process_group(0)
            .spawn()?;
        let stdout = child.stdout.take();
        let (closing, open) = mpsc::channel();
        let mut shop = Self { child, open, url: String::new() };
        let lines = BufReader::new(stdout.ok_or("the shop has no output")?).lines();
        let (found, ready) = oneshot::channel();
        // A thread, because reading blocks; it ends with the shop.
        std::thread::spawn(move || {
            until_ready(lines, found);
            drop(closing);
        });
        let ready = tokio::time::timeout(within, ready).await;
        let ready = ready.map_err(|_| format!("the shop was not ready within {within:?}"))?;
        shop.url = ready.map_err(|_| "the shop ended before it was ready")?;
        Ok(shop)
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its processor time so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64, BoxError> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        Ok(cpu_in(&stat).ok_or("no times in /proc")?.as_secs_f64())
    }

    /// Its memory now.
    pub(super) fn memory_mb(&self) -> Result<f64, BoxError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kilobytes.ok_or("no memory in /proc")? / 1_024.0)
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// When it does not end in order.
    pub(super) fn stop(mut self) -> Result<(), BoxError> {
        let status = self.end()?;
        if status.success() { Ok(()) } else { Err(format!("the shop ended with {status}").into()) }
    }

    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let is_closed = || self.open.recv_timeout(ENDING) != Err(mpsc::RecvTimeoutError::Timeout);
        if !asked.success() || !is_closed() {
            self.child.kill()?;
        }
        self.child.wait()
    }
}

/// Tells the address once the shop takes orders, then reads away what it prints, so that it never
/// waits for us.
fn until_ready(mut lines: Lines<BufReader<ChildStdout>>, found: oneshot::Sender<String>) {
    let mut url = String::new();
    for line in lines.by_ref().map_while(Result::ok) {
        if url.is_empty()
            && let Some(at) = line.find("http://")
        {
            line[at..].trim().clone_into(&mut url);
        }
        if line.starts_with("ready") {
            let _nobody_waits_any_more = found.send(url);
            lines.map_while(Result::ok).for_each(drop);
            return;
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "cannot end the shop beside");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    async fn check(script: &str, within: Duration, expected: &str) {
        let said = match Shop::start_by(shell(script), within).await {
            Ok(shop) => shop.url.clone(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expected), "{script}: {said}");
    }

    #[tokio::test]
    async fn one_that_never_gets_ready_is_not_waited_for() {
        check("exec sleep 600", Duration::from_millis(50), "not ready within 50ms").await;
        check("exit 3", STARTING, "ended before it was ready").await;
        let ready = "echo at http://127.0.0.1:1; echo ready; exec sleep 600";
        check(ready, STARTING, "http://127.0.0.1:1").await;
    }
}
