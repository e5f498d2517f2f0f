//! Putting a backup back: the whole shop, or one service while the others stay as they are.
//!
//! Everything is verified, copied beside the data, opened and made ready there; only then it takes the place of what was, by renames. What
//! was is kept in a folder of its own until a person deletes it. A mark in the data folder says that a restore has begun, so nothing starts
//! on a folder that is half one thing and half another; the same restore, run again, takes it to its end.
//!
//! A store that is put back begins a new incarnation, above every one that it had before or that the broker knows: consumers keep their
//! marks of the lives that are lost. A log that is put back begins a new epoch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchboard_core::{BoxError, Clock, Position, Rng, Timestamp};
use switchboard_log::Log;
use switchboard_message::Inspect;
use switchboard_message_log::LogBroker;
use switchboard_store::{Journal, Outbox};
use switchboard_store_sqlite::{SqliteStore, compare};

use super::files;
use super::loss::Loss;
use super::manifest::{Manifest, ManifestError, StorePart};
use super::take::{KEYS, SECRETS};
use crate::backends::sqlite;
use crate::folder::{Folder, FolderError, UNFINISHED};
use crate::topology::{self, Service};

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

/// A restore that was not done. The data folder is as it was, unless the error says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is data that nobody said may go.
    #[error("{0} holds data: --force moves it aside, where it is kept until you delete it")]
    NotEmpty(PathBuf),
    /// There is nothing that one service could be put back into.
    #[error("{0} holds no shop: leave --only out to put back everything")]
    Empty(PathBuf),
    /// Another restore has begun and not ended.
    #[error(
        "another restore has begun here and not ended ({0}): run that one again first, with the \
         same --only or without"
    )]
    Unfinished(String),
    /// There is no such service, or the backup does not have it.
    #[error("{backup} has no store of `{service}`; it has: {known}")]
    NoSuchService {
        /// The backup.
        backup: PathBuf,
        /// What was asked for.
        service: String,
        /// What there is.
        known: String,
    },
    /// The backup has the stores and not the log, and the folder needs one.
    #[error(
        "{0} was taken beside another broker: its stores can be put back one by one with --only, \
         or where that broker is"
    )]
    NoLog(PathBuf),
    /// The log does not keep any more what the service would have to read again.
    #[error(
        "the log does not keep any more what `{service}` would have to read again ({missing}): \
         put back everything, or a newer backup"
    )]
    TooOld {
        /// The service.
        service: String,
        /// What is missing.
        missing: String,
    },
    /// Stores and log in the backup do not fit together.
    #[error("{backup} does not fit together, so nothing was restored ({why}): use another backup")]
    Inconsistent {
        /// The backup.
        backup: PathBuf,
        /// Why not.
        why: String,
    },
    /// What was copied cannot be opened, or the log that stays cannot.
    #[error("{what} cannot be opened")]
    Open {
        /// What.
        what: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// A file cannot be read, written or moved.
    #[error("{path} cannot be {what}: look for space and rights, then run the same again")]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What the file says that is there while a restore has begun and not ended.
struct Mark {
    /// The folder in which is kept what was.
    aside: String,
    /// What is put back.
    scope: String,
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

    /// Stores and log must be of one moment: what backups promise is looked at before it is relied
    /// on.
    async fn fits(
        &self,
        service: &Service,
        store: &SqliteStore,
        broker: &LogBroker,
    ) -> Result<(), RestoreError> {
        let inconsistent = |why: String| RestoreError::Inconsistent {
            backup: self.wanted.backup.clone(),
            why: format!("{}: {why}", service.name),
        };
        let failed = |source: BoxError| open_error(service.file.to_owned(), source);
        let mut known = std::collections::HashMap::new();
        for sequence in store.sequences().await.map_err(|error| failed(error.into()))? {
            known.insert((sequence.topic, sequence.slot), sequence.last);
        }
        let life = store.identity().incarnation;
        for it in broker.published_by(service.name).await.map_err(failed)? {
            let own = known.get(&(it.topic.clone(), it.slot)).copied().unwrap_or(0);
            if it.incarnation > life || (it.incarnation == life && it.sequence > own) {
                let topic = &it.topic;
                let why = format!("the log has a message to {topic} that its sender lacks");
                return Err(inconsistent(why));
            }
        }
        let topics = broker.topics().await.map_err(failed)?;
        let path = self.stage.join(service.file);
        let places = compare::places(&path).map_err(|error| failed(error.into()))?;
        for place in places {
            let info = topics.iter().find(|info| *info.name == *place.topic);
            let bounds = info.and_then(|info| {
                info.partitions.get(usize::try_from(place.partition).unwrap_or(usize::MAX))
            });
            if bounds.is_none_or(|bounds| place.position > bounds.last.0) {
                let (topic, partition) = (&place.topic, place.partition);
                let why = format!("it has read beyond the end of {topic}/{partition}");
                return Err(inconsistent(why));
            }
        }
        Ok(())
    }

    /// Whether the log still has everything that comes after the copy.
    async fn is_kept(
        &self,
        service: &Service,
        staged: &Path,
        broker: &LogBroker,
    ) -> Result<(), RestoreError> {
        let failed = |source: BoxError| open_error(service.file.to_owned(), source);
        let topics = broker.topics().await.map_err(failed)?;
        let mut missing = Vec::new();
        for place in compare::places(staged).map_err(|error| failed(error.into()))? {
            let info = topics.iter().find(|info| *info.name == *place.topic);
            let bounds = info.and_then(|info| {
                info.partitions.get(usize::try_from(place.partition).unwrap_or(usize::MAX))
            });
            let Some(bounds) = bounds else { continue };
            let next = place.position + 1;
            if next < bounds.first.0 {
                let (topic, partition) = (&place.topic, place.partition);
                missing.push(format!("{topic}/{partition} from {next} to {}", bounds.first.0 - 1));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let (service, missing) = (service.name.to_owned(), missing.join(", "));
        Err(RestoreError::TooOld { service, missing })
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

    /// The names in the data folder that make up the shop.
    fn present_entries(&self) -> Result<Vec<String>, RestoreError> {
        let data = self.folder.path();
        let list = |source| file_error(data, "read")(source);
        let mut names = Vec::new();
        for entry in fs::read_dir(data).map_err(list)? {
            let name = entry.map_err(list)?.file_name().to_string_lossy().into_owned();
            let is_ours = Folder::is_own(&name) || name == STAGE;
            if !is_ours && !name.starts_with(ASIDE) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Moves what was aside and what was made ready into its place. From the mark on, the only way
    /// is forward.
    fn finish(&self, old: &[String]) -> Result<(), RestoreError> {
        let (data, aside) = (self.folder.path(), &self.aside);
        files::sync_dirs(&self.stage).map_err(file_error(&self.stage, "synced"))?;
        let mark = data.join(UNFINISHED);
        if !mark.exists() {
            let name = aside.file_name().unwrap_or_default().to_string_lossy();
            let text = format!("{name}\n{}\n", self.wanted.scope());
            files::write(&mark, text.as_bytes()).map_err(file_error(&mark, "written"))?;
            files::sync_dir(data).map_err(file_error(data, "synced"))?;
        }
        if !old.is_empty() {
            files::make_dir(aside).map_err(file_error(aside, "created"))?;
        }
        for name in old {
            let (from, to) = (data.join(name), aside.join(name));
            if to.exists() {
                // Kept by an earlier attempt: what lies here now was put there by it.
                let removed =
                    if from.is_dir() { fs::remove_dir_all(&from) } else { fs::remove_file(&from) };
                removed.map_err(file_error(&from, "deleted"))?;
            } else {
                fs::rename(&from, &to).map_err(file_error(&from, "moved"))?;
            }
        }
        if !old.is_empty() {
            files::sync_dir(aside).map_err(file_error(aside, "synced"))?;
        }
        for entry in fs::read_dir(&self.stage).map_err(file_error(&self.stage, "read"))? {
            let from = entry.map_err(file_error(&self.stage, "read"))?.path();
            let to = data.join(from.file_name().unwrap_or_default());
            fs::rename(&from, &to).map_err(file_error(&from, "moved"))?;
        }
        files::sync_dir(data).map_err(file_error(data, "synced"))?;
        fs::remove_file(&mark).map_err(file_error(&mark, "deleted"))?;
        fs::remove_dir(&self.stage).map_err(file_error(&self.stage, "deleted"))?;
        files::sync_dir(data).map_err(file_error(data, "synced"))
    }
}

// === impl Wanted ===

impl Wanted {
    /// What is put back, in words.
    fn scope(&self) -> String {
        self.only.as_ref().map_or_else(|| "everything".to_owned(), |only| format!("only {only}"))
    }
}

// === impl Mark ===

impl Mark {
    fn read(folder: &Folder) -> Result<Option<Self>, RestoreError> {
        let path = folder.path().join(UNFINISHED);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file_error(&path, "read")(source)),
        };
        match text.split_once('\n') {
            Some((aside, scope)) if aside.starts_with(ASIDE) && !aside.contains('/') => {
                Ok(Some(Self { aside: aside.to_owned(), scope: scope.trim().to_owned() }))
            }
            // Half written, so nothing was moved yet.
            _ => {
                fs::remove_file(&path).map_err(file_error(&path, "deleted"))?;
                Ok(None)
            }
        }
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

fn open_error(what: String, source: BoxError) -> RestoreError {
    RestoreError::Open { what, source }
}

fn file_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::File { path, what, source }
}
