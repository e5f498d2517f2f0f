//! Bugs that tests plant, to prove that other tests find them. Never in use otherwise.

use rusqlite::Result;
use switchboard_core::Timestamp;
use switchboard_store::judge::View;
use switchboard_store::{Committed, TimerOp, Unit};
use tokio::sync::oneshot;

use super::answers::{self, Asked};
use super::apply::mark;
use super::desk::Desk;
use crate::options::Planted;

/// Answers too early, or takes out of the units what the bug commits before them.
pub(super) fn spoil(bug: Planted, asked: &mut [Asked], desk: &mut Desk<'_>, now: Timestamp) {
    match bug {
        Planted::AckBeforeSync => {}
        Planted::AckBeforeCommit => {
            let answers = asked.iter().map(|_| Ok(Committed::default())).collect();
            let early = asked.iter_mut().map(|one| {
                // Nobody waits for the second answer.
                let nobody = oneshot::channel().0;
                let reply = std::mem::replace(&mut one.reply, nobody);
                Asked { unit: one.unit.clone(), reply }
            });
            drop(answers::deliver(early, answers));
        }
        Planted::MarkBeforeCommit => {
            for Asked { unit, .. } in asked {
                drop(early_mark(unit, desk, now));
            }
        }
        Planted::TimerOutsideUnit => {
            for Asked { unit, .. } in asked {
                drop(early_timers(unit, desk));
            }
        }
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
