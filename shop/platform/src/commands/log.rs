//! `switchboard log`: the files of the log, verified without changing them, and the records of a running platform.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use switchboard_core::BoxError;
use switchboard_log::Verified;
use switchboard_log::file::OsFiles;

use super::remote::{Remote, segment};
use super::runtime;
use super::show::{self, text};
use crate::backends::BrokerUrl;
use crate::cli::Log;
use crate::settings::Settings;

/// Runs one of the actions. Damage makes the exit code 1.
///
/// # Errors
/// What keeps the log from being read.
pub fn run(settings: &Settings, action: &Log) -> Result<ExitCode, BoxError> {
    match action {
        Log::Inspect { json } => match &settings.broker.value {
            BrokerUrl::Embedded => inspect(&settings.data.value.join("log"), *json),
            other => Err(not_here(other).into()),
        },
        Log::Read { topic, partition, after, limit, json } => {
            let path = format!(
                "/api/v1/operator/records?topic={}&partition={partition}&after={after}\
                 &limit={limit}",
                segment(topic)
            );
            let page = runtime()?.block_on(Remote::of(settings)?.get(&path))?;
            read(&page, *json);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// There are no files to look into.
fn not_here(broker: &BrokerUrl) -> String {
    let how = match broker {
        BrokerUrl::Kafka(_) => "`switchboard log read TOPIC` shows its records",
        _ => "it keeps no history, only what waits; its own tools and the console show how much",
    };
    format!("the log's files are the embedded broker's, and the broker is {broker}: {how}")
}

/// Reads every segment of a log's folder and verifies every record in it.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn verify(folder: &Path) -> Result<Vec<Verified>, BoxError> {
    let verified = switchboard_log::verify(folder, &OsFiles);
    verified.map_err(|source| {
        format!(
            "cannot read the log in {}: {source}; name the data folder with --data DIR",
            folder.display()
        )
        .into()
    })
}

fn inspect(folder: &Path, json: bool) -> Result<ExitCode, BoxError> {
    let segments = verify(folder)?;
    let damaged = segments.iter().filter(|segment| segment.damage.is_some()).count();
    if json {
        let items: Vec<_> = segments.iter().map(segment_json).collect();
        show::json(&json!({ "items": items, "damaged": damaged }));
    } else {
        let rows = segments.iter().map(|segment| {
            let (first, last) = segment.sequences.unwrap_or_default();
            [
                segment.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                segment.records.to_string(),
                segment.bytes.to_string(),
                format!("{first}–{last}"),
                segment.epoch.to_string(),
                standing(segment),
            ]
        });
        let names = ["segment", "records", "bytes", "syncs", "epoch", "verified"];
        show::line(&show::table(names, rows));
        let records: u64 = segments.iter().map(|segment| segment.records).sum();
        show::line(&format!("\n{records} records in {} segments", segments.len()));
    }
    if damaged > 0 {
        return Err(format!(
            "{damaged} segments are damaged: keep the folder for a repair, and put a backup in its \
             place"
        )
        .into());
    }
    Ok(ExitCode::SUCCESS)
}

fn standing(segment: &Verified) -> String {
    match (&segment.damage, segment.unfinished) {
        (Some(damage), _) => format!("DAMAGED: {damage}"),
        (None, true) => {
            "sound; an unfinished write at its end, which was never acknowledged".to_owned()
        }
        (None, false) => "sound".to_owned(),
    }
}

fn segment_json(segment: &Verified) -> Value {
    json!({
        "id": segment.id,
        "path": segment.path,
        "records": segment.records,
        "bytes": segment.bytes,
        "epoch": segment.epoch,
        "unfinished": segment.unfinished,
        "damage": segment.damage.as_ref().map(ToString::to_string),
    })
}

fn read(page: &Value, json: bool) {
    if json {
        show::json(page);
        return;
    }
    let items = page["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        show::line("no record there; try another --partition, or an earlier --after");
        return;
    }
    let rows = items.iter().map(|item| {
        [
            text(item, "position"),
            show::clock(&text(item, "time")),
            text(item, "kind"),
            text(item, "key"),
            text(item, "source"),
            text(item, "payload"),
        ]
    });
    show::line(&show::table(["position", "time", "kind", "key", "source", "payload"], rows));
}
