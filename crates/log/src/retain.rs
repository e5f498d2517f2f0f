//! Retention: raise the oldest positions, make that durable, then drop or rewrite segments.
//!
//! A segment goes when no record in it is kept. One that is mostly dead is written anew with its
//! survivors only, together with its small neighbours, under the name of the first of them; the new
//! head says which numbers it replaces, so a crash between the two steps leaves nothing double.

use std::io;
use std::sync::Arc;

use crate::control::{ChannelState, Commit, Head, MARKER};
use crate::error::{ReadError, RetainError};
use crate::file::{Access, read_full_at, write_all_at};
use crate::frame::{self, HEADER};
use crate::index::{Index, Location, Run, low};
use crate::segment::{Loaded, Segment, read_error, sidecar_path, write_sidecar};
use crate::stage::Core;
use crate::types::{ChannelId, Keep, Reclaimed};

/// A segment is rewritten when less than one in this many of its bytes is kept.
const SPARSE: u64 = 2;
/// A neighbour joins in when it is smaller than a segment divided by this.
const SMALL: u64 = 8;

// === impl Core ===

impl Core {
    /// Raises the oldest position of a channel.
    pub(crate) fn retain(&self, id: ChannelId, keep_from: u64) -> Result<(), RetainError> {
        let mut stage = self.stage.lock();
        stage.check()?;
        let mut catalog = self.catalog.write();
        let channel = catalog.channel_mut(id).ok_or(RetainError::UnknownChannel(id))?;
        let floor = keep_from.min(channel.last + 1);
        if floor > channel.floor {
            channel.floor = floor;
            stage.riders.floors.insert(id.0, floor);
        }
        Ok(())
    }

    /// Drops what need not be kept.
    pub(crate) fn enforce(
        self: &Arc<Self>,
        keep: &[(ChannelId, Keep)],
        now: i64,
    ) -> Result<Reclaimed, RetainError> {
        let _alone = self.retention.lock();
        for (id, keep) in keep {
            let floor = self.floor(*id, keep, now)?;
            self.retain(*id, floor)?;
        }
        // The new floors are synced before anything goes: recovery would miss the records.
        let floors = self.floors();
        self.append(Vec::new()).wait()?;
        let mut reclaimed = Reclaimed::default();
        for segment in self.sealed() {
            if live_bytes(&segment.runs, &floors) == 0 {
                self.drop_segment(&segment)?;
                reclaimed.dropped += 1;
                reclaimed.bytes += segment.end;
            }
        }
        for group in self.sparse(&floors) {
            reclaimed.bytes += self.rewrite(&group, &floors)?;
            reclaimed.rewritten += group.len();
        }
        if reclaimed.dropped + reclaimed.rewritten > 0 {
            self.options.files.sync_dir(&self.options.dir)?;
        }
        Ok(reclaimed)
    }

    /// The oldest position that these limits keep: whole runs expire, oldest first.
    fn floor(&self, id: ChannelId, keep: &Keep, now: i64) -> Result<u64, RetainError> {
        let catalog = self.catalog.read();
        let channel = catalog.channel(id).ok_or(RetainError::UnknownChannel(id))?;
        let age = keep.age.map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let mut newer = catalog.bounds(id).map_or(0, |bounds| bounds.bytes);
        let mut floor = channel.floor;
        for (_, run) in &channel.runs {
            newer = newer.saturating_sub(run.bytes);
            let old = age.is_some_and(|age| run.newest < now.saturating_sub(age));
            let over = keep.bytes.is_some_and(|bytes| newer >= bytes);
            if !old && !over {
                break;
            }
            floor = floor.max(run.last() + 1);
        }
        let limit = keep.not_beyond.map_or(u64::MAX, |position| position.saturating_add(1));
        Ok(floor.min(limit))
    }

    /// The oldest kept position of each channel, by number from 1.
    fn floors(&self) -> Vec<u64> {
        self.catalog.read().channels().map(|(_, channel)| channel.floor).collect()
    }

    fn sealed(&self) -> Vec<Arc<Segment>> {
        self.catalog.read().sealed.values().cloned().collect()
    }

    fn drop_segment(&self, segment: &Segment) -> io::Result<()> {
        self.catalog.write().detach(segment);
        self.options.files.remove(&segment.path)?;
        let _ = self.options.files.remove(&sidecar_path(&segment.path));
        Ok(())
    }

    /// Stretches of neighbouring segments that are worth writing anew.
    fn sparse(&self, floors: &[u64]) -> Vec<Vec<Arc<Segment>>> {
        let small = self.options.segment_bytes / SMALL;
        let mut groups: Vec<Vec<Arc<Segment>>> = Vec::new();
        let mut open: Vec<Arc<Segment>> = Vec::new();
        let mut kept = 0;
        for segment in self.sealed() {
            let live = live_bytes(&segment.runs, floors);
            let joins = segment.end < small || live * SPARSE < segment.end;
            if !joins || kept + live > self.options.segment_bytes / 2 {
                groups.push(std::mem::take(&mut open));
                kept = 0;
            }
            if joins {
                kept += live;
                open.push(segment);
            }
        }
        groups.push(open);
        groups.retain(|group| self.is_worth_it(group, floors));
        groups
    }

    /// One segment must have become sparse; several small ones are worth it by themselves.
    fn is_worth_it(&self, group: &[Arc<Segment>], floors: &[u64]) -> bool {
        let sparse = |segment: &Arc<Segment>| {
            let dead = segment.runs.iter().any(|run| run.first < floor_of(floors, run.channel));
            dead && live_bytes(&segment.runs, floors) * SPARSE < segment.end
        };
        group.len() > 3 || group.iter().any(sparse)
    }

    /// Writes the survivors of neighbouring segments into one file and puts it in their place.
    fn rewrite(&self, group: &[Arc<Segment>], floors: &[u64]) -> Result<u64, RetainError> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(0) };
        let files = &*self.options.files;
        let mut bytes = Vec::new();
        self.survivors_head(first, last)?.push(&mut bytes);
        let head_crc = frame::u32_at(&bytes, 28);
        let mut index = Index::default();
        for segment in group {
            self.copy_survivors(segment, floors, &mut bytes, &mut index)?;
        }
        Commit::of(&bytes, last.sequence, 0, self.salt).push(&mut bytes);
        let end = bytes.len() as u64;
        let temporary = first.path.with_extension("tmp");
        let file = files.open(&temporary, Access::Create)?;
        write_all_at(&*file, &bytes, 0)?;
        file.sync_all()?;
        let segment = Arc::new(Segment::new(
            first.path.clone(),
            (first.id, last.through),
            (end, last.sequence),
            head_crc,
            index.runs().copied().collect(),
        ));
        let loaded = Arc::new(Loaded { file, index });
        files.rename(&temporary, &first.path)?;
        files.sync_dir(&self.options.dir)?;
        let mut catalog = self.catalog.write();
        for old in group {
            catalog.detach(old);
        }
        segment.adopt(&loaded, &self.cache);
        catalog.attach(&segment);
        drop(catalog);
        let _ = write_sidecar(files, &segment, &loaded.index);
        for old in group.iter().skip(1) {
            files.remove(&old.path)?;
            let _ = files.remove(&sidecar_path(&old.path));
        }
        let before: u64 = group.iter().map(|segment| segment.end).sum();
        Ok(before.saturating_sub(end))
    }

    /// The head of a rewritten segment: it replaces the numbers of the whole group.
    fn survivors_head(&self, first: &Segment, last: &Segment) -> Result<Head, ReadError> {
        let file = self.options.files.open(&first.path, Access::Read).map_err(read_error)?;
        let mut bytes = vec![0; HEADER];
        read_full_at(&*file, &mut bytes, 0).map_err(read_error)?;
        let len = (frame::u32_at(&bytes, 0) as usize).min(self.head_limit());
        bytes.resize(len.max(HEADER), 0);
        read_full_at(&*file, &mut bytes, 0).map_err(read_error)?;
        let generation = frame::parse(&bytes)
            .ok()
            .and_then(|(_, data)| Head::decode(data).ok())
            .map_or(1, |head| head.generation + 1);
        Ok(Head {
            id: first.id,
            through: last.through,
            generation,
            epoch: self.epoch,
            salt: self.salt,
            sequence: last.sequence,
            previous: (0, 0),
            // Only the newest segment's head is ever used for these.
            channels: Vec::<ChannelState>::new(),
            cells: Vec::new(),
        })
    }

    fn head_limit(&self) -> usize {
        usize::try_from(self.options.segment_bytes).unwrap_or(usize::MAX) - MARKER
    }

    /// Appends the frames of records that are kept, as they are.
    fn copy_survivors(
        &self,
        segment: &Segment,
        floors: &[u64],
        bytes: &mut Vec<u8>,
        index: &mut Index,
    ) -> Result<(), RetainError> {
        for run in &segment.runs {
            let mut position = run.first.max(floor_of(floors, run.channel));
            while position <= run.last() {
                // Through the reading path, so that nothing unverified is ever copied.
                let id = ChannelId(run.channel);
                let records = match self.read(id, position - 1, 4096, 1 << 20) {
                    Ok(records) => records,
                    // Somebody gave up more of the channel in the meantime.
                    Err(ReadError::BelowRetention { oldest, .. }) => {
                        position = oldest;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                for record in records.iter().take_while(|record| record.position <= run.last()) {
                    let sum = frame::crc(&record.data);
                    let header = frame::Header::new(
                        frame::DATA,
                        run.channel,
                        record.position,
                        record.time,
                        record.data.len(),
                        sum,
                    );
                    let at = Location { offset: low(bytes.len() as u64), len: header.len };
                    frame::push(bytes, &header, &record.data);
                    index.push(run.channel, record.position, record.time, at);
                    position = record.position + 1;
                }
                if records.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Bytes of records that are kept; a run that is kept in part counts in proportion.
fn live_bytes(runs: &[Run], floors: &[u64]) -> u64 {
    runs.iter()
        .map(|run| {
            let first = run.first.max(floor_of(floors, run.channel));
            let kept = (run.last() + 1).saturating_sub(first);
            let all = u64::from(run.count).max(1);
            let part = u128::from(run.bytes + all * HEADER as u64) * u128::from(kept);
            u64::try_from(part / u128::from(all)).unwrap_or(u64::MAX)
        })
        .sum()
}

fn floor_of(floors: &[u64], channel: u32) -> u64 {
    floors.get((channel as usize).wrapping_sub(1)).copied().unwrap_or(1)
}
