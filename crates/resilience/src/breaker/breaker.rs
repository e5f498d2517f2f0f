//! The handle of a breaker: admits calls, and obeys operators.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::core::Core;
use super::environment::Environment;
use super::keyed::Share;
use super::layer::BreakerLayer;
use super::permit::{Held, OwnedPermit, Pass, Permit, Refusal};
use super::policy::{Options, Window};
use super::replay::Trace;
use super::state::{Cause, State};
use super::totals::Totals;
use crate::control::{Health, Status};
use crate::events::Event;
use crate::settings::InvalidOptions;
use crate::ticker::Ticker;
use crate::{Classifier, Outcome, PolicyName, Rejected};

/// A circuit breaker. Clones are one breaker; give each task or service its own clone, which costs
/// an allocation and lets it call without touching memory that others touch.
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::Ticker;
/// use switchboard_resilience::breaker::{Breaker, Environment, Options, State};
///
/// let ticker = Ticker::manual();
/// let environment = Environment::process().with_ticker(ticker.clone());
/// let breaker = Breaker::new("prices", Options::classic(), environment);
/// for _ in 0..5 {
///     breaker.admit()?.failure(Duration::from_millis(3));
/// } let rejected = breaker.admit().unwrap_err();
/// assert_eq!(rejected.to_string(), "`prices` is open: its dependency failed too often; try again after 60.001s");
///
/// ticker.advance(Duration::from_millis(60_001));
/// breaker.admit()?.success(Duration::from_millis(3));
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), switchboard_resilience::Rejected>(())
/// ```
pub struct Breaker(Arc<Handle>);

/// A clone's own part. Calls count references to it, so it stands alone on its cache lines:
/// counting references to the shared part would cost more than everything else a call does.
#[repr(align(128))]
struct Handle {
    core: Arc<Core>,
}

// === impl Breaker ===

impl Breaker {
    /// A closed breaker by this name.
    pub fn new(name: impl Into<PolicyName>, options: Options, environment: Environment) -> Self {
        let born = options.window;
        let breaker = Self::of_core(Core::new(name.into(), options, born, environment, None));
        // A breaker of its own is worth a stripe per thread; those of a set wait until they are.
        breaker.core().lanes.spread();
        breaker
    }

    /// One of a set, with room for the window with which the set was born: then what one breaker
    /// of the set can be set to, all can.
    pub(crate) fn of_set(
        name: PolicyName,
        options: Options,
        born: Window,
        environment: Environment,
        share: Option<Arc<Share>>,
    ) -> Self {
        Self::of_core(Core::new(name, options, born, environment, share))
    }

    fn of_core(core: Core) -> Self {
        Self(Arc::new(Handle { core: Arc::new(core) }))
    }

    /// Lets a call through, or rejects it at once: no lock, no wait, nothing allocated.
    ///
    /// # Errors
    /// [`Rejected`] with the reason, and when another try has a chance. Do not try again at once.
    #[inline(always)]
    pub fn admit(&self) -> Result<Permit<'_>, Rejected> {
        let ticket = self.core().admit().map_err(Refusal::rejected)?;
        Ok(Permit(Pass::new(self, ticket)))
    }

    /// The same, with a permit that may live as long as it wants.
    ///
    /// # Errors
    /// As [`Breaker::admit`].
    pub fn admit_owned(&self) -> Result<OwnedPermit, Rejected> {
        let ticket = self.core().admit().map_err(Refusal::rejected)?;
        Ok(OwnedPermit(Pass::new(self.share(), ticket)))
    }

    /// Lets a first try through even when the breaker is open; then its result is not judged. For
    /// many small clients, whose few calls each say little: only retries are held back (R10).
    ///
    /// # Errors
    /// [`Rejected`] only while an operator isolates the breaker.
    pub fn admit_first_try(&self) -> Result<Permit<'_>, Rejected> {
        let ticket = self.core().admit_first_try().map_err(Refusal::rejected)?;
        Ok(Permit(Pass::new(self, ticket)))
    }

    /// Makes one call if it may: an answer is a success, an error a failure.
    ///
    /// Cancel safe: a call that is dropped counts by [`OnCancel`](super::OnCancel).
    ///
    /// # Errors
    /// The call's own error, or a [`Rejected`] made into one.
    pub async fn run<T, E: From<Rejected>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let permit = self.admit()?;
        let answer = call.await;
        permit.record(if answer.is_ok() { Outcome::Success } else { Outcome::FAILURE });
        answer
    }

    /// A layer that puts this breaker around a service.
    pub fn layer<T, E>(&self, classifier: Classifier<T, E>) -> BreakerLayer<T, E> {
        BreakerLayer::new(self.clone(), classifier)
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.core().name
    }

    /// Its state at this moment. An open breaker whose time is over is open until somebody calls.
    pub fn state(&self) -> State {
        self.core().gate.word().state()
    }

    /// The number of its changes; rises with every one.
    pub fn generation(&self) -> u64 {
        self.core().gate.word().generation()
    }

    /// What it has counted since its birth.
    pub fn totals(&self) -> Totals {
        Totals::of(self.core())
    }

    /// What it is set to.
    pub fn options(&self) -> Options {
        self.core().book.lock().options.clone()
    }

    /// How well callers are served: an open breaker is a degraded part, and names what stands in.
    pub fn health(&self) -> Health {
        let (core, state) = (self.core(), self.state());
        let status = match state {
            State::Closed | State::Disabled | State::Observing => Status::Ok,
            State::Open | State::HalfOpen | State::Isolated => Status::Degraded,
        };
        let fallback = core.book.lock().options.fallback.clone();
        let detail = match (status, &fallback) {
            (Status::Ok, _) => "as usual".to_owned(),
            (Status::Degraded, Some(named)) => {
                format!("`{}` is {state}; callers get {named}", core.name)
            }
            (Status::Degraded, None) => format!("`{}` is {state}; calls are rejected", core.name),
        };
        Health { policy: core.name, status, state: state.as_str(), fallback, detail }
    }

    /// Lets nothing through until released. The state before.
    pub fn isolate(&self, actor: &str, why: &str) -> State {
        self.operate(Cause::Isolate, "isolate", actor, why)
    }

    /// Lets everything through and counts nothing until released. The state before.
    pub fn disable(&self, actor: &str, why: &str) -> State {
        self.operate(Cause::Disable, "disable", actor, why)
    }

    /// Lets everything through, judges, and says when it would have opened, until released: to try
    /// settings out. The state before.
    pub fn observe(&self, actor: &str, why: &str) -> State {
        self.operate(Cause::Observe, "observe", actor, why)
    }

    /// Begins anew: closed, with an empty window, whatever it was. The state before.
    pub fn release(&self, actor: &str, why: &str) -> State {
        self.operate(Cause::Release, "release", actor, why)
    }

    /// Takes other settings at once. It keeps its state and, if open, its end; nothing that was
    /// counted before is judged by them. The state.
    ///
    /// # Errors
    /// [`InvalidOptions`] for another kind of window, or a count window longer than at its birth:
    /// build another breaker then. Nothing has changed.
    pub fn reconfigure(
        &self,
        options: Options,
        actor: &str,
        why: &str,
    ) -> Result<State, InvalidOptions> {
        self.core().can_take(options.window)?;
        self.core().set(options);
        Ok(self.operate(Cause::Reconfigure, "reconfigure", actor, why))
    }

    /// Records how calls end from now on, the last `calls` of them (at most a million), to try
    /// other settings on them: see [`Trace::replay`]. While it records, a call costs a lock.
    ///
    /// An open breaker makes no calls to record; [`observe`](Self::observe) sees them all.
    pub fn record(&self, calls: usize) {
        self.core().tape.begin(calls);
        self.core().dials.record(true);
    }

    /// Ends the recording; what it holds.
    pub fn take_recording(&self) -> Trace {
        self.core().dials.record(false);
        self.core().tape.take()
    }

    fn operate(&self, cause: Cause, action: &'static str, actor: &str, why: &str) -> State {
        let core = self.core();
        let because = format!("operator {actor}: {why}");
        loop {
            let from = core.gate.word();
            let Some(to) = core.shift(from, cause, &because, false) else { continue };
            let (before, after) = (from.state().as_str(), to.state().as_str());
            let (policy, at) = (core.name, core.clock.now());
            let (actor, why) = (actor.to_owned(), why.to_owned());
            core.events.tell(Event::Acted { policy, at, action, actor, why, before, after });
            return from.state();
        }
    }

    /// The same handle once more, for a permit.
    #[inline]
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    #[inline]
    pub(crate) fn core(&self) -> &Core {
        &self.0.core
    }

    #[inline]
    pub(crate) fn core_arc(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// Whether this is the only handle, and no permit of it is out.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && Arc::strong_count(&self.0.core) == 1
    }

    /// Its source of elapsed time.
    pub fn ticker(&self) -> &Ticker {
        &self.core().ticker
    }
}

impl Clone for Breaker {
    fn clone(&self) -> Self {
        Self(Arc::new(Handle { core: self.0.core.clone() }))
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("name", &self.name())
            .field("state", &self.state())
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

// === impl Held ===

impl Held for Breaker {
    #[inline]
    fn core(&self) -> &Core {
        self.core()
    }
}

impl Held for &Breaker {
    #[inline]
    fn core(&self) -> &Core {
        Breaker::core(self)
    }
}
