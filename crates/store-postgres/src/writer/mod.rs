//! The one task that writes.
//!
//! It takes everything that waits, commits it together, and answers all of it. If anything is in
//! the way the units run singly, so that the one that fails does not fail its neighbours. A lost
//! connection is replaced; if it was lost while the commit was under way, the store itself is asked
//! whether it has happened.

mod append;
mod attempt;
mod batch;
mod marks;
mod moving;
mod needs;
mod rows;
pub(crate) mod session;
mod truth;

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{BoxError, Clock, Id, Rng, chain};
use switchboard_store::seal::Sealer;
use switchboard_store::{CommitError, StoreError, StoreIdentity, Unit};
use tokio::time::Instant;

use crate::connect::Settled;
use crate::error::Meaning;
use crate::queue::{Answer, Asked, Job, Queue};
use crate::sql::Sql;
use crate::store::Signals;
use crate::{Options, metrics};
use append::Ticket;
use batch::Class;
use marks::{Beliefs, Changed};
use rows::RowSql;
use session::Session;

/// How long a batch waits at most for those who were answered a moment ago.
const PATIENCE: Duration = Duration::from_micros(400);
/// No transaction takes longer than this, beside what it waits for locks.
const TRANSACTION: Duration = Duration::from_secs(30);

pub(crate) struct Writer {
    session: Session,
    sql: Sql,
    /// The store's lock.
    lock: i64,
    ticket: Ticket,
    beliefs: Beliefs,
    row_sql: RowSql,
    clock: Arc<dyn Clock>,
    rng: Rng,
    sealer: Sealer,
    signals: Arc<Signals>,
    queue: Arc<Queue>,
    /// How many more batches look before they write.
    cautious: u32,
    /// How long a transaction may take.
    deadline: Duration,
    /// What is true once the commit that is under way has happened.
    pending: Option<Pending>,
}

/// What a commit makes true.
struct Pending {
    answers: Vec<Answer>,
    marks: Changed,
    position: u64,
    reschedules: i64,
}

/// How far an attempt has come.
enum Step<T> {
    Done(T),
    /// Another set of units is accepted than was foreseen.
    Again(Vec<Class>),
    /// Something was not as it was believed to be.
    Raced,
}

/// Why an attempt did not come to its end.
#[derive(Debug)]
enum Trouble {
    /// Nothing has happened: what the server said.
    Failed(sqlx::Error),
    /// Nothing has happened: these data can never be stored.
    Data(String),
    /// Nothing has happened: there is no server, or none that may be used.
    Down(BoxError),
    /// The connection was lost while the commit was under way.
    Unsure(BoxError),
}

/// The store takes nothing more.
pub(crate) fn closed() -> BoxError {
    "the store was closed".into()
}

// === impl Writer ===

impl Writer {
    pub(crate) fn new(
        options: &Options,
        session: Session,
        settled: &Settled,
        sql: Sql,
        signals: Arc<Signals>,
        queue: Arc<Queue>,
    ) -> Self {
        let (clock, mut rng) = (options.clock.clone(), options.rng.clone());
        let source = options.source.clone();
        let identity = StoreIdentity { source, incarnation: settled.incarnation };
        let sealer = Sealer::new(identity, clock.clone(), rng.fork());
        // A ticket is this process's own even where a test seeds all chance alike.
        let writer = *Id::new(&*clock, &mut Rng::from_entropy()).as_bytes();
        Self {
            session,
            sql,
            lock: crate::lock::of_store(&options.schema),
            ticket: Ticket { writer, batch: 0 },
            beliefs: Beliefs::default(),
            row_sql: RowSql::default(),
            clock,
            rng,
            sealer,
            signals,
            queue,
            cautious: 0,
            deadline: TRANSACTION + 2 * options.lock_wait,
            pending: None,
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) async fn run(mut self) {
        let queue = self.queue.clone();
        let mut jobs = Vec::new();
        let mut asked = Vec::new();
        while queue.wait(&mut jobs).await {
            for job in jobs.drain(..) {
                match job {
                    Job::Commit(one) => asked.push(one),
                    // Chores keep their place among the units, and have transactions of their own.
                    Job::Reincarnate(reply) => {
                        self.commit(&mut asked).await;
                        let _ = reply.send(self.reincarnate().await);
                    }
                    Job::Move(reply) => {
                        self.commit(&mut asked).await;
                        let _ = reply.send(self.move_staged().await);
                    }
                }
            }
            self.commit(&mut asked).await;
        }
        self.session.close().await;
    }

    async fn commit(&mut self, asked: &mut Vec<Asked>) {
        if asked.is_empty() {
            return;
        }
        let begun = Instant::now();
        let batch = std::mem::take(asked);
        let units: Vec<&Unit> = batch.iter().map(|asked| &*asked.unit).collect();
        let answers = self.attempt_all(&units).await;
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        let source = &self.sealer.identity().source;
        metrics::committed(source, batch.len(), refused, begun.elapsed());
        let expected = self.queue.urgent() + batch.len();
        for (Asked { reply, .. }, answer) in batch.into_iter().zip(answers) {
            // Whoever has gone away wants no answer.
            let _ = reply.send(answer);
        }
        self.queue.gather(expected, (begun.elapsed() / 8).min(PATIENCE)).await;
    }

    /// Commits the units together, or singly when something is in the way.
    async fn attempt_all(&mut self, units: &[&Unit]) -> Vec<Answer> {
        let trouble = match self.together(units).await {
            Ok(answers) => return answers,
            Err(trouble) => trouble,
        };
        let is_hopeless = matches!(trouble, Trouble::Unsure(_) | Trouble::Down(_));
        if units.len() == 1 || is_hopeless {
            return refuse(units.len(), trouble);
        }
        let error = trouble.into_error();
        tracing::debug!(error = chain(&*error), "a batch is in trouble: its units run singly");
        let mut answers = Vec::with_capacity(units.len());
        for unit in units.chunks(1) {
            match self.together(unit).await {
                Ok(answer) => answers.extend(answer),
                Err(trouble) => answers.extend(refuse(1, trouble)),
            }
        }
        answers
    }

    /// The commit has happened.
    fn finish(&mut self, pending: Pending) -> Vec<Answer> {
        self.beliefs.keep(pending.marks);
        // Watchers first: whoever has its answer finds them up to date.
        self.signals.committed(pending.position, pending.reschedules);
        pending.answers
    }

    /// Seals in the name of the incarnation that the store is in.
    fn be(&mut self, incarnation: u32) {
        if self.sealer.identity().incarnation != incarnation {
            let source = self.sealer.identity().source.clone();
            let identity = StoreIdentity { source, incarnation };
            self.signals.set_identity(identity.clone());
            self.sealer = Sealer::new(identity, self.clock.clone(), self.rng.fork());
        }
    }
}

/// What each unit of a failed batch is answered.
fn refuse(count: usize, trouble: Trouble) -> Vec<Answer> {
    let (is_data, is_unsure) =
        (trouble.meaning() == Meaning::Data, matches!(trouble, Trouble::Unsure(_)));
    let text = chain(&*trouble.into_error());
    let answer = || {
        Err(match (is_unsure, is_data) {
            (true, _) => CommitError::Unknown(text.clone().into()),
            (false, true) => CommitError::Invalid(text.clone()),
            (false, false) => CommitError::Unavailable(text.clone().into()),
        })
    };
    std::iter::repeat_with(answer).take(count).collect()
}

// === impl Trouble ===

impl Trouble {
    fn meaning(&self) -> Meaning {
        match self {
            Self::Failed(error) => Meaning::of(error),
            Self::Data(_) => Meaning::Data,
            Self::Unsure(_) | Self::Down(_) => Meaning::Lost,
        }
    }

    fn into_error(self) -> BoxError {
        match self {
            Self::Failed(error) => error.into(),
            Self::Data(text) => text.into(),
            Self::Down(error) | Self::Unsure(error) => error,
        }
    }

    /// What a chore answers.
    fn into_store_error(self) -> StoreError {
        StoreError::Unavailable(self.into_error())
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}
