//! `switchboard doctor`: looks at everything that could be wrong, and says what to do about it.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use switchboard_core::BoxError;

use super::remote::{Remote, url};
use super::{log, runtime, show};
use crate::backends::BrokerUrl;
use crate::folder;
use crate::settings::Settings;
use crate::topology;

/// Less free space than this is an error; ten times as much is enough.
const SPACE: u64 = 100 << 20;
/// Syncs that are timed.
const SYNCS: u32 = 20;
/// A sync that takes longer makes every order slow.
const SLOW: Duration = Duration::from_millis(20);

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Well,
    /// It works, and could be better.
    Odd,
    Wrong,
}

/// One line of the report.
struct Finding(Found, &'static str, String);

/// Looks at everything. Something wrong makes the exit code 1.
///
/// # Errors
/// Only when the report cannot be made at all.
pub fn run(settings: &Settings) -> Result<ExitCode, BoxError> {
    let folder = &settings.data.value;
    let mut findings = vec![data(folder), space(folder), sync(folder)];
    if settings.broker.value == BrokerUrl::Embedded {
        findings.push(records(folder));
    }
    findings.extend(runtime()?.block_on(platform(settings)));
    let rows = findings.iter().map(|Finding(found, what, detail)| {
        let word = match found {
            Found::Well => "ok",
            Found::Odd => "look",
            Found::Wrong => "WRONG",
        };
        [word.to_owned(), (*what).to_owned(), detail.clone()]
    });
    show::line(&show::table(["", "what", "found"], rows));
    let is_wrong = findings.iter().any(|Finding(found, ..)| *found == Found::Wrong);
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn data(folder: &Path) -> Finding {
    const WHAT: &str = "data folder";
    let shown = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding(Found::Well, WHAT, format!("{shown} does not exist yet; `up` makes it"))
        }
        Err(error) => Finding(Found::Wrong, WHAT, format!("{shown} cannot be read: {error}")),
        Ok(data) if !data.is_dir() => {
            Finding(Found::Wrong, WHAT, format!("{shown} is a file: name a folder with --data DIR"))
        }
        Ok(data) if data.permissions().mode() & 0o077 != 0 => {
            let todo = format!("{shown} can be read by others: chmod 700 {shown}");
            Finding(Found::Odd, WHAT, todo)
        }
        Ok(_) => Finding(Found::Well, WHAT, format!("{shown}, its owner's alone")),
    }
}

/// The folder, or the nearest one above it that exists.
fn existing(folder: &Path) -> PathBuf {
    folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn space(folder: &Path) -> Finding {
    const WHAT: &str = "free space";
    match rustix::fs::statvfs(existing(folder)) {
        Err(error) => Finding(Found::Odd, WHAT, format!("unknown: {error}")),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = match free {
                free if free < SPACE => Found::Wrong,
                free if free < 10 * SPACE => Found::Odd,
                _ => Found::Well,
            };
            let todo = if found == Found::Well {
                ""
            } else {
                ": make room, or the shop stops taking orders"
            };
            Finding(found, WHAT, format!("{} MiB{todo}", free >> 20))
        }
    }
}

/// How fast the disk keeps a promise: every order waits for several syncs.
fn sync(folder: &Path) -> Finding {
    const WHAT: &str = "disk sync";
    match timed_syncs(&existing(folder)) {
        Err(error) => Finding(Found::Wrong, WHAT, format!("cannot write and sync: {error}")),
        Ok(middle) => {
            let found = if middle > SLOW { Found::Odd } else { Found::Well };
            let todo = if middle > SLOW { ": orders will be slow on this disk" } else { "" };
            Finding(found, WHAT, format!("{:.2} ms each{todo}", middle.as_secs_f64() * 1_000.0))
        }
    }
}

fn timed_syncs(folder: &Path) -> std::io::Result<Duration> {
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut writer: &File = file.as_file();
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let begun = Instant::now();
        writer.write_all(&[0; 4_096])?;
        writer.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn records(folder: &Path) -> Finding {
    const WHAT: &str = "log";
    let log = folder.join("log");
    if !log.exists() {
        return Finding(Found::Well, WHAT, "nothing there yet".to_owned());
    }
    match log::verify(&log) {
        Err(error) => Finding(Found::Wrong, WHAT, error.to_string()),
        Ok(segments) => {
            let damaged = segments.iter().filter(|segment| segment.damage.is_some()).count();
            let records: u64 = segments.iter().map(|segment| segment.records).sum();
            match damaged {
                0 => Finding(Found::Well, WHAT, format!("{records} records, every sum right")),
                _ => {
                    let todo = "see `switchboard log inspect`, and put a backup in its place";
                    Finding(Found::Wrong, WHAT, format!("{damaged} damaged segments: {todo}"))
                }
            }
        }
    }
}

async fn platform(settings: &Settings) -> Vec<Finding> {
    const WHAT: &str = "platform";
    let is_held = folder::is_held(&settings.data.value);
    let remote = match Remote::of(settings) {
        Ok(remote) => remote,
        Err(error) if is_held => return vec![Finding(Found::Wrong, WHAT, error.to_string())],
        Err(_) => {
            let nothing = "does not run on this folder; `switchboard up` starts it".to_owned();
            return vec![Finding(Found::Well, WHAT, nothing)];
        }
    };
    let mut findings = Vec::new();
    match remote.get("/livez").await {
        Ok(_) => findings.push(Finding(Found::Well, WHAT, format!("answers at {}", url(settings)))),
        Err(_) if !is_held => {
            let nothing = "does not run on this folder; `switchboard up` starts it".to_owned();
            return vec![Finding(Found::Well, WHAT, nothing)];
        }
        Err(error) => return vec![Finding(Found::Wrong, WHAT, error.to_string())],
    }
    findings.push(match remote.get("/readyz").await {
        Ok(_) => Finding(Found::Well, "orders", "can be taken".to_owned()),
        Err(error) => Finding(Found::Wrong, "orders", format!("cannot be taken: {error}")),
    });
    findings.push(parked(&remote).await);
    findings.push(stuck(&remote).await);
    findings
}

async fn parked(remote: &Remote) -> Finding {
    const WHAT: &str = "parked keys";
    let mut parked = 0;
    for service in topology::services() {
        match remote.get(&format!("/api/v1/operator/{}/dead", service.name)).await {
            Err(error) => return Finding(Found::Wrong, WHAT, error.to_string()),
            Ok(page) => {
                let items = page["items"].as_array().cloned().unwrap_or_default();
                parked += items.iter().filter(|item| item["state"] == "parked").count();
            }
        }
    }
    match parked {
        0 => Finding(Found::Well, WHAT, "none".to_owned()),
        _ => Finding(Found::Odd, WHAT, format!("{parked}: see `switchboard dead list`")),
    }
}

async fn stuck(remote: &Remote) -> Finding {
    const WHAT: &str = "stuck sagas";
    match remote.get("/api/v1/operator/sagas?phase=stuck").await {
        Err(error) => Finding(Found::Wrong, WHAT, error.to_string()),
        Ok(page) => match page["items"].as_array().map_or(0, Vec::len) {
            0 => Finding(Found::Well, WHAT, "none".to_owned()),
            stuck => {
                let todo = format!("{stuck}: see `switchboard sagas list --state stuck`");
                Finding(Found::Odd, WHAT, todo)
            }
        },
    }
}
