//! How far each assigned partition is done, and where a group goes on after a restart.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use switchboard_core::{BoxError, Name, Position};
use switchboard_message::{Assignment, Contiguous, Receipt, Resume};
use switchboard_store::{Progress, Store};

/// The partitions that this member holds now.
#[derive(Debug, Default)]
pub(crate) struct Tracks(HashMap<Name, HashMap<u32, Track>>);

#[derive(Debug)]
struct Track {
    progress: Contiguous,
    /// The first position of each log epoch that was met, oldest first.
    epochs: Vec<(Position, u64)>,
    /// The assignment whose receipts count; learned from the first one.
    generation: Option<u64>,
    /// The newest delivery taken in.
    newest: Position,
    /// What the store was told already.
    stored: Position,
}

/// Answers a broker from the store: the store is the truth about a group's progress.
pub(crate) struct StoredProgress {
    pub(crate) group: Name,
    pub(crate) store: Arc<dyn Store>,
}

// === impl Tracks ===

impl Tracks {
    pub(crate) fn assign(&mut self, assignment: &Assignment) {
        let track = Track {
            progress: Contiguous::after(assignment.position),
            epochs: vec![(assignment.position, assignment.epoch)],
            generation: None,
            newest: assignment.position,
            stored: assignment.position,
        };
        self.0.entry(assignment.topic.clone()).or_default().insert(assignment.partition, track);
    }

    pub(crate) fn revoke(&mut self, topic: &str, partition: u32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// A delivery was taken in. False when its partition is not held. Deliveries are taken in by
    /// rising position; a second copy of one adds nothing.
    pub(crate) fn start(&mut self, receipt: &Receipt) -> bool {
        let partitions = self.0.get_mut(&receipt.topic);
        let Some(track) = partitions.and_then(|all| all.get_mut(&receipt.partition)) else {
            return false;
        };
        track.generation.get_or_insert(receipt.generation);
        if track.epochs.last().is_none_or(|&(_, epoch)| epoch != receipt.epoch) {
            track.epochs.push((receipt.position, receipt.epoch));
        }
        if receipt.position > track.newest {
            track.newest = receipt.position;
            track.progress.start(receipt.position);
        }
        true
    }

    /// The progress to be committed together with the effect of this delivery, if it would say
    /// anything new.
    pub(crate) fn with(&mut self, group: &Name, receipt: &Receipt) -> Option<Progress> {
        let track = self.find(receipt)?;
        let position = track.progress.done_with(receipt.position);
        (position > track.stored).then(|| Progress {
            group: group.clone(),
            topic: receipt.topic.clone(),
            partition: receipt.partition,
            epoch: track.epoch_of(position),
            position,
        })
    }

    /// A delivery's commit succeeded, and it carried this progress.
    pub(crate) fn finish(&mut self, receipt: &Receipt, stored: Option<Position>) {
        if let Some(track) = self.find(receipt) {
            track.progress.finish(receipt.position);
            track.stored = track.stored.max(stored.unwrap_or_default());
            track.forget_old_epochs();
        }
    }

    /// Everything that is done and that the store was not told; from now on it counts as told.
    pub(crate) fn unstored(&mut self, group: &Name) -> Vec<Progress> {
        let mut all = Vec::new();
        for (topic, partitions) in &mut self.0 {
            for (partition, track) in partitions {
                let position = track.progress.done();
                if position > track.stored {
                    track.stored = position;
                    all.push(Progress {
                        group: group.clone(),
                        topic: topic.clone(),
                        partition: *partition,
                        epoch: track.epoch_of(position),
                        position,
                    });
                }
            }
        }
        all
    }

    /// The track of a receipt, unless the receipt is of a former assignment.
    fn find(&mut self, receipt: &Receipt) -> Option<&mut Track> {
        let track = self.0.get_mut(&receipt.topic)?.get_mut(&receipt.partition)?;
        (track.generation == Some(receipt.generation)).then_some(track)
    }
}

// === impl Track ===

impl Track {
    fn epoch_of(&self, position: Position) -> u64 {
        let met = self.epochs.iter().rev().find(|(first, _)| *first <= position);
        met.or(self.epochs.first()).map_or(0, |&(_, epoch)| epoch)
    }

    fn forget_old_epochs(&mut self) {
        let done = self.progress.done();
        while self.epochs.get(1).is_some_and(|(first, _)| *first <= done) {
            self.epochs.remove(0);
        }
    }
}

// === impl StoredProgress ===

#[async_trait]
impl Resume for StoredProgress {
    async fn resume(&self, topic: &Name, partition: u32) -> Result<Option<Assignment>, BoxError> {
        let stored = self.store.progress(&self.group, topic, partition).await?;
        Ok(stored.map(|progress| Assignment {
            topic: progress.topic,
            partition: progress.partition,
            epoch: progress.epoch,
            position: progress.position,
        }))
    }
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
