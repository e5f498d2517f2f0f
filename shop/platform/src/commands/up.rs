//! `switchboard up`: the whole shop in this process, until Ctrl-C.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use switchboard_core::BoxError;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::show::line;
use crate::cli::Up;
use crate::edge::Doors;
use crate::folder::Folder;
use crate::mail::Mail;
use crate::platform::{Options, Platform};
use crate::settings::Settings;

/// Threads that run the shop, at most. More would share the same disk and cost memory.
const THREADS: usize = 4;
/// Threads that read stores and hash passwords, for each of those. A thread that has hashed once
/// keeps its 19 MiB for the next time, so a crowd of them would hold a lot that nobody uses.
const BLOCKING: usize = 2;

/// Starts the shop, prints where it is, and keeps it until it is asked to end.
///
/// # Errors
/// What keeps it from starting or going on, with what to do about it.
pub fn run(settings: &Settings, up: &Up) -> Result<ExitCode, BoxError> {
    let folder = folder(settings, up)?;
    let options = Options::new(folder)
        .with_listen(settings.listen.value)
        .with_public(settings.public.value)
        .with_engines(settings.engines())
        .with_doors(Doors::of(settings))
        .with_mail(Mail::of(settings)?)
        .with_settings_file(settings.file());
    runtime()?.block_on(async {
        let asked = asked_to_end()?;
        tokio::pin!(asked);
        let mut platform = tokio::select! {
            started = Platform::start(options) => started?,
            () = &mut asked => return Ok(()),
        };
        announce(&platform);
        let ready = tokio::select! {
            ready = platform.ready() => Some(ready),
            () = &mut asked => None,
        };
        match ready {
            Some(ready) => ready?,
            None => return platform.run(std::future::ready(())).await.map_err(BoxError::from),
        }
        line("ready to take orders; Ctrl-C ends it");
        platform.run(asked).await?;
        line("everything has ended in order");
        Ok::<_, BoxError>(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A runtime for everything that takes calls.
pub(super) fn runtime() -> Result<Runtime, BoxError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    Ok(Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads((threads * BLOCKING).max(4))
        .enable_all()
        .build()?)
}

fn folder(settings: &Settings, up: &Up) -> Result<Folder, BoxError> {
    if up.ephemeral {
        return Ok(Folder::ephemeral()?);
    }
    let folder = Folder::open(&settings.data.value)?;
    if up.fresh && !folder.is_new() {
        if !up.yes && !confirmed(&folder)? {
            return Err("nothing was deleted, and nothing was started".into());
        }
        folder.empty()?;
    }
    Ok(folder)
}

/// Asks the person at the terminal. Without one, nobody can have agreed.
fn confirmed(folder: &Folder) -> Result<bool, BoxError> {
    let path = folder.path().display();
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "--fresh would delete all data in {path}, and there is nobody to ask: add --yes"
        )
        .into());
    }
    eprint!("Delete all customers, accounts and orders in {path}? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn announce(platform: &Platform) {
    let url = platform.url();
    line(&format!("shop            {url}"));
    line(&format!("console         {url}/console"));
    line(&format!("data            {}", platform.data().display()));
    line(&format!("operator token  {}", platform.token_file().display()));
}

/// Ends with the first Ctrl-C or SIGTERM; the second one ends the process at once.
pub(super) fn asked_to_end() -> Result<impl Future<Output = ()>, BoxError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        line("ending: no new calls, running ones end");
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            line("ended at once; what was accepted is stored");
            std::process::exit(130);
        });
    })
}
