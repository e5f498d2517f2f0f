//! Load, decide, commit.

mod batches;
mod comments;
mod posts;

use std::sync::Arc;

use parking_lot::Mutex;
use shop_edge::Deps;
use switchboard_core::{Clock, Id, Rng};
use switchboard_store::{CommitError, Store, StoreError, Unit};

pub use batches::{BATCH_MAX, EACH_MAX};
pub use posts::Tag;

/// Tries to commit a change that others keep overtaking.
const TRIES: u32 = 20;

/// What the service can do, whoever asks. Who may ask for it is judged by the edge.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    rng: Arc<Mutex<Rng>>,
}

/// Where a page begins: the order value and the key of the last row before it.
pub type After = Option<(switchboard_store::Value, String)>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such post or comment.
    #[error("there is no such post or comment")]
    NotFound,
    /// It has changed since whoever changes it has read it. Read it again.
    #[error("it is at version {version} by now")]
    Stale {
        /// Its version now.
        version: u64,
    },
    /// A batch asks for more keys than one call answers. Ask in several.
    #[error("{0} keys in one batch; {BATCH_MAX} are allowed")]
    TooMany(usize),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Commit(#[from] CommitError),
}

// === impl App ===

impl App {
    /// On these seams.
    pub fn new(deps: &Deps) -> Self {
        let rng = Arc::new(Mutex::new(deps.rng.clone().fork()));
        Self { store: deps.store.clone(), clock: deps.clock.clone(), rng }
    }

    fn new_id(&self) -> String {
        Id::new(&*self.clock, &mut self.rng.lock()).to_string()
    }

    /// Whether the unit is committed. If not, somebody was faster: look again, then decide again.
    async fn is_committed(&self, unit: Unit, tries: &mut u32) -> Result<bool, Error> {
        *tries += 1;
        match self.store.commit(unit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(_)) if *tries < TRIES => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a version is the one that was expected, if one was.
fn check(expected: Option<u64>, version: u64) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != version => Err(Error::Stale { version }),
        _ => Ok(()),
    }
}
