//! Copying everything as of one moment, while everything goes on.
//!
//! All stores are kept from committing while a snapshot of each is opened and the log's end is noted: some milliseconds. The copying comes
//! after that, from the snapshots. The folder appears under its name when it is whole and synced, or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use shop_edge::auth::{OPERATOR_TOKEN, RETIRED_KEY, SEAL_KEY, SIGNING_KEY};
use switchboard_core::Clock;
use switchboard_log::Moment;
use switchboard_log::file::OsFiles;
use switchboard_message_log::LogBroker;
use switchboard_store_sqlite::SqliteStore;
use switchboard_store_sqlite::backup::{CopyError, Snapshot};

use super::files;
use super::manifest::{FILE, FORMAT, LogPart, Manifest, StorePart, Sum};

/// Where stores lie in a backup.
const STORES: &str = "stores";
/// Where the log lies in a backup.
const LOG: &str = "log";
/// Where the secrets lie in a backup.
pub(super) const KEYS: &str = "keys";
/// The secrets, as they are called in a data folder.
pub(super) const SECRETS: [&str; 2] = [SIGNING_KEY, OPERATOR_TOKEN];
/// Those that are there once the signing key was rotated.
pub(super) const ROTATED: [&str; 2] = [RETIRED_KEY, SEAL_KEY];
/// Where the settings file lies in a backup.
const SETTINGS: &str = "settings/switchboard.toml";

/// Everything that a backup holds.
#[derive(Debug)]
pub struct Sources {
    /// The data folder.
    pub folder: PathBuf,
    /// The stores, or why they are not files of ours.
    pub stores: Result<Vec<StoreFile>, String>,
    /// The embedded broker, if it is that.
    pub broker: Option<LogBroker>,
    /// The settings file, if there is one.
    pub settings: Option<PathBuf>,
}

/// The store of a service.
#[derive(Clone, Debug)]
pub struct StoreFile {
    /// The service.
    pub service: &'static str,
    /// The name of its file.
    pub file: &'static str,
    /// The store.
    pub store: SqliteStore,
}

/// How far a copy has come, and whether it is still wanted.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes that are copied.
    pub copied: AtomicU64,
    /// Set by whoever does not want it any more.
    pub stop: AtomicBool,
}

/// A backup that was not taken. Nothing is left of it, and the shop is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Something is there already.
    #[error("{0} exists already, and a backup never changes another: name a new folder")]
    Exists(PathBuf),
    /// There is no place for it.
    #[error("{0} has no parent folder: name a folder in one that exists")]
    NoParent(PathBuf),
    /// The stores are somebody else's.
    #[error("{0}")]
    Elsewhere(String),
    /// A store was not copied.
    #[error("the store of `{service}` cannot be copied")]
    Store {
        /// The service.
        service: &'static str,
        /// Why not.
        #[source]
        source: CopyError,
    },
    /// The log is damaged.
    #[error("the log is damaged: keep the data folder for a repair; see `switchboard log inspect`")]
    Log(#[source] switchboard_log::Damage),
    /// A file cannot be read or written.
    #[error("{path} cannot be {what}: look for space and rights")]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It was not wanted any more.
    #[error("the platform ends, and with it the backup; nothing is left of it")]
    GivenUp,
}

/// A backup on its way, in a folder of another name.
struct Taking<'a> {
    into: PathBuf,
    sums: Vec<(String, Sum)>,
    progress: &'a Progress,
}

/// Takes a backup. Blocks for as long as the disk takes.
///
/// # Errors
/// [`BackupError`].
pub fn take(
    sources: &Sources,
    target: &Path,
    progress: &Progress,
    clock: &dyn Clock,
) -> Result<Manifest, BackupError> {
    let stores = sources.stores.as_ref().map_err(|why| BackupError::Elsewhere(why.clone()))?;
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(BackupError::NoParent(target.to_owned()));
    };
    if !parent.is_dir() {
        return Err(BackupError::NoParent(target.to_owned()));
    }
    // A name that nobody takes for a backup; the folder goes by itself when anything fails.
    let prefix = format!(".{}.unfinished-", name.to_string_lossy());
    let unfinished = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(file_error(parent, "written"))?;
    let into = unfinished.path().to_owned();
    let mut taking = Taking { into, sums: Vec::new(), progress };

    let hold = sources.broker.as_ref().map(|broker| broker.log().hold());
    let begun = Instant::now();
    let pauses: Vec<_> = stores.iter().map(|it| it.store.pause()).collect();
    let moment = hold.as_ref().map(|hold| hold.moment());
    let taken_at = clock.now();
    let snapshots = stores.iter().map(|it| {
        let snapshot = it.store.snapshot();
        snapshot.map_err(|source| BackupError::Store { service: it.service, source })
    });
    let snapshots: Vec<_> = snapshots.collect::<Result<_, _>>()?;
    drop(pauses);
    let paused = begun.elapsed();

    let mut parts = Vec::new();
    for (store, snapshot) in stores.iter().zip(snapshots) {
        parts.push(taking.store(store, snapshot)?);
    }
    let log = moment.map(|moment| taking.log(&moment)).transpose()?;
    drop(hold);
    taking.keys(&sources.folder)?;
    let settings = taking.settings(sources.settings.as_deref())?;
    let manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at,
        paused_micros: u64::try_from(paused.as_micros()).unwrap_or(u64::MAX),
        stores: parts,
        log,
        settings,
        files: taking.sums.drain(..).collect(),
    };
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    let path = taking.into.join(FILE);
    files::write(&path, &text).map_err(file_error(&path, "written"))?;
    files::sync_dirs(&taking.into).map_err(file_error(&taking.into, "synced"))?;
    name_it(unfinished, target)?;
    files::sync_dir(parent).map_err(file_error(parent, "synced"))?;
    Ok(manifest)
}

/// Gives the folder its name, unless somebody has taken that meanwhile.
fn name_it(unfinished: tempfile::TempDir, target: &Path) -> Result<(), BackupError> {
    let from = unfinished.path();
    let renamed = renameat_with(CWD, from, CWD, target, RenameFlags::NOREPLACE);
    let renamed = match renamed {
        // Not every file system can; then only a moment is unguarded.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(from, target),
        other => other.map_err(io::Error::from),
    };
    match renamed {
        Ok(()) => {
            // It is not there any more under the name that would be deleted.
            let _renamed = unfinished.keep();
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(BackupError::Exists(target.to_owned()))
        }
        Err(source) => Err(file_error(target, "written")(source)),
    }
}

// === impl Progress ===

impl Progress {
    /// Counts, and says whether to go on.
    fn count(&self, bytes: u64) -> bool {
        self.copied.fetch_add(bytes, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

// === impl Taking ===

impl Taking<'_> {
    fn store(&mut self, store: &StoreFile, snapshot: Snapshot) -> Result<StorePart, BackupError> {
        let name = format!("{STORES}/{}", store.file);
        let path = self.place(&name)?;
        // SQLite takes an empty file as it is, with the rights that it has.
        files::create(&path).map_err(file_error(&path, "written"))?;
        snapshot.copy_to(&path, &mut |bytes| self.progress.count(bytes)).map_err(|source| {
            match source {
                CopyError::GivenUp => BackupError::GivenUp,
                source => BackupError::Store { service: store.service, source },
            }
        })?;
        let part = StorePart {
            service: store.service.to_owned(),
            file: name.clone(),
            incarnation: snapshot.identity().incarnation,
            position: snapshot.position().0,
        };
        drop(snapshot);
        let sum = files::sum(&path).map_err(file_error(&path, "read"))?;
        self.sums.push((name, sum));
        Ok(part)
    }

    fn log(&mut self, moment: &Moment) -> Result<LogPart, BackupError> {
        for extent in &moment.segments {
            let file = extent.path.file_name().unwrap_or_default().to_string_lossy();
            self.copy(&extent.path, &format!("{LOG}/{file}"), extent.bytes)?;
        }
        let folder = self.into.join(LOG);
        let verified =
            switchboard_log::verify(&folder, &OsFiles).map_err(file_error(&folder, "read"))?;
        if let Some(damage) = verified.into_iter().find_map(|segment| segment.damage) {
            return Err(BackupError::Log(damage));
        }
        let channels = moment.channels.iter().cloned().collect();
        Ok(LogPart { folder: LOG.to_owned(), epoch: moment.epoch, channels })
    }

    fn keys(&mut self, folder: &Path) -> Result<(), BackupError> {
        for secret in SECRETS {
            self.whole(&folder.join(secret), &format!("{KEYS}/{secret}"))?;
        }
        for secret in ROTATED {
            let file = folder.join(secret);
            if file.exists() {
                self.whole(&file, &format!("{KEYS}/{secret}"))?;
            }
        }
        Ok(())
    }

    fn settings(&mut self, file: Option<&Path>) -> Result<Option<String>, BackupError> {
        let Some(file) = file else { return Ok(None) };
        self.whole(file, SETTINGS)?;
        Ok(Some(SETTINGS.to_owned()))
    }

    fn whole(&mut self, from: &Path, name: &str) -> Result<(), BackupError> {
        let bytes = fs::metadata(from).map_err(file_error(from, "read"))?.len();
        self.copy(from, name, bytes)
    }

    fn copy(&mut self, from: &Path, name: &str, bytes: u64) -> Result<(), BackupError> {
        let to = self.place(name)?;
        let copied = files::copy(from, &to, bytes, &mut |bytes| self.progress.count(bytes));
        let sum = copied.map_err(|source| match source.kind() {
            io::ErrorKind::Interrupted => BackupError::GivenUp,
            _ => file_error(from, "copied")(source),
        })?;
        self.sums.push((name.to_owned(), sum));
        Ok(())
    }

    /// Where a file goes; its folder is made.
    fn place(&self, name: &str) -> Result<PathBuf, BackupError> {
        let path = self.into.join(name);
        if let Some(folder) = path.parent() {
            files::make_dir(folder).map_err(file_error(folder, "created"))?;
        }
        Ok(path)
    }
}

fn file_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, what, source }
}
