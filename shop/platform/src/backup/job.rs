//! A backup as operators ask a running platform for it: begun by one call, looked at by others, one at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{FromRef, State};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use shop_edge::{Auth, Input, Principal, Problem};
use switchboard_core::{Clock, chain};
use tokio_util::sync::CancellationToken;

use super::manifest::Manifest;
use super::take::{BackupError, Progress, Sources, take};

/// The path under which backups are begun and looked at.
pub const PATH: &str = "/api/v1/operator/backup";

/// Backups of this platform.
#[derive(Clone)]
pub(crate) struct Jobs {
    sources: Arc<Sources>,
    auth: Arc<Auth>,
    clock: Arc<dyn Clock>,
    end: CancellationToken,
    state: Arc<Mutex<Standing>>,
}

/// The last backup.
#[derive(Default)]
enum Standing {
    #[default]
    None,
    Running(PathBuf, Arc<Progress>),
    Done(PathBuf, Box<Manifest>),
    Failed(PathBuf, String),
}

impl FromRef<Jobs> for Arc<Auth> {
    fn from_ref(jobs: &Jobs) -> Self {
        jobs.auth.clone()
    }
}

// === impl Jobs ===

impl Jobs {
    /// Backups of these sources; one that runs ends with `end`.
    pub(crate) fn new(
        sources: Sources,
        auth: Arc<Auth>,
        clock: Arc<dyn Clock>,
        end: CancellationToken,
    ) -> Self {
        Self { sources: Arc::new(sources), auth, clock, end, state: Arc::default() }
    }

    /// Their routes.
    pub(crate) fn routes(self) -> Router {
        Router::new().route(PATH, post(begin).get(look)).with_state(self)
    }

    fn begin(&self, folder: &Path) -> Result<(), Problem> {
        let progress = Arc::new(Progress::default());
        {
            let mut state = self.state.lock();
            if let Standing::Running(other, _) = &*state {
                let other = other.display();
                return Err(Problem::conflict(format!("A backup to {other} runs already.")));
            }
            *state = Standing::Running(folder.to_owned(), progress.clone());
        }
        let (jobs, folder) = (self.clone(), folder.to_owned());
        let copying = progress.clone();
        let copied = tokio::task::spawn_blocking({
            let (jobs, folder) = (self.clone(), folder.clone());
            move || take(&jobs.sources, &folder, &copying, &*jobs.clock)
        });
        tokio::spawn(async move {
            tokio::pin!(copied);
            let ended = tokio::select! {
                ended = &mut copied => ended,
                () = jobs.end.cancelled() => {
                    progress.stop.store(true, Ordering::Relaxed);
                    copied.await
                }
            };
            *jobs.state.lock() = match ended {
                Ok(Ok(manifest)) => Standing::Done(folder, Box::new(manifest)),
                Ok(Err(error)) => Standing::failed(folder, &error),
                Err(crash) => Standing::Failed(folder, crash.to_string()),
            };
        });
        Ok(())
    }
}

impl Standing {
    fn failed(folder: PathBuf, error: &BackupError) -> Self {
        let error = chain(error);
        tracing::warn!(folder = %folder.display(), error, "a backup was not taken");
        Self::Failed(folder, error)
    }

    fn json(&self) -> Value {
        match self {
            Self::None => json!({ "state": "none" }),
            Self::Running(folder, progress) => json!({
                "state": "running",
                "folder": folder,
                "copied": progress.copied.load(Ordering::Relaxed),
            }),
            Self::Done(folder, manifest) => json!({
                "state": "done",
                "folder": folder,
                "taken_at": manifest.taken_at,
                "paused_micros": manifest.paused_micros,
                "stores": manifest.stores.len(),
                "log": manifest.log.is_some(),
                "bytes": manifest.bytes(),
            }),
            Self::Failed(folder, error) => json!({
                "state": "failed",
                "folder": folder,
                "error": error,
            }),
        }
    }
}

/// `{"folder": "/backups/monday"}` begins a backup on the machine of the platform.
async fn begin(
    State(jobs): State<Jobs>,
    caller: Principal,
    mut input: Input,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.require_operator()?;
    let folder = PathBuf::from(input.text("folder", 1..=4_096));
    if !folder.is_absolute() {
        input.wrong("folder", "absolute", "must begin with `/`: it is a folder of this machine");
    }
    input.finish()?;
    if let Err(why) = &jobs.sources.stores {
        return Err(Problem::conflict(why.clone()));
    }
    jobs.begin(&folder)?;
    let state = jobs.state.lock().json();
    Ok((StatusCode::ACCEPTED, Json(state)))
}

/// How the last backup stands.
async fn look(State(jobs): State<Jobs>, caller: Principal) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let state = jobs.state.lock().json();
    Ok(Json(state))
}
