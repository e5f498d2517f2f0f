//! What is committed: channels, segments, and where every record lies. Readers look here only.
//!
//! The writer changes it after the sync and before it tells anybody, so whoever hears of a record
//! finds it (rule 10).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::error::ReadError;
use crate::file::File;
use crate::frame::HEADER;
use crate::index::{Index, Location, Run};
use crate::segment::Segment;
use crate::types::{Bounds, ChannelId, SegmentInfo};

/// All that is committed.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// By number, from 1.
    channels: Vec<Channel>,
    names: HashMap<Arc<str>, ChannelId>,
    /// By number. Their records are on disk and do not change.
    pub(crate) sealed: BTreeMap<u64, Arc<Segment>>,
    pub(crate) active: Active,
}

/// One channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: Arc<str>,
    /// The last committed position.
    pub(crate) last: u64,
    /// The oldest position that readers get.
    pub(crate) floor: u64,
    /// Runs in sealed segments, oldest first.
    pub(crate) runs: VecDeque<(u64, Run)>,
    changed: watch::Sender<u64>,
}

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    /// Where its committed bytes end.
    pub(crate) end: u64,
    pub(crate) index: Index,
}

/// A record that was just synced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) channel: u32,
    pub(crate) position: u64,
    pub(crate) time: i64,
    /// Within the group; the writer adds where the group begins.
    pub(crate) at: Location,
}

/// Where the records lie that a reader asked for, all in one file.
#[derive(Debug)]
pub(crate) enum Place {
    /// In the active segment.
    Active { file: Arc<dyn File>, path: PathBuf, first: u64, locations: Vec<Location> },
    /// In a sealed one, whose index has to be loaded.
    Sealed { segment: Arc<Segment>, first: u64 },
    /// There are none after that position.
    End,
}

/// How much a reader takes at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) records: usize,
    /// Of data, without heads.
    pub(crate) bytes: usize,
    /// Whether a record that is larger than `bytes` comes all the same.
    pub(crate) at_least_one: bool,
}

// === impl Catalog ===

impl Catalog {
    pub(crate) fn new(active: Active) -> Self {
        Self { channels: Vec::new(), names: HashMap::new(), sealed: BTreeMap::new(), active }
    }

    /// Adds a channel that does not exist yet.
    pub(crate) fn add(&mut self, name: Arc<str>, last: u64, floor: u64) -> ChannelId {
        let id = ChannelId(crate::index::low(self.channels.len() as u64 + 1));
        self.names.insert(name.clone(), id);
        let changed = watch::Sender::new(last);
        let floor = floor.max(1);
        self.channels.push(Channel { name, last, floor, runs: VecDeque::new(), changed });
        id
    }

    pub(crate) fn find(&self, name: &str) -> Option<ChannelId> {
        self.names.get(name).copied()
    }

    pub(crate) fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.get((id.0 as usize).checked_sub(1)?)
    }

    pub(crate) fn channel_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channels.get_mut((id.0 as usize).checked_sub(1)?)
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = (ChannelId, &Channel)> {
        (1..).map(ChannelId).zip(&self.channels)
    }

    /// Takes up a synced group that begins at `from` and ends at `end` of the active segment.
    pub(crate) fn commit(&mut self, entries: &[Entry], from: u64, end: u64) {
        let from = crate::index::low(from);
        for entry in entries {
            let at = Location { offset: entry.at.offset + from, len: entry.at.len };
            self.active.index.push(entry.channel, entry.position, entry.time, at);
            if let Some(channel) = self.channel_mut(ChannelId(entry.channel)) {
                channel.last = entry.position;
            }
        }
        self.active.end = end;
    }

    /// Tells those who wait on the channels of these entries.
    pub(crate) fn notify(&self, entries: &[Entry]) {
        let mut told = 0;
        for entry in entries {
            // Batches repeat a channel; once for each stretch is enough.
            if entry.channel == told {
                continue;
            }
            told = entry.channel;
            match self.channel(ChannelId(told)) {
                Some(channel) if channel.changed.receiver_count() > 0 => channel.announce(),
                _ => {}
            }
        }
    }

    /// Wakes everybody who waits on any channel, because nothing more will come.
    pub(crate) fn notify_all(&self) {
        for channel in &self.channels {
            channel.changed.send_modify(|last| *last = channel.last);
        }
    }

    /// Puts a fresh active segment in place of the one that was sealed.
    pub(crate) fn seal(&mut self, segment: Arc<Segment>, next: Active) {
        self.attach(&segment);
        self.active = next;
    }

    /// Adds a sealed segment and its runs; segments come in order of their numbers.
    pub(crate) fn attach(&mut self, segment: &Arc<Segment>) {
        for run in &segment.runs {
            if let Some(channel) = self.channel_mut(ChannelId(run.channel)) {
                let place = channel.runs.partition_point(|(id, _)| *id < segment.id);
                channel.runs.insert(place, (segment.id, *run));
            }
        }
        self.sealed.insert(segment.id, segment.clone());
    }

    /// Forgets a sealed segment.
    pub(crate) fn detach(&mut self, segment: &Segment) {
        self.sealed.remove(&segment.id);
        for run in &segment.runs {
            if let Some(channel) = self.channel_mut(ChannelId(run.channel)) {
                channel.runs.retain(|(id, _)| *id != segment.id);
            }
        }
    }

    pub(crate) fn watch(&self, id: ChannelId) -> Option<watch::Receiver<u64>> {
        let channel = self.channel(id)?;
        // What was committed while nobody listened was not announced.
        channel.announce();
        Some(channel.changed.subscribe())
    }

    pub(crate) fn bounds(&self, id: ChannelId) -> Option<Bounds> {
        let channel = self.channel(id)?;
        let sealed: u64 = channel.runs.iter().map(|(_, run)| run.bytes).sum();
        let active = self.active.index.run(id.0).map_or(0, |run| run.bytes);
        Some(Bounds { first: channel.floor, last: channel.last, bytes: sealed + active })
    }

    /// Where the first records after a position lie, as many as the limit allows.
    pub(crate) fn locate(
        &self,
        id: ChannelId,
        after: u64,
        limit: Limit,
    ) -> Result<Place, ReadError> {
        let channel = self.channel(id).ok_or(ReadError::UnknownChannel(id))?;
        let first = after.saturating_add(1);
        if first < channel.floor {
            return Err(ReadError::BelowRetention { after, oldest: channel.floor });
        }
        if first > channel.last {
            return Ok(Place::End);
        }
        let sealed = channel.runs.partition_point(|(_, run)| run.last() < first);
        if let Some((segment, _)) = channel.runs.get(sealed)
            && let Some(segment) = self.sealed.get(segment)
        {
            return Ok(Place::Sealed { segment: segment.clone(), first });
        }
        let locations = self.active.index.locations(id.0, first);
        Ok(Place::Active {
            file: self.active.file.clone(),
            path: self.active.path.clone(),
            first,
            locations: limit.take(locations).to_vec(),
        })
    }

    /// One row per segment, oldest first.
    pub(crate) fn inspect(&self) -> Vec<SegmentInfo> {
        let info = |id, path: &PathBuf, active, bytes, runs: &[Run]| SegmentInfo {
            id,
            path: path.clone(),
            active,
            bytes,
            records: runs.iter().map(|run| u64::from(run.count)).sum(),
            channels: runs.len(),
            oldest: runs.iter().map(|run| run.oldest).min(),
            newest: runs.iter().map(|run| run.newest).max(),
        };
        let mut rows: Vec<_> = self
            .sealed
            .values()
            .map(|segment| info(segment.id, &segment.path, false, segment.end, &segment.runs))
            .collect();
        let active = &self.active;
        let runs: Vec<_> = active.index.runs().copied().collect();
        rows.push(info(active.id, &active.path, true, active.end, &runs));
        rows
    }
}

// === impl Channel ===

impl Channel {
    fn announce(&self) {
        self.changed.send_if_modified(|last| {
            let newer = self.last > *last;
            *last = self.last;
            newer
        });
    }
}

// === impl Limit ===

impl Limit {
    /// As many of the first locations as the limit allows.
    pub(crate) fn take(self, locations: &[Location]) -> &[Location] {
        let mut bytes = 0;
        let mut count = 0;
        for at in locations.iter().take(self.records) {
            bytes += (at.len as usize).saturating_sub(HEADER);
            if bytes > self.bytes && (count > 0 || !self.at_least_one) {
                break;
            }
            count += 1;
        }
        locations.get(..count).unwrap_or_default()
    }
}
