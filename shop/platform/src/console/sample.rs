//! What the pages show, read at one moment: the broker's topics and groups, each store's outbox and blocked keys, who is ready.

use std::collections::BTreeMap;

use http::Method;
use switchboard_core::{Name, Position, Timestamp};
use switchboard_message::{GroupLag, TopicInfo};
use switchboard_store::{Gate, Store};
use tokio::time::Instant;

use super::{Shop, Watched};
use crate::load::client::Call;

/// Messages of one outbox that are counted, at most.
const UNSENT_COUNTED: usize = 1_000;
/// Blocked keys of one store that are listed, at most.
pub(super) const GATES_LISTED: usize = 200;

/// The shop at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) taken: Instant,
    /// By service; empty when the gateway does not answer.
    pub(super) ready: BTreeMap<String, bool>,
    /// Whether the broker keeps what was published: otherwise nobody can count it.
    pub(super) has_history: bool,
    pub(super) topics: Vec<TopicInfo>,
    pub(super) groups: Vec<GroupLag>,
    pub(super) stores: Vec<StoreSample>,
}

/// One store at one moment.
#[derive(Clone, Debug)]
pub(super) struct StoreSample {
    pub(super) service: &'static str,
    pub(super) incarnation: u32,
    pub(super) position: Position,
    /// Committed messages that the relay has not carried yet.
    pub(super) unsent: usize,
    /// There are more than were counted.
    pub(super) unsent_more: bool,
    pub(super) gates: Vec<Gate>,
}

/// How far a group has come on one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) records: u64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) members: u32,
}

// === impl Sample ===

impl Sample {
    /// Reads everything. What cannot be read is shown as absent, never as an error page.
    pub(super) async fn take(shop: &Shop) -> Self {
        let (topics, groups) = match shop.broker.inspect() {
            Some(inspect) => (
                inspect.topics().await.unwrap_or_default(),
                inspect.groups().await.unwrap_or_default(),
            ),
            None => Default::default(),
        };
        let mut stores = Vec::with_capacity(shop.services.len());
        for service in &shop.services {
            stores.push(StoreSample::take(service).await);
        }
        let ready = ready(shop).await;
        let has_history = shop.has_history();
        Self { taken: Instant::now(), ready, has_history, topics, groups, stores }
    }

    /// Every record that was ever published to a topic; `None` when nobody counts them.
    pub(super) fn published(&self, topic: &str) -> Option<u64> {
        let topic = self.topics.iter().find(|info| info.name == *topic);
        let published =
            topic.map_or(0, |info| info.partitions.iter().map(|partition| partition.last.0).sum());
        self.has_history.then_some(published)
    }

    /// How far a group has come on a topic; `None` when the broker does not know it.
    pub(super) fn lag(&self, group: &str, topic: &str) -> Option<Lag> {
        let mut rows =
            self.groups.iter().filter(|row| row.group == *group && row.topic == *topic).peekable();
        rows.peek()?;
        Some(rows.fold(Lag::default(), |sum, row| Lag {
            records: sum.records + row.lag,
            oldest: match (sum.oldest, row.oldest) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            members: sum.members.max(row.members),
        }))
    }

    /// Records per second on a topic since an earlier sample.
    pub(super) fn rate(&self, before: Option<&Self>, topic: &str) -> Option<f64> {
        let before = before?;
        let seconds = self.taken.saturating_duration_since(before.taken).as_secs_f64();
        let records = self.published(topic)?.saturating_sub(before.published(topic)?);
        #[allow(clippy::cast_precision_loss, reason = "a rate is shown with two digits")]
        let rate = records as f64 / seconds.max(0.001);
        Some(rate)
    }

    /// Keys that are parked behind a failed message, and keys that wait for their next try.
    pub(super) fn blocked(&self) -> (usize, usize) {
        let gates = self.stores.iter().flat_map(|store| &store.gates);
        gates.fold((0, 0), |(parked, waiting), gate| match gate.due {
            None => (parked + 1, waiting),
            Some(_) => (parked, waiting + 1),
        })
    }

    /// How many keys of a group are parked.
    pub(super) fn parked_of(&self, group: &Name) -> usize {
        let gates = self.stores.iter().flat_map(|store| &store.gates);
        gates.filter(|gate| gate.group == *group && gate.due.is_none()).count()
    }
}

impl StoreSample {
    async fn take(service: &Watched) -> Self {
        let store = &*service.store;
        let (unsent, unsent_more) = unsent(store).await;
        let position = *store.watch().borrow();
        Self {
            service: service.name,
            incarnation: store.identity().incarnation,
            position,
            unsent,
            unsent_more,
            gates: store.gates(None, GATES_LISTED).await.unwrap_or_default(),
        }
    }
}

async fn unsent(store: &dyn Store) -> (usize, bool) {
    let Ok(checkpoints) = store.checkpoints().await else { return (0, false) };
    let passed: BTreeMap<_, _> =
        checkpoints.iter().map(|checkpoint| (checkpoint.slot, checkpoint.position)).collect();
    let Ok(all) = store.outgoing(Position::START, UNSENT_COUNTED).await else { return (0, false) };
    let is_full = all.len() == UNSENT_COUNTED;
    let unsent = all
        .iter()
        .filter(|message| passed.get(&message.slot).is_none_or(|to| message.position > *to))
        .count();
    (unsent, is_full && unsent > 0)
}

/// Keys that are parked in all stores, for the menu.
pub(super) async fn parked(shop: &Shop) -> usize {
    let mut parked = 0;
    for service in &shop.services {
        let gates = service.store.gates(None, GATES_LISTED).await.unwrap_or_default();
        parked += gates.iter().filter(|gate| gate.due.is_none()).count();
    }
    parked
}

async fn ready(shop: &Shop) -> BTreeMap<String, bool> {
    let answer = shop.client.call(Method::GET, "/readyz", &Call::default()).await;
    let Ok(answer) = answer else { return BTreeMap::new() };
    let services = answer.body["services"].as_object().cloned().unwrap_or_default();
    let is_ready =
        |word: &serde_json::Value| word.as_str().is_some_and(|it| it.starts_with("ready"));
    services.into_iter().map(|(name, word)| (name, is_ready(&word))).collect()
}
