//! How far groups have come: kept in memory, written to cells some time later.
//!
//! A group that keeps its progress in its own store does not need these; they show its lag and
//! tell retention what to spare. For the others a crash repeats what was done since the last
//! write, which is at most a second old.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use switchboard_core::{Name, Position};
use switchboard_log::{AppendError, Log};

use crate::{OpenError, cell};

const PREFIX: &str = "group/";

/// The positions of all groups.
#[derive(Debug, Default)]
pub(crate) struct Positions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By topic and group; the index is the partition.
    kept: BTreeMap<(Name, Name), Vec<Option<u64>>>,
    dirty: BTreeSet<(Name, Name)>,
}

// === impl Positions ===

impl Positions {
    /// What was written in earlier lives.
    pub(crate) fn open(log: &Log) -> Result<Self, OpenError> {
        let mut kept = BTreeMap::new();
        for (name, positions) in cell::all::<Vec<Option<u64>>>(log, PREFIX)? {
            // A topic's name has no `/`, a group's may have one.
            if let Some((topic, group)) = name.split_once('/') {
                kept.insert((Name::from(topic), Name::from(group)), positions);
            }
        }
        Ok(Self(Mutex::new(Inner { kept, dirty: BTreeSet::new() })))
    }

    /// All groups with the topics they read.
    pub(crate) fn groups(&self) -> Vec<(Name, Name)> {
        self.0.lock().kept.keys().map(|(topic, group)| (group.clone(), topic.clone())).collect()
    }

    pub(crate) fn get(&self, group: &Name, topic: &Name, partition: u32) -> Option<Position> {
        let inner = self.0.lock();
        let positions = inner.kept.get(&(topic.clone(), group.clone()))?;
        let position = positions.get(usize::try_from(partition).ok()?).copied()?;
        position.map(Position)
    }

    /// Notes a position, to be written later.
    pub(crate) fn set(&self, group: &Name, topic: &Name, partition: u32, position: Position) {
        let Ok(index) = usize::try_from(partition) else { return };
        let place = (topic.clone(), group.clone());
        let mut inner = self.0.lock();
        let positions = inner.kept.entry(place.clone()).or_default();
        if positions.len() <= index {
            positions.resize(index + 1, None);
        }
        positions[index] = Some(position.0);
        inner.dirty.insert(place);
    }

    /// Writes what has changed, and says whether anything had. It is durable with the log's next
    /// sync.
    pub(crate) fn write(&self, log: &Log) -> Result<bool, AppendError> {
        let changed: Vec<_> = {
            let mut inner = self.0.lock();
            let dirty = std::mem::take(&mut inner.dirty);
            let with_positions = |place| {
                let positions = inner.kept.get(&place).cloned().unwrap_or_default();
                (place, positions)
            };
            dirty.into_iter().map(with_positions).collect()
        };
        let any = !changed.is_empty();
        for (place, positions) in changed {
            let written = cell::put(log, &format!("{PREFIX}{}/{}", place.0, place.1), &positions);
            if let Err(error) = written {
                self.0.lock().dirty.insert(place);
                return Err(error);
            }
        }
        Ok(any)
    }
}
