//! Bugs that tests plant to show that they would be found. The feature `planted` opens them; no
//! program has it.

use std::sync::Arc;

use switchboard_core::Envelope;
use switchboard_message::Broker;
use switchboard_store::{Store, Unit};

/// Which bug is planted.
#[derive(Clone, Debug, Default)]
#[cfg_attr(
    not(feature = "planted"),
    allow(dead_code, unreachable_pub, reason = "only tests plant bugs")
)]
#[non_exhaustive]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// The mark and the progress are committed in a unit of their own, before the effect.
    MarkBeforeCommit,
    /// The messages of a unit are handed to this broker before the unit is committed.
    PublishBeforeCommit(Arc<dyn Broker>),
}

// === impl Planted ===

impl Planted {
    /// Does the wrong thing, and gives back what is left to commit.
    pub(crate) async fn spoil(&self, mut unit: Unit, store: &dyn Store, cause: &Envelope) -> Unit {
        match self {
            Self::Nothing => {}
            Self::MarkBeforeCommit => {
                if let Some(handled) = unit.handled.take() {
                    let progress = std::mem::take(&mut unit.progress);
                    let mark = Unit { handled: Some(handled), progress, ..Unit::new() };
                    let _ = store.commit(mark).await;
                }
            }
            Self::PublishBeforeCommit(broker) => {
                let early =
                    std::mem::take(&mut unit.messages).into_iter().map(|message| Envelope {
                        topic: message.topic,
                        kind: message.kind,
                        key: message.key,
                        identity: None,
                        payload: message.payload,
                        ..cause.clone()
                    });
                let _ = broker.publish(early.collect()).await;
            }
        }
        unit
    }
}
