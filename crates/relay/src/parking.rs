//! Messages that can never be published: their keys are parked in the store, like those of any group.

use std::time::Duration;

use switchboard_core::{BoxError, Clock, Key, Position, Retryable, Verdict, chain};
use switchboard_message::{Broker, PublishError};
use switchboard_store::{
    CommitError, Custody, Failure, GateOp, Handled, Mark, Outgoing, Store, Unit, Waiting,
};

use crate::Error;

/// The group under which the relay parks keys, as operators see it.
pub const GROUP: &str = "relay";

/// How long a stranger's id would be remembered; messages of a store always have an identity.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
/// Messages of a key that is worked off, read at a time.
const BATCH: usize = 64;

/// What became of a message that joins a parked key.
pub(crate) enum Joined {
    Behind,
    /// The key has opened meanwhile: publish it.
    Open,
    /// The store is away: later.
    Away,
}

/// The key under which a message is parked; one of its own when it has none.
pub(crate) fn key_of(record: &Outgoing) -> Key {
    let own = || Key::from(format!("\0{}", record.envelope.id));
    record.envelope.key.clone().unwrap_or_else(own)
}

/// Parks the key of a message, in one commit with the checkpoint of its slot. False when the
/// store is away.
pub(crate) async fn park(
    store: &dyn Store,
    clock: &dyn Clock,
    record: &Outgoing,
    floor: Position,
    error: &PublishError,
) -> Result<bool, Error> {
    let failure =
        Failure { at: clock.now(), attempt: 1, verdict: error.verdict(), error: chain(error) };
    let bytes = record.envelope.encode();
    let custody = Custody::Blocks { bytes, due: None, failure };
    match store.commit(custody_unit(record, floor, custody)).await {
        Ok(_) => {
            let (key, topic) = (key_of(record), &record.envelope.topic);
            tracing::error!(%key, %topic, error = chain(error), "the message is parked");
            Ok(true)
        }
        Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
        Err(error) => {
            tracing::warn!(%error, "a key cannot be parked; trying again");
            Ok(false)
        }
    }
}

/// Puts a message behind those that block its key.
pub(crate) async fn join(
    store: &dyn Store,
    record: &Outgoing,
    floor: Position,
) -> Result<Joined, Error> {
    let custody = Custody::Behind { bytes: record.envelope.encode() };
    match store.commit(custody_unit(record, floor, custody)).await {
        Ok(_) => Ok(Joined::Behind),
        Err(CommitError::KeyOpen) => Ok(Joined::Open),
        Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
        Err(error) => {
            tracing::warn!(%error, "a message cannot join its parked key; trying again");
            Ok(Joined::Away)
        }
    }
}

fn custody_unit(record: &Outgoing, floor: Position, custody: Custody) -> Unit {
    let envelope = &record.envelope;
    let mark = match &envelope.identity {
        Some(identity) => Mark::Known { topic: envelope.topic.clone(), identity: identity.clone() },
        None => Mark::Foreign { id: envelope.id.to_string(), keep: KEEP },
    };
    let handled = Handled { group: GROUP.into(), mark, key: key_of(record), custody };
    Unit { handled: Some(handled), checkpoints: vec![(record.slot, floor)], ..Unit::new() }
}

/// Publishes what waits behind a key that an operator woke, in order, releasing each message once
/// the broker has it. True when the key is open.
pub(crate) async fn work_off(
    store: &dyn Store,
    broker: &dyn Broker,
    clock: &dyn Clock,
    key: &Key,
    longest_wait: Duration,
) -> Result<bool, Error> {
    let waiting = match store.waiting(GROUP, key, BATCH).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::warn!(%key, %error, "cannot read a parked key");
            return Ok(false);
        }
    };
    for entry in &waiting {
        let (group, key) = (GROUP.into(), key.clone());
        let op = match publish(broker, entry).await {
            Ok(()) => GateOp::Release { group, key, entry: entry.entry },
            Err((verdict, error)) => {
                let attempt = entry.failures.last().map_or(0, |last| last.attempt) + 1;
                let wait = (Duration::from_millis(100) * (1 << attempt.min(10))).min(longest_wait);
                let due = (verdict == Verdict::Retry).then(|| clock.now().plus(wait));
                let failure = Failure { at: clock.now(), attempt, verdict, error: chain(&*error) };
                GateOp::Defer { group, key, entry: entry.entry, due, failure }
            }
        };
        let released = matches!(op, GateOp::Release { .. });
        match store.commit(Unit { gates: vec![op], ..Unit::new() }).await {
            Ok(_) if released => {}
            Ok(_) | Err(CommitError::GateMoved) => return Ok(false),
            Err(error @ CommitError::Unknown(_)) => return Err(Error::StoreLost(error.into())),
            Err(error) => {
                tracing::warn!(%error, "a parked key cannot be worked off; trying again");
                return Ok(false);
            }
        }
    }
    Ok(store.gate(GROUP, key).await.is_ok_and(|gate| gate.is_none()))
}

async fn publish(broker: &dyn Broker, waiting: &Waiting) -> Result<(), (Verdict, BoxError)> {
    let envelope = waiting.envelope().map_err(|error| (Verdict::Terminal, error.into()))?;
    match broker.publish(vec![envelope]).await.pop() {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err((error.verdict(), error.into())),
        None => Err((Verdict::Retry, "the broker did not answer".into())),
    }
}
