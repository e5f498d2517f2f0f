//! A breaker's insides, shared by all its handles: who passes, what a result leads to, and how the state changes.
//!
//! The path of a healthy call reads one word and one tick, adds to its thread's own counts, and reads one more word. Everything else is
//! off that path, and what is rare may cost more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use switchboard_core::Clock;

use super::book::{Book, Entry};
use super::dials::Dials;
use super::environment::Environment;
use super::gate::{Gate, Kept};
use super::keyed::Share;
use super::permit::{Recorded, Refusal, Ticket};
use super::policy::{Options, Window, invalid};
use super::probes::{Decision, Ended};
use super::replay::{Ending, Tape};
use super::state::{Cause, State};
use super::totals::{Late, Rare};
use super::window::{Figures, Good, Judged, Lane, Mark, Memory};
use super::word::Word;
use crate::events::{Event, Events};
use crate::settings::InvalidOptions;
use crate::stripes::{Padded, Stripe, Stripes};
use crate::ticker::{Ticker, ticks};
use crate::{Outcome, PolicyName};

/// What all handles of a breaker share.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Core {
    // Read by every call, written when the state changes.
    pub(crate) gate: Gate,
    pub(crate) dials: Dials,
    pub(crate) ticker: Ticker,
    pub(crate) name: PolicyName,
    memory: Memory,
    // Written by every call, each thread its own.
    pub(crate) lanes: Stripes<Lane>,
    // Written seldom.
    pub(crate) rare: Padded<Rare>,
    /// The latest moment at which a failure said that it wants to be asked again.
    hint: AtomicU64,
    /// Until when an observing breaker would have been open.
    shadow: AtomicU64,
    pub(crate) book: Mutex<Book>,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
    share: Option<Arc<Share>>,
    pub(crate) tape: Tape,
}

// === impl Core ===

impl Core {
    pub(crate) fn new(
        name: PolicyName,
        options: Options,
        born: Window,
        environment: Environment,
        share: Option<Arc<Share>>,
    ) -> Self {
        let now = environment.ticker.now();
        Self {
            gate: Gate::new(),
            dials: Dials::new(&options),
            memory: Memory::new(born),
            ticker: environment.ticker,
            name,
            lanes: Stripes::default(),
            rare: Padded::default(),
            hint: AtomicU64::new(0),
            shadow: AtomicU64::new(0),
            book: Mutex::new(Book::new(options, environment.rng, now)),
            events: environment.events,
            clock: environment.clock,
            share,
            tape: Tape::default(),
        }
    }

    // --- who passes ---

    /// Lets a call through, or says why not.
    // Always inlined, as `settle` is: then a permit lives in registers, and what most calls do is a
    // handful of loads in the caller.
    #[inline(always)]
    pub(crate) fn admit(&self) -> Result<Ticket, Refusal> {
        let word = self.gate.word();
        let now = self.ticker.now();
        if word.is(State::Closed) {
            return Ok(Ticket { word, began: now });
        }
        if let Some(refusal) = self.refuse_quickly(word, now) {
            return Err(refusal);
        }
        self.admit_by_gate(now)
    }

    /// The rejection of an open breaker, where this thread can count it without the others: nearly
    /// all of them.
    #[inline(always)]
    fn refuse_quickly(&self, word: Word, now: u64) -> Option<Refusal> {
        if word.is(State::Open)
            && let Some(until) = self.gate.until(word)
            && now <= until
            && let Some(lane) = self.lanes.own()
        {
            lane.rejected[0].add_alone();
            return Some(Refusal::open(self.name, until + 1 - now));
        }
        None
    }

    #[cold]
    #[inline(never)]
    fn admit_by_gate(&self, now: u64) -> Result<Ticket, Refusal> {
        let word = self.pass(now).map_err(|kept| self.keep(kept))?;
        Ok(Ticket { word, began: now })
    }

    /// A first try: it always passes, and if the breaker would have kept it, unjudged (R10).
    pub(crate) fn admit_first_try(&self) -> Result<Ticket, Refusal> {
        let now = self.ticker.now();
        match self.pass(now) {
            Ok(word) => Ok(Ticket { word, began: now }),
            Err(Kept::Isolated) => Err(self.keep(Kept::Isolated)),
            Err(_) => Ok(Ticket::unjudged(now)),
        }
    }

    fn pass(&self, now: u64) -> Result<Word, Kept> {
        self.gate.admit(
            now,
            || self.dials.rule(),
            |word, cause| {
                let because = match cause {
                    Cause::WaitOver => "the open time is over",
                    _ => "the probes did not decide in time",
                };
                self.shift(word, cause, because, false);
            },
        )
    }

    /// Whether a call would be kept back now. Changes nothing.
    // Inlined with what it asks, because it is asked before every call: closed, it is one load.
    #[inline(always)]
    pub(crate) fn would_keep(&self) -> bool {
        let word = self.gate.word();
        if word.is(State::Open) {
            return self.gate.until(word).is_none_or(|until| self.ticker.now() <= until);
        }
        word.is(State::Isolated)
    }

    /// The rejection of a call for which nobody asked the service whether it is ready, because the
    /// breaker would have kept it.
    #[inline(always)]
    pub(crate) fn keep_unready(&self) -> Refusal {
        let (word, now) = (self.gate.word(), self.ticker.now());
        match self.refuse_quickly(word, now) {
            Some(refusal) => refusal,
            None => self.keep_unready_slowly(word, now),
        }
    }

    #[cold]
    #[inline(never)]
    fn keep_unready_slowly(&self, word: Word, now: u64) -> Refusal {
        self.keep(match word.state() {
            State::Isolated => Kept::Isolated,
            State::Open => {
                let until = self.gate.until(word);
                Kept::Open(until.map(|until| (until + 1).saturating_sub(now)))
            }
            // It changed in between: another try may pass at once.
            _ => Kept::Open(Some(0)),
        })
    }

    fn keep(&self, kept: Kept) -> Refusal {
        let (place, refusal) = match kept {
            Kept::Open(Some(ms)) => (0, Refusal::open(self.name, ms)),
            Kept::Open(None) => (0, Refusal::open(self.name, self.dials.open_ms())),
            Kept::Isolated => (1, Refusal::isolated(self.name)),
            Kept::Probing => (2, Refusal::probing(self.name)),
        };
        match self.lanes.mine() {
            Stripe::Own(lane) => lane.rejected[place].add_alone(),
            Stripe::Common(lane) => lane.rejected[place].add(),
        }
        refusal
    }

    // --- what results lead to ---

    /// Takes the result of a call that passed.
    #[inline(always)]
    pub(crate) fn settle(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        elapsed_ms: u64,
        now: u64,
    ) -> Recorded {
        let word = self.gate.word();
        if word == ticket.word
            && word.is(State::Closed)
            && outcome == Outcome::Success
            && self.dials.is_quick(elapsed_ms)
        {
            // Nearly every call ends here.
            match self.memory.count_good((&self.lanes, &self.dials), word.generation(), now) {
                Good::Done => return Recorded::Counted,
                Good::Look => return self.look(word, now),
                Good::NotCounted => {}
            }
        }
        self.settle_rest(ticket, word, outcome, elapsed_ms, now)
    }

    #[inline(never)]
    fn look(&self, word: Word, now: u64) -> Recorded {
        let judged = self.memory.look((&self.lanes, &self.dials), word.generation(), now);
        self.conclude(word, judged, Outcome::Success)
    }

    #[inline(never)]
    fn settle_rest(
        &self,
        ticket: Ticket,
        word: Word,
        outcome: Outcome,
        elapsed_ms: u64,
        now: u64,
    ) -> Recorded {
        if self.dials.is_recording() {
            self.tape.add(ticket.began, elapsed_ms, Ending::of(outcome));
        }
        self.settle_counted(ticket, word, outcome, elapsed_ms, now)
    }

    fn settle_counted(
        &self,
        ticket: Ticket,
        word: Word,
        outcome: Outcome,
        elapsed_ms: u64,
        now: u64,
    ) -> Recorded {
        if ticket.is_unjudged() || ticket.word.is(State::Disabled) {
            return Recorded::Unjudged;
        }
        if word != ticket.word {
            return self.late(outcome);
        }
        let is_slow = self.dials.is_slow(elapsed_ms);
        let is_failure = match outcome {
            Outcome::Success => false,
            Outcome::Failure { retry_after } => {
                self.rare.0.failures.add();
                if let Some(retry_after) = retry_after {
                    let wait = ticks(retry_after).min(self.dials.cap_ms());
                    self.hint.fetch_max(now + wait, Ordering::Relaxed);
                }
                true
            }
            Outcome::Ignore => {
                self.rare.0.ignored.add();
                let ended = if is_slow { Ended::Released } else { Ended::Ignored };
                self.end_probe(word, ended);
                return Recorded::Ignored;
            }
        };
        if is_slow {
            self.rare.0.slow.add();
        }
        let mark = Mark { is_failure, is_slow };
        if word.state().is_judged() {
            return self.conclude(word, self.judge(word, now, mark), outcome);
        }
        if !is_failure {
            match self.lanes.mine() {
                Stripe::Own(lane) => lane.successes.add_alone(),
                Stripe::Common(lane) => lane.successes.add(),
            }
        }
        self.end_probe(word, Ended::Counted { is_failure, is_slow });
        Recorded::Counted
    }

    /// A call was given up, or panicked (B14, B15).
    #[cold]
    pub(crate) fn cancel(&self, ticket: Ticket, now: u64) {
        if ticket.is_unjudged() || ticket.word.is(State::Disabled) {
            return;
        }
        self.rare.0.cancelled.add();
        let elapsed_ms = now.saturating_sub(ticket.began);
        if self.dials.is_recording() {
            self.tape.add(ticket.began, elapsed_ms, Ending::GivenUp);
        }
        let word = self.gate.word();
        if std::thread::panicking() || self.dials.is_hung(elapsed_ms) {
            self.settle_counted(ticket, word, Outcome::FAILURE, elapsed_ms, now);
            return;
        }
        if word == ticket.word {
            self.end_probe(word, Ended::Released);
        } else {
            self.rare.0.late[Late::Cancelled as usize].add();
        }
    }

    fn late(&self, outcome: Outcome) -> Recorded {
        self.rare.0.late[Late::of(outcome) as usize].add();
        Recorded::Late
    }

    fn judge(&self, word: Word, now: u64, mark: Mark) -> Judged {
        self.memory.judge((&self.lanes, &self.dials), word.generation(), now, mark, || {
            self.gate.word() == word
        })
    }

    fn conclude(&self, word: Word, judged: Judged, outcome: Outcome) -> Recorded {
        match judged {
            Judged::Fine => {}
            Judged::Late => return self.late(outcome),
            Judged::Bad(figures) if word.is(State::Observing) => self.would_open(figures, ""),
            Judged::Bad(figures) => self.trip(word, figures),
        }
        Recorded::Counted
    }

    fn trip(&self, word: Word, figures: Figures) {
        if self.share.as_ref().is_some_and(|share| !share.take()) {
            self.would_open(figures, "; its set has as many open as it may");
            return;
        }
        let was_well = self.was_well(word);
        if self.shift(word, Cause::Trip, &describe(figures), was_well).is_none()
            && let Some(share) = &self.share
        {
            share.give_back();
        }
    }

    fn would_open(&self, figures: Figures, more: &str) {
        let now = self.ticker.now();
        let shadow = self.shadow.load(Ordering::Relaxed);
        // Once per open time, as the breaker itself would have opened.
        let next = now + self.dials.open_ms();
        let is_first = now > shadow
            && self
                .shadow
                .compare_exchange(shadow, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_first {
            let because = format!("{}{more}", describe(figures));
            self.events.tell(Event::WouldOpen { policy: self.name, at: self.clock.now(), because });
        }
    }

    fn end_probe(&self, word: Word, ended: Ended) {
        if !word.is(State::HalfOpen) {
            return;
        }
        let probes = &self.gate.probes;
        let cause = match probes.end(word.generation(), ended, &self.dials.rule()) {
            Some(Decision::Passed) => Cause::ProbesPassed,
            Some(Decision::Failed) => Cause::ProbesFailed,
            Some(Decision::Undecided) | None => return,
        };
        let probes = probes.figures(word.generation());
        let because = format!(
            "of {} probes {} failed and {} were slow",
            probes.counted, probes.failures, probes.slow
        );
        self.shift(word, cause, &because, false);
    }

    /// B9: whether the breaker was closed for a whole window.
    fn was_well(&self, word: Word) -> bool {
        let now = self.ticker.now();
        let ((closed_at, successes), window) = {
            let book = self.book.lock();
            (book.closed(), book.options.window)
        };
        match window {
            Window::Time(time) => now.saturating_sub(closed_at) >= ticks(time),
            Window::Count(calls) => self.figures(word).calls >= u64::from(calls),
            Window::Consecutive(failures) => {
                self.successes().saturating_sub(successes) >= u64::from(failures)
            }
        }
    }

    // --- changes ---

    /// Changes the state, writes it down, and tells; `None` when somebody else changed it first.
    /// Calls no listener before everything is in place, and none under a lock.
    #[cold]
    pub(crate) fn shift(
        &self,
        from: Word,
        cause: Cause,
        because: &str,
        was_well: bool,
    ) -> Option<Word> {
        let lasted = self.gate.until(from);
        let to = self.gate.change(from, cause)?;
        self.rare.0.changes.add();
        let (now, at) = (self.ticker.now(), self.clock.now());
        let hint = if to.is(State::Open) { self.hint.swap(0, Ordering::Relaxed) } else { 0 };
        let hint = hint.min(now + self.dials.cap_ms());
        let successes = self.successes();
        let entry = Entry { from, to, cause, now, at, because, was_well, successes, lasted, hint };
        if let Some(until) = self.book.lock().enter(&entry) {
            self.gate.publish(to, until);
        }
        if from.state().is_tripped()
            && !to.state().is_tripped()
            && let Some(share) = &self.share
        {
            share.give_back();
        }
        self.events.tell(Event::Changed {
            policy: self.name,
            at,
            from: from.state().as_str(),
            to: to.state().as_str(),
            generation: to.generation(),
            because: because.to_owned(),
        });
        Some(to)
    }

    /// Whether this memory can hold such a window.
    pub(crate) fn can_take(&self, window: Window) -> Result<(), InvalidOptions> {
        match (&self.memory, window) {
            (Memory::Count(ring), Window::Count(calls)) if calls > ring.0.capacity() => {
                Err(invalid("window", "holds no more calls than at its birth while it lives"))
            }
            (Memory::Time(_), Window::Time(_))
            | (Memory::Count(_), Window::Count(_))
            | (Memory::Consecutive(_), Window::Consecutive(_)) => Ok(()),
            _ => Err(invalid("window", "keeps its kind while the breaker lives")),
        }
    }

    /// Takes other settings, under a generation that nobody hears of. It ends what was counted
    /// before the first of them is seen, so that nothing old is judged by them; the change of which
    /// operators are told ends it in turn, and with it what was judged by some old and some new.
    pub(crate) fn set(&self, options: Options) {
        let mut book = self.book.lock();
        loop {
            let from = self.gate.word();
            let until = self.gate.until(from);
            let Some(between) = self.gate.change(from, Cause::Reconfigure) else { continue };
            if let Some(until) = until {
                self.gate.publish(between, until);
            }
            break;
        }
        self.dials.set(&options);
        book.options = options;
    }

    // --- what it shows ---

    /// What the window of this word holds.
    pub(crate) fn figures(&self, word: Word) -> Figures {
        self.memory.figures(&self.lanes, &self.dials, word.generation(), self.ticker.now())
    }

    /// Whether its window, or how it recovers, would be missed: calls of a time window, of other
    /// windows only bad ones (the last good calls never leave those), and a recovery that has not
    /// yet lasted for a whole window.
    pub(crate) fn remembers_trouble(&self, word: Word) -> bool {
        let figures = self.figures(word);
        let is_time = matches!(self.memory, Memory::Time(_));
        if figures.failures > 0 || figures.slow > 0 || is_time && figures.calls > 0 {
            return true;
        }
        // Bound first: the other question takes the lock itself.
        let is_recovering = self.book.lock().is_recovering();
        is_recovering && !self.was_well(word)
    }

    /// Successes since birth.
    pub(crate) fn successes(&self) -> u64 {
        self.lanes.parts().map(|lane| lane.successes.get()).sum()
    }
}

impl Drop for Core {
    /// A set must not count a breaker as open that is gone.
    fn drop(&mut self) {
        if self.gate.word().state().is_tripped()
            && let Some(share) = &self.share
        {
            share.give_back();
        }
    }
}

fn describe(figures: Figures) -> String {
    let percent = |share: f64| (share * 100.0).round();
    format!(
        "failure_rate {} %, slow_rate {} % of {} calls",
        percent(figures.failure_rate()),
        percent(figures.slow_rate()),
        figures.calls
    )
}
