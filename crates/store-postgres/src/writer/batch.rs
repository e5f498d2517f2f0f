//! One attempt to commit a batch, in one transaction.
//!
//! 1. Foresee which units will be accepted: all, unless the last attempt has shown otherwise.
//! 2. Write their rows and marks, in order.
//! 3. Take the store's lock.
//! 4. Ask what conditions need, in a statement of its own, so that it sees everything that was
//!    committed before the lock was ours.
//! 5. Judge each unit, also against those before it. If another set is accepted than was
//!    foreseen, roll back and begin again with that set.
//! 6. Append to the log, and commit.
//!
//! What stands between the lock and the end of the commit is serial for all processes.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use switchboard_core::{Name, Timestamp};
use switchboard_store::judge::{Plan, judge};
use switchboard_store::{CommitError, Mark, Unit};

use super::marks::{Beliefs, Changed, Place};
use super::needs::{self, Needs};
use super::rows::{self, RowSql, Rows};
use super::truth::Truth;
use super::{Step, Trouble};
use crate::sql::Sql;

/// What becomes of a unit.
#[derive(Debug)]
pub(super) enum Fate {
    Apply(Box<Plan>),
    Duplicate,
    Refuse(CommitError),
}

/// The same without its reasons: what the writes before the lock depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Apply,
    Duplicate,
    Refuse,
}

/// A unit with the place of its message's mark.
pub(super) struct Placed<'u> {
    pub(super) unit: &'u Unit,
    pub(super) place: Option<Place>,
}

/// What is written before the lock.
#[derive(Debug, Default)]
pub(super) struct Early<'u> {
    rows: rows::Changes<'u>,
    pub(super) marks: Changed,
    foreign: BTreeMap<(&'u Name, &'u str), Timestamp>,
}

/// The parts of the writer that an attempt works with.
pub(super) struct Bench<'w> {
    pub(super) sql: &'w Sql,
    pub(super) lock: i64,
    pub(super) beliefs: &'w mut Beliefs,
    pub(super) row_sql: &'w mut RowSql,
    pub(super) now: Timestamp,
    pub(super) is_careful: bool,
}

/// A batch that was judged under the lock, and whose rows and marks are written.
pub(super) struct Judged {
    pub(super) truth: Truth,
    pub(super) fates: Vec<Fate>,
    pub(super) marks: Changed,
    /// How many units make somebody look at timers and gates again.
    pub(super) rescheduled: i64,
}

// === impl Fate ===

impl Fate {
    fn class(&self) -> Class {
        match self {
            Self::Apply(_) => Class::Apply,
            Self::Duplicate => Class::Duplicate,
            Self::Refuse(_) => Class::Refuse,
        }
    }
}

// === impl Placed ===

impl Placed<'_> {
    /// Whether anything of it is written before the lock.
    fn is_early(&self) -> bool {
        !self.unit.rows.is_empty() || self.unit.handled.is_some()
    }
}

// === impl Early ===

impl<'u> Early<'u> {
    /// What these units write if they are accepted as foreseen, and what is foreseen: everything
    /// that is not known to have been handled, if nothing else was said.
    fn of(
        units: &[Placed<'u>],
        told: Option<Vec<Class>>,
        beliefs: &Beliefs,
        now: Timestamp,
    ) -> Result<(Self, Vec<Class>), Trouble> {
        let mut early = Self::default();
        let mut classes = Vec::with_capacity(units.len());
        for (index, placed) in units.iter().enumerate() {
            let told = told.as_ref().and_then(|told| told.get(index).copied());
            let class = match told {
                Some(Class::Apply) => {
                    early.mark(placed, beliefs, now);
                    Class::Apply
                }
                Some(other) => other,
                None if early.mark(placed, beliefs, now) => Class::Apply,
                None => Class::Duplicate,
            };
            if class == Class::Apply {
                let folded = rows::fold(&mut early.rows, placed.unit);
                folded.map_err(|overflow| Trouble::Data(overflow.0))?;
            }
            classes.push(class);
        }
        Ok((early, classes))
    }

    /// Marks the unit's message; false when it is marked already.
    fn mark(&mut self, placed: &Placed<'u>, beliefs: &Beliefs, now: Timestamp) -> bool {
        let Some(handled) = &placed.unit.handled else { return true };
        match (&handled.mark, placed.place) {
            (Mark::Known { identity, .. }, Some(place)) => {
                beliefs.insert(&mut self.marks, place, identity.sequence)
            }
            (Mark::Known { .. }, None) => true,
            (Mark::Foreign { id, keep }, _) => {
                self.foreign.insert((&handled.group, id), now.plus(*keep)).is_none()
            }
        }
    }

    async fn write_foreign(
        &self,
        connection: &mut PgConnection,
        sql: &Sql,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        if self.foreign.is_empty() {
            return Ok(true);
        }
        let (groups, ids): (Vec<&str>, Vec<&str>) =
            self.foreign.keys().map(|(group, id)| (group.as_str(), *id)).unzip();
        let until: Vec<i64> = self.foreign.values().map(|until| until.as_micros()).collect();
        let query = sqlx::query(sql.foreign.clone()).bind(groups).bind(ids).bind(until);
        let written = query.bind(now.as_micros()).execute(connection).await?.rows_affected();
        Ok(written == self.foreign.len() as u64)
    }
}

// === impl Bench ===

impl Bench<'_> {
    /// Steps 1 to 5.
    pub(super) async fn judge(
        &mut self,
        connection: &mut PgConnection,
        units: &[Placed<'_>],
        foreseen: Foreseen,
    ) -> Result<Step<Judged>, Trouble> {
        let places = units.iter().filter_map(|placed| placed.place);
        self.beliefs.learn(connection, self.sql, places).await?;
        let told = match foreseen {
            Foreseen::Told(classes) => Some(classes),
            Foreseen::Hoped => None,
            Foreseen::Looked => Some(self.look(connection, units).await?),
        };
        let (mut early, classes) = Early::of(units, told, self.beliefs, self.now)?;
        let mut asked = rows::Asked::new();
        units.iter().for_each(|placed| rows::ask(&mut asked, placed.unit));
        let mut rows = Rows::new();
        let created = self
            .row_sql
            .write(connection, &self.sql.schema, &mut early.rows, &asked, &mut rows)
            .await?;
        let is_true = self.beliefs.write(connection, self.sql, &early.marks).await?
            && early.write_foreign(connection, self.sql, self.now).await?;
        if !is_true {
            return Ok(Step::Raced);
        }
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(self.lock);
        lock.execute(&mut *connection).await?;
        let mut truth = Truth::with_rows(rows);
        self.ask(connection, units, &early, &mut truth).await?;
        self.row_sql.look(connection, &self.sql.schema, &asked, &mut truth.rows).await?;
        let schema = &self.sql.schema;
        if !self.row_sql.are_created(connection, schema, &created).await? {
            return Ok(Step::Raced);
        }
        let (position, reschedules) = (truth.position, truth.reschedules);
        let fates = self.judge_all(units, &mut truth);
        let is_foreseen = units
            .iter()
            .zip(&fates)
            .zip(&classes)
            .all(|((placed, fate), class)| fate.class() == *class || !placed.is_early());
        if !is_foreseen {
            return Ok(Step::Again(fates.iter().map(Fate::class).collect()));
        }
        // Positions are given once more, now to what is appended.
        truth.position = position;
        let rescheduled = truth.reschedules - reschedules;
        Ok(Step::Done(Judged { truth, fates, marks: early.marks, rescheduled }))
    }

    /// Judges once before anything is written, when hope was disappointed lately.
    async fn look(
        &mut self,
        connection: &mut PgConnection,
        units: &[Placed<'_>],
    ) -> Result<Vec<Class>, Trouble> {
        let mut truth = Truth::default();
        self.ask(connection, units, &Early::default(), &mut truth).await?;
        let mut asked = rows::Asked::new();
        units.iter().for_each(|placed| rows::ask(&mut asked, placed.unit));
        self.row_sql.look(connection, &self.sql.schema, &asked, &mut truth.rows).await?;
        Ok(self.judge_all(units, &mut truth).iter().map(Fate::class).collect())
    }

    async fn ask(
        &self,
        connection: &mut PgConnection,
        units: &[Placed<'_>],
        early: &Early<'_>,
        truth: &mut Truth,
    ) -> Result<(), sqlx::Error> {
        let mut needs = Needs::default();
        for Placed { unit, place } in units {
            needs.add(unit, self.is_careful);
            match (place, &unit.handled) {
                // The change of a mark has proved what was there before.
                (Some(place), _) if early.marks.contains_key(place) => {
                    if let Some(marks) = self.beliefs.of(place) {
                        truth.marks.entry(*place).or_insert_with(|| marks.clone());
                    }
                }
                (Some(place), _) => needs.add_marks(*place),
                (None, Some(handled)) => {
                    if let Mark::Foreign { id, .. } = &handled.mark
                        && !early.foreign.contains_key(&(&handled.group, id.as_str()))
                    {
                        needs.add_foreign(&handled.group, id);
                    }
                }
                (None, None) => {}
            }
        }
        needs.ask(connection, self.sql, truth).await
    }

    fn judge_all(&self, units: &[Placed<'_>], truth: &mut Truth) -> Vec<Fate> {
        let judge_one = |Placed { unit, place }: &Placed<'_>| {
            truth.place = *place;
            match judge(unit, truth, self.now) {
                Ok(plan) if plan.duplicate => Fate::Duplicate,
                Ok(plan) => {
                    truth.apply(unit, &plan, *place, self.now);
                    Fate::Apply(Box::new(plan))
                }
                Err(refusal) => Fate::Refuse(refusal),
            }
        };
        units.iter().map(judge_one).collect()
    }
}

/// How an attempt foresees what is accepted.
#[derive(Clone, Debug)]
pub(super) enum Foreseen {
    Hoped,
    Looked,
    Told(Vec<Class>),
}

/// Reads the sequences that were not known from the units alone.
pub(super) async fn foresee_sequences(
    connection: &mut PgConnection,
    sql: &Sql,
    units: &[Placed<'_>],
    judged: &mut Judged,
) -> Result<(), sqlx::Error> {
    let mut topics: BTreeSet<Name> = BTreeSet::new();
    for (Placed { unit, .. }, fate) in units.iter().zip(&judged.fates) {
        let Fate::Apply(plan) = fate else { continue };
        let keyless = unit.messages.iter().filter(|message| message.key.is_none());
        topics.extend(keyless.chain(&plan.fired).map(|message| message.topic.clone()));
    }
    if topics.is_empty() {
        return Ok(());
    }
    let topics = topics.iter().map(Name::as_str).collect();
    needs::more_sequences(connection, sql, topics, &mut judged.truth).await
}
