//! The units of the trial: everything about one follows from its number.
//!
//! Unit `n` handles message `n`, appends one event, sends one message, counts itself in a row.
//! Every fourth one sets a timer, and the sixth after that fires it.

use std::collections::BTreeMap;

use bytes::Bytes;
use switchboard_core::{Identity, Key, Name, Slot, Timestamp};
use switchboard_store::{
    Column, Custody, Handled, Mark, NewEvent, NewMessage, Table, TimerOp, Unit,
};

pub(super) static COUNTS: Table =
    Table { name: "crash_counts", columns: &[Column::integer("n")], indexes: &[] };

/// A timer is fired by the unit this far after the one that has set it.
const FIRED_AFTER: u64 = 6;

/// The unit of this number.
pub(super) fn unit(number: u64) -> Unit {
    let slot = Slot(u8::try_from(number % 3).unwrap_or(0));
    let identity =
        Identity { source: "outside".into(), incarnation: 1, sequence: number / 3 + 1, slot };
    let handled = Handled {
        group: "crash".into(),
        mark: Mark::Known { topic: "in".into(), identity },
        key: Key::from(format!("key-{}", number % 5)),
        custody: Custody::Effect,
    };
    let mut unit = Unit::new()
        .send(message(number, number.to_string()))
        .add(&COUNTS, "done", "n", 1)
        .handled(handled);
    unit.events.push(NewEvent {
        stream: format!("unit-{number}").into(),
        kind: "Done".into(),
        schema: 1,
        tags: Vec::new(),
        data: number.to_string().into(),
    });
    if sets_timer(number) {
        unit = unit.timer(TimerOp::Set {
            id: timer(number),
            due: Timestamp::default(),
            message: Box::new(message(number, timer(number).to_string())),
        });
    }
    match fires(number) {
        Some(set) => unit.timer(TimerOp::Fire { id: timer(set) }),
        None => unit,
    }
}

/// Whether this unit sets a timer.
pub(super) fn sets_timer(number: u64) -> bool {
    number.is_multiple_of(4)
}

/// The unit whose timer this one fires.
pub(super) fn fires(number: u64) -> Option<u64> {
    number.checked_sub(FIRED_AFTER).filter(|set| sets_timer(*set))
}

/// The name of a unit's timer.
pub(super) fn timer(number: u64) -> Name {
    format!("timer-{number}").into()
}

fn message(number: u64, text: String) -> NewMessage {
    NewMessage {
        topic: "out".into(),
        kind: "crash.done".into(),
        version: 1,
        key: Some(Key::from(format!("key-{}", number % 5))),
        payload: Bytes::from(text),
        context: None,
        headers: BTreeMap::new(),
    }
}
