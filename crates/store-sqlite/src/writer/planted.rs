//! Bugs that tests plant, to prove that other tests find them. Never in use otherwise.

use rusqlite::Result;
use switchboard_core::Timestamp;
use switchboard_store::judge::View;
use switchboard_store::{TimerOp, Unit};

use super::apply::mark;
use super::desk::Desk;
use crate::Planted;

/// Takes out of a unit what the bug commits before it.
pub(super) fn spoil(
    bug: Planted,
    unit: &mut Unit,
    desk: &mut Desk<'_>,
    now: Timestamp,
) -> Result<()> {
    match bug {
        Planted::AckBeforeSync | Planted::AckBeforeCommit => Ok(()),
        Planted::MarkBeforeCommit => early_mark(unit, desk, now),
        Planted::TimerOutsideUnit => early_timers(unit, desk),
    }
}

fn early_mark(unit: &mut Unit, desk: &mut Desk<'_>, now: Timestamp) -> Result<()> {
    let Some(handled) = &unit.handled else { return Ok(()) };
    if desk.is_marked(&handled.group, &handled.mark, now).unwrap_or(true) {
        return Ok(());
    }
    desk.connection.execute_batch("BEGIN IMMEDIATE")?;
    mark(handled, desk.connection, &mut desk.hot, now)?;
    desk.flush()?;
    desk.connection.execute_batch("COMMIT")?;
    unit.handled = None;
    Ok(())
}

fn early_timers(unit: &mut Unit, desk: &mut Desk<'_>) -> Result<()> {
    for op in std::mem::take(&mut unit.timers) {
        match op {
            TimerOp::Fire { id } => {
                if let Ok(Some(message)) = desk.timer(&id) {
                    desk.connection.execute("DELETE FROM sb_timers WHERE id = ?1", [&*id])?;
                    unit.messages.push(message);
                }
            }
            other => unit.timers.push(other),
        }
    }
    Ok(())
}
