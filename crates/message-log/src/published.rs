//! Who has published up to which sequence, so that a store which was put back notices it.
//!
//! The table covers every record up to a position of each partition. It is written to cells now and
//! then together with those positions; opening reads only the records after them.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use switchboard_core::{Identity, Name, Slot};
use switchboard_log::{AppendError, Log};
use switchboard_message::Published;

use crate::topics::Topics;
use crate::{OpenError, cell, record};

const PREFIX: &str = "published/";
/// The table is written once this many records have come since it was.
const WRITE_AFTER: u64 = 4_096;
/// How much opening reads at a time.
const READ_RECORDS: usize = 1_024;
const READ_BYTES: usize = 1 << 20;

/// The highest sequences by topic.
#[derive(Debug, Default)]
pub(crate) struct PublishedTable(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    topics: BTreeMap<Name, Sequences>,
    dirty: BTreeSet<Name>,
    since_written: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Sequences {
    /// By partition: the table knows all records up to here.
    covered: Vec<u64>,
    /// By partition: records beyond that it knows too, because publishers hear of their syncs in
    /// any order.
    #[serde(skip)]
    ahead: BTreeMap<u32, BTreeSet<u64>>,
    /// By source, incarnation and slot.
    highest: BTreeMap<(Name, u32, Slot), u64>,
}

/// A record that was appended.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) topic: Name,
    pub(crate) partition: u32,
    pub(crate) identity: Option<Identity>,
}

// === impl PublishedTable ===

impl PublishedTable {
    /// Reads the cells, and the records after them.
    pub(crate) fn open(log: &Log, topics: &Topics) -> Result<Self, OpenError> {
        let cells = cell::all::<Sequences>(log, PREFIX)?;
        let known = cells.into_iter().map(|(topic, sequences)| (Name::from(topic), sequences));
        let table = Self(Mutex::new(Inner { topics: known.collect(), ..Inner::default() }));
        for declared in topics.all() {
            let topic = &declared.topic.name;
            for (partition, channel) in (0..).zip(&declared.channels) {
                let Some(bounds) = log.bounds(*channel) else { continue };
                let mut after = table.covered(topic, partition).max(bounds.first.saturating_sub(1));
                table.begin_at(topic, partition, after);
                while after < bounds.last {
                    let records = log.read(*channel, after, READ_RECORDS, READ_BYTES)?;
                    let Some(last) = records.last().map(|record| record.position) else { break };
                    for record in &records {
                        let envelope = record::decode(&record.data).ok();
                        let identity = envelope.and_then(|envelope| envelope.identity);
                        let mark = Mark { topic: topic.clone(), partition, identity };
                        table.apply([(&mark, record.position)]);
                    }
                    after = last;
                }
            }
        }
        Ok(table)
    }

    /// Takes up records that are synced.
    pub(crate) fn apply<'a>(&self, marks: impl IntoIterator<Item = (&'a Mark, u64)>) {
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        for (mark, position) in marks {
            if !inner.topics.contains_key(&mark.topic) {
                inner.topics.insert(mark.topic.clone(), Sequences::default());
            }
            let Some(sequences) = inner.topics.get_mut(&mark.topic) else { continue };
            sequences.apply(mark, position);
            if !inner.dirty.contains(&mark.topic) {
                inner.dirty.insert(mark.topic.clone());
            }
            inner.since_written += 1;
        }
    }

    pub(crate) fn by(&self, source: &str) -> Vec<Published> {
        let inner = self.0.lock();
        let rows = |(topic, sequences): (&Name, &Sequences)| {
            let of_source = sequences.highest.iter().filter(|((name, ..), _)| *name == *source);
            of_source
                .map(|((_, incarnation, slot), sequence)| Published {
                    incarnation: *incarnation,
                    topic: topic.clone(),
                    slot: *slot,
                    sequence: *sequence,
                })
                .collect::<Vec<_>>()
        };
        inner.topics.iter().flat_map(rows).collect()
    }

    /// Writes what has changed when that is worth it, or in any case. Says whether it wrote.
    pub(crate) fn write(&self, log: &Log, in_any_case: bool) -> Result<bool, AppendError> {
        let changed: Vec<(Name, Sequences)> = {
            let mut inner = self.0.lock();
            if !in_any_case && inner.since_written < WRITE_AFTER {
                return Ok(false);
            }
            inner.since_written = 0;
            let dirty = std::mem::take(&mut inner.dirty);
            let with_sequences = |topic: Name| {
                let sequences = inner.topics.get(&topic).cloned().unwrap_or_default();
                (topic, sequences)
            };
            dirty.into_iter().map(with_sequences).collect()
        };
        let any = !changed.is_empty();
        for (topic, sequences) in changed {
            if let Err(error) = cell::put(log, &format!("{PREFIX}{topic}"), &sequences) {
                self.0.lock().dirty.insert(topic);
                return Err(error);
            }
        }
        Ok(any)
    }

    fn begin_at(&self, topic: &Name, partition: u32, position: u64) {
        let mut inner = self.0.lock();
        inner.topics.entry(topic.clone()).or_default().begin_at(partition, position);
    }

    fn covered(&self, topic: &Name, partition: u32) -> u64 {
        let inner = self.0.lock();
        let Some(sequences) = inner.topics.get(topic) else { return 0 };
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        sequences.covered.get(index).copied().unwrap_or(0)
    }
}

// === impl Sequences ===

impl Sequences {
    fn apply(&mut self, mark: &Mark, position: u64) {
        if let Some(identity) = &mark.identity {
            let place = (identity.source.clone(), identity.incarnation, identity.slot);
            let highest = self.highest.entry(place).or_default();
            *highest = identity.sequence.max(*highest);
        }
        let Ok(index) = usize::try_from(mark.partition) else { return };
        if self.covered.len() <= index {
            self.covered.resize(index + 1, 0);
        }
        let covered = &mut self.covered[index];
        if position != *covered + 1 {
            self.ahead.entry(mark.partition).or_default().insert(position);
            return;
        }
        *covered = position;
        if let Some(ahead) = self.ahead.get_mut(&mark.partition) {
            while ahead.remove(&(*covered + 1)) {
                *covered += 1;
            }
        }
    }

    /// Records up to here are known, or are not kept any more.
    fn begin_at(&mut self, partition: u32, position: u64) {
        let Ok(index) = usize::try_from(partition) else { return };
        if self.covered.len() <= index {
            self.covered.resize(index + 1, 0);
        }
        self.covered[index] = position;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_told_late_is_not_counted_as_known() {
        let mark = |sequence| Mark {
            topic: "t".into(),
            partition: 1,
            identity: Some(Identity {
                source: "s".into(),
                incarnation: 1,
                sequence,
                slot: Slot(1),
            }),
        };
        let table = PublishedTable::default();
        table.apply([(&mark(1), 1), (&mark(3), 3), (&mark(4), 4)]);
        assert_eq!(table.covered(&"t".into(), 1), 1);
        assert_eq!(table.by("s")[0].sequence, 4);
        table.apply([(&mark(2), 2)]);
        assert_eq!(table.covered(&"t".into(), 1), 4);
        assert_eq!(table.by("s")[0].sequence, 4);
    }
}
