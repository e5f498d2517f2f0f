//! Where rejected records are kept: in `<topic>.dead`, acknowledged before the group passes them.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{BoxError, Key, Name, Timestamp};

use crate::client::{Headers, Raw};
use crate::dead_letters::{DeadLetter, Dialect};
use crate::member::Source;
use crate::options::DeadLetters;
use crate::publish::Publisher;
use crate::topics::Topics;
use crate::{Options, metrics as names};

/// Writes dead letters.
pub(crate) struct Graves {
    pub(crate) options: Options,
    pub(crate) topics: Arc<Topics>,
    pub(crate) publisher: Arc<Publisher>,
}

/// Waits between attempts: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

// === impl Graves ===

impl Graves {
    /// Writes a record as a dead letter. Tries until Kafka has it: false only when the group has
    /// lost the record's partition meanwhile, so that its next holder will decide.
    pub(crate) async fn bury(
        &self,
        group: &Name,
        source: &Source,
        partition: u32,
        raw: &Raw,
        redelivered: u32,
        still: impl Fn() -> bool,
    ) -> bool {
        let DeadLetters::To(dialect) = self.options.dead_letters else { return true };
        let letter = DeadLetter {
            topic: source.place.clone(),
            partition: Some(partition),
            position: Some(raw.position),
            time: Some(Timestamp::from_micros(raw.millis.saturating_mul(1_000))),
            group: Some(format!("{}{group}", self.options.prefix)),
            attempts: Some(redelivered + 1),
            error_class: None,
            error: Some("the consumer has given the message up".into()),
            stacktrace: None,
        };
        let mut wait = AGAIN.0;
        while still() {
            match self.write(&letter, dialect, source, partition, raw).await {
                Ok(()) => {
                    let topic = source.name.to_string();
                    metrics::counter!(names::DEAD_LETTERS, "topic" => topic).increment(1);
                    return true;
                }
                Err(error) => {
                    let (topic, position) = (&source.name, raw.position);
                    tracing::warn!(%topic, partition, position, %error, "no dead letter yet");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(AGAIN.1);
                }
            }
        }
        false
    }

    async fn write(
        &self,
        letter: &DeadLetter,
        dialect: Dialect,
        source: &Source,
        partition: u32,
        raw: &Raw,
    ) -> Result<(), BoxError> {
        let known = self.topics.dead(&source.name, source.partitions).await?;
        let mut headers = Headers::with_capacity(24);
        for (name, value) in raw.headers() {
            // What a former burial wrote is about another place.
            if !dialect.owns(name) {
                headers = headers.and(name, value);
            }
        }
        for (name, value) in letter.write(dialect) {
            headers = headers.with(&name, &value);
        }
        let partition = partition % known.partitions.max(1);
        let key = raw.key().map(Key::from);
        self.publisher.send(&known, partition, key, raw.payload(), headers).await
    }
}

impl std::fmt::Debug for Graves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graves").finish_non_exhaustive()
    }
}
