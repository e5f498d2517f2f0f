//! `switchboard storm`: what retries do to a dependency that fails, and to one that is overloaded.

use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use switchboard_core::BoxError;

use super::{runtime, show};
use crate::cli::Storm as Wanted;
use crate::drill::{self, Amplified, Second, Storm};

/// Calls of the first drill.
const CALLS: u32 = 1_000;

/// Runs both drills and shows what became of them.
///
/// # Errors
/// When they cannot be set up.
pub fn run(wanted: &Wanted) -> Result<ExitCode, BoxError> {
    if !wanted.json {
        show::line("Two drills in this process; the shop is not touched. They take 15 seconds.\n");
    }
    let (amplified, storm) = runtime()?.block_on(async {
        let amplified = drill::amplify(CALLS, wanted.seed).await?;
        Ok::<_, BoxError>((amplified, drill::storm(wanted.seed).await?))
    })?;
    if wanted.json {
        show::json(&value(&amplified, &storm));
    } else {
        show::line(&text(&amplified, &storm));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(amplified: &Amplified, storm: &Storm) -> String {
    let (naive, guarded) = storm.recovered();
    format!(
        "1. A dependency is down, and three layers each try three times.\n\
         \x20  naive:        {:>5.2} calls reach it for each that somebody wants to make\n\
         \x20  with budgets: {:>5.2}\n\n\
         2. A service at 70 % load is six times as slow for three seconds, and then as it was.\n\n\
         {}\n\n\
         In the last seconds, long after the trigger was gone, {:.0} % of the calls were answered with \
         naive\nretries and {:.0} % with a short queue, deadlines and a budget.",
        amplified.naive,
        amplified.budgeted,
        table(storm),
        naive * 100.0,
        guarded * 100.0,
    )
}

fn table(storm: &Storm) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "second",
        "",
        "naive: asked",
        "answered",
        "guarded: asked",
        "answered",
    ]);
    let rows = storm.phases.iter().zip(&storm.naive).zip(&storm.guarded);
    for (number, ((phase, naive), guarded)) in rows.enumerate() {
        table.add_row([
            (number + 1).to_string(),
            phase.as_str().to_owned(),
            naive.asked.to_string(),
            share(naive),
            guarded.asked.to_string(),
            share(guarded),
        ]);
    }
    for column in [0, 2, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn share(second: &Second) -> String {
    format!("{:.0} %", second.answered as f64 * 100.0 / second.wanted.max(1) as f64)
}

fn value(amplified: &Amplified, storm: &Storm) -> Value {
    let seconds = |seconds: &[Second]| {
        let second = |it: &Second| json!({ "wanted": it.wanted, "asked": it.asked, "answered": it.answered });
        seconds.iter().map(second).collect::<Value>()
    };
    let (naive, guarded) = storm.recovered();
    json!({
        "amplification": { "naive": amplified.naive, "budgeted": amplified.budgeted },
        "storm": {
            "phases": storm.phases.iter().map(|phase| phase.as_str()).collect::<Vec<_>>(),
            "naive": seconds(&storm.naive),
            "guarded": seconds(&storm.guarded),
            "recovered": { "naive": naive, "guarded": guarded },
        },
    })
}
