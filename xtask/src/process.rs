//! Other programs: run one to its end, or keep one and be sure to stop it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::house;

/// How many lines of a log an error shows.
const TAIL_LINES: usize = 30;

/// Runs a program in the project's root, its output shown, and fails if it fails.
pub(crate) fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    run_with(program, arguments, &[])
}

/// The same with more environment.
pub(crate) fn run_with(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<()> {
    eprintln!("$ {program} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(house::root())
        .status()
        .with_context(|| format!("cannot start `{program}`"))?;
    if !status.success() {
        bail!("`{program} {}` failed: {status}", arguments.join(" "));
    }
    Ok(())
}

/// What a program prints.
pub(crate) fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    output_with(program, arguments, &[])
}

/// The same with more environment.
pub(crate) fn output_with(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(house::root())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{program}`"))?;
    if !output.status.success() {
        bail!("`{program} {}` failed: {}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program that has nothing to say unless it fails.
pub(crate) fn quietly(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start `{program}`"))?;
    if !output.status.success() {
        let said = text(&output.stderr);
        bail!("`{program} {}` failed: {} {said}", arguments.join(" "), output.status);
    }
    Ok(())
}

/// Runs a command that is silent while all is well; what it says goes to a log that errors show.
pub(crate) fn logged(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let file = File::options().create(true).append(true).open(log)?;
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed: {status}\n{}", tail(log));
    }
    Ok(())
}

/// The end of a log with its path, for errors.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match text {
        Ok(text) => format!("{}\nThe whole log: {}", last_lines(&text, TAIL_LINES), log.display()),
        Err(error) => format!("(its log {} cannot be read: {error})", log.display()),
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Whether a program can be found.
pub(crate) fn exists(program: &str) -> bool {
    succeeds(&format!("command -v {program} >/dev/null"))
}

/// Whether a line of shell succeeds.
pub(crate) fn succeeds(line: &str) -> bool {
    Command::new("sh").args(["-c", line]).status().is_ok_and(|status| status.success())
}

/// What a program said, for an error.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Copies a folder with all that is in it, links and modes as they are.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    quietly("cp", &["-a", &from.to_string_lossy(), &to.to_string_lossy()])
}

/// A program that runs beside us and is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Beside(Child);

impl Beside {
    /// Starts it and waits until it prints a line that contains `ready`; returns that line.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        ready: &str,
        within: Duration,
    ) -> anyhow::Result<(Self, Vec<String>)> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take().context("no output")?;
        let beside = Self(child);
        let (lines, received) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    // Nobody listens any more: keep reading, so that the program can write.
                }
            }
        });
        let begun = Instant::now();
        let mut seen = Vec::new();
        loop {
            let left = within.saturating_sub(begun.elapsed());
            match received.recv_timeout(left) {
                Ok(line) => {
                    let is_ready = line.contains(ready);
                    seen.push(line);
                    if is_ready {
                        return Ok((beside, seen));
                    }
                }
                Err(_) => bail!("not ready within {within:?}; it said: {}", seen.join(" | ")),
            }
        }
    }

    /// Kills it as a power cut would kill the process: no signal handler runs.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and expects exit code 0 within the time given.
    pub(crate) fn stop(mut self, within: Duration) -> anyhow::Result<()> {
        let pid = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let begun = Instant::now();
        while begun.elapsed() < within {
            if let Some(status) = self.0.try_wait()? {
                if !status.success() {
                    bail!("it ended with {status}");
                }
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        bail!("it did not end within {within:?}")
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_command_that_fails_shows_what_it_said() {
        let root = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such artifact; exit 1"]);
        let error = logged(&mut command, &root.path().join("log")).unwrap_err().to_string();
        assert!(error.contains("no such artifact"), "{error}");
    }

    #[test]
    fn a_log_is_cut_to_its_end() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
