//! A delivery on its way through the group, and the names under which the store remembers it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use switchboard_core::{Envelope, Key};
use switchboard_message::delivery::Undecodable;
use switchboard_message::{Delivery, Receipt};
use switchboard_store::Mark;

/// A delivery that waits for its turn or is being handled.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) message: Result<Arc<Envelope>, Undecodable>,
    pub(crate) receipt: Receipt,
    /// The key whose order and gate it shares; one of its own when it has none.
    pub(crate) key: Key,
}

// === impl Job ===

impl Job {
    pub(crate) fn of(delivery: Delivery) -> Self {
        let Delivery { receipt, message, .. } = delivery;
        let message = message.map(Arc::new);
        let known = match &message {
            Ok(envelope) => envelope.key.clone(),
            Err(undecodable) => undecodable.key.clone(),
        };
        let key = known.unwrap_or_else(|| match &message {
            Ok(envelope) => own_key(&envelope.id.to_string()),
            Err(_) => own_key(&place(&receipt)),
        });
        Self { message, receipt, key }
    }

    /// What tells the message from all others. Bytes that cannot be read have no id, so their
    /// place in the log stands for them.
    pub(crate) fn mark(&self, keep: Duration) -> Mark {
        match &self.message {
            Ok(envelope) => match &envelope.identity {
                Some(identity) => {
                    Mark::Known { topic: envelope.topic.clone(), identity: identity.clone() }
                }
                None => Mark::Foreign { id: envelope.id.to_string(), keep },
            },
            Err(_) => Mark::Foreign { id: place(&self.receipt), keep },
        }
    }

    /// What is stored when the message has to wait.
    pub(crate) fn bytes(&self) -> Bytes {
        match &self.message {
            Ok(envelope) => envelope.encode(),
            Err(undecodable) => undecodable.bytes.clone(),
        }
    }
}

/// A key that no business id can be: it begins with a zero byte.
fn own_key(name: &str) -> Key {
    Key::from(format!("\0{name}"))
}

fn place(receipt: &Receipt) -> String {
    format!("{}/{}/{}/{}", receipt.topic, receipt.partition, receipt.epoch, receipt.position)
}
