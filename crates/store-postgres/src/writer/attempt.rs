//! Attempts at a batch, until it is committed or it makes no sense to go on.

use sqlx::PgConnection;
use switchboard_core::{Timestamp, chain};
use switchboard_store::{Mark, StoreError, StoreIdentity, Unit};

use super::append::{self, Ticket};
use super::batch::{self, Bench, Fate, Foreseen, Placed};
use super::{Pending, Step, Trouble, Writer};
use crate::connect::Settled;
use crate::error::{Meaning, database, is_answered};
use crate::queue::Answer;

/// Attempts at a batch before its units run singly.
const TOGETHER: usize = 6;
/// Attempts at one unit before it is answered that others were always faster.
const SINGLY: usize = 50;
/// Attempts after a lost connection or a deadlock: what takes the server down must not do so for
/// ever.
const AGAIN: usize = 3;
/// So many batches look before they write, after one whose hope was disappointed.
const CAUTIOUS: u32 = 16;

// === impl Writer ===

impl Writer {
    pub(super) async fn together(&mut self, units: &[&Unit]) -> Result<Vec<Answer>, Trouble> {
        let mut foreseen = if self.cautious > 0 { Foreseen::Looked } else { Foreseen::Hoped };
        self.cautious = self.cautious.saturating_sub(1);
        let (mut is_careful, mut troubles) = (false, 0);
        for _ in 0..if units.len() == 1 { SINGLY } else { TOGETHER } {
            let mut connection = self.take().await?;
            let attempt = self.attempt(&mut connection, units, foreseen.clone(), is_careful);
            let trouble = match attempt.await {
                Ok(Step::Done(pending)) => {
                    self.session.give_back(connection);
                    return Ok(self.finish(pending));
                }
                Ok(Step::Again(classes)) => {
                    self.session.roll_back(connection).await;
                    self.cautious = CAUTIOUS;
                    foreseen = Foreseen::Told(classes);
                    continue;
                }
                Ok(Step::Raced) => {
                    self.session.roll_back(connection).await;
                    foreseen = Foreseen::Looked;
                    continue;
                }
                Err(trouble) => trouble,
            };
            let meaning = trouble.meaning();
            if meaning == Meaning::Lost {
                drop(connection);
            } else {
                self.session.roll_back(connection).await;
            }
            if let Trouble::Unsure(error) = trouble {
                match self.resolve(error).await? {
                    Some(pending) => return Ok(self.finish(pending)),
                    None => continue,
                }
            }
            // A stream was taken for a new one.
            if !is_careful && is_duplicate(&trouble) {
                is_careful = true;
                continue;
            }
            troubles += 1;
            let again = match meaning {
                Meaning::Lost => troubles < AGAIN && !matches!(trouble, Trouble::Down(_)),
                Meaning::Rivalry => troubles < AGAIN && units.len() == 1,
                Meaning::Data | Meaning::Refused => false,
            };
            if !again {
                return Err(trouble);
            }
        }
        let error = sqlx::Error::Protocol("other processes were always faster".into());
        Err(Trouble::Failed(error))
    }

    /// A connection; if it is a new one, what was remembered is void.
    pub(super) async fn take(&mut self) -> Result<PgConnection, Trouble> {
        let (connection, settled) = self.session.take().await?;
        if let Some(Settled { incarnation, position, reschedules, reborn }) = settled {
            self.beliefs.forget();
            self.be(incarnation);
            if reborn {
                self.signals.reborn(position, reschedules);
            }
        }
        Ok(connection)
    }

    async fn attempt(
        &mut self,
        connection: &mut PgConnection,
        units: &[&Unit],
        foreseen: Foreseen,
        is_careful: bool,
    ) -> Result<Step<Pending>, Trouble> {
        let deadline = self.deadline;
        let now = self.clock.now();
        let work = self.transact(connection, units, foreseen, is_careful, now);
        match tokio::time::timeout(deadline, work).await {
            Ok(Ok(Step::Done(()))) => match self.pending.take() {
                Some(pending) => Ok(Step::Done(pending)),
                None => Ok(Step::Raced),
            },
            Ok(Ok(Step::Again(classes))) => Ok(Step::Again(classes)),
            Ok(Ok(Step::Raced)) => Ok(Step::Raced),
            Ok(Err(trouble)) => Err(trouble),
            Err(late) => Err(self.late(late)),
        }
    }

    /// A transaction has taken too long.
    pub(super) fn late(&self, late: tokio::time::error::Elapsed) -> Trouble {
        if self.pending.is_some() {
            return Trouble::Unsure(late.into());
        }
        Trouble::Failed(sqlx::Error::Io(std::io::Error::other(late)))
    }

    async fn transact(
        &mut self,
        connection: &mut PgConnection,
        units: &[&Unit],
        foreseen: Foreseen,
        is_careful: bool,
        now: Timestamp,
    ) -> Result<Step<()>, Trouble> {
        self.pending = None;
        let placed = self.place(connection, units).await?;
        sqlx::raw_sql(self.sql.begin.clone()).execute(&mut *connection).await?;
        let mut bench = Bench {
            sql: &self.sql,
            lock: self.lock,
            beliefs: &mut self.beliefs,
            row_sql: &mut self.row_sql,
            now,
            is_careful,
        };
        let mut judged = match bench.judge(connection, &placed, foreseen).await? {
            Step::Done(judged) => judged,
            Step::Again(classes) => return Ok(Step::Again(classes)),
            Step::Raced => return Ok(Step::Raced),
        };
        self.be(judged.truth.incarnation);
        batch::foresee_sequences(connection, &self.sql, &placed, &mut judged).await?;
        let truth = &mut judged.truth;
        let (append, committed) =
            append::add_all(&placed, &judged.fates, truth, &mut self.sealer, now);
        if append.is_needed {
            let ticket = self.next_ticket();
            append.write(connection, &self.sql, ticket, judged.rescheduled).await?;
            append::write_changes(connection, &self.sql, truth, now).await?;
        }
        let (position, reschedules) = (append.position, truth.reschedules);
        let answers = judged.fates.into_iter().zip(committed).map(|(fate, committed)| match fate {
            Fate::Refuse(refusal) => Err(refusal),
            _ => Ok(committed.unwrap_or_default()),
        });
        let (answers, marks) = (answers.collect(), judged.marks);
        self.end(connection, Pending { answers, marks, position, reschedules }).await?;
        Ok(Step::Done(()))
    }

    /// Finds the places of the units' marks.
    async fn place<'u>(
        &mut self,
        connection: &mut PgConnection,
        units: &[&'u Unit],
    ) -> Result<Vec<Placed<'u>>, sqlx::Error> {
        let mut placed = Vec::with_capacity(units.len());
        for unit in units {
            let place = match &unit.handled {
                Some(handled) => match &handled.mark {
                    Mark::Known { topic, identity } => {
                        let (sql, group) = (&self.sql, &handled.group);
                        let lane = self.beliefs.lane(connection, sql, group, topic, identity);
                        Some((lane.await?, identity.slot))
                    }
                    Mark::Foreign { .. } => None,
                },
                None => None,
            };
            placed.push(Placed { unit, place });
        }
        Ok(placed)
    }

    /// A number that no other attempt has, so that an earlier one is not taken for this one.
    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.ticket.batch += 1;
        self.ticket
    }

    /// Commits. Once it is under way, only the server's own word says that it has not happened.
    pub(super) async fn end(
        &mut self,
        connection: &mut PgConnection,
        pending: Pending,
    ) -> Result<(), Trouble> {
        self.pending = Some(pending);
        match sqlx::raw_sql("COMMIT").execute(connection).await {
            Ok(_) => Ok(()),
            Err(error) if is_answered(&error) => {
                self.pending = None;
                Err(Trouble::Failed(error))
            }
            Err(error) => Err(Trouble::Unsure(error.into())),
        }
    }

    /// Asks the store whether the commit that was under way has happened. A new connection has
    /// taken the store's lock once, so the session that was lost has come to its end.
    pub(super) async fn resolve(
        &mut self,
        error: switchboard_core::BoxError,
    ) -> Result<Option<Pending>, Trouble> {
        let pending = self.pending.take();
        let unsure = |error| Trouble::Unsure(error);
        let mut connection = match self.take().await {
            Ok(connection) => connection,
            Err(_) => return Err(unsure(error)),
        };
        let asked: Result<Option<i64>, _> = sqlx::query_scalar(self.sql.batch.clone())
            .bind(&self.ticket.writer[..])
            .fetch_optional(&mut connection)
            .await;
        let last = match asked {
            Ok(last) => last,
            Err(_) => return Err(unsure(error)),
        };
        self.session.give_back(connection);
        let has_happened = last == Some(self.ticket.batch);
        tracing::info!(
            error = chain(&*error),
            has_happened,
            "a connection was lost during a commit, and the store was asked what became of it"
        );
        Ok(pending.filter(|_| has_happened))
    }

    /// Begins a new incarnation, unless another process just has.
    pub(super) async fn reincarnate(&mut self) -> Result<StoreIdentity, StoreError> {
        let known = self.sealer.identity().incarnation;
        let mut connection = self.take().await.map_err(Trouble::into_store_error)?;
        let next = match self.next_incarnation(&mut connection, known).await {
            Ok(next) => next,
            Err(error) => {
                self.session.roll_back(connection).await;
                return Err(StoreError::Unavailable(error.into()));
            }
        };
        self.session.give_back(connection);
        self.be(next);
        Ok(self.sealer.identity().clone())
    }

    async fn next_incarnation(
        &self,
        connection: &mut PgConnection,
        known: u32,
    ) -> Result<u32, sqlx::Error> {
        let schema = &self.sql.schema;
        sqlx::raw_sql(self.sql.begin.clone()).execute(&mut *connection).await?;
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(self.lock);
        lock.execute(&mut *connection).await?;
        let sql = "UPDATE @sb_meta SET incarnation = incarnation + 1 WHERE incarnation = $1";
        let update = sqlx::query(schema.sql(sql)).bind(i64::from(known));
        if update.execute(&mut *connection).await?.rows_affected() > 0 {
            let delete = sqlx::query(schema.sql("DELETE FROM @sb_sequences"));
            delete.execute(&mut *connection).await?;
        }
        let next: i64 = sqlx::query_scalar(schema.sql("SELECT incarnation FROM @sb_meta"))
            .fetch_one(&mut *connection)
            .await?;
        sqlx::raw_sql("COMMIT").execute(connection).await?;
        Ok(u32::try_from(next).unwrap_or(u32::MAX))
    }
}

/// Whether an index has refused a second row of one key.
fn is_duplicate(trouble: &Trouble) -> bool {
    let Trouble::Failed(error) = trouble else { return false };
    database(error).is_some_and(|error| error.code() == "23505")
}
