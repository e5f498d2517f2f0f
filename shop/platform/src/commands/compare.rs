//! `switchboard compare`: alternatives side by side on this machine, measured where they can be.

use std::process::ExitCode;

use switchboard_core::BoxError;
use tokio::signal::unix::{SignalKind, signal};

use super::beside::Shop;
use super::{runtime, show};
use crate::cli::{Compare, Protocols};
use crate::compare::{Options, Report, run as measure, text, value};

/// What a shell expects of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Runs the comparison that is asked for.
///
/// # Errors
/// When the shop cannot be started or reached, or answers what it must not.
pub fn run(wanted: &Compare) -> Result<ExitCode, BoxError> {
    match wanted {
        Compare::Protocols(wanted) => protocols(wanted),
    }
}

fn protocols(wanted: &Protocols) -> Result<ExitCode, BoxError> {
    let report = runtime()?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // A shop of our own is ended in order with whatever is dropped here.
        tokio::select! {
            report = report(wanted) => report.map(Some),
            _ = interrupt.recv() => Ok(None),
            _ = terminate.recv() => Ok(None),
        }
    })?;
    let Some(report) = report else { return Ok(ExitCode::from(INTERRUPTED)) };
    if wanted.json {
        show::json(&value(&report));
    } else {
        show::line(&text(&report));
    }
    Ok(ExitCode::SUCCESS)
}

async fn report(wanted: &Protocols) -> Result<Report, BoxError> {
    let mut options = Options::new(wanted.url.clone().unwrap_or_default());
    options.time = std::time::Duration::from_secs(wanted.seconds);
    options.clients = wanted.clients;
    options.http2 = wanted.http2;
    if !wanted.only.is_empty() {
        options.only.clone_from(&wanted.only);
    }
    if wanted.url.is_some() {
        return measure(&options).await;
    }
    let shop = Shop::start().await?;
    options.url.clone_from(&shop.url);
    options.process = Some(shop.id());
    let report = measure(&options).await;
    // What went wrong first is what matters.
    let stopped = shop.stop();
    let report = report?;
    stopped?;
    Ok(report)
}
