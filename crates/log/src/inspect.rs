//! Looking at a log's folder without opening it: nothing is changed, and no lock is taken.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Damage;
use crate::file::{Access, FileLayer};
use crate::index::Index;
use crate::scan::{Scan, ScanError, Scanned, Tail};
use crate::segment::{segment_id, segment_path};

/// What one segment file holds, every checksum verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its number.
    pub id: u64,
    /// The file.
    pub path: PathBuf,
    /// Bytes that are committed.
    pub bytes: u64,
    /// Records that are committed.
    pub records: u64,
    /// Groups' numbers: the first and the last; `None` when nothing is committed.
    pub sequences: Option<(u64, u64)>,
    /// The log's epoch when the segment began; 0 when nothing is committed.
    pub epoch: u64,
    /// Whether an unfinished group follows. That is normal at the end of a log that is in use.
    pub unfinished: bool,
    /// What is wrong.
    pub damage: Option<Damage>,
}

/// Reads every segment in a folder and verifies every record.
///
/// While the log is in use, the newest segment may show an unfinished group.
///
/// # Errors
/// The folder or a file cannot be read. Damage is not an error here: it is in the answer.
pub fn verify(dir: &Path, files: &dyn FileLayer) -> io::Result<Vec<Verified>> {
    let mut ids: Vec<_> = files.list(dir)?.iter().filter_map(|name| segment_id(name)).collect();
    ids.sort_unstable();
    ids.into_iter().map(|id| verify_segment(dir, files, id)).collect()
}

fn verify_segment(dir: &Path, files: &dyn FileLayer, id: u64) -> io::Result<Verified> {
    let path = segment_path(dir, id);
    let file = files.open(&path, Access::Read)?;
    let scan = Scan { file: &*file, path: &path, end: None, adopt_orphans: false };
    let (scanned, mut damage) = match scan.run() {
        Ok(scanned) => (scanned, None),
        Err(ScanError::Io(error)) => return Err(error),
        Err(ScanError::Damage(damage)) => (Scanned::default(), Some(damage)),
        Err(ScanError::Newer(format)) => {
            let why = format!("the format {format} is newer than this version");
            (Scanned::default(), Some(Damage::at(&path, 0, why)))
        }
    };
    if let Err(offset) = Index::of(&scanned) {
        damage = Some(Damage::at(&path, offset, "the positions of a channel have a gap"));
    }
    let head = scanned.head.as_ref();
    Ok(Verified {
        id,
        path,
        bytes: scanned.end,
        records: scanned.records.len() as u64,
        sequences: head.map(|head| (head.sequence, scanned.sequence)),
        epoch: head.map_or(0, |head| head.epoch),
        unfinished: scanned.tail == Tail::Torn,
        damage,
    })
}
