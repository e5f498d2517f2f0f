//! What operators do with blocked keys: look, replay in order, or drop one message with a reason.

use std::collections::BTreeMap;

use serde::Serialize;
use switchboard_core::{Clock, Envelope, Key, Name, Timestamp, chain};
use switchboard_store::{
    CommitError, Failure, Gate, GateOp, NewEvent, Store, StoreError, Unit, Waiting,
};

/// A blocked key with the first of its waiting messages.
#[derive(Clone, Debug, Serialize)]
pub struct BlockedKey {
    /// The group.
    pub group: Name,
    /// The key as text; keys that begin with a zero byte stand for messages without one.
    pub key: String,
    /// Since when it is blocked.
    pub since: Timestamp,
    /// When its head is tried again; absent when it is parked.
    pub due: Option<Timestamp>,
    /// How many messages wait, the head included.
    pub depth: u64,
    /// The messages in their order, the dead letter first.
    pub letters: Vec<Letter>,
}

/// A message that waits.
#[derive(Clone, Debug, Serialize)]
pub struct Letter {
    /// Names it when it is skipped.
    pub entry: u64,
    /// Since when it waits.
    pub since: Timestamp,
    /// Size of its stored form.
    pub bytes: usize,
    /// The message; absent when it cannot be decoded.
    pub message: Option<Content>,
    /// Why it cannot be decoded.
    pub undecodable: Option<String>,
    /// Every failure so far, oldest first.
    pub failures: Vec<Failure>,
}

/// What a waiting message says.
#[derive(Clone, Debug, Serialize)]
pub struct Content {
    /// Its id.
    pub id: String,
    /// Its topic.
    pub topic: Name,
    /// Its type.
    pub kind: Name,
    /// Who published it.
    pub source: Name,
    /// When it happened.
    pub time: Timestamp,
    /// What follows from the same action shares this.
    pub correlation: String,
    /// Its payload as text, cut to 4 KiB.
    pub payload: String,
}

/// What a replay of a key would set in motion.
#[derive(Clone, Debug, Serialize)]
pub struct BlastRadius {
    /// Messages that would be handled, the dead letter included.
    pub messages: u64,
    /// How many of each type, among the first 1 000; `?` stands for undecodable ones.
    pub kinds: BTreeMap<String, u64>,
    /// When the oldest of them happened.
    pub oldest: Option<Timestamp>,
    /// Whether the first one cannot even be decoded, so that a replay parks it again.
    pub hopeless: bool,
}

/// Blocked keys of one group or all, longest blocked first, each with its first message.
///
/// # Errors
/// When the store cannot be read.
pub async fn blocked(
    store: &dyn Store,
    group: Option<&str>,
    limit: usize,
) -> Result<Vec<BlockedKey>, StoreError> {
    let mut all = Vec::new();
    for gate in store.gates(group, limit).await? {
        let head = store.waiting(&gate.group, &gate.key, 1).await?;
        all.push(BlockedKey::of(gate, head));
    }
    Ok(all)
}

/// Only the keys that are parked: those that wait for an operator.
///
/// # Errors
/// When the store cannot be read.
pub async fn dead_letters(
    store: &dyn Store,
    group: Option<&str>,
    limit: usize,
) -> Result<Vec<BlockedKey>, StoreError> {
    let all = blocked(store, group, limit).await?;
    Ok(all.into_iter().filter(|key| key.due.is_none()).collect())
}

/// One blocked key with up to `limit` of its messages; `None` when it is open.
///
/// # Errors
/// When the store cannot be read.
pub async fn show(
    store: &dyn Store,
    group: &str,
    key: &Key,
    limit: usize,
) -> Result<Option<BlockedKey>, StoreError> {
    let Some(gate) = store.gate(group, key).await? else { return Ok(None) };
    let waiting = store.waiting(group, key, limit).await?;
    Ok(Some(BlockedKey::of(gate, waiting)))
}

/// What a replay of this key would set in motion; `None` when it is open. Every waiting message
/// is handled at most once more: its effect and its release are one commit.
///
/// # Errors
/// When the store cannot be read.
pub async fn blast_radius(
    store: &dyn Store,
    group: &str,
    key: &Key,
) -> Result<Option<BlastRadius>, StoreError> {
    let Some(gate) = store.gate(group, key).await? else { return Ok(None) };
    let waiting = store.waiting(group, key, 1_000).await?;
    let mut radius =
        BlastRadius { messages: gate.depth, kinds: BTreeMap::new(), oldest: None, hopeless: false };
    for (index, message) in waiting.iter().enumerate() {
        let kind = match message.envelope() {
            Ok(envelope) => {
                radius.oldest = Some(radius.oldest.unwrap_or(envelope.time).min(envelope.time));
                envelope.kind.to_string()
            }
            Err(_) => {
                radius.hopeless |= index == 0;
                "?".to_owned()
            }
        };
        *radius.kinds.entry(kind).or_default() += 1;
    }
    Ok(Some(radius))
}

/// Tries a blocked key again now, in order, with its attempts counted anew if it was parked.
///
/// # Errors
/// [`CommitError::GateMoved`] when the key is not blocked.
pub async fn replay(
    store: &dyn Store,
    clock: &dyn Clock,
    group: &str,
    key: &Key,
) -> Result<(), CommitError> {
    let (group, key) = (Name::from(group), key.clone());
    let wake = GateOp::Wake { group, key, at: clock.now() };
    store.commit(Unit { gates: vec![wake], ..Unit::new() }).await.map(|_| ())
}

/// Replays up to `limit` parked keys that `wanted` accepts, and says what became of each.
///
/// # Errors
/// When the store cannot be read.
pub async fn replay_where(
    store: &dyn Store,
    clock: &dyn Clock,
    group: Option<&str>,
    limit: usize,
    wanted: impl Fn(&Gate) -> bool + Send,
) -> Result<Vec<(Gate, Result<(), CommitError>)>, StoreError> {
    let mut outcomes = Vec::new();
    for gate in store.gates(group, limit).await? {
        if gate.due.is_none() && wanted(&gate) {
            let outcome = replay(store, clock, &gate.group, &gate.key).await;
            outcomes.push((gate, outcome));
        }
    }
    Ok(outcomes)
}

/// Drops the head of a blocked key without handling it. The reason is recorded in the same
/// commit, as an event of the stream `gates/<group>`. What waits behind it stays as it was.
///
/// # Errors
/// [`CommitError::GateMoved`] when the head is another one by now.
pub async fn skip(
    store: &dyn Store,
    group: &str,
    key: &Key,
    entry: u64,
    reason: &str,
) -> Result<(), CommitError> {
    let read = store.waiting(group, key, 1).await;
    let head = read.map_err(|error| CommitError::Unavailable(error.into()))?;
    let Some(head) = head.first().filter(|head| head.entry == entry) else {
        return Err(CommitError::GateMoved);
    };
    let envelope = head.envelope().ok();
    let record = serde_json::json!({
        "key": key.to_string(),
        "entry": entry,
        "reason": reason,
        "message": envelope.as_ref().map(|envelope| envelope.id.to_string()),
        "kind": envelope.as_ref().map(|envelope| envelope.kind.to_string()),
    });
    let mut unit = Unit { context: envelope.map(|it| it.context), ..Unit::new() };
    unit.events.push(NewEvent {
        stream: format!("gates/{group}").into(),
        kind: "MessageSkipped".into(),
        schema: 1,
        tags: Vec::new(),
        data: record.to_string().into(),
    });
    unit.gates.push(GateOp::Release { group: group.into(), key: key.clone(), entry });
    store.commit(unit).await.map(|_| ())
}

// === impl BlockedKey ===

impl BlockedKey {
    fn of(gate: Gate, waiting: Vec<Waiting>) -> Self {
        Self {
            group: gate.group,
            key: gate.key.to_string(),
            since: gate.since,
            due: gate.due,
            depth: gate.depth,
            letters: waiting.into_iter().map(Letter::of).collect(),
        }
    }
}

// === impl Letter ===

impl Letter {
    /// One unreadable body never hides the others: it is listed with what is wrong with it.
    fn of(waiting: Waiting) -> Self {
        let (message, undecodable) = match waiting.envelope() {
            Ok(envelope) => (Some(Content::of(&envelope)), None),
            Err(error) => (None, Some(chain(&error))),
        };
        let Waiting { entry, bytes, since, failures } = waiting;
        Self { entry, since, bytes: bytes.len(), message, undecodable, failures }
    }
}

// === impl Content ===

impl Content {
    fn of(envelope: &Envelope) -> Self {
        let shown = &envelope.payload[..envelope.payload.len().min(4 * 1024)];
        Self {
            id: envelope.id.to_string(),
            topic: envelope.topic.clone(),
            kind: envelope.kind.clone(),
            source: envelope.source.clone(),
            time: envelope.time,
            correlation: envelope.context.correlation.to_string(),
            payload: String::from_utf8_lossy(shown).into_owned(),
        }
    }
}
