//! A rate for each key: each tenant, each address, each account.
//!
//! Keys come from outside, so their number is bounded. A bucket that is full again says nothing that a new one would not say, so it can be
//! forgotten without anybody noticing; only when more keys than the bound are active at once do those with the most left lose their
//! memory. An attacker with many keys can therefore not make room for the one key that is exhausted.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Decision, Figures, Rate, Refused, Settings, nanos_since};
use crate::control::{Action, ControlError, Controlled, View};
use crate::numbers::Numbers;
use crate::settings::Mode;
use crate::{PolicyName, Reason};

/// Keys are spread over so many locks.
const SHARDS: usize = 16;

/// A rate for each key. Clones are one limit.
pub struct KeyedRateLimit<K> {
    shared: Arc<Keys<K>>,
}

struct Keys<K> {
    name: PolicyName,
    origin: Instant,
    /// By key, when its bucket will be full again.
    shards: [Mutex<HashMap<K, u64>>; SHARDS],
    most_per_shard: usize,
    hasher: RandomState,
    settings: Settings,
    numbers: Numbers,
}

// === impl KeyedRateLimit ===

impl<K: Hash + Eq> KeyedRateLimit<K> {
    /// Keys that are remembered unless [`KeyedRateLimit::with_keys`] says otherwise.
    pub const KEYS: usize = 16_384;

    /// A full bucket for each key.
    pub fn new(name: impl Into<PolicyName>, rate: Rate) -> Self {
        Self::with_keys(name, rate, Self::KEYS)
    }

    /// The same, remembering at most about so many keys that are not full again: a sixteenth in
    /// each of sixteen parts, at least one.
    pub fn with_keys(name: impl Into<PolicyName>, rate: Rate, keys: usize) -> Self {
        let name = name.into();
        let shared = Keys {
            name,
            origin: Instant::now(),
            shards: std::array::from_fn(|_| Mutex::default()),
            most_per_shard: (keys / SHARDS).max(1),
            hasher: RandomState::new(),
            settings: Settings::new(rate),
            numbers: Numbers::new("rate_limit", name, &[Reason::RateLimited, Reason::Isolated]),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.shared.name
    }

    /// Lets a call of this key pass now, or says when it may.
    ///
    /// # Errors
    /// [`Refused`], as for [`RateLimit::try_acquire`](super::RateLimit::try_acquire).
    pub fn try_acquire<Q>(&self, key: &Q) -> Result<Figures, Refused>
    where
        // Key: a borrowed form, made into an owned one when it is new.
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let keys = &*self.shared;
        let now = nanos_since(keys.origin);
        let gcra = match keys.settings.judge() {
            Ok(gcra) => gcra,
            Err(mode) => {
                let figures = keys.settings.gcra().figures(0, now);
                return match mode {
                    Mode::Isolated => {
                        Err(Refused { rejected: keys.numbers.reject(Reason::Isolated), figures })
                    }
                    _ => Ok(figures),
                };
            }
        };
        let mut shard = keys.shards[keys.shard_of(key)].lock();
        let before = shard.get(key).copied().unwrap_or(0);
        match gcra.decide(before, now) {
            Decision::Pass { full_at } => {
                match shard.get_mut(key) {
                    Some(present) => *present = full_at,
                    None => {
                        make_room(&mut shard, keys.most_per_shard, now);
                        shard.insert(key.to_owned(), full_at);
                    }
                }
                Ok(gcra.figures(full_at, now))
            }
            Decision::Wait { wait, .. } => {
                let wait = std::time::Duration::from_nanos(wait);
                let rejected = keys.numbers.reject(Reason::RateLimited).with_retry_after(wait);
                let figures = gcra.figures(before, now);
                Err(Refused { rejected: figures.explain(rejected), figures })
            }
        }
    }

    /// How many keys are remembered now.
    pub fn keys(&self) -> usize {
        self.shared.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// Makes room for one more bucket: forgets those that are full again, and if that is not enough,
/// the eighth that has the most left. An eighth, so that the search is paid once for many keys.
fn make_room<K: Hash + Eq>(shard: &mut HashMap<K, u64>, most: usize, now: u64) {
    if shard.len() < most {
        return;
    }
    shard.retain(|_, full_at| *full_at > now);
    let keep = most - most.div_ceil(8);
    if shard.len() <= keep {
        return;
    }
    let mut times: Vec<_> = shard.values().copied().collect();
    let excess = times.len() - keep;
    let (_, last_out, _) = times.select_nth_unstable(excess - 1);
    let last_out = *last_out;
    // Among equals, only as many go as must.
    let mut left = excess;
    shard.retain(|_, full_at| {
        let goes = *full_at <= last_out && left > 0;
        left -= usize::from(goes);
        !goes
    });
}

impl<K> Keys<K> {
    fn shard_of<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        // The upper bits: the maps use the lower ones.
        (self.hasher.hash_one(key) >> 60) as usize % SHARDS
    }
}

impl<K> Clone for KeyedRateLimit<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K> fmt::Debug for KeyedRateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimit")
            .field("name", &self.shared.name)
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

/// As [`RateLimit`](super::RateLimit), for all keys together.
impl<K: Hash + Eq + Send> Controlled for KeyedRateLimit<K> {
    fn view(&self) -> View {
        let keys = self.keys() as f64;
        self.shared.settings.view(self.shared.name, "ok", vec![("keys", keys)])
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        self.shared.settings.act(action)
    }
}
