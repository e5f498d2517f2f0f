//! The segments before the last one: their heads are read, their records only when no index fits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Opening, newer};
use crate::control::{BadHead, Head};
use crate::error::{Damage, OpenError};
use crate::file::{Access, File, read_full_at};
use crate::frame;
use crate::scan::Tail;
use crate::segment::{Segment, read_summary, segment_path, sidecar_path, write_sidecar};

/// A sealed segment whose head was read.
struct Older {
    id: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    head: Head,
    head_crc: u32,
}

// === impl Opening ===

impl Opening<'_> {
    /// All segments before the last one, oldest first. Those that were merged into another go.
    pub(super) fn sealed(
        &mut self,
        ids: &[u64],
        last: &Head,
    ) -> Result<Vec<Arc<Segment>>, OpenError> {
        let mut older: Vec<Older> = Vec::new();
        for id in ids {
            let path = segment_path(&self.options.dir, *id);
            if older.last().is_some_and(|before| before.head.through >= *id) {
                self.remove(&path)?;
                let _ = self.options.files.remove(&sidecar_path(&path));
                continue;
            }
            let file = self.open_file(&path, Access::Read)?;
            let (head, head_crc) = self.read_head(&path, &*file, *id)?;
            older.push(Older { id: *id, path, file, head, head_crc });
        }
        let mut sealed = Vec::new();
        for (at, segment) in older.iter().enumerate() {
            let next = older.get(at + 1).map_or(last, |next| &next.head);
            let end = (next.previous.0 == segment.id && segment.head.generation == 0)
                .then_some(next.previous.1);
            sealed.push(Arc::new(self.older(segment, end)?));
        }
        Ok(sealed)
    }

    /// A sealed segment from its sidecar, or from its records when that does not fit.
    fn older(&mut self, older: &Older, end: Option<u64>) -> Result<Segment, OpenError> {
        let files = &*self.options.files;
        let len = older.file.len().map_err(OpenError::io("read", &older.path))?;
        let ids = (older.id, older.head.through);
        let path = older.path.clone();
        if let Some(summary) = read_summary(files, &path)
            && summary.head_crc == older.head_crc
            && end.is_none_or(|end| end == summary.end)
            && summary.end <= len
        {
            self.trim(&path, len, summary.end)?;
            let extent = (summary.end, summary.sequence);
            return Ok(Segment::new(path, ids, extent, older.head_crc, summary.runs));
        }
        let scanned = self.scan(&path, &*older.file, end)?;
        if scanned.head.is_none() || scanned.tail == Tail::Torn {
            return Err(Damage::at(path, scanned.end, "a sealed segment is incomplete").into());
        }
        self.trim(&path, len, scanned.end)?;
        let index = self.index(&path, &scanned)?;
        let extent = (scanned.end, scanned.sequence);
        let runs = index.runs().copied().collect();
        let segment = Segment::new(path, ids, extent, older.head_crc, runs);
        let _ = write_sidecar(files, &segment, &index);
        self.recovered.rebuilt += 1;
        Ok(segment)
    }

    /// Takes away what follows the end of a sealed segment: zeros that nobody gave back, or a tail
    /// whose cut was interrupted. Later only its successor could tell the two apart from damage,
    /// and that one may be dropped.
    fn trim(&self, path: &Path, len: u64, end: u64) -> Result<(), OpenError> {
        if len == end {
            return Ok(());
        }
        let file = self.open_file(path, Access::Write)?;
        file.set_len(end)
            .and_then(|()| file.sync_all())
            .map_err(OpenError::io("cut the tail", path))
    }

    fn read_head(&self, path: &Path, file: &dyn File, id: u64) -> Result<(Head, u32), OpenError> {
        let io = || OpenError::io("read", path);
        let mut bytes = vec![0; frame::HEADER];
        read_full_at(file, &mut bytes, 0).map_err(io())?;
        let bad = |why: String| OpenError::from(Damage::at(path, 0, why));
        let header = frame::Header::decode(&bytes).map_err(|flaw| bad(flaw.to_string()))?;
        let len = file.len().map_err(io())?.min(u64::from(header.len));
        bytes.resize(usize::try_from(len).unwrap_or(0), 0);
        read_full_at(file, &mut bytes, 0).map_err(io())?;
        let (header, data) = frame::parse(&bytes).map_err(|flaw| bad(flaw.to_string()))?;
        match Head::decode(data) {
            Ok(head) if header.kind == frame::HEAD && head.id == id => {
                Ok((head, frame::u32_at(&bytes, 28)))
            }
            Err(BadHead::Newer(found)) => Err(newer(path, found)),
            _ => Err(bad("the segment's head is malformed".to_owned())),
        }
    }
}
