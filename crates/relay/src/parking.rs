//! Messages that can never be published: their keys are parked in the store, like those of any group.

use std::time::Duration;

use switchboard_core::{BoxError, Clock, Key, Position, Retryable, Verdict, chain};
use switchboard_message::{Broker, PublishError};
use switchboard_store::{
    CommitError, Custody, Expect, Failure, GateOp, Handled, Mark, Outgoing, Store, Unit, Waiting,
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
    /// Another relay publishes the slot by now.
    Fenced,
}

/// What became of a message that parks its key.
pub(crate) enum Taken {
    Done,
    /// The store is away: later.
    Away,
    /// Another relay publishes the slot by now.
    Fenced,
}

/// What became of a key that an operator woke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worked {
    Open,
    /// Not all of it, or not now.
    Left,
    /// Another relay publishes the slot by now.
    Fenced,
}

/// The key under which a message is parked; one of its own when it has none.
pub(crate) fn key_of(record: &Outgoing) -> Key {
    let own = || Key::from(format!("\0{}", record.envelope.id));
    record.envelope.key.clone().unwrap_or_else(own)
}

/// Parks the key of a message, in one commit with the checkpoint of its slot.
pub(crate) async fn park(
    store: &dyn Store,
    clock: &dyn Clock,
    record: &Outgoing,
    floor: Position,
    fences: Vec<Expect>,
    error: &PublishError,
) -> Result<Taken, Error> {
    let failure =
        Failure { at: clock.now(), attempt: 1, verdict: error.verdict(), error: chain(error) };
    let bytes = record.envelope.encode();
    let custody = Custody::Blocks { bytes, due: None, failure };
    match store.commit(custody_unit(record, floor, fences, custody)).await {
        Ok(_) => {
            let (key, topic) = (key_of(record), &record.envelope.topic);
            tracing::error!(%key, %topic, error = chain(error), "the message is parked");
            Ok(Taken::Done)
        }
        Err(CommitError::Conflict(_)) => Ok(Taken::Fenced),
        Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
        Err(error) => {
            tracing::warn!(%error, "a key cannot be parked; trying again");
            Ok(Taken::Away)
        }
    }
}

/// Puts a message behind those that block its key.
pub(crate) async fn join(
    store: &dyn Store,
    record: &Outgoing,
    floor: Position,
    fences: Vec<Expect>,
) -> Result<Joined, Error> {
    let custody = Custody::Behind { bytes: record.envelope.encode() };
    match store.commit(custody_unit(record, floor, fences, custody)).await {
        Ok(_) => Ok(Joined::Behind),
        Err(CommitError::KeyOpen) => Ok(Joined::Open),
        Err(CommitError::Conflict(_)) => Ok(Joined::Fenced),
        Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
        Err(error) => {
            tracing::warn!(%error, "a message cannot join its parked key; trying again");
            Ok(Joined::Away)
        }
    }
}

fn custody_unit(
    record: &Outgoing,
    floor: Position,
    conditions: Vec<Expect>,
    custody: Custody,
) -> Unit {
    let envelope = &record.envelope;
    let mark = match &envelope.identity {
        Some(identity) => Mark::Known { topic: envelope.topic.clone(), identity: identity.clone() },
        None => Mark::Foreign { id: envelope.id.to_string(), keep: KEEP },
    };
    let handled = Handled { group: GROUP.into(), mark, key: key_of(record), custody };
    let checkpoints = vec![(record.slot, floor)];
    Unit { conditions, handled: Some(handled), checkpoints, ..Unit::new() }
}

/// Publishes what waits behind a key that an operator woke, in order, releasing each message once
/// the broker has it.
pub(crate) async fn work_off(
    store: &dyn Store,
    broker: &dyn Broker,
    clock: &dyn Clock,
    key: &Key,
    longest_wait: Duration,
    fences: Vec<Expect>,
) -> Result<Worked, Error> {
    let waiting = match store.waiting(GROUP, key, BATCH).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::warn!(%key, %error, "cannot read a parked key");
            return Ok(Worked::Left);
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
        let unit = Unit { conditions: fences.clone(), gates: vec![op], ..Unit::new() };
        match store.commit(unit).await {
            Ok(_) if released => {}
            Ok(_) | Err(CommitError::GateMoved) => return Ok(Worked::Left),
            Err(CommitError::Conflict(_)) => return Ok(Worked::Fenced),
            Err(error @ CommitError::Unknown(_)) => return Err(Error::StoreLost(error.into())),
            Err(error) => {
                tracing::warn!(%error, "a parked key cannot be worked off; trying again");
                return Ok(Worked::Left);
            }
        }
    }
    let is_open = store.gate(GROUP, key).await.is_ok_and(|gate| gate.is_none());
    Ok(if is_open { Worked::Open } else { Worked::Left })
}

async fn publish(broker: &dyn Broker, waiting: &Waiting) -> Result<(), (Verdict, BoxError)> {
    let envelope = waiting.envelope().map_err(|error| (Verdict::Terminal, error.into()))?;
    match broker.publish(vec![envelope]).await.pop() {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err((error.verdict(), error.into())),
        None => Err((Verdict::Retry, "the broker did not answer".into())),
    }
}
