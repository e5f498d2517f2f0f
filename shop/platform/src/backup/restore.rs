//! Putting a backup back: the whole shop, or one service while the others stay as they are.
//!
//! Everything is verified, copied beside the data, opened and made ready there; only then it takes the place of what was, by renames. What
//! was is kept in a folder of its own until a person deletes it. A mark in the data folder says that a restore has begun, so nothing starts
//! on a folder that is half one thing and half another; the same restore, run again, takes it to its end.
//!
//! A store that is put back begins a new incarnation, above every one that it had before or that the broker knows: consumers keep their
//! marks of the lives that are lost. A log that is put back begins a new epoch.

mod error;
mod fit;
mod swap;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchboard_core::{Clock, Position, Rng, Timestamp};
use switchboard_log::Log;
use switchboard_message::Inspect;
use switchboard_message_log::LogBroker;
use switchboard_store::Outbox;
use switchboard_store_sqlite::{SqliteStore, compare};

use super::files;
use super::loss::Loss;
use super::manifest::{Manifest, StorePart};
use super::take::{KEYS, ROTATED, SECRETS};
use crate::backends::sqlite;
use crate::folder::{Folder, UNFINISHED};
use crate::topology::{self, Service};

pub use error::RestoreError;
use error::{file_error, open_error};
use swap::Mark;

/// Where everything is made ready, in the data folder.
const STAGE: &str = "restoring";
/// Begins the name of the folder in which is kept what was.
const ASIDE: &str = "before-restore-";
/// The log, in a data folder.
const LOG: &str = "log";

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The backup.
    pub backup: PathBuf,
    /// Only this service; everything when absent.
    pub only: Option<String>,
    /// Whether data that is there may be moved aside.
    pub force: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Restored {
    /// The moment that was put back.
    pub taken_at: Timestamp,
    /// The services.
    pub services: Vec<String>,
    /// The lives that their stores began.
    pub incarnations: Vec<u32>,
    /// The epoch that the log began, if it was put back.
    pub epoch: Option<u64>,
    /// What cannot come back, for each service that lost something.
    pub losses: Vec<Loss>,
    /// Where what was is kept; absent when nothing was there.
    pub aside: Option<PathBuf>,
    /// The settings file of then, in the backup: it is not put in place.
    pub settings: Option<PathBuf>,
}

/// A restore on its way.
struct Restoring<'a> {
    wanted: &'a Wanted,
    manifest: Manifest,
    folder: Folder,
    /// Where everything is made ready.
    stage: PathBuf,
    /// Where what was is kept.
    aside: PathBuf,
    clock: Arc<dyn Clock>,
    rng: Rng,
}

/// Puts a backup back into a data folder that nothing runs on. Blocks, and calls asynchronous
/// parts on `runtime`.
///
/// # Errors
/// [`RestoreError`], whose text says what to do.
pub fn restore(
    wanted: &Wanted,
    data: &Path,
    clock: Arc<dyn Clock>,
    rng: Rng,
    runtime: &tokio::runtime::Runtime,
) -> Result<Restored, RestoreError> {
    let manifest = Manifest::read(&wanted.backup)?;
    let services = chosen(wanted, &manifest)?;
    let needed: Vec<_> = services.iter().map(|(_, part)| part.file.as_str()).collect();
    let everything = wanted.only.is_none();
    manifest.verify(&wanted.backup, |name| everything || needed.contains(&name))?;
    let folder = Folder::open_unfinished(data)?;
    let mark = Mark::read(&folder)?;
    let scope = wanted.scope();
    match &mark {
        Some(mark) if mark.scope != scope => {
            return Err(RestoreError::Unfinished(mark.scope.clone()));
        }
        Some(_) => {}
        None if everything && !folder.is_new() && !wanted.force => {
            return Err(RestoreError::NotEmpty(data.to_owned()));
        }
        None if !everything && folder.is_new() => {
            return Err(RestoreError::Empty(data.to_owned()));
        }
        None => {}
    }
    let aside = mark.map_or_else(|| format!("{ASIDE}{}", stamp(clock.now())), |mark| mark.aside);
    let (stage, aside) = (data.join(STAGE), data.join(aside));
    let mut restoring = Restoring { wanted, manifest, folder, stage, aside, clock, rng };
    let restored = runtime.block_on(async {
        match services.as_slice() {
            [(service, part)] if !everything => restoring.one(*service, part).await,
            services => restoring.everything(services).await,
        }
    });
    if restored.is_err() && !data.join(UNFINISHED).exists() {
        // Nothing was touched, and what was made ready is made ready again next time.
        let _takes_only_space = fs::remove_dir_all(&restoring.stage);
    }
    restored
}

/// The services that are put back, with what the backup has of them.
fn chosen(wanted: &Wanted, manifest: &Manifest) -> Result<Vec<(Service, StorePart)>, RestoreError> {
    let all = topology::services()
        .into_iter()
        .filter_map(|service| manifest.store(service.name).map(|part| (service, part.clone())));
    let chosen: Vec<_> = match &wanted.only {
        None => all.collect(),
        Some(only) => all.filter(|(service, _)| service.name == *only).collect(),
    };
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let known: Vec<_> = manifest.stores.iter().map(|store| &*store.service).collect();
    Err(RestoreError::NoSuchService {
        backup: wanted.backup.clone(),
        service: wanted.only.clone().unwrap_or_default(),
        known: known.join(", "),
    })
}

// === impl Restoring ===

impl Restoring<'_> {
    /// The stores, the log and the keys.
    async fn everything(
        &mut self,
        services: &[(Service, StorePart)],
    ) -> Result<Restored, RestoreError> {
        let Some(log) = self.manifest.log.clone() else {
            return Err(RestoreError::NoLog(self.wanted.backup.clone()));
        };
        self.begin()?;
        let mut losses = Vec::new();
        let mut formers = Vec::new();
        for (service, part) in services {
            self.copy(&part.file, service.file)?;
            let replaced = self.replaced(service.file);
            let loss = Loss::between(service.name, &replaced, &self.stage.join(service.file));
            formers.push(incarnation_of(&replaced));
            if !loss.is_empty() {
                losses.push(loss);
            }
        }
        for name in self.manifest.files.keys().filter(|name| is_in(name, &log.folder)) {
            let to = format!("{LOG}/{}", &name[log.folder.len() + 1..]);
            self.copy(name, &to)?;
        }
        for secret in SECRETS {
            self.copy(&format!("{KEYS}/{secret}"), secret)?;
        }
        for secret in ROTATED {
            let name = format!("{KEYS}/{secret}");
            if self.manifest.files.contains_key(&name) {
                self.copy(&name, secret)?;
            }
        }
        let epoch = self.new_epoch(log.epoch)?;
        let broker = self.broker(&self.stage.join(LOG))?;
        let mut incarnations = Vec::new();
        for ((service, _), former) in services.iter().zip(formers) {
            let store = self.store(service)?;
            self.fits(service, &store, &broker).await?;
            incarnations.push(self.begin_life(&store, former).await?);
        }
        broker.close().await;
        let old = self.present_entries()?;
        self.finish(&old)?;
        Ok(self.restored(services, incarnations, Some(epoch), losses))
    }

    /// One store, while the others and the log stay.
    async fn one(&mut self, service: Service, part: &StorePart) -> Result<Restored, RestoreError> {
        self.begin()?;
        self.copy(&part.file, service.file)?;
        let staged = self.stage.join(service.file);
        let replaced = self.replaced(service.file);
        let mut loss = Loss::between(service.name, &replaced, &staged);
        let broker = self.broker(&self.folder.path().join(LOG))?;
        self.is_kept(&service, &staged, &broker).await?;
        let former = incarnation_of(&replaced);
        let store = self.store(&service)?;
        let failed = |source| open_error(service.file.to_owned(), source);
        loss.add_published(&store, &broker, self.manifest.log.as_ref()).await.map_err(failed)?;
        let published = broker.published_by(service.name).await.map_err(failed)?;
        let known = published.iter().map(|it| it.incarnation).max().unwrap_or(0);
        let incarnation = self.begin_life(&store, former.max(known)).await?;
        drop(store);
        self.rewind(&staged, &broker).await;
        broker.close().await;
        let old: Vec<_> = self
            .present_entries()?
            .into_iter()
            .filter(|name| name.starts_with(service.file))
            .collect();
        self.finish(&old)?;
        let losses = if loss.is_empty() { Vec::new() } else { vec![loss] };
        let services = [(service, part.clone())];
        Ok(self.restored(&services, vec![incarnation], None, losses))
    }

    fn restored(
        &self,
        services: &[(Service, StorePart)],
        incarnations: Vec<u32>,
        epoch: Option<u64>,
        losses: Vec<Loss>,
    ) -> Restored {
        Restored {
            taken_at: self.manifest.taken_at,
            services: services.iter().map(|(service, _)| service.name.to_owned()).collect(),
            incarnations,
            epoch,
            losses,
            aside: self.aside.exists().then(|| self.aside.clone()),
            settings: self.manifest.settings.as_ref().map(|name| self.wanted.backup.join(name)),
        }
    }

    /// An empty place to make ready.
    fn begin(&self) -> Result<(), RestoreError> {
        if self.stage.exists() {
            fs::remove_dir_all(&self.stage).map_err(file_error(&self.stage, "deleted"))?;
        }
        files::make_dir(&self.stage).map_err(file_error(&self.stage, "created"))
    }

    /// What is replaced: put aside by an earlier attempt, or still in its place.
    fn replaced(&self, file: &str) -> PathBuf {
        let aside = self.aside.join(file);
        if aside.exists() { aside } else { self.folder.path().join(file) }
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), RestoreError> {
        let (from, to) = (self.wanted.backup.join(from), self.stage.join(to));
        if let Some(folder) = to.parent() {
            files::make_dir(folder).map_err(file_error(folder, "created"))?;
        }
        let bytes = fs::metadata(&from).map_err(file_error(&from, "read"))?.len();
        files::copy(&from, &to, bytes, &mut |_| true).map_err(file_error(&from, "copied"))?;
        Ok(())
    }

    fn store(&mut self, service: &Service) -> Result<SqliteStore, RestoreError> {
        let options = sqlite::options(&self.stage, service, &self.clock, &mut self.rng);
        SqliteStore::open(options)
            .map_err(|source| open_error(format!("the store of `{}`", service.name), source.into()))
    }

    fn broker(&self, folder: &Path) -> Result<LogBroker, RestoreError> {
        let options = switchboard_message_log::Options::new(folder, self.clock.clone());
        LogBroker::open(options).map_err(|source| open_error("the log".to_owned(), source.into()))
    }

    /// Begins an epoch in the log that is made ready, above its own and the present one's.
    fn new_epoch(&self, then: u64) -> Result<u64, RestoreError> {
        let options = |dir: &Path| switchboard_log::Options::new(dir);
        // One that is damaged says nothing; it is replaced all the same.
        let present = self.folder.path().join(LOG);
        let now = match present.exists() {
            true => Log::open(options(&present)).map_or(0, |(_, recovered)| recovered.epoch),
            false => 0,
        };
        let options = options(&self.stage.join(LOG)).with_epoch_above(then.max(now));
        let (log, recovered) =
            Log::open(options).map_err(|source| open_error("the log".to_owned(), source.into()))?;
        log.close();
        Ok(recovered.epoch)
    }

    /// Tells the log what the service will read again, so that retention spares it until then. A
    /// group that the log does not know yet needs no telling.
    async fn rewind(&self, staged: &Path, broker: &LogBroker) {
        for place in compare::places(staged).unwrap_or_default() {
            let position = Position(place.position);
            let told = broker.seek(&place.group, &place.topic, place.partition, position).await;
            if let Err(error) = told {
                let (group, topic) = (&place.group, &place.topic);
                tracing::debug!(group, topic, %error, "the log does not note the position");
            }
        }
    }

    async fn begin_life(&self, store: &SqliteStore, former: u32) -> Result<u32, RestoreError> {
        loop {
            let identity = store.reincarnate().await;
            let identity =
                identity.map_err(|error| open_error("a store".to_owned(), error.into()))?;
            if identity.incarnation > former {
                return Ok(identity.incarnation);
            }
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// What is put back, in words.
    fn scope(&self) -> String {
        self.only.as_ref().map_or_else(|| "everything".to_owned(), |only| format!("only {only}"))
    }
}

/// The life of a store that is about to be replaced; 0 when nobody can tell.
fn incarnation_of(replaced: &Path) -> u32 {
    if !replaced.exists() {
        return 0;
    }
    compare::incarnation(replaced).unwrap_or(0)
}

fn is_in(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// A moment as part of a file's name.
fn stamp(at: Timestamp) -> String {
    at.to_string().chars().filter(char::is_ascii_alphanumeric).collect()
}
