//! The one thread that writes.
//!
//! It takes everything that waits, judges and applies unit after unit inside one transaction,
//! commits, and answers all of them at once. A unit is judged completely before it changes
//! anything, so one that is refused leaves no trace and needs no savepoint. Should a change fail
//! all the same (an overflow), the transaction is rolled back and its units run singly.

mod apply;
mod chores;
mod desk;
pub(crate) mod hot;
mod planted;
pub(crate) mod rows;
mod statements;

use std::sync::Arc;
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use switchboard_core::{BoxError, Position, chain};
use switchboard_store::judge::{self, judge};
use switchboard_store::seal::Sealer;
use switchboard_store::{CommitError, Committed, StoreError, Unit};
use tokio::sync::oneshot;

use crate::queue::{Job, Queue};
use crate::store::Signals;
use crate::{Planted, checkpoint, metrics};
use desk::Desk;
use hot::Hot;

/// What the writer begins with.
pub(crate) struct Start {
    pub(crate) sealer: Sealer,
    pub(crate) signals: Arc<Signals>,
    pub(crate) turns: Arc<checkpoint::Shared>,
    pub(crate) planted: Option<Planted>,
}

struct Writer<'c> {
    desk: Desk<'c>,
    sealer: Sealer,
    signals: Arc<Signals>,
    turns: Arc<checkpoint::Shared>,
    planted: Option<Planted>,
    sweep_from: Position,
    broken: bool,
}

type Answer = Result<Committed, CommitError>;
type Reply = oneshot::Sender<Answer>;

/// Why a transaction did not come to its end.
enum Trouble {
    /// One change was refused. Nothing happened; singly the others may pass.
    Change(rusqlite::Error),
    /// Nothing happened, and later it may work: a full disk, a busy file.
    Refused(rusqlite::Error),
    /// The commit itself failed: on the disk it may have happened.
    Lost(rusqlite::Error),
}

/// What the units of one transaction came to.
#[derive(Default)]
struct Outcome {
    answers: Vec<Answer>,
    reschedules: bool,
}

/// Works with this connection until the queue is closed and empty.
pub(crate) fn run(connection: &Connection, start: Start, queue: &Queue) {
    checkpoint::count_pages(connection);
    let source = start.sealer.identity().source.clone();
    match Desk::new(connection) {
        Ok(desk) => Writer::new(desk, start).run(queue),
        Err(error) => {
            tracing::error!(store = %source, error = %chain(&error), "the store cannot be read");
        }
    }
}

// === impl Writer ===

impl<'c> Writer<'c> {
    fn new(desk: Desk<'c>, start: Start) -> Self {
        let Start { sealer, signals, turns, planted } = start;
        let sweep_from = Position::START;
        Self { desk, sealer, signals, turns, planted, sweep_from, broken: false }
    }

    fn run(mut self, queue: &Queue) {
        let mut batch = Vec::new();
        let (mut units, mut replies) = (Vec::new(), Vec::new());
        while queue.take(&mut batch) {
            for job in batch.drain(..) {
                match job {
                    Job::Commit(unit, reply) => {
                        units.push(unit);
                        replies.push(reply);
                        continue;
                    }
                    // Chores keep their place among the units, and have a transaction of their own.
                    Job::Sweep(limit, reply) => {
                        self.commit(&mut units, &mut replies);
                        let _ = reply.send(self.sweep(limit));
                    }
                    Job::Reincarnate(reply) => {
                        self.commit(&mut units, &mut replies);
                        let _ = reply.send(self.reincarnate());
                    }
                }
            }
            self.commit(&mut units, &mut replies);
        }
        if self.broken {
            // What a failed sync has left behind must not be taken for good.
            let flag = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            let _ = self.desk.connection.set_db_config(flag, true);
        }
    }

    fn commit(&mut self, units: &mut Vec<Unit>, replies: &mut Vec<Reply>) {
        if units.is_empty() {
            return;
        }
        let begun = Instant::now();
        if let Some(bug) = self.planted {
            let now = self.sealer.now();
            for unit in units.iter_mut() {
                let _ = planted::spoil(bug, unit, &mut self.desk, now);
            }
        }
        let early =
            (self.planted == Some(Planted::AckBeforeCommit)).then(|| std::mem::take(replies));
        for reply in early.into_iter().flatten() {
            let _ = reply.send(Ok(Committed::default()));
        }
        let outcome = self.attempt(units);
        let refused = outcome.answers.iter().filter(|answer| answer.is_err()).count();
        // Watchers first: whoever has its answer finds them up to date.
        self.signals.publish(self.desk.hot.position, outcome.reschedules);
        for (reply, answer) in replies.drain(..).zip(outcome.answers) {
            let _ = reply.send(answer);
        }
        metrics::committed(&self.sealer.identity().source, units.len(), refused, begun.elapsed());
        units.clear();
    }

    /// Commits the units together, or singly when one of them is in the way.
    fn attempt(&mut self, units: &[Unit]) -> Outcome {
        if self.broken {
            let answers = units.iter().map(|_| Err(refusal())).collect();
            return Outcome { answers, reschedules: false };
        }
        match self.transact(|writer| writer.apply(units)) {
            Ok(outcome) => outcome,
            Err(Trouble::Change(error)) if units.len() == 1 => {
                let answers = vec![Err(CommitError::Invalid(chain(&error)))];
                Outcome { answers, reschedules: false }
            }
            Err(Trouble::Change(_)) => {
                let mut all = Outcome::default();
                for unit in units.chunks(1) {
                    let one = self.attempt(unit);
                    all.answers.extend(one.answers);
                    all.reschedules |= one.reschedules;
                }
                all
            }
            Err(Trouble::Refused(error)) => {
                let error: Arc<rusqlite::Error> = error.into();
                let answer = |_| Err(CommitError::Unavailable(BoxError::from(error.clone())));
                Outcome { answers: units.iter().map(answer).collect(), reschedules: false }
            }
            Err(Trouble::Lost(error)) => {
                let error: Arc<rusqlite::Error> = error.into();
                let answer = |_| Err(CommitError::Unknown(BoxError::from(error.clone())));
                Outcome { answers: units.iter().map(answer).collect(), reschedules: false }
            }
        }
    }

    fn apply(&mut self, units: &[Unit]) -> Result<Outcome, Trouble> {
        let now = self.sealer.now();
        let mut outcome = Outcome::default();
        outcome.answers.reserve(units.len());
        for unit in units {
            let plan = match judge(unit, &mut self.desk, now) {
                Ok(plan) => plan,
                Err(CommitError::Unavailable(error)) => return Err(Trouble::of_view(error)),
                Err(refusal) => {
                    outcome.answers.push(Err(refusal));
                    continue;
                }
            };
            outcome.reschedules |= judge::Plan::reschedules(&plan);
            let applied = apply::apply(unit, plan, &mut self.desk, &mut self.sealer, now);
            outcome.answers.push(Ok(applied.map_err(Trouble::of)?));
        }
        Ok(outcome)
    }

    /// Runs `work` in one transaction, with everything that it leaves dirty.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let turns = self.turns.clone();
        let turn = turns.turn.lock();
        self.desk.statements.begin.execute([]).map_err(Trouble::Refused)?;
        let result = work(self).and_then(|value| {
            self.desk.flush().map_err(Trouble::of)?;
            Ok(value)
        });
        let result = match result {
            Ok(value) => match self.desk.statements.commit.execute([]) {
                Ok(_) => Ok(value),
                Err(error) => Err(Trouble::of_commit(error)),
            },
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = &result {
            self.roll_back(trouble);
        }
        drop(turn);
        self.turns.committed();
        result
    }

    fn roll_back(&mut self, trouble: &Trouble) {
        let source = &self.sealer.identity().source;
        if let Trouble::Lost(error) = trouble {
            tracing::error!(store = %source, error = %chain(error), "a commit failed: open it again");
            self.broken = true;
        }
        let connection = self.desk.connection;
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            self.broken = true;
        }
        match Hot::load(connection) {
            Ok(hot) => self.desk.hot = hot,
            Err(error) => {
                tracing::error!(store = %source, error = %chain(&error), "cannot read: open it again");
                self.broken = true;
            }
        }
    }

    fn sweep(&mut self, limit: usize) -> Result<usize, StoreError> {
        self.chore(|writer| {
            let now = writer.sealer.now();
            let mut cursor = writer.sweep_from;
            let swept = chores::sweep(&writer.desk, limit, &mut cursor, now).map_err(Trouble::of)?;
            writer.sweep_from = cursor;
            Ok(swept)
        })
    }

    fn reincarnate(&mut self) -> Result<switchboard_store::StoreIdentity, StoreError> {
        self.chore(|writer| {
            chores::reincarnate(&mut writer.desk, &writer.sealer).map_err(Trouble::of)
        })?;
        let identity = self.sealer.reincarnate().clone();
        self.signals.set_identity(identity.clone());
        Ok(identity)
    }

    fn chore<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        if self.broken {
            return Err(StoreError::Unavailable(closed()));
        }
        self.transact(work).map_err(|trouble| {
            let (Trouble::Change(error) | Trouble::Refused(error) | Trouble::Lost(error)) = trouble;
            StoreError::Unavailable(error.into())
        })
    }
}

// === impl Trouble ===

impl Trouble {
    /// What a failed change means.
    fn of(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => {
                Self::Change(error)
            }
            _ => Self::Refused(error),
        }
    }

    fn of_view(error: BoxError) -> Self {
        match error.downcast::<rusqlite::Error>() {
            Ok(error) => Self::Refused(*error),
            Err(other) => Self::Refused(rusqlite::Error::ToSqlConversionFailure(other)),
        }
    }

    /// What a failed commit means. A full disk is found before the last frame is written, so
    /// nothing has happened; after anything else nobody knows, above all after a failed sync.
    fn of_commit(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy) => Self::Refused(error),
            _ => Self::Lost(error),
        }
    }
}

fn refusal() -> CommitError {
    CommitError::Unavailable(closed())
}

/// The store takes nothing more.
pub(crate) fn closed() -> BoxError {
    "the store has failed or was closed, and must be opened again".into()
}
