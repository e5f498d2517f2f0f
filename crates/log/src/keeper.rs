//! The thread beside the writer: it prepares the next segment ahead of time and finishes the last.
//!
//! A file that grows pays for its new length at every sync (its metadata goes through the file
//! system's journal), so segments are filled with zeros before the writer gets to them. A prepared
//! segment that is never written holds no head, and the next opening removes it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::file::{Access, File, FileLayer, write_all_at};
use crate::options::{Options, Planted};
use crate::segment::{Loaded, Segment, segment_path, write_sidecar};

/// Zeros per write and sync, at least: few, so that the writer's own syncs never queue behind many.
pub(crate) const CHUNK: usize = 256 << 10;
/// And at most. A writer of large groups waits long for its own syncs, and uses a segment up before
/// the next one is ready; fewer syncs beside its own are what helps it most.
const MOST: usize = 1 << 20;

/// A segment of zeros, on disk under its name.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    pub(crate) capacity: u64,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Keeper {
    options: Options,
    jobs: Option<mpsc::Sender<Job>>,
    shelf: Arc<Shelf>,
    /// Whether a segment is being prepared or lies ready.
    requested: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Job {
    Prepare { id: u64, capacity: u64, chunk: usize },
    Finish { segment: Arc<Segment>, loaded: Arc<Loaded> },
}

/// Where the prepared segment is handed over.
#[derive(Debug, Default)]
struct Shelf {
    ready: Mutex<Option<io::Result<Prepared>>>,
    put: Condvar,
}

// === impl Keeper ===

impl Keeper {
    /// Starts the thread.
    pub(crate) fn spawn(options: &Options) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let shelf = Arc::new(Shelf::default());
        let (own, theirs) = (options.clone(), shelf.clone());
        let thread = std::thread::Builder::new()
            .name("log-keeper".into())
            .spawn(move || work(&own, &inbox, &theirs))?;
        Ok(Self {
            options: options.clone(),
            jobs: Some(jobs),
            shelf,
            requested: false,
            thread: Some(thread),
        })
    }

    /// Asks for the next segment, unless it was asked for already. `group` is how many bytes the
    /// writer syncs at once.
    pub(crate) fn request(&mut self, id: u64, capacity: u64, group: usize) {
        if !self.requested {
            let chunk = group.saturating_mul(4).clamp(CHUNK, MOST);
            self.requested = self.send(Job::Prepare { id, capacity, chunk });
        }
    }

    /// Waits for the next segment. One that cannot hold `needed` bytes is prepared again, larger.
    pub(crate) fn take(&mut self, id: u64, capacity: u64, needed: u64) -> io::Result<Prepared> {
        // Whoever waits here syncs nothing meanwhile.
        self.request(id, capacity.max(needed), MOST);
        if !self.requested {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut ready = self.shelf.ready.lock();
        let prepared = loop {
            match ready.take() {
                Some(prepared) => break prepared,
                None => self.shelf.put.wait(&mut ready),
            }
        };
        drop(ready);
        // Whatever came, the next segment has to be asked for anew.
        self.requested = false;
        let prepared = prepared?;
        if prepared.capacity < needed {
            return prepare(&self.options, id, needed.max(self.options.segment_bytes), CHUNK);
        }
        Ok(prepared)
    }

    /// Writes the index of a sealed segment and gives its unused end back.
    pub(crate) fn finish(&self, segment: Arc<Segment>, loaded: Arc<Loaded>) {
        self.send(Job::Finish { segment, loaded });
    }

    /// Ends the thread, after the jobs that it has, and removes what was prepared in vain.
    pub(crate) fn stop(mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(Ok(prepared)) = self.shelf.ready.lock().take() {
            let _ = self.options.files.remove(&prepared.path);
        }
    }

    fn send(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }
}

fn work(options: &Options, inbox: &mpsc::Receiver<Job>, shelf: &Shelf) {
    while let Ok(job) = inbox.recv() {
        match job {
            Job::Prepare { id, capacity, chunk } => {
                let prepared = prepare(options, id, capacity, chunk);
                *shelf.ready.lock() = Some(prepared);
                shelf.put.notify_one();
            }
            Job::Finish { segment, loaded } => finish(&*options.files, &segment, &loaded),
        }
    }
}

/// Creates a segment of zeros and makes it durable, name and all (rule 5).
pub(crate) fn prepare(
    options: &Options,
    id: u64,
    capacity: u64,
    chunk: usize,
) -> io::Result<Prepared> {
    let path = segment_path(&options.dir, id);
    let filled = fill(options, &path, capacity, chunk);
    match filled {
        Ok(file) => Ok(Prepared { id, path, file, capacity }),
        Err(error) => {
            // Half a file would only take room on a disk that is full already.
            let _ = options.files.remove(&path);
            Err(error)
        }
    }
}

fn fill(
    options: &Options,
    path: &std::path::Path,
    capacity: u64,
    chunk: usize,
) -> io::Result<Arc<dyn File>> {
    let file = options.files.open(path, Access::Create)?;
    file.allocate(capacity)?;
    let zeros = vec![0; chunk.min(usize::try_from(capacity).unwrap_or(chunk))];
    let mut at = 0;
    while at < capacity {
        let count = (capacity - at).min(zeros.len() as u64);
        write_all_at(&*file, &zeros[..usize::try_from(count).unwrap_or(0)], at)?;
        file.sync_data()?;
        at += count;
    }
    file.sync_all()?;
    if options.planted != Planted::NoDirSync {
        options.files.sync_dir(&options.dir)?;
    }
    Ok(file)
}

/// Both steps are conveniences: without them the next opening reads the segment itself.
fn finish(files: &dyn FileLayer, segment: &Segment, loaded: &Loaded) {
    let result = write_sidecar(files, segment, &loaded.index)
        .and_then(|()| loaded.file.set_len(segment.end));
    if let Err(error) = result {
        tracing::debug!(segment = segment.id, %error, "a sealed segment was not finished");
    }
}
