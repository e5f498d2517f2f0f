//! The one thread that writes.
//!
//! It takes everything that waits, judges and applies unit after unit inside one transaction,
//! commits, and answers all of them at once. A unit is judged completely before it changes
//! anything, so one that is refused leaves no trace and needs no savepoint. Should a change fail
//! all the same (an overflow), the transaction is rolled back and its units run singly.

pub(crate) mod answers;
mod apply;
mod chores;
mod desk;
pub(crate) mod hot;
mod planted;
pub(crate) mod rows;
mod statements;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::options::Planted;
use crate::queue::{Job, Queue};
use crate::store::Signals;
use crate::{checkpoint, metrics};
use answers::{Answer, Asked, Rest};
use desk::Desk;
use hot::Hot;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use switchboard_core::{BoxError, Position, chain};
use switchboard_store::judge::{self, judge};
use switchboard_store::seal::Sealer;
use switchboard_store::{CommitError, StoreError};

/// How long a batch waits at most for those who were answered a moment ago.
const PATIENCE: Duration = Duration::from_micros(150);

/// What the writer begins with.
pub(crate) struct Start {
    pub(crate) sealer: Sealer,
    pub(crate) signals: Arc<Signals>,
    pub(crate) turns: Arc<checkpoint::Shared>,
    pub(crate) planted: Option<Planted>,
}

struct Writer<'c> {
    desk: Desk<'c>,
    queue: &'c Queue,
    sealer: Sealer,
    signals: Arc<Signals>,
    turns: Arc<checkpoint::Shared>,
    planted: Option<Planted>,
    sweep_from: Position,
    /// Answers of the last batch that may not have been passed on yet.
    rest: Option<Rest>,
    /// How many units the next batch should wait for, and how long.
    expected: usize,
    patience: Duration,
    broken: bool,
}

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
        Ok(desk) => Writer::new(desk, start, queue).run(),
        Err(error) => {
            tracing::error!(store = %source, error = %chain(&error), "the store cannot be read");
        }
    }
}

// === impl Writer ===

impl<'c> Writer<'c> {
    fn new(desk: Desk<'c>, start: Start, queue: &'c Queue) -> Self {
        let Start { sealer, signals, turns, planted } = start;
        Self {
            desk,
            queue,
            sealer,
            signals,
            turns,
            planted,
            sweep_from: Position::START,
            rest: None,
            expected: 0,
            patience: Duration::ZERO,
            broken: false,
        }
    }

    fn run(mut self) {
        let mut batch = Vec::new();
        let mut asked = Vec::new();
        loop {
            if !self.queue.poll(&mut batch, self.expected, self.patience) {
                self.rest = None;
                if !self.queue.wait(&mut batch) {
                    break;
                }
            }
            for job in batch.drain(..) {
                match job {
                    Job::Commit(one) => asked.push(one),
                    // Chores keep their place among the units, and have a transaction of their own.
                    Job::Sweep(limit, reply) => {
                        self.commit(&mut asked);
                        let _ = reply.send(self.sweep(limit));
                    }
                    Job::Reincarnate(reply) => {
                        self.commit(&mut asked);
                        let _ = reply.send(self.reincarnate());
                    }
                }
            }
            self.commit(&mut asked);
        }
        self.close();
    }

    /// Leaves a database that is complete by itself, and beside it the write-ahead file at its full
    /// size: SQLite would delete it, and the next start would have to grow it again.
    fn close(&self) {
        let connection = self.desk.connection;
        let flag = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let kept = connection.set_db_config(flag, true);
        // What a failed sync has left behind must not be taken for good.
        if !self.broken && !self.turns.is_poisoned() && kept.is_ok() {
            let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
            if let Err(error) = connection.query_row(checkpoint, [], |_| Ok(())) {
                let source = &self.sealer.identity().source;
                let error = chain(&error);
                tracing::warn!(store = %source, error, "the last checkpoint failed");
            }
        }
    }

    fn commit(&mut self, asked: &mut Vec<Asked>) {
        if asked.is_empty() {
            return;
        }
        let begun = Instant::now();
        if let Some(bug) = self.planted {
            planted::spoil(bug, asked, &mut self.desk, self.sealer.now());
        }
        let outcome = self.attempt(asked);
        let refused = outcome.answers.iter().filter(|answer| answer.is_err()).count();
        let is_away = |answer: &Answer| {
            matches!(answer, Err(CommitError::Unavailable(_) | CommitError::Unknown(_)))
        };
        self.signals.writes.store(!outcome.answers.iter().any(is_away), Ordering::Release);
        // Watchers first: whoever has its answer finds them up to date.
        self.signals.publish(self.desk.hot.position, outcome.reschedules);
        metrics::committed(&self.sealer.identity().source, asked.len(), refused, begun.elapsed());
        // Whoever is answered now and works on is back before the next commit is through: sharing
        // that one is cheaper for all than another.
        self.expected = self.queue.urgent() + asked.len();
        self.patience = (begun.elapsed() / 4).min(PATIENCE);
        self.rest = None;
        self.rest = answers::deliver(asked.drain(..), outcome.answers);
    }

    /// Commits the units together, or singly when one of them is in the way.
    fn attempt(&mut self, units: &[Asked]) -> Outcome {
        self.broken |= self.turns.is_poisoned();
        if self.broken {
            let answers = units.iter().map(|_| Err(refusal())).collect();
            return Outcome { answers, reschedules: false };
        }
        match self.transact(|writer| writer.apply(units)) {
            Ok(outcome) => outcome,
            Err(Trouble::Change(error)) if self.desk.is_careful => {
                let answers = vec![Err(CommitError::Invalid(chain(&error)))];
                Outcome { answers, reschedules: false }
            }
            Err(Trouble::Change(_)) => {
                self.desk.is_careful = true;
                let mut all = Outcome::default();
                for unit in units.chunks(1) {
                    let one = self.attempt(unit);
                    all.answers.extend(one.answers);
                    all.reschedules |= one.reschedules;
                }
                self.desk.is_careful = false;
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

    fn apply(&mut self, units: &[Asked]) -> Result<Outcome, Trouble> {
        let now = self.sealer.now();
        let mut outcome = Outcome::default();
        outcome.answers.reserve(units.len());
        for Asked { unit, .. } in units {
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
            let error = chain(error);
            tracing::error!(store = %source, error, "a commit failed: open the store again");
            self.broken = true;
        }
        let connection = self.desk.connection;
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            self.broken = true;
        }
        match Hot::load(connection) {
            Ok(hot) => self.desk.hot = hot,
            Err(error) => {
                let error = chain(&error);
                tracing::error!(store = %source, error, "cannot read: open the store again");
                self.broken = true;
            }
        }
    }

    fn sweep(&mut self, limit: usize) -> Result<usize, StoreError> {
        self.chore(|writer| {
            let now = writer.sealer.now();
            let mut cursor = writer.sweep_from;
            let swept =
                chores::sweep(&writer.desk, limit, &mut cursor, now).map_err(Trouble::of)?;
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
