//! Monotone milliseconds that cost one load to read: what breakers measure elapsed time with.
//!
//! Asking the operating system for the time costs more than everything else a closed breaker does, and the wall clock steps when somebody
//! sets it, which has pinned breakers open elsewhere (B12). A [`Ticker`] is monotone, and in a program it is *coarse*: one thread of the
//! process writes the milliseconds down and everybody else reads them.
//!
//! # Accuracy
//!
//! A coarse reading is at most about 1 ms old, plus what the operating system lets the ticking thread wait for a core. The thread exists
//! only in a process that reads often (about a thousand times a second); below that, readings ask the system and are exact to the
//! millisecond. After an eighth of a second without a reader the thread sleeps without ticking.
//!
//! Tests give a breaker [`Ticker::tokio`], whose time they can pause and advance, or [`Ticker::manual`]. All other policies read tokio's
//! time themselves: a rate needs it finer than a millisecond, and whoever waits reads the clock that wakes him.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::time::Instant as TokioInstant;

/// A moment in milliseconds since some beginning; never 0.
pub(crate) type Tick = u64;

/// Where elapsed time comes from. Clones read the same time.
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::Ticker;
///
/// let ticker = Ticker::manual();
/// let begun = ticker.now();
/// ticker.advance(Duration::from_secs(3));
/// assert_eq!(ticker.since(begun), Duration::from_secs(3));
/// ```
#[derive(Clone, Debug)]
pub struct Ticker(Source);

#[derive(Clone, Debug)]
enum Source {
    Coarse,
    Tokio(TokioInstant),
    Manual(Arc<AtomicU64>),
}

/// The process's coarse time.
struct Coarse {
    /// The present tick while the thread ticks, 0 while it does not.
    now: AtomicU64,
    /// Set by readers, cleared by the thread: whether anybody reads.
    is_read: AtomicBool,
    /// Exact readings since `window`, to see when ticking pays.
    reads: AtomicU64,
    window: AtomicU64,
    thread: OnceLock<Option<Thread>>,
    origin: OnceLock<Instant>,
}

/// The thread begins to tick when this many readings come within [`PAYS_WITHIN_MS`].
const PAYS_FROM: u64 = 1_024;
const PAYS_WITHIN_MS: u64 = 1_000;
/// After this many ticks without a reader the thread sleeps.
const IDLE_TICKS: u32 = 128;
/// A beginning above 0, so that 0 can mean "not ticking" and "never".
const ORIGIN: Tick = 1;

static COARSE: Coarse = Coarse {
    now: AtomicU64::new(0),
    is_read: AtomicBool::new(false),
    reads: AtomicU64::new(0),
    window: AtomicU64::new(0),
    thread: OnceLock::new(),
    origin: OnceLock::new(),
};

// === impl Ticker ===

impl Ticker {
    /// The process's own time, for programs.
    pub const fn coarse() -> Self {
        Self(Source::Coarse)
    }

    /// Tokio's time, which tests pause and advance. Exact, and slower to read.
    pub fn tokio() -> Self {
        Self(Source::Tokio(TokioInstant::now()))
    }

    /// A time that moves only when told to.
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(ORIGIN))))
    }

    /// Moves a manual time on. Other tickers move by themselves, and ignore this.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(ticks(by), Ordering::SeqCst);
        }
    }

    /// Milliseconds since some beginning. Two readings say how much time passed between them; one
    /// says nothing.
    #[inline]
    pub fn now(&self) -> u64 {
        match &self.0 {
            Source::Coarse => COARSE.now(),
            other => other.ask(),
        }
    }

    /// How long ago this reading was; zero when it seems to lie ahead.
    #[inline]
    pub fn since(&self, earlier: u64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(earlier))
    }
}

impl Default for Ticker {
    /// [`Ticker::coarse`].
    fn default() -> Self {
        Self::coarse()
    }
}

// === impl Source ===

impl Source {
    /// Kept out of the callers, so that what reads coarse time stays small.
    #[cold]
    fn ask(&self) -> Tick {
        match self {
            Self::Coarse => COARSE.now(),
            Self::Tokio(origin) => ORIGIN + whole_ms(origin.elapsed()),
            Self::Manual(now) => now.load(Ordering::SeqCst),
        }
    }
}

/// A duration in ticks, rounded up: what must have passed has passed.
pub(crate) fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX / 4)
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

// === impl Coarse ===

impl Coarse {
    #[inline]
    fn now(&'static self) -> Tick {
        let now = self.now.load(Ordering::Relaxed);
        if now == 0 {
            return self.ask();
        }
        // Read first: a store per reading would fight over the line.
        if !self.is_read.load(Ordering::Relaxed) {
            self.is_read.store(true, Ordering::Relaxed);
        }
        now
    }

    /// The exact time, and a ticking thread if readings are many.
    #[cold]
    fn ask(&'static self) -> Tick {
        let now = self.exact();
        if self.reads.fetch_add(1, Ordering::Relaxed) % PAYS_FROM == PAYS_FROM - 1 {
            let began = self.window.swap(now, Ordering::Relaxed);
            if began != 0
                && now.saturating_sub(began) <= PAYS_WITHIN_MS
                && let Some(thread) = self.thread.get_or_init(|| self.start())
            {
                // An unpark before the park is kept, so none is lost.
                thread.unpark();
            }
        }
        now
    }

    fn exact(&self) -> Tick {
        ORIGIN + whole_ms(self.origin.get_or_init(Instant::now).elapsed())
    }

    /// Where no thread can be made, readings stay exact.
    fn start(&'static self) -> Option<Thread> {
        let builder = std::thread::Builder::new().name("switchboard-ticker".to_owned());
        builder.spawn(|| self.run()).ok().map(|handle| handle.thread().clone())
    }

    fn run(&self) {
        loop {
            let mut idle = 0;
            while idle < IDLE_TICKS {
                self.now.store(self.exact(), Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(1));
                // Looked at seldom, so that readers seldom write.
                idle += 1;
                if idle % 16 == 0 && self.is_read.swap(false, Ordering::Relaxed) {
                    idle = 0;
                }
            }
            self.now.store(0, Ordering::Relaxed);
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tokio_time_moves_with_the_test() {
        let ticker = Ticker::tokio();
        let begun = ticker.now();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(ticker.since(begun), Duration::from_secs(60));
    }

    /// Enough readings start the thread, a pause ends its ticking, and time goes on throughout.
    #[test]
    fn the_coarse_thread_ticks_while_it_is_read_and_sleeps_after() {
        let ticker = Ticker::coarse();
        let begun = Instant::now();
        let first = ticker.now();
        while COARSE.now.load(Ordering::Relaxed) == 0 {
            ticker.now();
            assert!(begun.elapsed() < Duration::from_secs(10), "it never began to tick");
        }
        // Whoever waits without reading sees it stop.
        while COARSE.now.load(Ordering::Relaxed) != 0 {
            std::thread::park_timeout(Duration::from_millis(20));
            assert!(begun.elapsed() < Duration::from_secs(20), "it ticks without a reader");
        }
        let (passed, real) = (ticker.since(first), begun.elapsed());
        assert!(passed.abs_diff(real) < Duration::from_secs(1), "{passed:?} {real:?}");
    }

    #[test]
    fn what_must_have_passed_is_rounded_up_and_never_overflows() {
        assert_eq!(ticks(Duration::from_micros(1_001)), 2);
        assert_eq!(ticks(Duration::from_secs(60)), 60_000);
        assert!(ticks(Duration::MAX) < u64::MAX / 2);
    }
}
