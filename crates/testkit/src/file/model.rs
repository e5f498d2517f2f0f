//! What a log was asked to hold, and the comparison with what it holds.

use std::collections::BTreeMap;

use bytes::Bytes;
use switchboard_core::Rng;
use switchboard_log::{AppendError, Appended, ChannelId, Log};

use super::cycles::Report;

/// All batches of one log's life.
#[derive(Debug, Default)]
pub(super) struct Model {
    batches: Vec<Batch>,
    /// For each channel, the position that readers have seen: synced, so it must stay.
    seen: BTreeMap<u32, u64>,
    /// The value of the cell that rode on a sync that was acknowledged.
    pub(super) cell: u64,
    pub(super) cell_set: u64,
    pub(super) epoch: u64,
}

#[derive(Debug)]
struct Batch {
    channels: Vec<ChannelId>,
    sizes: Vec<usize>,
    fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// Not answered, or with an error that leaves it open.
    Unknown,
    /// Must be there, at these positions.
    Acknowledged(Vec<Appended>),
    /// Must not be there.
    Refused,
}

/// Where records of one batch were found: (index within the batch, channel, position).
type Found = Vec<(usize, ChannelId, u64)>;

// === impl Model ===

impl Model {
    /// Makes up a batch of one to four records; its number goes into the data.
    pub(super) fn batch(
        &mut self,
        rng: &mut Rng,
        channels: &[ChannelId],
    ) -> (usize, Vec<(ChannelId, Bytes, i64)>) {
        let number = self.batches.len();
        let count = 1 + rng.below(4) as usize;
        let mut batch = Batch { channels: Vec::new(), sizes: Vec::new(), fate: Fate::Unknown };
        let mut records = Vec::new();
        for index in 0..count {
            let channel = *rng.pick(channels).expect("there are channels");
            // Now and then a record that spans many sectors, or fits one exactly.
            let size = match rng.below(16) {
                0 => 1000 + rng.below(2000) as usize,
                1 => 512 - 32,
                _ => 24 + rng.below(200) as usize,
            };
            batch.channels.push(channel);
            batch.sizes.push(size);
            records.push((channel, data(number, index, size), number as i64));
        }
        self.batches.push(batch);
        (number, records)
    }

    /// Notes the answer to a batch.
    pub(super) fn answer(&mut self, number: usize, answer: Result<Vec<Appended>, AppendError>) {
        self.batches[number].fate = match answer {
            Ok(appended) => Fate::Acknowledged(appended),
            Err(AppendError::Poisoned(_) | AppendError::Closed) => Fate::Unknown,
            Err(_) => Fate::Refused,
        };
    }

    /// Notes what readers can see now.
    pub(super) fn see(&mut self, log: &Log) {
        for (id, _) in log.channels() {
            let last = log.bounds(id).map_or(0, |bounds| bounds.last);
            let seen = self.seen.entry(id.get()).or_default();
            *seen = last.max(*seen);
        }
    }

    /// Compares a log that was just opened with all that was asked of it.
    pub(super) fn compare(&mut self, log: &Log, report: &mut Report) {
        let mut found: BTreeMap<usize, Found> = BTreeMap::new();
        for (id, _) in log.channels() {
            self.read_channel(log, id, &mut found, report);
        }
        for number in 0..self.batches.len() {
            let there = found.remove(&number).unwrap_or_default();
            self.judge(number, &there, log, report);
        }
        if let Some(number) = found.keys().next() {
            report.invented(format!("batch {number} was never appended"));
        }
        self.see(log);
    }

    fn read_channel(
        &self,
        log: &Log,
        id: ChannelId,
        found: &mut BTreeMap<usize, Found>,
        report: &mut Report,
    ) {
        let Some(bounds) = log.bounds(id) else { return };
        let seen = self.seen.get(&id.get()).copied().unwrap_or_default();
        if bounds.last < seen {
            report.lost(format!("channel {id} ends at {} and was seen at {seen}", bounds.last));
        }
        let mut after = bounds.first - 1;
        while after < bounds.last {
            match log.read(id, after, 100, 16 << 10) {
                Ok(records) if !records.is_empty() => {
                    for record in records {
                        if record.position != after + 1 {
                            report.lost(format!("channel {id} has a gap after {after}"));
                        }
                        after = record.position;
                        let Some((number, index)) = self.recognise(id, &record.data) else {
                            report.invented(format!("record {after} of channel {id}"));
                            continue;
                        };
                        found.entry(number).or_default().push((index, id, after));
                    }
                }
                other => {
                    report.lost(format!("channel {id} after {after}: {other:?}"));
                    return;
                }
            }
        }
    }

    fn recognise(&self, id: ChannelId, bytes: &[u8]) -> Option<(usize, usize)> {
        let number = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?) as usize;
        let index = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?) as usize;
        let batch = self.batches.get(number)?;
        let size = *batch.sizes.get(index)?;
        let same = batch.channels[index] == id && data(number, index, size) == bytes;
        same.then_some((number, index))
    }

    fn judge(&mut self, number: usize, there: &Found, log: &Log, report: &mut Report) {
        let batch = &mut self.batches[number];
        match &batch.fate {
            Fate::Refused if !there.is_empty() => {
                report.invented(format!("batch {number} was refused and is there"));
            }
            Fate::Refused => {}
            Fate::Acknowledged(appended) => {
                for (index, record) in appended.iter().enumerate() {
                    let wanted = (index, record.channel, record.position);
                    let first = log.bounds(record.channel).map_or(1, |bounds| bounds.first);
                    if record.position >= first && !there.contains(&wanted) {
                        report.lost(format!("record {index} of batch {number} is not {wanted:?}"));
                    }
                }
            }
            Fate::Unknown if there.is_empty() => batch.fate = Fate::Refused,
            Fate::Unknown if there.len() == batch.sizes.len() => {
                let mut there = there.clone();
                there.sort_unstable();
                let appended = there
                    .into_iter()
                    .map(|(_, channel, position)| Appended { channel, position })
                    .collect();
                batch.fate = Fate::Acknowledged(appended);
            }
            Fate::Unknown => {
                let (some, all) = (there.len(), batch.sizes.len());
                report.torn(format!("{some} of {all} records of batch {number} are there"));
            }
        }
    }
}

/// The data of a record: it names itself, and all its bytes follow from that.
fn data(number: usize, index: usize, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    Rng::from_seed((number as u64) << 8 | index as u64).fill(&mut bytes);
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    bytes[8..16].copy_from_slice(&(index as u64).to_le_bytes());
    bytes.into()
}
