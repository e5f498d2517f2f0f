//! `switchboard dead`: keys that are parked behind a failed message, in all services at once.

use std::process::ExitCode;

use serde_json::{Value, json};
use switchboard_core::BoxError;

use super::remote::{Remote, RemoteError, segment};
use super::runtime;
use super::show::{self, text};
use crate::cli::Dead;
use crate::settings::Settings;
use crate::topology;

/// Runs one of the actions.
///
/// # Errors
/// What the platform refuses, or that it cannot be reached.
pub fn run(settings: &Settings, action: Dead) -> Result<ExitCode, BoxError> {
    let remote = Remote::of(settings)?;
    runtime()?.block_on(async {
        match action {
            Dead::List { service, json } => list(&remote, service.as_deref(), json).await,
            Dead::Show { group, key, json } => show_key(&remote, &group, &key, json).await,
            Dead::Replay { all: true, dry_run, .. } => replay_all(&remote, dry_run).await,
            Dead::Replay { group, key, dry_run, .. } => {
                let (group, key) = (group.unwrap_or_default(), key.unwrap_or_default());
                let item = find(&remote, &group, &key).await?;
                replay(&remote, &item, dry_run).await
            }
            Dead::Skip { group, key, reason } => skip(&remote, &group, &key, &reason).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Blocked keys of all services, or of one.
async fn blocked(remote: &Remote, service: Option<&str>) -> Result<Vec<Value>, BoxError> {
    let mut all = Vec::new();
    let mut names: Vec<_> = topology::services().iter().map(|service| service.name).collect();
    if let Some(wanted) = service {
        names.retain(|name| *name == wanted);
        if names.is_empty() {
            return Err(format!("there is no service `{wanted}`").into());
        }
    }
    for name in names {
        let page = remote.get(&format!("/api/v1/operator/{name}/dead")).await?;
        all.extend(page["items"].as_array().cloned().unwrap_or_default());
    }
    all.sort_by_key(|item| text(item, "since"));
    Ok(all)
}

async fn list(remote: &Remote, service: Option<&str>, json: bool) -> Result<(), BoxError> {
    let items = blocked(remote, service).await?;
    if json {
        show::json(&json!({ "items": items }));
        return Ok(());
    }
    if items.is_empty() {
        show::line("no key is blocked: every message was handled, or is being handled");
        return Ok(());
    }
    let rows = items.iter().map(|item| {
        let head = &item["head"];
        [
            text(item, "service"),
            text(item, "group"),
            text(item, "key"),
            text(item, "state"),
            text(item, "depth"),
            text(head, "kind"),
            last_error(head),
        ]
    });
    let names = ["service", "group", "key", "state", "depth", "message", "last failure"];
    show::line(&show::table(names, rows));
    show::line("\nlook at one: switchboard dead show GROUP KEY");
    Ok(())
}

/// The newest failure of a message.
fn last_error(waiting: &Value) -> String {
    if waiting["undecodable"].is_string() {
        return text(waiting, "undecodable");
    }
    let last = waiting["failures"].as_array().and_then(|failures| failures.last());
    last.map(|last| text(last, "error")).unwrap_or_default()
}

async fn find(remote: &Remote, group: &str, key: &str) -> Result<Value, BoxError> {
    let all = blocked(remote, None).await?;
    let found = all.into_iter().find(|item| item["group"] == group && item["key"] == key);
    found.ok_or_else(|| {
        format!(
            "the key `{key}` of group `{group}` is not blocked; `switchboard dead list` shows \
             which are"
        )
        .into()
    })
}

fn path(item: &Value, action: &str) -> String {
    format!(
        "/api/v1/operator/{}/dead/{}/{}{action}",
        segment(&text(item, "service")),
        segment(&text(item, "group")),
        segment(&text(item, "key")),
    )
}

async fn show_key(remote: &Remote, group: &str, key: &str, json: bool) -> Result<(), BoxError> {
    let item = find(remote, group, key).await?;
    let item = remote.get(&path(&item, "")).await?;
    if json {
        show::json(&item);
        return Ok(());
    }
    for (name, value) in [
        ("service", text(&item, "service")),
        ("group", text(&item, "group")),
        ("key", text(&item, "key")),
        ("state", text(&item, "state")),
        ("since", text(&item, "since")),
        ("depth", text(&item, "depth")),
    ] {
        show::line(&format!("{name:<8} {value}"));
    }
    let waiting = item["waiting"].as_array().cloned().unwrap_or_default();
    for (index, message) in waiting.iter().enumerate() {
        let role = if index == 0 { "failed" } else { "waits behind" };
        show::line(&format!(
            "\n{role}: {} {} (entry {}, since {})",
            text(message, "kind"),
            text(message, "id"),
            text(message, "entry"),
            text(message, "since"),
        ));
        if message["undecodable"].is_string() {
            show::line(&format!("  cannot be decoded: {}", text(message, "undecodable")));
        }
        if !message["payload"].is_null() {
            show::line(&format!("  {}", message["payload"]));
        }
        for failure in message["failures"].as_array().into_iter().flatten() {
            show::line(&format!(
                "  attempt {} at {} ({}): {}",
                text(failure, "attempt"),
                show::clock(&text(failure, "at")),
                text(failure, "verdict"),
                text(failure, "error"),
            ));
        }
    }
    Ok(())
}

async fn replay(remote: &Remote, item: &Value, dry_run: bool) -> Result<(), BoxError> {
    let (group, key, depth) = (text(item, "group"), text(item, "key"), text(item, "depth"));
    if dry_run {
        show::line(&format!("would try {depth} messages of {group} {key}, in order"));
        return Ok(());
    }
    remote.post(&path(item, "/replay"), None).await?;
    show::line(&format!("{group} {key} is tried again: {depth} messages, in order"));
    Ok(())
}

async fn replay_all(remote: &Remote, dry_run: bool) -> Result<(), BoxError> {
    let mut items = blocked(remote, None).await?;
    items.retain(|item| item["state"] == "parked");
    if items.is_empty() {
        show::line("no key is parked");
    }
    for item in &items {
        // One that somebody else has just released must not keep the others waiting.
        if let Err(error) = replay(remote, item, dry_run).await {
            let error = switchboard_core::chain(&*error);
            show::line(&format!("{} {}: {error}", text(item, "group"), text(item, "key")));
        }
    }
    Ok(())
}

async fn skip(remote: &Remote, group: &str, key: &str, reason: &str) -> Result<(), BoxError> {
    let item = find(remote, group, key).await?;
    let Some(entry) = item["head"]["entry"].as_i64() else {
        return Err(RemoteError::Refused("nothing waits behind this key".to_owned()).into());
    };
    let body = json!({ "entry": entry, "reason": reason });
    remote.post(&path(&item, "/skip"), Some(body)).await?;
    show::line(&format!("dropped entry {entry} of {group} {key}; what waited behind it goes on"));
    Ok(())
}
