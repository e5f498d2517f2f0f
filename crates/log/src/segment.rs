//! A sealed segment: a file that only readers touch, opened when somebody reads it.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::error::{Damage, ReadError};
use crate::file::{Access, File, FileLayer, read_full_at};
use crate::index::{Index, Run, SUMMARY_START, Summary};
use crate::scan::{Scan, ScanError};

/// Sealed segments whose index and file stay open for the next reader.
const KEPT_OPEN: usize = 4;

/// What is known about a sealed segment without touching its file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    /// The last number whose records are here.
    pub(crate) through: u64,
    pub(crate) path: PathBuf,
    /// Where its committed bytes end.
    pub(crate) end: u64,
    /// The number of its last group.
    pub(crate) sequence: u64,
    /// The checksum of its head: another file under the same name has another.
    pub(crate) head_crc: u32,
    pub(crate) runs: Vec<Run>,
    loaded: Mutex<Weak<Loaded>>,
}

/// A segment's file and index.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) file: Arc<dyn File>,
    pub(crate) index: Index,
}

/// The few segments that are kept open.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<VecDeque<Arc<Loaded>>>);

/// The file of a segment.
pub(crate) fn segment_path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("{id:016}.seg"))
}

/// The index beside it.
pub(crate) fn sidecar_path(segment: &Path) -> PathBuf {
    segment.with_extension("idx")
}

/// The number in a segment's file name.
pub(crate) fn segment_id(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 16).then(|| digits.parse().ok()).flatten()
}

/// Reads the beginning of a sidecar, if there is a good one.
pub(crate) fn read_summary(files: &dyn FileLayer, segment: &Path) -> Option<Summary> {
    let file = files.open(&sidecar_path(segment), Access::Read).ok()?;
    let mut bytes = vec![0; SUMMARY_START];
    read_full_at(&*file, &mut bytes, 0).ok()?;
    let len = Summary::len(&bytes)?;
    if len as u64 > file.len().ok()? {
        return None;
    }
    bytes.resize(len, 0);
    (read_full_at(&*file, &mut bytes, 0).ok()? == len).then(|| Summary::decode(&bytes)).flatten()
}

/// Writes a sidecar. It is not synced: one that tears is ignored.
pub(crate) fn write_sidecar(
    files: &dyn FileLayer,
    segment: &Segment,
    index: &Index,
) -> io::Result<()> {
    let bytes = index.encode(segment.head_crc, segment.end, segment.sequence);
    let file = files.open(&sidecar_path(&segment.path), Access::Create)?;
    crate::file::write_all_at(&*file, &bytes, 0)
}

// === impl Segment ===

impl Segment {
    pub(crate) fn new(
        path: PathBuf,
        (id, through): (u64, u64),
        (end, sequence): (u64, u64),
        head_crc: u32,
        runs: Vec<Run>,
    ) -> Self {
        Self { id, through, path, end, sequence, head_crc, runs, loaded: Mutex::default() }
    }

    /// The file and index, loaded unless they still are.
    pub(crate) fn load(
        &self,
        files: &dyn FileLayer,
        cache: &Cache,
    ) -> Result<Arc<Loaded>, ReadError> {
        let mut slot = self.loaded.lock();
        if let Some(loaded) = slot.upgrade() {
            cache.keep(&loaded);
            return Ok(loaded);
        }
        let file = files.open(&self.path, Access::Read).map_err(read_error)?;
        let index = match self.read_index(files) {
            Some(index) => index,
            None => self.rebuild(&*file)?,
        };
        let loaded = Arc::new(Loaded { file, index });
        *slot = Arc::downgrade(&loaded);
        cache.keep(&loaded);
        Ok(loaded)
    }

    /// Hands over what is in memory anyway when the segment is sealed.
    pub(crate) fn adopt(&self, loaded: &Arc<Loaded>, cache: &Cache) {
        *self.loaded.lock() = Arc::downgrade(loaded);
        cache.keep(loaded);
    }

    fn read_index(&self, files: &dyn FileLayer) -> Option<Index> {
        let summary = read_summary(files, &self.path)?;
        if summary.head_crc != self.head_crc || summary.runs != self.runs {
            return None;
        }
        let file = files.open(&sidecar_path(&self.path), Access::Read).ok()?;
        let mut bytes = vec![0; summary.locations_len()];
        let start = summary.encoded_len() as u64;
        let count = read_full_at(&*file, &mut bytes, start).ok()?;
        Index::decode(&summary, bytes.get(..count)?)
    }

    fn rebuild(&self, file: &dyn File) -> Result<Index, ReadError> {
        let scan = Scan { file, path: &self.path, end: Some(self.end), adopt_orphans: false };
        let scanned = scan.run().map_err(|error| match error {
            ScanError::Io(error) => read_error(error),
            ScanError::Damage(damage) => damage.into(),
            ScanError::Newer(_) => Damage::at(&self.path, 0, "the format is newer").into(),
        })?;
        Index::of(&scanned).map_err(|offset| {
            Damage::at(&self.path, offset, "the positions of a channel have a gap").into()
        })
    }
}

pub(crate) fn read_error(error: io::Error) -> ReadError {
    ReadError::Io(Arc::new(error))
}

// === impl Cache ===

impl Cache {
    fn keep(&self, loaded: &Arc<Loaded>) {
        let mut kept = self.0.lock();
        if kept.back().is_some_and(|last| Arc::ptr_eq(last, loaded)) {
            return;
        }
        kept.retain(|other| !Arc::ptr_eq(other, loaded));
        kept.push_back(loaded.clone());
        if kept.len() > KEPT_OPEN {
            kept.pop_front();
        }
    }
}
