//! Asks a participant as a saga does: over the broker, and as often as a test likes.

use std::sync::Arc;

use switchboard_core::{Clock, Envelope, Message, Position, Rng};
use switchboard_handler::Group;
use switchboard_message::{Broker, MemoryBroker};
use switchboard_saga::{Action, Reply};
use switchboard_store::{NewMessage, Outgoing, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A saga that asks one question at a time and reads the answers in the participant's store.
///
/// The participant's topics must be declared. Its group ends when this is dropped.
#[derive(Debug)]
pub struct Asker {
    store: Arc<dyn Store>,
    broker: MemoryBroker,
    clock: Arc<dyn Clock>,
    rng: Rng,
    seen: Position,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

/// Which question of which saga.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The run of the saga: an order's id.
    pub instance: &'a str,
    /// The step.
    pub step: &'a str,
    /// Do or undo.
    pub action: Action,
    /// Raised when an operator asks again.
    pub epoch: u32,
}

// === impl Question ===

impl<'a> Question<'a> {
    /// Do a step, asked for the first time.
    pub fn perform(instance: &'a str, step: &'a str) -> Self {
        Self { instance, step, action: Action::Do, epoch: 1 }
    }

    /// Undo a step, asked for the first time.
    pub fn undo(instance: &'a str, step: &'a str) -> Self {
        Self { instance, step, action: Action::Undo, epoch: 1 }
    }
}

// === impl Asker ===

impl Asker {
    /// Runs the participant's group.
    ///
    /// # Panics
    /// In its task, when the group ends with an error.
    pub fn new(
        store: Arc<dyn Store>,
        broker: &MemoryBroker,
        clock: Arc<dyn Clock>,
        group: Group,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let running = tokio::spawn(async move {
            group.run(stop).await.expect("the group ends only when it is told to");
        });
        let (broker, rng) = (broker.clone(), Rng::from_seed(3));
        Self { store, broker, clock, rng, seen: Position::START, shutdown, running }
    }

    /// Asks a question and waits for its answer. Each call is a new message, so a second one tests
    /// that the question is recognised, not the message.
    ///
    /// # Panics
    /// When the command is not taken by the broker, or the group dies before it answers.
    pub async fn ask<M: Message>(&mut self, question: Question<'_>, command: &M) -> Reply {
        let envelope = self.envelope(question, command);
        for answer in self.broker.publish(vec![envelope]).await {
            answer.expect("a declared topic");
        }
        let mut positions = self.store.watch();
        loop {
            if let Some(reply) = self.next_reply().await {
                return reply;
            }
            tokio::select! {
                changed = positions.changed() => changed.expect("a store that lives"),
                ended = &mut self.running => panic!("the group has ended: {ended:?}"),
            }
        }
    }

    /// The next message that the participant's store holds for a saga.
    async fn next_reply(&mut self) -> Option<Reply> {
        loop {
            let next = self.store.outgoing(self.seen, 1).await.expect("a store that reads");
            let Outgoing { position, envelope, .. } = next.into_iter().next()?;
            self.seen = position;
            if envelope.kind == Reply::KIND {
                return Some(envelope.message().expect("a reply"));
            }
        }
    }

    fn envelope<M: Message>(&mut self, question: Question<'_>, command: &M) -> Envelope {
        let Question { instance, step, action, epoch } = question;
        let NewMessage { topic, kind, key, payload, .. } = NewMessage::of(command);
        let envelope = Envelope::new(topic, kind, "sagas", &*self.clock, &mut self.rng);
        Envelope { key, ..envelope }
            .with_payload(payload)
            .with_header("saga", "trial")
            .with_header("saga-instance", instance)
            .with_header("saga-step", step)
            .with_header("saga-epoch", epoch.to_string())
            .with_header("saga-action", action.as_str())
            .with_header("reply-to", "trial.replies")
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.running.abort();
    }
}
