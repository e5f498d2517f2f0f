//! Giving a message what only its commit can give: id, time, source and identity.

use std::fmt;
use std::sync::Arc;

use switchboard_core::{Clock, Context, Envelope, Id, Identity, Name, Rng, Slot, Timestamp};

use crate::{NewMessage, StoreIdentity};

/// Seals messages in the name of one store.
pub struct Sealer {
    identity: StoreIdentity,
    clock: Arc<dyn Clock>,
    rng: Rng,
}

// === impl Sealer ===

impl Sealer {
    /// A sealer for this life of this store.
    pub fn new(identity: StoreIdentity, clock: Arc<dyn Clock>, rng: Rng) -> Self {
        Self { identity, clock, rng }
    }

    /// Whose messages they are.
    pub fn identity(&self) -> &StoreIdentity {
        &self.identity
    }

    /// Begins the next life: sequences start again.
    pub fn reincarnate(&mut self) -> &StoreIdentity {
        self.identity.incarnation += 1;
        &self.identity
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes an envelope. `next` gives the sequence that follows in a topic's slot; a message
    /// without a key draws its slot; one without a context takes `context`, or begins an action.
    pub fn seal(
        &mut self,
        message: NewMessage,
        context: Option<&Context>,
        time: Timestamp,
        next: impl FnOnce(&Name, Slot) -> u64,
    ) -> (Slot, Envelope) {
        let id = Id::new(&*self.clock, &mut self.rng);
        let slot = match &message.key {
            Some(key) => Slot::of(key),
            None => Slot::draw(&mut self.rng),
        };
        let identity = Identity {
            source: self.identity.source.clone(),
            incarnation: self.identity.incarnation,
            sequence: next(&message.topic, slot),
            slot,
        };
        let context = message.context.or_else(|| context.cloned());
        let envelope = Envelope {
            id,
            topic: message.topic,
            kind: message.kind,
            version: message.version,
            source: self.identity.source.clone(),
            time,
            key: message.key,
            identity: Some(identity),
            context: context.unwrap_or_else(|| Context::of(id)),
            headers: message.headers,
            payload: message.payload,
        };
        (slot, envelope)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("identity", &self.identity).finish_non_exhaustive()
    }
}
