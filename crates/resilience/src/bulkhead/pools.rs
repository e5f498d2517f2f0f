//! A wall between kinds of work: three bulkheads, one for each priority.
//!
//! Work that nobody waits for must never take the places of work that a person waits for. With one pool for both, a nightly export that
//! hangs stops the checkout; with two, the export fills its ten places and the checkout does not notice.

use switchboard_core::Priority;

use super::{Bulkhead, Options};
use crate::{Carries, PolicyName};

/// Says which bulkhead a request belongs to.
pub trait Choose<R> {
    /// Its bulkhead.
    fn choose(&self, request: &R) -> &Bulkhead;
}

/// A bulkhead for each priority. Clones are the same three.
///
/// ```
/// use switchboard_core::Priority;
/// use switchboard_resilience::bulkhead::Pools;
///
/// let pools = Pools::recommended("orders");
/// let _nightly: Vec<_> = (0..10).map(|_| pools.of(Priority::Batch).try_acquire()).collect();
/// assert!(pools.of(Priority::Batch).try_acquire().is_err());
/// assert_eq!(pools.of(Priority::Critical).free(), 20);
/// ```
#[derive(Clone, Debug)]
pub struct Pools {
    critical: Bulkhead,
    standard: Bulkhead,
    batch: Bulkhead,
}

/// [`Pools`] in which a function of the request says what kind of work it is.
#[derive(Clone)]
pub struct ByRoute<F> {
    pools: Pools,
    route: F,
}

// === impl Pools ===

impl Pools {
    /// These three.
    pub const fn new(critical: Bulkhead, standard: Bulkhead, batch: Bulkhead) -> Self {
        Self { critical, standard, batch }
    }

    /// Places for 20 critical, 30 standard and 10 batch calls, each with the queue that
    /// [`Options::new`] gives. They are named `<name>.critical`, `<name>.standard` and
    /// `<name>.batch`.
    pub fn recommended(name: &str) -> Self {
        let pool = |class: &str, places| {
            let options = Options::of(places);
            Bulkhead::new(PolicyName::new(&format!("{name}.{class}")), options)
        };
        Self::new(pool("critical", 20), pool("standard", 30), pool("batch", 10))
    }

    /// The bulkhead of this priority.
    pub const fn of(&self, priority: Priority) -> &Bulkhead {
        match priority {
            Priority::Critical => &self.critical,
            Priority::Standard => &self.standard,
            Priority::Batch => &self.batch,
        }
    }

    /// The same pools, chosen by what `route` says of a request instead of by its priority.
    pub const fn by_route<F>(self, route: F) -> ByRoute<F> {
        ByRoute { pools: self, route }
    }

    /// All three, most important first: to register them with a
    /// [`Registry`](crate::Registry), for example.
    pub fn bulkheads(&self) -> [Bulkhead; 3] {
        [self.critical.clone(), self.standard.clone(), self.batch.clone()]
    }
}

// === impl Choose ===

impl<R> Choose<R> for Bulkhead {
    fn choose(&self, _: &R) -> &Bulkhead {
        self
    }
}

impl<R: Carries> Choose<R> for Pools {
    fn choose(&self, request: &R) -> &Bulkhead {
        self.of(request.call().priority)
    }
}

impl<R, F: Fn(&R) -> Priority> Choose<R> for ByRoute<F> {
    fn choose(&self, request: &R) -> &Bulkhead {
        self.pools.of((self.route)(request))
    }
}

// === impl ByRoute ===

impl<F> ByRoute<F> {
    pub(crate) const fn pools(&self) -> &Pools {
        &self.pools
    }
}

impl<F> std::fmt::Debug for ByRoute<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByRoute").field("pools", &self.pools).finish_non_exhaustive()
    }
}
