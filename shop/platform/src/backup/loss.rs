//! What a restore takes away, as far as anybody still knows it.
//!
//! The store that is replaced is compared with its copy, and what it had published since then is looked up in the log. What only a caller
//! was told and no store holds is in neither; nobody can list that.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;
use switchboard_core::{BoxError, Position, Slot, Timestamp};
use switchboard_message::Broker;
use switchboard_store::Store;
use switchboard_store_sqlite::compare::{self, Difference};

use super::manifest::LogPart;

/// Messages that are listed one by one; their counts are complete.
const LISTED: usize = 10_000;
/// Records that are read at once.
const PAGE: usize = 500;

/// What one service does not know any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The service.
    pub service: String,
    /// Facts that its replaced store knew, by kind.
    pub events: BTreeMap<String, u64>,
    /// What they were about, 1 000 at most.
    pub streams: Vec<String>,
    /// Rows of its replaced store that were added or changed, by table.
    pub changed: BTreeMap<String, u64>,
    /// Rows that had been deleted and are back, by table.
    pub back: BTreeMap<String, u64>,
    /// Why the replaced store could not be compared.
    pub unknown: Option<String>,
    /// What it had published and others know of, by type.
    pub published: BTreeMap<String, u64>,
    /// The same one by one, 10 000 at most.
    pub messages: Vec<Message>,
}

/// A message that its sender does not know any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Where it lies.
    pub topic: String,
    /// Its type.
    pub kind: String,
    /// What it is about.
    pub key: Option<String>,
    /// When it was committed.
    pub time: Timestamp,
}

// === impl Loss ===

impl Loss {
    /// What the store in `replaced` knows and the one in `copy` does not.
    pub(super) fn between(service: &str, replaced: &Path, copy: &Path) -> Self {
        let mut loss = Self { service: service.to_owned(), ..Self::default() };
        if !replaced.exists() {
            return loss;
        }
        match compare::compare(replaced, copy) {
            Err(error) => loss.unknown = Some(switchboard_core::chain(&error)),
            Ok(Difference { events, streams, rows }) => {
                (loss.events, loss.streams) = (events, streams);
                for (table, rows) in rows {
                    if rows.changed > 0 {
                        loss.changed.insert(table.clone(), rows.changed);
                    }
                    if rows.deleted > 0 {
                        loss.back.insert(table, rows.deleted);
                    }
                }
            }
        }
        loss
    }

    /// Adds what the broker has of this store that the store itself does not know.
    pub(super) async fn add_published(
        &mut self,
        store: &dyn Store,
        broker: &dyn Broker,
        then: Option<&LogPart>,
    ) -> Result<(), BoxError> {
        let Some(inspect) = broker.inspect() else { return Ok(()) };
        let identity = store.identity();
        let mut known: HashMap<(String, Slot), u64> = HashMap::new();
        for sequence in store.sequences().await? {
            known.insert((sequence.topic.to_string(), sequence.slot), sequence.last);
        }
        let published = inspect.published_by(&identity.source).await?;
        let mut topics: Vec<_> = published
            .into_iter()
            .filter(|it| {
                let own = known.get(&(it.topic.to_string(), it.slot)).copied().unwrap_or(0);
                it.incarnation > identity.incarnation
                    || (it.incarnation == identity.incarnation && it.sequence > own)
            })
            .map(|it| it.topic.to_string())
            .collect();
        topics.sort();
        topics.dedup();
        let infos = inspect.topics().await?;
        for info in infos.iter().filter(|info| topics.iter().any(|topic| **topic == *info.name)) {
            for (partition, bounds) in (0..).zip(&info.partitions) {
                let channel = format!("{}/{partition}", info.name);
                let then = then.and_then(|log| log.channels.get(&channel)).copied();
                let first = Position(bounds.first.0.saturating_sub(1));
                let mut after = first.max(Position(then.unwrap_or(0)));
                while after < bounds.last {
                    let records = inspect.read(&info.name, partition, after, PAGE).await?;
                    let Some(last) = records.last().map(|record| record.position) else { break };
                    for record in records {
                        let Ok(envelope) = record.message else { continue };
                        let Some(own) = &envelope.identity else { continue };
                        let last = known.get(&(info.name.to_string(), own.slot)).copied();
                        let is_known = own.incarnation < identity.incarnation
                            || (own.incarnation == identity.incarnation
                                && own.sequence <= last.unwrap_or(0));
                        if own.source != identity.source || is_known {
                            continue;
                        }
                        *self.published.entry(envelope.kind.to_string()).or_default() += 1;
                        if self.messages.len() < LISTED {
                            self.messages.push(Message {
                                topic: info.name.to_string(),
                                kind: envelope.kind.to_string(),
                                key: envelope.key.as_ref().map(ToString::to_string),
                                time: envelope.time,
                            });
                        }
                    }
                    after = last;
                }
            }
        }
        Ok(())
    }

    /// Whether nothing is known to be lost.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.changed.is_empty()
            && self.back.is_empty()
            && self.published.is_empty()
            && self.unknown.is_none()
    }
}
