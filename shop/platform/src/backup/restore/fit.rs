//! Whether a store and a log belong together: what backups promise is looked at before it is relied on.

use std::collections::HashMap;
use std::path::Path;

use switchboard_core::BoxError;
use switchboard_message::{Inspect, PartitionInfo, TopicInfo};
use switchboard_message_log::LogBroker;
use switchboard_store::{Journal, Outbox};
use switchboard_store_sqlite::SqliteStore;
use switchboard_store_sqlite::compare::{self, Place};

use super::error::open_error;
use super::{RestoreError, Restoring};
use crate::topology::Service;

impl Restoring<'_> {
    /// Stores and log must be of one moment: what backups promise is looked at before it is relied
    /// on.
    pub(super) async fn fits(
        &self,
        service: &Service,
        store: &SqliteStore,
        broker: &LogBroker,
    ) -> Result<(), RestoreError> {
        let inconsistent = |why: String| RestoreError::Inconsistent {
            backup: self.wanted.backup.clone(),
            why: format!("{}: {why}", service.name),
        };
        let failed = |source: BoxError| open_error(service.file.to_owned(), source);
        let mut known = HashMap::new();
        for sequence in store.sequences().await.map_err(|error| failed(error.into()))? {
            known.insert((sequence.topic, sequence.slot), sequence.last);
        }
        let life = store.identity().incarnation;
        for it in broker.published_by(service.name).await.map_err(failed)? {
            let own = known.get(&(it.topic.clone(), it.slot)).copied().unwrap_or(0);
            if it.incarnation > life || (it.incarnation == life && it.sequence > own) {
                let topic = &it.topic;
                let why = format!("the log has a message to {topic} that its sender lacks");
                return Err(inconsistent(why));
            }
        }
        let topics = broker.topics().await.map_err(failed)?;
        let path = self.stage.join(service.file);
        let places = compare::places(&path).map_err(|error| failed(error.into()))?;
        for place in places {
            let bounds = bounds(&topics, &place);
            if bounds.is_none_or(|bounds| place.position > bounds.last.0) {
                let (topic, partition) = (&place.topic, place.partition);
                let why = format!("it has read beyond the end of {topic}/{partition}");
                return Err(inconsistent(why));
            }
        }
        Ok(())
    }

    /// Whether the log still has everything that comes after the copy.
    pub(super) async fn is_kept(
        &self,
        service: &Service,
        staged: &Path,
        broker: &LogBroker,
    ) -> Result<(), RestoreError> {
        let failed = |source: BoxError| open_error(service.file.to_owned(), source);
        let topics = broker.topics().await.map_err(failed)?;
        let mut missing = Vec::new();
        for place in compare::places(staged).map_err(|error| failed(error.into()))? {
            let bounds = bounds(&topics, &place);
            let Some(bounds) = bounds else { continue };
            let next = place.position + 1;
            if next < bounds.first.0 {
                let (topic, partition) = (&place.topic, place.partition);
                missing.push(format!("{topic}/{partition} from {next} to {}", bounds.first.0 - 1));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let (service, missing) = (service.name.to_owned(), missing.join(", "));
        Err(RestoreError::TooOld { service, missing })
    }
}

/// What the log keeps where a group stands.
fn bounds<'a>(topics: &'a [TopicInfo], place: &Place) -> Option<&'a PartitionInfo> {
    let topic = topics.iter().find(|topic| *topic.name == *place.topic)?;
    topic.partitions.get(usize::try_from(place.partition).ok()?)
}
