//! One breaker per key (a host, a shard, a tenant), in bounded space.
//!
//! Keys often come from input, so their number has a bound. A key that was quiet for a while and has nothing bad in its window is
//! forgotten when room is needed (B16). One with failures that no time takes away, or whose open time is over without anybody having asked
//! again, is forgotten when it was quiet for [`OLD`] times as long: what it knew is old by then, and a set must not fill up for ever. One
//! that is open, in use, or held by an operator never is. When all are needed, further keys pass *unguarded*, which is counted: a stranger
//! should not suffer for another key's failures. A breaker of a set begins small, and gets a stripe per thread once it is busy.
//!
//! A bad network near us makes every key look bad. A *share* of keys that may be open at once keeps such a fault from cutting off all of
//! them; breakers beyond it only say that they would have opened.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};

use super::breaker::Breaker;
use super::environment::Environment;
use super::permit::OwnedPermit;
use super::policy::{Options, Window, invalid};
use super::state::{Cause, State};
use super::word::Word;
use crate::control::{Action, ControlError, Controlled, View};
use crate::metrics as names;
use crate::settings::InvalidOptions;
use crate::ticker::ticks;
use crate::{PolicyName, Rejected};

/// Breakers by key. Clones are one set.
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::breaker::{Environment, Keyed, Limits, Options};
///
/// let hosts = Keyed::new("hosts", Options::classic(), Limits::default(), Environment::process());
/// for _ in 0..5 {
///     hosts.admit(&"a.example")?.failure(Duration::ZERO);
/// } assert!(hosts.admit(&"a.example").is_err());
/// assert!(hosts.admit(&"b.example").is_ok());
/// # Ok::<(), switchboard_resilience::Rejected>(())
/// ```
pub struct Keyed<K>(Arc<Set<K>>);

/// How large a set of breakers may become, and how many of them may be open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    keys: usize,
    idle: Duration,
    open: Option<f64>,
}

struct Set<K> {
    name: PolicyName,
    limits: Limits,
    /// What every breaker of the set has room for, whenever it is made.
    born: Window,
    options: Mutex<Options>,
    environment: Mutex<Environment>,
    hasher: RandomState,
    shelves: Box<[RwLock<HashMap<K, Entry>>]>,
    share: Arc<Share>,
    /// Where a search for a forgettable key begins, so that each gets its turn.
    cursor: AtomicUsize,
    /// Guards nothing: for keys that found no room.
    open_door: Breaker,
    unguarded: AtomicU64,
}

struct Entry {
    breaker: Breaker,
    used: AtomicU64,
}

/// How many breakers of a set are open, and may be.
#[derive(Debug)]
pub(crate) struct Share {
    keys: AtomicUsize,
    open: AtomicUsize,
    max: Option<f64>,
}

/// What a key remembers of trouble is old after this many times the quiet that makes it forgettable
/// without any: an hour, by default.
const OLD: u64 = 60;
/// Keys that are looked at, per shelf, when room is needed.
const LOOKED_AT: usize = 16;
/// A key's last use is written down when it is older than this, so that calls of one key do not
/// write to one line.
const USED_PRECISION_MS: u64 = 256;

// === impl Limits ===

impl Default for Limits {
    /// 10 000 keys, forgettable after a minute without trouble and an hour with, of which all may be
    /// open.
    fn default() -> Self {
        Self { keys: 10_000, idle: Duration::from_secs(60), open: None }
    }
}

impl Limits {
    /// How many keys there may be; 1 to a million.
    ///
    /// # Errors
    /// [`InvalidOptions`] for any other number.
    pub fn with_keys(mut self, keys: usize) -> Result<Self, InvalidOptions> {
        if !(1..=1_000_000).contains(&keys) {
            return Err(invalid("keys", "must be 1 to 1000000"));
        }
        self.keys = keys;
        Ok(self)
    }

    /// How long a key must be quiet before it may be forgotten; sixty times as long if it remembers
    /// failures that no time takes away, or is open and long overdue. Default: a minute.
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Which share of the keys may be open at once, above 0 and at most 1; one key always may.
    ///
    /// # Errors
    /// [`InvalidOptions`] for any other share.
    pub fn with_max_open(mut self, share: f64) -> Result<Self, InvalidOptions> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(invalid("max_open", "must lie above 0 and not above 1"));
        }
        self.open = Some(share);
        Ok(self)
    }
}

// === impl Share ===

impl Share {
    /// Takes a place among the open ones, if one is left.
    pub(crate) fn take(&self) -> bool {
        let keys = self.keys.load(Ordering::Relaxed);
        let max = self.max.map_or(usize::MAX, |share| ((share * keys as f64) as usize).max(1));
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |open| {
                (open < max).then_some(open + 1)
            })
            .is_ok()
    }

    pub(crate) fn give_back(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

// === impl Keyed ===

impl<K: Hash + Eq + Clone> Keyed<K> {
    /// No key yet; each gets a closed breaker with these options when it is first named. The name
    /// is the set's: keys never become names or labels of metrics.
    pub fn new(
        name: impl Into<PolicyName>,
        options: Options,
        limits: Limits,
        mut environment: Environment,
    ) -> Self {
        let name = name.into();
        let shelves = (limits.keys / 64).clamp(1, 16).next_power_of_two();
        let own = Environment { rng: environment.rng.fork(), ..environment.clone() };
        let born = options.window;
        let open_door = Breaker::of_set(name, options.clone(), born, own, None);
        open_door.core().gate.change(Word::FIRST, Cause::Disable);
        Self(Arc::new(Set {
            name,
            limits,
            born,
            options: Mutex::new(options),
            environment: Mutex::new(environment),
            hasher: RandomState::new(),
            shelves: (0..shelves).map(|_| RwLock::default()).collect(),
            share: Arc::new(Share {
                keys: AtomicUsize::new(0),
                open: AtomicUsize::new(0),
                max: limits.open,
            }),
            cursor: AtomicUsize::new(0),
            open_door,
            unguarded: AtomicU64::new(0),
        }))
    }

    /// The key's breaker, made now if it has none. When there is no room, one that lets everything
    /// through.
    pub fn get(&self, key: &K) -> Breaker {
        let set = &*self.0;
        let now = set.open_door.ticker().now();
        let at = set.hasher.hash_one(key) as usize % set.shelves.len();
        if let Some(entry) = set.shelves[at].read().get(key) {
            return entry.used_at(now);
        }
        let mut shelf = set.shelves[at].write();
        if let Some(entry) = shelf.get(key) {
            return entry.used_at(now);
        }
        if !set.make_room(at, &mut shelf, now) {
            set.unguarded.fetch_add(1, Ordering::Relaxed);
            return set.open_door.share();
        }
        let entry = Entry { breaker: set.make(), used: AtomicU64::new(now) };
        let breaker = entry.breaker.share();
        shelf.insert(key.clone(), entry);
        breaker
    }

    /// Lets a call to this key through, or rejects it.
    ///
    /// # Errors
    /// As [`Breaker::admit`].
    pub fn admit(&self, key: &K) -> Result<OwnedPermit, Rejected> {
        self.get(key).admit_owned()
    }
}

impl<K> Keyed<K> {
    /// How many keys have a breaker.
    pub fn len(&self) -> usize {
        self.0.share.keys.load(Ordering::Relaxed)
    }

    /// Whether no key has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys are open or probing.
    pub fn open(&self) -> usize {
        self.0.share.open.load(Ordering::Relaxed)
    }

    /// How many calls passed unguarded, because there was no room for their key.
    pub fn unguarded(&self) -> u64 {
        self.0.unguarded.load(Ordering::Relaxed)
    }

    fn for_each(&self, mut visit: impl FnMut(&Breaker)) {
        for shelf in &self.0.shelves {
            // Listeners may ask the set, so no lock is held while breakers are visited.
            let breakers: Vec<_> = shelf.read().values().map(|e| e.breaker.share()).collect();
            breakers.iter().for_each(&mut visit);
        }
    }
}

impl<K> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("name", &self.0.name)
            .field("keys", &self.len())
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}

impl<K: Send + Sync> Controlled for Keyed<K> {
    fn view(&self) -> View {
        let set = &*self.0;
        View {
            name: set.name,
            kind: "keyed_breaker",
            state: if self.open() == 0 { "closed" } else { "partly_open" },
            remaining_open: None,
            figures: vec![
                ("keys", self.len() as f64),
                ("keys_open", self.open() as f64),
                ("unguarded_total", self.unguarded() as f64),
            ],
            settings: set.options.lock().settings(),
            transitions: Vec::new(),
        }
    }

    /// Release and reconfigure, of all keys; anything else is done to one key's breaker.
    fn act(&self, action: &Action) -> Result<(), ControlError> {
        self.act_as(action, "operator", "")
    }

    fn act_as(&self, action: &Action, actor: &str, why: &str) -> Result<(), ControlError> {
        match action {
            Action::Release => {
                self.for_each(|breaker| {
                    breaker.release(actor, why);
                });
                Ok(())
            }
            Action::Reconfigure { settings } => {
                let changed = {
                    let mut options = self.0.options.lock();
                    let changed = options.clone().changed(settings)?;
                    // All have the same memory: what one can be set to, all can.
                    self.0.open_door.core().can_take(changed.window)?;
                    options.clone_from(&changed);
                    changed
                };
                // Those that are made from now on have it already.
                let mut refused = None;
                self.for_each(|breaker| {
                    if let Err(invalid) = breaker.reconfigure(changed.clone(), actor, why) {
                        refused = Some(invalid);
                    }
                });
                debug_assert_eq!(refused, None, "the memories of a set differ");
                refused.map_or(Ok(()), |refused| Err(refused.into()))
            }
            other => Err(ControlError::Unsupported { kind: "keyed_breaker", action: other.name() }),
        }
    }

    fn publish(&self) {
        let policy = self.0.name.as_str();
        metrics::gauge!(names::BREAKER_KEYS, "policy" => policy).set(self.len() as f64);
        metrics::gauge!(names::BREAKER_KEYS_OPEN, "policy" => policy).set(self.open() as f64);
        metrics::counter!(names::BREAKER_UNGUARDED, "policy" => policy).absolute(self.unguarded());
    }
}

// === impl Set ===

impl<K: Hash + Eq + Clone> Set<K> {
    /// Whether there is room for one more, which is then taken. Forgets a key if it must.
    fn make_room(&self, at: usize, own: &mut HashMap<K, Entry>, now: u64) -> bool {
        let keys = &self.share.keys;
        let is_free = |keys: usize| (keys < self.limits.keys).then_some(keys + 1);
        if keys.fetch_update(Ordering::AcqRel, Ordering::Relaxed, is_free).is_ok() {
            return true;
        }
        let start = self.cursor.fetch_add(LOOKED_AT, Ordering::Relaxed);
        // The forgotten one leaves its place to the new one.
        if self.forget_one(own, start, now) {
            return true;
        }
        let others = (1..self.shelves.len()).map(|step| (at + step) % self.shelves.len());
        others
            .filter_map(|other| self.shelves[other].try_write())
            .any(|mut shelf: RwLockWriteGuard<'_, _>| self.forget_one(&mut shelf, start, now))
    }

    fn forget_one(&self, shelf: &mut HashMap<K, Entry>, start: usize, now: u64) -> bool {
        let skipped = start.checked_rem(shelf.len()).unwrap_or(0);
        let candidates = shelf.iter().cycle().skip(skipped).take(LOOKED_AT.min(shelf.len()));
        let idle_ms = ticks(self.limits.idle);
        let old_ms = idle_ms.saturating_mul(OLD);
        let mut quiet = candidates.filter_map(|(key, entry)| {
            let quiet_ms = now.saturating_sub(entry.used.load(Ordering::Relaxed));
            let is_forgettable =
                quiet_ms >= idle_ms && entry.is_forgettable(now, quiet_ms >= old_ms);
            is_forgettable.then_some(key)
        });
        let Some(key) = quiet.next().cloned() else { return false };
        shelf.remove(&key).is_some()
    }

    fn make(&self) -> Breaker {
        let environment = {
            let mut own = self.environment.lock();
            Environment { rng: own.rng.fork(), ..own.clone() }
        };
        let options = self.options.lock().clone();
        Breaker::of_set(self.name, options, self.born, environment, Some(self.share.clone()))
    }
}

// === impl Entry ===

impl Entry {
    fn used_at(&self, now: u64) -> Breaker {
        if now.saturating_sub(self.used.load(Ordering::Relaxed)) > USED_PRECISION_MS {
            self.used.store(now, Ordering::Relaxed);
        }
        self.breaker.share()
    }

    /// Held by nobody, and without anything that would be missed. `is_old`: nobody has asked for so
    /// long that what it knows says nothing about now.
    fn is_forgettable(&self, now: u64, is_old: bool) -> bool {
        let core = self.breaker.core();
        let word = core.gate.word();
        if !self.breaker.is_alone() {
            return false;
        }
        match word.state() {
            State::Closed => is_old || !core.remembers_trouble(word),
            // Its next call would be a first one, as that of a new key is.
            State::Open | State::HalfOpen => {
                is_old && core.gate.until(word).is_some_and(|until| now > until)
            }
            State::Isolated | State::Disabled | State::Observing => false,
        }
    }
}
