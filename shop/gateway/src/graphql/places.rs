//! Places for streams: so many in all, and so many for each caller, so that nobody can take those of the others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use shop_edge::Problem;

use super::options::Streams;

/// The places of one endpoint. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: usize,
    each: usize,
    /// Places by who has them; nobody is here who has none.
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<String, usize>,
}

/// A place that somebody has until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: Arc<Inner>,
    account: String,
}

// === impl Places ===

impl Places {
    pub(super) fn new(streams: &Streams) -> Self {
        let (all, each) = (streams.connections, streams.per_caller);
        Self(Arc::new(Inner { all, each, taken: Mutex::default() }))
    }

    /// One place for this account.
    ///
    /// # Errors
    /// 429 when the account has all that one may have, 503 when nobody can have another.
    pub(super) fn take(&self, account: &str) -> Result<Place, Problem> {
        let inner = &self.0;
        let mut taken = inner.taken.lock();
        let own = taken.by.get(account).copied().unwrap_or(0);
        if own >= inner.each {
            let detail = format!("You have {own} streams open; end one first.");
            return Err(Problem::too_many_requests(detail, 1));
        }
        if taken.all >= inner.all {
            return Err(Problem::unavailable("Too many streams are open; try again."));
        }
        taken.all += 1;
        taken.by.insert(account.to_owned(), own + 1);
        Ok(Place { of: Arc::clone(inner), account: account.to_owned() })
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock();
        taken.all -= 1;
        match taken.by.get_mut(&self.account) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.by.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g7_nobody_takes_the_places_of_the_others_and_what_is_given_back_is_free() {
        let streams = Streams { connections: 3, per_caller: 2, ..Streams::default() };
        let places = Places::new(&streams);
        let first = places.take("peer a").unwrap();
        let _second = places.take("peer a").unwrap();
        assert_eq!(places.take("peer a").unwrap_err().status(), 429);
        let _bob = places.take("user bob").unwrap();
        assert_eq!(places.take("user eve").unwrap_err().status(), 503);
        drop(first);
        assert!(places.take("user eve").is_ok());
        assert!(places.take("peer a").is_ok());
        assert_eq!(places.0.taken.lock().by.len(), 2, "who has none is forgotten");
    }
}
