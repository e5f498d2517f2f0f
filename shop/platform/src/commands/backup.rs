//! `switchboard backup`: asks the platform that runs on the data folder for a copy of everything; takes it itself when none runs.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard_core::{BoxError, Clock, Rng, SystemClock};

use super::remote::{Remote, RemoteError};
use super::runtime;
use super::show::{self, text};
use crate::backends::BrokerUrl;
use crate::backup::job::PATH;
use crate::backup::take::{Progress, take};
use crate::backup::{Manifest, Sources};
use crate::cli::Backup;
use crate::folder::{self, Folder};
use crate::settings::Settings;
use crate::topology;

/// Between two looks at a backup that runs.
const LOOK: Duration = Duration::from_millis(100);

/// Takes the backup and says what it is.
///
/// # Errors
/// What keeps it from being taken; nothing is left of it then.
pub fn run(settings: &Settings, wanted: &Backup) -> Result<ExitCode, BoxError> {
    let target = std::path::absolute(&wanted.folder)?;
    let data = &settings.data.value;
    let summary = if settings.url.value.is_some() || folder::is_held(data) {
        runtime()?.block_on(remote(&Remote::of(settings)?, &target))?
    } else {
        alone(settings, &target)?
    };
    if wanted.json {
        show::json(&summary);
        return Ok(ExitCode::SUCCESS);
    }
    let bytes = summary["bytes"].as_u64().unwrap_or_default();
    let paused = summary["paused_micros"].as_u64().unwrap_or_default();
    let log =
        if summary["log"] == true { " and the log" } else { ", and no log: the broker has it" };
    show::line(&format!("backup    {}", target.display()));
    show::line(&format!("holds     {} stores{log}, {}", text(&summary, "stores"), size(bytes)));
    show::line(&format!("as of     {}", text(&summary, "taken_at")));
    show::line(&format!("commits   waited {}.{:01} ms", paused / 1_000, paused % 1_000 / 100));
    show::line("\nIt holds the keys and the operator's token: keep it where only you can read it.");
    Ok(ExitCode::SUCCESS)
}

/// Lets the platform take it, and waits.
async fn remote(remote: &Remote, target: &Path) -> Result<Value, BoxError> {
    remote.post(PATH, Some(json!({ "folder": target }))).await?;
    loop {
        let state = remote.get(PATH).await?;
        match (&*text(&state, "state"), state["folder"] == json!(target)) {
            ("running", true) => tokio::time::sleep(LOOK).await,
            ("done", true) => return Ok(state),
            ("failed", true) => return Err(text(&state, "error").into()),
            // It was begun, so somebody else has begun another one after it.
            _ => {
                let why = "the platform takes another backup by now: look whether yours is there";
                return Err(RemoteError::Refused(why.to_owned()).into());
            }
        }
    }
}

/// Takes it in this process, which holds the folder meanwhile.
fn alone(settings: &Settings, target: &Path) -> Result<Value, BoxError> {
    let data = &settings.data.value;
    if !data.join("operator-token").exists() {
        let data = data.display();
        return Err(format!("{data} holds no shop: name its folder with --data DIR").into());
    }
    let folder = Folder::open(data)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut rng = Rng::from_entropy();
    let (engines, services) = (settings.engines(), topology::services());
    runtime()?.block_on(async {
        let stores = engines.stores(folder.path(), &services, &clock, &mut rng).await?;
        let carrier = match engines.broker == BrokerUrl::Embedded {
            true => Some(engines.broker(folder.path(), &topology::whole()?, &clock).await?),
            false => None,
        };
        let sources = Sources {
            folder: folder.path().to_owned(),
            stores: stores.files,
            broker: carrier.as_ref().and_then(|carrier| carrier.embedded.clone()),
            settings: settings.file(),
        };
        drop(stores.all);
        let manifest = take(&sources, target, &Progress::default(), &*clock)?;
        drop(sources);
        if let Some(carrier) = carrier {
            carrier.close().await;
        }
        Ok::<_, BoxError>(summary(&manifest))
    })
}

/// What is said about a backup.
pub(crate) fn summary(manifest: &Manifest) -> Value {
    json!({
        "taken_at": manifest.taken_at,
        "paused_micros": manifest.paused_micros,
        "stores": manifest.stores.len(),
        "log": manifest.log.is_some(),
        "bytes": manifest.bytes(),
    })
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}
