//! `switchboard restore`: puts a backup back into a data folder that nothing runs on, and says what cannot come back.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use switchboard_core::{BoxError, Clock, Rng, SystemClock};

use super::runtime;
use super::show;
use crate::backup::loss::Loss;
use crate::backup::restore::{Wanted, restore};
use crate::backup::{Manifest, Restored};
use crate::cli::Restore;
use crate::settings::Settings;

/// Things that are named one by one on a terminal; `--json` has all of them.
const NAMED: usize = 20;

/// Restores, and prints what was done and lost.
///
/// # Errors
/// What keeps it from being done. The data is as it was then, or the error says otherwise.
pub fn run(settings: &Settings, wanted: &Restore) -> Result<ExitCode, BoxError> {
    let backup = std::path::absolute(&wanted.backup)?;
    let data = &settings.data.value;
    let manifest = Manifest::read(&backup)?;
    let is_there = data.join("operator-token").exists();
    let asks = is_there && (wanted.force || wanted.only.is_some()) && !wanted.yes;
    if asks && !confirmed(wanted, &manifest, &data.display().to_string())? {
        return Err("nothing was changed".into());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let asked = Wanted { backup, only: wanted.only.clone(), force: wanted.force };
    let restored = restore(&asked, data, clock, Rng::from_entropy(), &runtime()?)?;
    if wanted.json {
        show::json(&json!(restored));
    } else {
        say(&restored);
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the person at the terminal. Without one, nobody can have agreed.
fn confirmed(wanted: &Restore, manifest: &Manifest, data: &str) -> Result<bool, BoxError> {
    let what = wanted.only.as_ref().map_or_else(|| "everything".to_owned(), |it| format!("`{it}`"));
    let then = manifest.taken_at;
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "this would take {what} in {data} back to {then}, and there is nobody to ask: add --yes"
        )
        .into());
    }
    eprint!("Take {what} in {data} back to {then}? What is there now is moved aside. [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn say(restored: &Restored) {
    let services = restored.services.join(", ");
    show::line(&format!("restored  {services}"));
    show::line(&format!("as of     {}", restored.taken_at));
    if let Some(epoch) = restored.epoch {
        show::line(&format!("the log   begins epoch {epoch}"));
    }
    if let Some(aside) = &restored.aside {
        let aside = aside.display();
        show::line(&format!("before    {aside}: delete it when you need it no more"));
    }
    if let Some(settings) = &restored.settings {
        let settings = settings.display();
        show::line(&format!("settings  {settings}: not put in place, copy it where you want it"));
    }
    show::line("\nWhat cannot come back:");
    for loss in &restored.losses {
        lost(loss);
    }
    let rest = match (restored.epoch, restored.losses.is_empty(), &restored.aside) {
        (_, true, Some(_)) => "  nothing that the replaced data knew.",
        (_, _, None) => {
            "  whatever was accepted after that moment. There was no other data to compare with, \
             so nobody can list it."
        }
        (Some(_), ..) => {
            "  All of it is in the folder named above. What was sent out since then stays sent: \
             letters, and answers that callers were given."
        }
        (None, ..) => {
            "  What other services did about it stays done. Answers to work that is not known any \
             more are parked when they come: see `switchboard dead list`. What only a caller was \
             told is not known to anybody here."
        }
    };
    show::line(rest);
}

fn lost(loss: &Loss) {
    show::line(&format!("  {}", loss.service));
    if let Some(why) = &loss.unknown {
        show::line(&format!("    what it knew is unknown: its replaced store: {why}"));
    }
    for (kind, count) in &loss.events {
        show::line(&format!("    {count:>6} × {kind}"));
    }
    named(&loss.streams);
    for (table, count) in &loss.changed {
        show::line(&format!("    {count:>6} rows of {table}, added or changed"));
    }
    for (table, count) in &loss.back {
        show::line(&format!("    {count:>6} rows of {table} that had been deleted, and are back"));
    }
    for (kind, count) in &loss.published {
        show::line(&format!("    {count:>6} × {kind}, published: others know of it"));
    }
    let mut keys: Vec<_> = loss.messages.iter().filter_map(|it| it.key.clone()).collect();
    keys.dedup();
    named(&keys);
}

fn named(names: &[String]) {
    for name in names.iter().take(NAMED) {
        show::line(&format!("             {name}"));
    }
    if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
        show::line(&format!("             and {more} more: see --json"));
    }
}
