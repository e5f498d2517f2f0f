//! Runs sagas: every step is one unit that holds the event, the next command, the service's rows, and the timer.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use switchboard_core::{Clock, Timestamp};
use switchboard_handler::{Failure, Group};
use switchboard_store::{
    Column, NewMessage, Select, Store, StoreError, StoredEvent, Table, TimerOp, Unit, Value,
};

use crate::wire::{Asked, TimedOut};
use crate::{Act, Action, Change, Definition, Illegal, Instance, Outcome, Phase, Reply, SagaEvent};

/// Events of a run that are read at once. A run that nobody answers gets one more with every
/// timeout, so all pages are read, however many there are; a page this small is read at once.
const PAGE: usize = 256;

/// One row per run: where it stands, for lists. The truth is its stream.
pub static SAGAS: Table = Table {
    name: "sagas",
    columns: &[
        Column::text("saga"),
        Column::text("instance"),
        Column::text("phase"),
        Column::text("step"),
        Column::text("reason"),
        Column::integer("updated_at"),
    ],
    indexes: &[&["phase", "updated_at"], &["updated_at"]],
};

/// Runs one definition over one store. The store declares [`SAGAS`].
pub struct Orchestrator<S> {
    definition: Arc<Definition<S>>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Which run.
    pub instance: String,
    /// `doing`, `undoing`, `stuck`, `completed`, `undone`.
    pub phase: String,
    /// The step it is about, if it is about one.
    pub step: String,
    /// Why it goes back, if it does.
    pub reason: String,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// A run with its events.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Where it stands.
    pub run: Instance,
    /// How it came there.
    pub events: Vec<StoredEvent>,
}

/// Why an operator's or a customer's wish was not granted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such run.
    #[error("there is no such saga")]
    NotFound,
    /// It cannot happen in the state that the run is in.
    #[error("not possible now: the saga is {}", .0.state.phase.name())]
    Illegal(#[from] Illegal),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
}

// === impl Orchestrator ===

impl<S> Clone for Orchestrator<S> {
    fn clone(&self) -> Self {
        let (definition, store) = (self.definition.clone(), self.store.clone());
        Self { definition, store, clock: self.clock.clone() }
    }
}

impl<S> std::fmt::Debug for Orchestrator<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.definition.fmt(f)
    }
}

impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> Orchestrator<S> {
    /// Runs this definition.
    pub fn new(
        definition: Arc<Definition<S>>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { definition, store, clock }
    }

    /// What it runs.
    pub fn definition(&self) -> &Definition<S> {
        &self.definition
    }

    /// Registers what a group must handle: answers and timeouts.
    #[must_use]
    pub fn register(&self, group: Group) -> Group {
        let (answers, timeouts) = (self.clone(), self.clone());
        let replies = self.definition.replies;
        group
            .on_topic::<Reply, _, _>(replies, move |reply, _cause| {
                let saga = answers.clone();
                async move { saga.answered(reply).await }
            })
            .on_topic::<TimedOut, _, _>(replies, move |timed_out, _cause| {
                let saga = timeouts.clone();
                async move { saga.timed_out(timed_out).await }
            })
    }

    /// The unit that begins a run: add it to whatever makes the run necessary.
    pub fn start(&self, id: &str, input: &S) -> Unit {
        let now = self.clock.now();
        let json = serde_json::to_value(input).unwrap_or_default();
        let run = Instance::begin(self.definition.shape(), json.clone(), now);
        let started = SagaEvent::Started { input: json };
        let change = Change {
            from: None,
            to: run.state.phase,
            outcome: None,
            reason: None,
            data: Json::Null,
            at: now,
        };
        Unit::new()
            .append(self.stream(id), 0, [started])
            .send(self.question(id, input, 0, Action::Do, run.epoch))
            .timer(self.timer(id, now))
            .and(self.row(id, &run, now))
            .and((self.definition.hook)(input, &change))
    }

    /// The unit that asks for a run to be undone: it waits for the step in flight.
    ///
    /// # Errors
    /// [`Error::Illegal`] once the pivot was asked for, or [`Error::NotFound`].
    pub async fn cancel(&self, id: &str) -> Result<Unit, Error> {
        self.happens(id, SagaEvent::CancelRequested).await
    }

    /// The unit by which an operator has a stuck run tried again.
    ///
    /// # Errors
    /// [`Error::Illegal`] when it is not stuck, or [`Error::NotFound`].
    pub async fn retry(&self, id: &str, by: &str) -> Result<Unit, Error> {
        self.happens(id, SagaEvent::Retried { by: by.to_owned() }).await
    }

    /// The unit by which an operator says that what was stuck is done by hand.
    ///
    /// # Errors
    /// [`Error::Illegal`] when it is not stuck, or [`Error::NotFound`].
    pub async fn resolve(&self, id: &str, by: &str, reason: &str) -> Result<Unit, Error> {
        let (by, reason) = (by.to_owned(), reason.to_owned());
        self.happens(id, SagaEvent::Resolved { by, reason }).await
    }

    async fn happens(&self, id: &str, event: SagaEvent) -> Result<Unit, Error> {
        let run = self.load(id).await?.ok_or(Error::NotFound)?.run;
        let input = self.input(&run)?;
        Ok(self.moved(id, &input, run, event, None)?)
    }

    /// A run with its events.
    ///
    /// # Errors
    /// The store's, or [`Error::Illegal`] when its events do not fit the definition.
    pub async fn load(&self, id: &str) -> Result<Option<Shown>, Error> {
        let (stream, mut events) = (self.stream(id), Vec::<StoredEvent>::new());
        loop {
            let after = events.last().map_or(0, |event| event.version);
            let page = self.store.stream(&stream, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            events.extend(page);
            if is_last {
                break;
            }
        }
        let decoded: Vec<_> = events
            .iter()
            .map(|event| Ok((event.decode()?, event.time)))
            .collect::<Result<_, StoreError>>()?;
        let run = Instance::of(self.definition.shape(), decoded)?;
        Ok(run.map(|run| Shown { run, events }))
    }

    /// Runs in one phase or in all, those that moved last first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, phase: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let mut select = Select::all(&SAGAS).descending("updated_at").limit(limit);
        select = select.only("saga", self.definition.name);
        if let Some(phase) = phase {
            select = select.only("phase", phase);
        }
        let rows = self.store.select(select).await?;
        let listed = rows.iter().map(|row| Listed {
            instance: row.text("instance").to_owned(),
            phase: row.text("phase").to_owned(),
            step: row.text("step").to_owned(),
            reason: row.text("reason").to_owned(),
            updated_at: Timestamp::from_micros(row.integer("updated_at")),
        });
        Ok(listed.collect())
    }

    /// A participant has answered. An answer to another question than the last changes nothing;
    /// one to an unknown run is parked, because a restored store may know of it later.
    async fn answered(&self, reply: Reply) -> Result<Unit, Failure> {
        if reply.saga != self.definition.name {
            return Ok(Unit::new());
        }
        let Some(shown) = self.load(&reply.instance).await.map_err(failure)? else {
            return Err(Failure::stuck(format!("no saga `{}` knows of this", reply.instance)));
        };
        let run = shown.run;
        let step = self.definition.step_names().position(|name| name == reply.step);
        if !step.is_some_and(|step| run.awaits(step, reply.action, reply.epoch)) {
            metrics::counter!("switchboard.saga.late_answers").increment(1);
            return Ok(Unit::new());
        }
        let input = self.input(&run)?;
        let event = SagaEvent::Answered {
            step: reply.step,
            action: reply.action,
            epoch: reply.epoch,
            outcome: reply.outcome,
            reason: reply.reason,
            data: reply.data.clone(),
        };
        let told = Some((reply.outcome, reply.data));
        self.moved(&reply.instance, &input, run, event, told).map_err(Failure::stuck)
    }

    /// The timer of a run has fired: if its last question is old, it is asked again. What has
    /// happened is unknown, so nothing is undone.
    async fn timed_out(&self, timed_out: TimedOut) -> Result<Unit, Failure> {
        if timed_out.saga != self.definition.name {
            return Ok(Unit::new());
        }
        let id = &*timed_out.instance;
        let Some(shown) = self.load(id).await.map_err(failure)? else { return Ok(Unit::new()) };
        let run = shown.run;
        if !matches!(run.state.phase, Phase::Doing(_) | Phase::Undoing(_)) {
            return Ok(Unit::new());
        }
        let due = run.asked_at.plus(self.definition.patience);
        if due > self.clock.now() {
            return Ok(Unit::new().timer(self.timer(id, run.asked_at)));
        }
        tracing::warn!(saga = self.definition.name, instance = id, "no answer in time");
        metrics::counter!("switchboard.saga.timeouts").increment(1);
        let input = self.input(&run)?;
        self.moved(id, &input, run, SagaEvent::AskedAgain, None).map_err(Failure::stuck)
    }

    /// The unit of one more event: what follows from it is asked for at once.
    fn moved(
        &self,
        id: &str,
        input: &S,
        run: Instance,
        event: SagaEvent,
        told: Option<(Outcome, Json)>,
    ) -> Result<Unit, Illegal> {
        let now = self.clock.now();
        let shape = self.definition.shape();
        let (from, version) = (run.state, run.version);
        let (run, act) = run.evolve(shape, &event, now)?;
        let mut unit = Unit::new().append(self.stream(id), version, [event]);
        let ask = |step, action| self.question(id, input, step, action, run.epoch);
        match act {
            Act::Do(step) => unit = unit.send(ask(step, Action::Do)),
            Act::Undo(step) => unit = unit.send(ask(step, Action::Undo)),
            Act::AskAgain | Act::AskAnew => {
                if let Some((step, undo)) = run.state.phase.asked() {
                    let action = if undo { Action::Undo } else { Action::Do };
                    unit = unit.send(ask(step, action)).timer(self.timer(id, now));
                }
            }
            Act::End => unit = unit.timer(TimerOp::Cancel { id: self.timer_id(id).into() }),
            Act::Park => {
                tracing::error!(saga = self.definition.name, instance = id, "stuck");
                metrics::counter!("switchboard.saga.stuck").increment(1);
            }
            Act::Wait => {}
        }
        // A timer that fires while a person is waited for is not set again, so whatever a
        // resolution asks for next needs one.
        if matches!(from.phase, Phase::Stuck { .. }) && matches!(act, Act::Do(_) | Act::Undo(_)) {
            unit = unit.timer(self.timer(id, now));
        }
        let (outcome, data) =
            told.map_or((None, Json::Null), |(outcome, data)| (Some(outcome), data));
        let change = Change {
            from: Some(from.phase),
            to: run.state.phase,
            outcome,
            reason: run.reason.clone(),
            data,
            at: now,
        };
        unit = unit.and(self.row(id, &run, now));
        Ok(unit.and((self.definition.hook)(input, &change)))
    }

    fn question(&self, id: &str, input: &S, step: usize, action: Action, epoch: u32) -> NewMessage {
        let definition = &self.definition;
        let asked = Asked {
            saga: definition.name.to_owned(),
            instance: id.to_owned(),
            step: definition.step_name(step).to_owned(),
            epoch,
            action,
            reply_to: definition.replies.to_owned(),
        };
        let step = &definition.steps[step];
        let command = match action {
            Action::Do => (step.command)(input),
            // The table asks for undos of undoable steps only.
            Action::Undo => step.undo.as_ref().unwrap_or(&step.command)(input),
        };
        asked.mark(command)
    }

    fn row(&self, id: &str, run: &Instance, now: Timestamp) -> Unit {
        let phase = run.state.phase;
        let step = phase.asked().map(|(step, _)| self.definition.step_name(step));
        Unit::new().put(
            &SAGAS,
            format!("{}/{id}", self.definition.name),
            [
                ("saga", Value::from(self.definition.name)),
                ("instance", Value::from(id)),
                ("phase", Value::from(phase.name())),
                ("step", Value::from(step)),
                ("reason", Value::from(run.reason.clone())),
                ("updated_at", Value::from(now)),
            ],
        )
    }

    fn timer(&self, id: &str, asked_at: Timestamp) -> TimerOp {
        let timed_out = TimedOut { saga: self.definition.name.to_owned(), instance: id.to_owned() };
        TimerOp::Set {
            id: self.timer_id(id).into(),
            due: asked_at.plus(self.definition.patience),
            message: Box::new(NewMessage::of(&timed_out).to(self.definition.replies)),
        }
    }

    fn timer_id(&self, id: &str) -> String {
        format!("saga/{}/{id}", self.definition.name)
    }

    fn stream(&self, id: &str) -> String {
        format!("saga:{}:{id}", self.definition.name)
    }

    fn input(&self, run: &Instance) -> Result<S, StoreError> {
        serde_json::from_value(run.input.clone()).map_err(|source| StoreError::Undecodable {
            what: format!("the input of saga `{}`", self.definition.name),
            source: source.into(),
        })
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Read(error) => error.into(),
        other => Failure::stuck(other),
    }
}
