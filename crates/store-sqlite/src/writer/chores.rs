//! What the writer does beside units, each in a transaction of its own and in bounded steps.

use rusqlite::{Connection, Result, params};
use switchboard_core::{Position, Slot, Timestamp};
use switchboard_store::seal::Sealer;

use super::desk::Desk;

/// Messages that are looked at in one sweep, for each that may be deleted; what a stuck slot keeps
/// is passed over in later sweeps.
const LOOKED_AT: usize = 16;

/// Deletes messages that the checkpoints of their slots have passed, from `cursor` on, and expired
/// marks of strangers. Returns how many messages there were.
pub(super) fn sweep(
    desk: &Desk<'_>,
    limit: usize,
    cursor: &mut Position,
    now: Timestamp,
) -> Result<usize> {
    let sql = "DELETE FROM sb_foreign WHERE (grp, id) IN \
               (SELECT grp, id FROM sb_foreign WHERE until <= ?1 LIMIT ?2)";
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    desk.connection.prepare_cached(sql)?.execute(params![now.as_micros(), rows])?;
    let mut deleted = step(desk, limit, cursor)?;
    if deleted == 0 && *cursor > Position::START {
        // Once more from the beginning: slots that were stuck may have moved.
        *cursor = Position::START;
        deleted = step(desk, limit, cursor)?;
    }
    if deleted > 0 {
        // The newest positions may be among those that are gone, and must not be given again.
        let sql = "UPDATE sb_meta SET value = ?1 WHERE name = 'position'";
        desk.connection.prepare_cached(sql)?.execute([desk.hot.position.cast_signed()])?;
    }
    Ok(deleted)
}

fn step(desk: &Desk<'_>, limit: usize, cursor: &mut Position) -> Result<usize> {
    let farthest = desk.hot.farthest_checkpoint().0.cast_signed();
    let passed = passed(desk.connection, *cursor, farthest, limit, |slot, position| {
        position <= desk.hot.checkpoint_of(slot)
    })?;
    let mut statement =
        desk.connection.prepare_cached("DELETE FROM sb_messages WHERE position = ?1")?;
    for position in &passed.positions {
        statement.execute([position.0.cast_signed()])?;
    }
    *cursor = passed.looked_to;
    Ok(passed.positions.len())
}

struct Passed {
    positions: Vec<Position>,
    looked_to: Position,
}

fn passed(
    connection: &Connection,
    after: Position,
    farthest: i64,
    limit: usize,
    is_passed: impl Fn(Slot, Position) -> bool,
) -> Result<Passed> {
    let sql = "SELECT position, slot FROM sb_messages \
               WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
    let looked_at = i64::try_from(limit.saturating_mul(LOOKED_AT)).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![after.0.cast_signed(), farthest, looked_at])?;
    let mut passed = Passed { positions: Vec::new(), looked_to: after };
    while passed.positions.len() < limit
        && let Some(row) = rows.next()?
    {
        let position = Position(row.get::<_, i64>(0)?.cast_unsigned());
        passed.looked_to = position;
        if is_passed(Slot(row.get(1)?), position) {
            passed.positions.push(position);
        }
    }
    Ok(passed)
}

/// Writes the next incarnation, and begins all sequences again.
pub(super) fn reincarnate(desk: &mut Desk<'_>, sealer: &Sealer) -> Result<()> {
    let next = sealer.identity().incarnation + 1;
    let sql = "UPDATE sb_meta SET value = ?1 WHERE name = 'incarnation'";
    desk.connection.execute(sql, [next])?;
    desk.connection.execute("DELETE FROM sb_sequences", [])?;
    desk.hot.forget_sequences();
    Ok(())
}
