//! Which function handles which type of message on which topic.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use switchboard_core::{Envelope, Message, Name};
use switchboard_store::Unit;

use crate::Failure;

/// A registered handler, with its message's type erased.
pub(crate) type Handle =
    Arc<dyn Fn(Arc<Envelope>) -> BoxFuture<'static, Result<Unit, Failure>> + Send + Sync>;

/// The type under which a handler of every type is described.
pub(crate) const ANY: &str = "*";

/// All registrations of a group.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    topics: BTreeMap<Name, Kinds>,
}

#[derive(Clone, Default)]
struct Kinds {
    known: BTreeMap<Name, Handle>,
    any: Option<Handle>,
}

// === impl Routes ===

impl Routes {
    /// Registers a handler for one type; the last registration of a type wins.
    pub(crate) fn add(&mut self, topic: Name, kind: Name, handle: Handle) {
        self.topics.entry(topic).or_default().known.insert(kind, handle);
    }

    /// Registers a handler for every type of a topic that has none of its own.
    pub(crate) fn add_any(&mut self, topic: Name, handle: Handle) {
        self.topics.entry(topic).or_default().any = Some(handle);
    }

    /// Who handles this message; `None` when nobody does.
    pub(crate) fn find(&self, envelope: &Envelope) -> Option<&Handle> {
        let kinds = self.topics.get(&envelope.topic)?;
        kinds.known.get(&envelope.kind).or(kinds.any.as_ref())
    }

    /// The topics to subscribe to.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Name> {
        self.topics.keys()
    }

    /// Each topic with each type, `*` for all others.
    pub(crate) fn pairs(&self) -> Vec<(Name, Name)> {
        let mut pairs = Vec::new();
        for (topic, kinds) in &self.topics {
            pairs.extend(kinds.known.keys().map(|kind| (topic.clone(), kind.clone())));
            pairs.extend(kinds.any.iter().map(|_| (topic.clone(), Name::from(ANY))));
        }
        pairs
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs()).finish()
    }
}

/// A handler that decodes its message first. One that is not what its type says is terminal.
pub(crate) fn typed<M, F, Fut>(handler: F) -> Handle
where
    M: Message,
    F: Fn(M, Arc<Envelope>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Unit, Failure>> + Send + 'static,
{
    Arc::new(move |cause: Arc<Envelope>| match cause.message::<M>() {
        Ok(message) => handler(message, cause).boxed(),
        Err(error) => std::future::ready(Err(Failure::terminal(error))).boxed(),
    })
}

/// A handler of whole envelopes.
pub(crate) fn untyped<F, Fut>(handler: F) -> Handle
where
    F: Fn(Arc<Envelope>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Unit, Failure>> + Send + 'static,
{
    Arc::new(move |cause| handler(cause).boxed())
}
