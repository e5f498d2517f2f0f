//! Bugs that tests plant to show that they would be found. Never used outside tests.

use switchboard_core::{Context, Envelope, Id, Rng};
use switchboard_message::Broker;
use switchboard_store::{CommitError, Committed, Store, Unit};

/// Which bug is planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// A unit's messages are handed to the broker before the unit is committed.
    PublishBeforeCommit,
    /// A slot's checkpoint is stored before the broker has answered.
    CheckpointBeforeAck,
    /// Units do not say under which lease they were made.
    Unfenced,
}

/// Commits a unit as a service does; with [`Planted::PublishBeforeCommit`], its messages leave
/// first.
pub async fn commit(
    planted: Planted,
    store: &dyn Store,
    broker: &dyn Broker,
    unit: Unit,
) -> Result<Committed, CommitError> {
    if planted == Planted::PublishBeforeCommit {
        let mut rng = Rng::from_seed(0);
        let clock = switchboard_core::ManualClock::default();
        let source = store.identity().source;
        let early = unit.messages.iter().map(|message| {
            let id = Id::new(&clock, &mut rng);
            let (topic, kind) = (message.topic.clone(), message.kind.clone());
            let mut envelope = Envelope::new(topic, kind, source.clone(), &clock, &mut rng)
                .with_payload(message.payload.clone())
                .with_context(Context::of(id));
            envelope.key = message.key.clone();
            envelope
        });
        let _ = broker.publish(early.collect()).await;
    }
    store.commit(unit).await
}
