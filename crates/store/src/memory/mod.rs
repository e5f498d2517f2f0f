//! The complete twin in memory: every rule of the contract but durability, which tests take into
//! their own hands.
//!
//! A test ends a service at any moment by dropping it and keeps what was committed with
//! [`MemoryStore::image`]; [`MemoryStore::from_image`] opens the store again, or puts back an older
//! copy. [`MemoryStore::inject`] makes a coming commit fail.
//!
//! ```
//! use std::sync::Arc;
//! use switchboard_core::{ManualClock, Rng};
//! use switchboard_store::{Journal, MemoryStore, NewEvent, Unit};
//!
//! # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # rt.block_on(async {
//! let clock = Arc::new(ManualClock::default());
//! let store = MemoryStore::new("orders", &[], clock.clone(), Rng::from_seed(1));
//! let mut unit = Unit::new();
//! let data = (&b"{}"[..]).into();
//! let (stream, kind) = ("order-1".into(), "Placed".into());
//! unit.events.push(NewEvent { stream, kind, schema: 1, tags: vec![], data });
//! store.commit(unit).await.unwrap();
//!
//! let image = store.image();
//! drop(store);
//! let store = MemoryStore::from_image(image, &[], clock, Rng::from_seed(2));
//! assert_eq!(store.stream("order-1", 0, 10).await.unwrap().len(), 1);
//! # });
//! ```

mod apply;
mod read;
mod state;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_core::{BoxError, Clock, Name, Position, Rng};
use tokio::sync::watch;

use crate::limits::Declared;
use crate::seal::Sealer;
use crate::{CommitError, Committed, StoreIdentity, Table, Unit, judge};
use state::State;

/// A store in memory.
pub struct MemoryStore {
    declared: Declared,
    inner: Mutex<Inner>,
    position: watch::Sender<Position>,
    rescheduled: watch::Sender<u64>,
}

struct Inner {
    state: State,
    sealer: Sealer,
    faults: VecDeque<Fault>,
    broken: bool,
}

/// Everything that a store had committed at one moment.
#[derive(Clone)]
pub struct Image {
    identity: StoreIdentity,
    state: State,
}

/// What happens to a coming commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with [`CommitError::Unavailable`]; nothing of it happens; the next one works.
    Refuse,
    /// It happens and the answer is lost: [`CommitError::Unknown`]. The store takes no more units
    /// until it is opened again.
    LoseAck,
    /// The store dies before it: [`CommitError::Unknown`], and nothing of it has happened. The
    /// store takes no more units until it is opened again.
    CrashBefore,
}

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store, in its first life.
    ///
    /// # Panics
    /// When a table's declaration is wrong: a mistake in the program, not in its input.
    pub fn new(
        source: impl Into<Name>,
        tables: &[&'static Table],
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Self {
        let identity = StoreIdentity { source: source.into(), incarnation: 1 };
        Self::from_image(Image { identity, state: State::default() }, tables, clock, rng)
    }

    /// A store that goes on from an image, as if it had been opened again.
    ///
    /// # Panics
    /// When a table's declaration is wrong: a mistake in the program, not in its input.
    pub fn from_image(
        image: Image,
        tables: &[&'static Table],
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Self {
        let declared = match Declared::new(tables) {
            Ok(declared) => declared,
            Err(error) => panic!("{error}"),
        };
        let Image { identity, mut state } = image;
        state.widen(&declared);
        let position = watch::Sender::new(state.position);
        let sealer = Sealer::new(identity, clock, rng);
        let inner = Inner { state, sealer, faults: VecDeque::new(), broken: false };
        Self { declared, inner: Mutex::new(inner), position, rescheduled: watch::Sender::new(0) }
    }

    /// What is committed now.
    pub fn image(&self) -> Image {
        let inner = self.inner.lock();
        Image { identity: inner.sealer.identity().clone(), state: inner.state.clone() }
    }

    /// Puts a fault in line: the first one meets the next commit, the second the one after it.
    pub fn inject(&self, fault: Fault) {
        self.inner.lock().faults.push_back(fault);
    }

    /// Opens a store again that has failed, keeping what was committed.
    pub fn reopen(&self) {
        let mut inner = self.inner.lock();
        inner.broken = false;
        inner.faults.clear();
    }

    fn commit_now(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.declared.check(&unit)?;
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if inner.broken {
            return Err(CommitError::Unavailable(BoxError::from(
                "the store has failed and must be opened again",
            )));
        }
        let fault = inner.faults.pop_front();
        match fault {
            Some(Fault::Refuse) => {
                return Err(CommitError::Unavailable(BoxError::from("an injected refusal")));
            }
            Some(Fault::CrashBefore) => {
                inner.broken = true;
                return Err(CommitError::Unknown(BoxError::from("an injected crash")));
            }
            Some(Fault::LoseAck) | None => {}
        }
        let now = inner.sealer.now();
        let plan = judge::judge(&unit, &mut inner.state, now)?;
        let reschedules = plan.reschedules();
        let before = inner.state.position;
        let committed = apply::apply(unit, plan, &mut inner.state, &mut inner.sealer, now)?;
        let position = inner.state.position;
        // Sent under the lock, so that watchers never see the position fall.
        if position > before {
            self.position.send_replace(position);
        }
        if reschedules {
            self.rescheduled.send_modify(|count| *count += 1);
        }
        if fault == Some(Fault::LoseAck) {
            inner.broken = true;
            return Err(CommitError::Unknown(BoxError::from("an injected loss of the answer")));
        }
        Ok(committed)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        f.debug_struct("MemoryStore")
            .field("identity", inner.sealer.identity())
            .field("position", &inner.state.position)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("identity", &self.identity)
            .field("position", &self.state.position)
            .finish_non_exhaustive()
    }
}
