//! Reads a segment from its beginning and says exactly where what is committed ends.
//!
//! A group is committed when every frame since the last marker verifies and a valid marker closes
//! it. What comes after the last such group is one of three things: zeros (never written), an
//! unfinished group (never acknowledged, to be cut), or damage. It is damage when a marker further
//! on begins *after* the point where reading stopped: a group is written only when the one before
//! it is synced, so that marker proves that the bytes here were whole once.

use std::io;
use std::path::Path;

use crate::control::{BadHead, Commit, Head};
use crate::error::Damage;
use crate::file::{File, read_full_at};
use crate::frame::{self, COMMIT, DATA, HEADER, Header};

/// Bytes per read; a larger frame makes its own read larger.
const CHUNK: usize = 1 << 20;

/// What a scan looks for.
pub(crate) struct Scan<'a> {
    pub(crate) file: &'a dyn File,
    pub(crate) path: &'a Path,
    /// Where the committed bytes are known to end, when they are: anything less is damage.
    pub(crate) end: Option<u64>,
    /// The planted bug of taking frames that no marker covers.
    pub(crate) adopt_orphans: bool,
}

/// A committed record, without its data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) header: Header,
    pub(crate) offset: u64,
}

/// A control frame that is neither a head nor a marker.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) header: Header,
    pub(crate) data: Vec<u8>,
}

/// What a segment holds.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// `None` when not a single group is committed.
    pub(crate) head: Option<Head>,
    /// Records in file order.
    pub(crate) records: Vec<Found>,
    /// Control frames in file order.
    pub(crate) controls: Vec<Control>,
    /// Where the last committed group begins.
    pub(crate) last_group: u64,
    /// Where the committed bytes end.
    pub(crate) end: u64,
    /// The number of the last committed group.
    pub(crate) sequence: u64,
    /// What follows.
    pub(crate) tail: Tail,
    /// Length of the file.
    pub(crate) len: u64,
}

/// What follows the committed bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing but zeros.
    #[default]
    Clean,
    /// An unfinished group.
    Torn,
}

/// A scan did not succeed.
#[derive(Debug)]
pub(crate) enum ScanError {
    Io(io::Error),
    Damage(Damage),
    Newer(u16),
}

/// A window that moves over the file, so that a scan needs little memory.
struct Window<'a> {
    file: &'a dyn File,
    start: u64,
    bytes: Vec<u8>,
}

impl Scan<'_> {
    /// Reads the whole segment.
    pub(crate) fn run(&self) -> Result<Scanned, ScanError> {
        let len = self.file.len()?;
        let limit = self.end.unwrap_or(len);
        let mut window = Window { file: self.file, start: 0, bytes: Vec::new() };
        let mut scanned = Scanned { len, ..Scanned::default() };
        let (mut records, mut controls) = (0, 0);
        let mut at = 0;
        let mut sums = Vec::new();
        let reason = loop {
            if at >= limit {
                break "the file ends before the end of what was committed".to_owned();
            }
            let (header, data) = match window.frame(at, limit)? {
                Ok(frame) => frame,
                Err(flaw) => break flaw.to_string(),
            };
            let next = at + u64::from(header.len);
            if header.kind == COMMIT {
                let group = Group { from: scanned.end, sums: &sums, head: scanned.head.as_ref() };
                if !group.is_closed_by(header.position, data, scanned.sequence) {
                    break "a commit marker does not fit its group".to_owned();
                }
                scanned.commit(next, header.position);
                (records, controls) = (scanned.records.len(), scanned.controls.len());
                sums.clear();
                at = next;
                continue;
            }
            if let Some(why) = scanned.take(at, header, data)? {
                break why.to_owned();
            }
            sums.extend_from_slice(&window.head_crc(at));
            at = next;
        };
        if self.adopt_orphans && at > scanned.end {
            let sequence = scanned.sequence + 1;
            scanned.commit(at, sequence);
        } else {
            scanned.records.truncate(records);
            scanned.controls.truncate(controls);
        }
        self.judge(scanned, at, reason)
    }

    /// Decides what the bytes after the last committed group are.
    fn judge(&self, mut scanned: Scanned, at: u64, why: String) -> Result<Scanned, ScanError> {
        let salt = scanned.head.as_ref().map(|head| head.salt);
        if scanned.end == 0 {
            scanned.head = None;
        }
        match self.end {
            Some(end) if scanned.end == end => return Ok(scanned),
            Some(_) => return Err(Damage::at(self.path, at, why).into()),
            None => {}
        }
        if self.is_zero(scanned.end, scanned.len)? {
            return Ok(scanned);
        }
        if let Some(marker) = self.later_marker(scanned.end, scanned.len, salt)? {
            let why = format!("{why}, and byte {marker} proves that it was committed");
            return Err(Damage::at(self.path, at, why).into());
        }
        scanned.tail = Tail::Torn;
        Ok(scanned)
    }

    fn is_zero(&self, from: u64, to: u64) -> io::Result<bool> {
        let mut buffer = vec![0; CHUNK];
        let mut at = from;
        while at < to {
            let count = read_full_at(self.file, &mut buffer, at)?;
            if count == 0 {
                break;
            }
            if !zeros(&buffer[..count]) {
                return Ok(false);
            }
            at += count as u64;
        }
        Ok(true)
    }

    /// A valid marker of a group that begins after `end`.
    fn later_marker(&self, end: u64, len: u64, salt: Option<u32>) -> io::Result<Option<u64>> {
        // A marker's first five bytes are always the same, which makes the search cheap.
        let mut pattern = Vec::new();
        Commit::of(&[], 0, 0, 0).push(&mut pattern);
        let size = pattern.len();
        let pattern = &pattern[..5];
        let mut buffer = vec![0; CHUNK];
        let mut at = end;
        while at < len {
            let count = read_full_at(self.file, &mut buffer, at)?;
            let bytes = &buffer[..count];
            for (index, window) in bytes.windows(5).enumerate() {
                if window != pattern {
                    continue;
                }
                let Ok((header, data)) = frame::parse(&bytes[index..]) else { continue };
                let Some(commit) = Commit::decode(header.position, data) else { continue };
                if commit.from > end && salt.is_none_or(|salt| salt == commit.salt) {
                    return Ok(Some(at + index as u64));
                }
            }
            if count <= size {
                break;
            }
            at += (count - size) as u64;
        }
        Ok(None)
    }
}

/// The frames between two markers.
struct Group<'a> {
    from: u64,
    sums: &'a [u8],
    head: Option<&'a Head>,
}

impl Group<'_> {
    fn is_closed_by(&self, sequence: u64, data: &[u8], before: u64) -> bool {
        let (Some(commit), Some(head)) = (Commit::decode(sequence, data), self.head) else {
            return false;
        };
        let expected = if self.from == 0 { head.sequence } else { before + 1 };
        commit.from == self.from
            && commit.sequence == expected
            && commit.salt == head.salt
            && commit.count as usize == self.sums.len() / 4
            && commit.digest == frame::crc(self.sums)
    }
}

/// Whether there is nothing but zeros.
fn zeros(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| u128::from_ne_bytes(*chunk) == 0) && rest.iter().all(|b| *b == 0)
}

// === impl Scanned ===

impl Scanned {
    fn commit(&mut self, end: u64, sequence: u64) {
        self.last_group = self.end;
        self.end = end;
        self.sequence = sequence;
    }

    /// Notes a frame, or says why it cannot be here.
    fn take(
        &mut self,
        offset: u64,
        header: Header,
        data: &[u8],
    ) -> Result<Option<&'static str>, ScanError> {
        if offset == 0 {
            if header.kind != frame::HEAD {
                return Ok(Some("the segment does not begin with a head"));
            }
            match Head::decode(data) {
                Ok(head) => self.head = Some(head),
                Err(BadHead::Newer(format)) => return Err(ScanError::Newer(format)),
                Err(BadHead::Malformed) => return Ok(Some("the segment's head is malformed")),
            }
        } else if header.kind == DATA {
            self.records.push(Found { header, offset });
        } else {
            self.controls.push(Control { header, data: data.to_vec() });
        }
        Ok(None)
    }
}

// === impl Window ===

impl Window<'_> {
    /// The frame at this place, if it verifies and ends before `limit`.
    fn frame(&mut self, at: u64, limit: u64) -> io::Result<Result<(Header, &[u8]), frame::Flaw>> {
        self.load(at, HEADER)?;
        let header = match Header::decode(self.rest(at)) {
            Ok(header) => header,
            Err(flaw) => return Ok(Err(flaw)),
        };
        if at + u64::from(header.len) > limit {
            return Ok(Err(frame::Flaw::Short));
        }
        self.load(at, header.len as usize)?;
        Ok(frame::parse(self.rest(at)))
    }

    /// The checksum of the head at this place, as it lies there.
    fn head_crc(&self, at: u64) -> [u8; 4] {
        frame::u32_at(self.rest(at), HEADER - 4).to_le_bytes()
    }

    fn rest(&self, at: u64) -> &[u8] {
        let skip = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        self.bytes.get(skip..).unwrap_or_default()
    }

    /// Makes `len` bytes from `at` available, as far as the file has them.
    fn load(&mut self, at: u64, len: usize) -> io::Result<()> {
        if at >= self.start && self.rest(at).len() >= len {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(len.max(CHUNK), 0);
        let count = read_full_at(self.file, &mut bytes, at)?;
        bytes.truncate(count);
        (self.start, self.bytes) = (at, bytes);
        Ok(())
    }
}

// === impl ScanError ===

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Damage> for ScanError {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}
