//! The last good answers, kept for bad times.
//!
//! Bounded in number and in age: an answer that is too old to be shown is not a fallback but a lie.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The last good answers by key. Clones are one cache.
pub struct StaleCache<T> {
    answers: Arc<Mutex<Answers<T>>>,
    room: usize,
    fresh_for: Duration,
    stale_for: Duration,
}

/// An answer that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    /// The answer.
    pub answer: T,
    /// How long ago it was given.
    pub age: Duration,
    /// Whether it still counts as fresh.
    pub is_fresh: bool,
}

struct Answers<T> {
    by_key: HashMap<Arc<str>, Written<T>>,
    /// Keys in the order of their writes; a key that was written again is in it more than once.
    order: VecDeque<(Arc<str>, u64)>,
    writes: u64,
}

struct Written<T> {
    answer: T,
    at: Instant,
    write: u64,
}

// === impl StaleCache ===

impl<T> StaleCache<T> {
    /// Room for 1 000 answers, which are fresh for `fresh_for` and shown as stale until they are
    /// `stale_for` old.
    pub fn new(fresh_for: Duration, stale_for: Duration) -> Self {
        let answers = Answers { by_key: HashMap::new(), order: VecDeque::new(), writes: 0 };
        Self { answers: Arc::new(Mutex::new(answers)), room: 1_000, fresh_for, stale_for }
    }

    /// Room for this many answers, at least one; those written longest ago go first.
    #[must_use]
    pub fn with_room(mut self, room: usize) -> Self {
        self.room = room.max(1);
        self
    }

    /// Keeps an answer, instead of an earlier one of this key.
    pub fn put(&self, key: &str, answer: T) {
        let (at, key) = (Instant::now(), Arc::<str>::from(key));
        let mut answers = self.answers.lock();
        answers.writes += 1;
        let write = answers.writes;
        answers.by_key.insert(key.clone(), Written { answer, at, write });
        answers.order.push_back((key, write));
        while answers.by_key.len() > self.room {
            answers.forget_oldest();
        }
        // Twice the room bounds the repeated keys as well. None that is alone is forgotten for them.
        if answers.order.len() > self.room * 2 {
            answers.forget_repeated();
        }
    }

    /// The answer that was kept for this key, unless it is too old.
    pub fn get(&self, key: &str) -> Option<Kept<T>>
    where
        T: Clone,
    {
        self.get_with(key, |answer| Some(answer.clone()))
    }

    /// The same for answers that are not cloned but copied by a function of one's own, which may
    /// find that it cannot.
    pub fn get_with(&self, key: &str, copy: impl Fn(&T) -> Option<T>) -> Option<Kept<T>> {
        let answers = self.answers.lock();
        let written = answers.by_key.get(key)?;
        let age = Instant::now().saturating_duration_since(written.at);
        if age > self.stale_for.max(self.fresh_for) {
            return None;
        }
        let answer = copy(&written.answer)?;
        Some(Kept { answer, age, is_fresh: age <= self.fresh_for })
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.answers.lock().by_key.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for StaleCache<T> {
    fn clone(&self) -> Self {
        Self { answers: self.answers.clone(), ..*self }
    }
}

impl<T> std::fmt::Debug for StaleCache<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaleCache").field("room", &self.room).finish_non_exhaustive()
    }
}

// === impl Answers ===

impl<T> Answers<T> {
    /// Forgets what was written longest ago, unless its key was written again since.
    /// Forgets what was written over. It leaves one entry a key, so it is needed once in `room` writes.
    fn forget_repeated(&mut self) {
        let by_key = &self.by_key;
        self.order.retain(|(key, write)| by_key.get(key).is_some_and(|it| it.write == *write));
    }

    fn forget_oldest(&mut self) {
        let Some((key, write)) = self.order.pop_front() else { return };
        if self.by_key.get(&key).is_some_and(|newest| newest.write == write) {
            self.by_key.remove(&key);
        }
    }
}
