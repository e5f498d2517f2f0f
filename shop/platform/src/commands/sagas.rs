//! `switchboard sagas`: orders on their way, and those that wait for a person.

use std::process::ExitCode;

use serde_json::{Value, json};
use switchboard_core::BoxError;

use super::remote::{Remote, segment};
use super::runtime;
use super::show::{self, text};
use crate::cli::Sagas;
use crate::settings::Settings;

const PATH: &str = "/api/v1/operator/sagas";

/// Runs one of the actions.
///
/// # Errors
/// What the platform refuses, or that it cannot be reached.
pub fn run(settings: &Settings, action: Sagas) -> Result<ExitCode, BoxError> {
    let remote = Remote::of(settings)?;
    runtime()?.block_on(async {
        match action {
            Sagas::List { state, limit, json } => list(&remote, state, limit, json).await,
            Sagas::Show { id, json } => show_one(&remote, &id, json).await,
            Sagas::Retry { id } => {
                remote.post(&format!("{PATH}/{}/retry", segment(&id)), None).await?;
                show::line(&format!("{id}: what was stuck is tried again"));
                Ok(())
            }
            Sagas::Resolve { id, reason } => {
                let path = format!("{PATH}/{}/resolution", segment(&id));
                remote.post(&path, Some(json!({ "reason": reason }))).await?;
                show::line(&format!("{id}: resolved by hand; the rest goes on"));
                Ok(())
            }
            Sagas::Diagram { id, svg } => diagram(&remote, id.as_deref(), svg).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(
    remote: &Remote,
    state: Option<String>,
    limit: u32,
    json: bool,
) -> Result<(), BoxError> {
    let phase =
        state.as_ref().map(|state| format!("?phase={}", segment(state))).unwrap_or_default();
    let page = remote.get(&format!("{PATH}{phase}")).await?;
    let mut items = page["items"].as_array().cloned().unwrap_or_default();
    items.truncate(limit as usize);
    if json {
        show::json(&json!({ "items": items }));
        return Ok(());
    }
    if items.is_empty() {
        show::line(&match state {
            Some(state) => format!("no saga is {state}"),
            None => "no sagas yet; one begins with every order that is placed".to_owned(),
        });
        return Ok(());
    }
    let rows = items.iter().map(|item| {
        [
            text(item, "instance"),
            text(item, "phase"),
            text(item, "step"),
            text(item, "reason"),
            text(item, "updated_at"),
        ]
    });
    show::line(&show::table(["order", "phase", "step", "reason", "last moved"], rows));
    Ok(())
}

async fn show_one(remote: &Remote, id: &str, json: bool) -> Result<(), BoxError> {
    let saga = remote.get(&format!("{PATH}/{}", segment(id))).await?;
    if json {
        show::json(&saga);
        return Ok(());
    }
    for field in ["instance", "phase", "step", "reason", "waiting_since"] {
        let value = text(&saga, field);
        if !value.is_empty() {
            show::line(&format!("{:<14} {value}", field.replace('_', " ")));
        }
    }
    let events = saga["events"].as_array().cloned().unwrap_or_default();
    let rows = events.iter().map(|event| {
        let data = &event["data"];
        let data = if data.is_null() { String::new() } else { short(data) };
        [text(event, "seq"), show::clock(&text(event, "at")), text(event, "type"), data]
    });
    show::line("");
    show::line(&show::table(["#", "at", "what", "with"], rows));
    Ok(())
}

/// Data of an event on one line.
fn short(data: &Value) -> String {
    let text = data.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

async fn diagram(remote: &Remote, id: Option<&str>, svg: bool) -> Result<(), BoxError> {
    let path = match id {
        Some(id) => format!("{PATH}/{}/diagram.svg", segment(id)),
        None if svg => format!("{PATH}/diagram?format=svg"),
        None => format!("{PATH}/diagram?format=mermaid"),
    };
    let drawn = remote.get(&path).await?;
    show::line(drawn.as_str().unwrap_or_default().trim_end());
    Ok(())
}
