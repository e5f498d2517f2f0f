//! Where the copies of one service listen: calls take turns among them, and go past one that cannot be reached.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::Authority;
use parking_lot::Mutex;
use tokio::time::Instant;

/// For so long a copy that could not be reached is tried after all others.
const SHUNNED: Duration = Duration::from_secs(1);

/// The addresses of one service. Clones share whose turn it is.
#[derive(Clone, Debug)]
pub struct Upstreams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    copies: Vec<Place>,
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Place {
    address: Authority,
    shunned_until: Mutex<Option<Instant>>,
}

// === impl Upstreams ===

impl Upstreams {
    /// Copies at these addresses, `HOST:PORT` each.
    pub fn new(addresses: impl IntoIterator<Item = Authority>) -> Self {
        let copy = |address| Place { address, shunned_until: Mutex::new(None) };
        let copies = addresses.into_iter().map(copy).collect();
        Self(Arc::new(Inner { copies, turn: AtomicUsize::new(0) }))
    }

    /// All addresses, as they were given.
    pub fn all(&self) -> impl Iterator<Item = &Authority> {
        self.0.copies.iter().map(|copy| &copy.address)
    }

    /// All addresses in the order in which a call tries them: the next one's turn first, those
    /// that could not be reached a moment ago last.
    pub fn turn(&self) -> Vec<Authority> {
        let copies = &self.0.copies;
        if let [only] = copies.as_slice() {
            return vec![only.address.clone()];
        }
        let first = self.0.turn.fetch_add(1, Ordering::Relaxed) % copies.len().max(1);
        let now = Instant::now();
        let (before, after) = copies.split_at(first);
        let in_turn = after.iter().chain(before);
        let (shunned, sound): (Vec<_>, Vec<_>) = in_turn.partition(|copy| copy.is_shunned(now));
        sound.into_iter().chain(shunned).map(|copy| copy.address.clone()).collect()
    }

    /// This copy could not be reached.
    pub fn shun(&self, address: &Authority) {
        if let Some(copy) = self.0.copies.iter().find(|copy| copy.address == *address) {
            *copy.shunned_until.lock() = Some(Instant::now() + SHUNNED);
        }
    }
}

impl From<SocketAddr> for Upstreams {
    fn from(address: SocketAddr) -> Self {
        // A socket's address is an authority as it is.
        Self::new(address.to_string().parse())
    }
}

// === impl Place ===

impl Place {
    fn is_shunned(&self, now: Instant) -> bool {
        self.shunned_until.lock().is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(upstreams: &Upstreams) -> String {
        upstreams.turn().iter().map(|address| address.host().to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn copies_take_turns_and_one_that_cannot_be_reached_is_last_for_a_while() {
        let upstreams = Upstreams::new(["a:1", "b:1", "c:1"].map(|it| it.parse().unwrap()));
        assert_eq!([turn(&upstreams), turn(&upstreams), turn(&upstreams)], ["abc", "bca", "cab"]);
        upstreams.shun(&"a:1".parse().unwrap());
        assert_eq!([turn(&upstreams), turn(&upstreams), turn(&upstreams)], ["bca", "bca", "cba"]);
        tokio::time::advance(SHUNNED).await;
        assert_eq!(turn(&upstreams), "abc");
    }

    #[test]
    fn one_address_needs_no_turns() {
        let only = Upstreams::from(SocketAddr::from(([127, 0, 0, 1], 80)));
        assert_eq!(only.turn(), ["127.0.0.1:80"]);
        only.shun(&only.turn()[0]);
        assert_eq!(only.turn(), ["127.0.0.1:80"]);
    }
}
