//! The thread of a member: polls Kafka, answers rebalances, holds fetching back, commits, leaves.
//!
//! It never waits long for anything but Kafka's own answers, because a group expels a member that
//! stops polling. What is fetched and not handed out is bounded: first it stops polling for a
//! moment, which costs nothing; then it pauses its partitions, which throws away what librdkafka
//! has fetched ahead, and polls on for the sake of the group.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use switchboard_core::BoxError;
use switchboard_message::{ConsumeError, metrics as common};

use super::state::{End, Order, Place, Tp};
use super::{GENERATION, Members, Shared};
use crate::client::{Arena, Fault, GroupConsumer, Kind, Polled, Raw, Rebalance, TopicPartition};
use crate::{Options, metrics as names};

/// The thread's own things.
pub(super) struct Pump {
    consumer: GroupConsumer,
    shared: Arc<Shared>,
    options: Options,
    arena: Arena,
    fetched: Vec<(Tp, Raw)>,
    /// To be looked up, and taken.
    unknown: Vec<Unknown>,
    /// Placed, and to be read from.
    begins: Vec<(Tp, u64, u64)>,
    /// What failed is tried again at this time.
    again: Option<Instant>,
    /// Since when it has failed.
    failing: Option<Instant>,
    /// What is to be given up once nothing of it is in hand, at the latest at this time.
    drain: Option<(Vec<Tp>, Instant)>,
    commit_at: Option<Instant>,
    /// Since when there has been no room.
    full: Option<Instant>,
    paused: bool,
    leaving: bool,
}

/// A partition of which neither bounds nor progress are known yet.
struct Unknown {
    tp: Tp,
    generation: u64,
    /// Where an operator has put the group: the partition is held already.
    at: Option<u64>,
}

/// Tells everybody that a member is gone, however its thread ended.
struct Farewell {
    id: u64,
    shared: Arc<Shared>,
    members: Arc<Members>,
}

/// Records that are taken in at a time.
const BATCH: usize = 512;
/// The longest rest: a wake-up that was lost costs no more than this.
const REST: Duration = Duration::from_millis(250);
/// How long polling stops when there is no room, before partitions are paused.
const HOLD: Duration = Duration::from_millis(300);
/// How long, at the least, the last commit is tried.
const LAST: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_millis(20);
/// When a question that Kafka did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// After how long of asking again the consumer is told.
const HOPELESS: Duration = Duration::from_secs(30);

// === impl Pump ===

impl Pump {
    pub(super) fn spawn(
        consumer: GroupConsumer,
        options: &Options,
        shared: Arc<Shared>,
        id: u64,
        members: Arc<Members>,
    ) -> Result<(), Fault> {
        let farewell = Farewell { id, shared: Arc::clone(&shared), members };
        let pump = Self {
            consumer,
            shared,
            options: options.clone(),
            arena: Arena::default(),
            fetched: Vec::with_capacity(BATCH),
            unknown: Vec::new(),
            begins: Vec::new(),
            again: None,
            failing: None,
            drain: None,
            commit_at: None,
            full: None,
            paused: false,
            leaving: false,
        };
        let thread = thread::Builder::new().name("kafka-member".into());
        let spawned = thread.spawn(move || {
            let _farewell = farewell;
            pump.run();
        });
        spawned.map(drop).map_err(|error| Fault::local("no thread for the Kafka consumer", &error))
    }

    fn run(mut self) {
        loop {
            self.obey();
            if self.leaving {
                break;
            }
            for rebalance in self.consumer.rebalances() {
                match rebalance {
                    Rebalance::Assign(partitions) => self.assign(&partitions),
                    Rebalance::Revoke { partitions, lost } => self.revoke(&partitions, lost),
                }
            }
            self.finish_drain();
            self.try_again();
            self.commit_in_time();
            if !self.fill() {
                self.rest();
            }
        }
        self.leave();
    }

    /// Does what it was asked to do.
    fn obey(&mut self) {
        let orders = std::mem::take(&mut self.shared.state.lock().orders);
        for order in orders {
            match order {
                Order::Begin { tp, generation, after } => self.begins.push((tp, generation, after)),
                Order::Move { tp, position, answer } => {
                    // Whoever asked may have gone away.
                    let _ = answer.send(self.move_to(tp, position));
                }
                Order::Flush(answer) => {
                    self.commit(true);
                    let _ = answer.send(());
                }
                Order::Leave => self.leaving = true,
            }
            self.again.get_or_insert_with(Instant::now);
        }
    }

    /// Takes what is there. False when there was nothing.
    fn fill(&mut self) -> bool {
        let room = self.room();
        if room == 0 && !self.paused {
            return false;
        }
        let mut faults = Vec::new();
        while self.fetched.len() < room.clamp(1, BATCH) {
            match self.consumer.poll(&mut self.arena) {
                Polled::Record { topic, partition, raw } => {
                    self.fetched.push(((topic, partition), raw));
                }
                Polled::Failed(fault) => faults.push(fault),
                Polled::Nothing => break,
            }
        }
        let something = !self.fetched.is_empty() || !faults.is_empty();
        if !self.fetched.is_empty() {
            let mut state = self.shared.state.lock();
            self.fetched.drain(..).for_each(|(tp, raw)| state.accept(tp, raw));
            drop(state);
            self.shared.ready.notify_one();
        }
        faults.into_iter().for_each(|fault| self.fail(fault));
        something
    }

    /// How many records may be taken; pauses and resumes fetching.
    fn room(&mut self) -> usize {
        let state = self.shared.state.lock();
        let (room, half_empty) = (state.room(), state.is_half_empty());
        let reading: Vec<TopicPartition> = match (self.paused, half_empty, room) {
            (true, true, _) | (false, _, 0) => {
                state.reading().into_iter().map(|(tp, _)| self.shared.place(tp)).collect()
            }
            _ => Vec::new(),
        };
        drop(state);
        if self.paused {
            if half_empty {
                self.paused = false;
                self.full = None;
                self.note(self.consumer.resume(reading.iter()));
            }
        } else if room == 0 {
            let since = *self.full.get_or_insert_with(Instant::now);
            if since.elapsed() >= HOLD {
                self.paused = true;
                self.note(self.consumer.pause(&reading));
                let group = self.shared.group.to_string();
                metrics::counter!(names::PAUSES, "group" => group).increment(1);
            }
        } else {
            self.full = None;
        }
        room
    }

    /// Waits for the bell, or for what is due.
    fn rest(&self) {
        let now = Instant::now();
        let held = self.full.filter(|_| !self.paused).map(|since| since + HOLD);
        let drained = self.drain.as_ref().map(|(_, until)| *until);
        let due = [self.commit_at, self.again, drained, held].into_iter().flatten().min();
        let longest = due.map_or(REST, |due| due.saturating_duration_since(now).min(REST));
        self.shared.bell.wait(longest);
    }

    /// Commits when it is time.
    fn commit_in_time(&mut self) {
        if self.consumer.has_failed_to_commit() {
            self.shared.state.lock().commit_again();
        }
        let dirty = self.shared.state.lock().dirty;
        match self.commit_at {
            None if dirty => self.commit_at = Some(Instant::now() + self.options.commit_every),
            Some(due) if due <= Instant::now() => self.commit(false),
            _ => {}
        }
    }

    fn commit(&mut self, now: bool) {
        self.commit_at = None;
        let progress = self.shared.state.lock().progress(now);
        self.write(progress, now);
    }

    fn write(&self, progress: Vec<(Tp, u64, String)>, now: bool) {
        if progress.is_empty() {
            return;
        }
        let place = |(tp, position, note)| (self.shared.place(tp), position, note);
        let places: Vec<_> = progress.into_iter().map(place).collect();
        self.note(self.consumer.commit(&places, now));
    }

    /// Commits at the end, when there will be no second chance: a group that is just being dealt
    /// anew takes it a moment later.
    fn write_last(&mut self, progress: Vec<(Tp, u64, String)>) {
        if progress.is_empty() {
            return;
        }
        let place = |(tp, position, note)| (self.shared.place(tp), position, note);
        let places: Vec<_> = progress.into_iter().map(place).collect();
        let until = Instant::now() + self.options.drain.max(LAST);
        while let Err(fault) = self.consumer.commit(&places, true) {
            if fault.kind != Kind::Rebalancing || Instant::now() >= until {
                return self.note(Err(fault));
            }
            // The group goes on only with members that poll.
            while !matches!(self.consumer.poll(&mut self.arena), Polled::Nothing) {}
            self.shared.bell.wait(SOON);
        }
    }

    /// What failed here is tried again, or repeated by whoever comes next.
    fn note(&self, result: Result<(), Fault>) {
        if let Err(fault) = result {
            let (group, error) = (&self.shared.group, switchboard_core::chain(&fault));
            tracing::warn!(%group, error, "the Kafka consumer");
        }
    }
}

// === impl Pump: partitions come and go ===

impl Pump {
    fn assign(&mut self, partitions: &[TopicPartition]) {
        self.count_rebalance();
        if partitions.is_empty() {
            return self.note(self.consumer.take(&[]));
        }
        for (place, partition) in partitions {
            if let Some(tp) = self.shared.tp(place, *partition) {
                let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
                self.unknown.push(Unknown { tp, generation, at: None });
            }
        }
        self.again = Some(Instant::now());
    }

    fn revoke(&mut self, partitions: &[TopicPartition], lost: bool) {
        self.count_rebalance();
        let tp = |(place, partition): &TopicPartition| self.shared.tp(place, *partition);
        let tps: Vec<Tp> = partitions.iter().filter_map(tp).collect();
        self.unknown.retain(|unknown| !tps.contains(&unknown.tp));
        self.begins.retain(|(tp, ..)| !tps.contains(tp));
        if lost {
            // Somebody else may hold them: what is in hand is done twice, and nothing is committed.
            self.shared.state.lock().revoke(&tps);
            self.shared.ready.notify_one();
            self.note(self.consumer.let_go(partitions));
            return;
        }
        self.note(self.consumer.pause(partitions));
        self.shared.state.lock().drain(&tps);
        self.drain = Some((tps, Instant::now() + self.options.drain));
    }

    /// Gives partitions up once nothing of them is in hand, or at last.
    fn finish_drain(&mut self) {
        let Some((tps, until)) = &self.drain else { return };
        if self.shared.state.lock().in_hand(tps) > 0 && Instant::now() < *until {
            return;
        }
        let Some((tps, _)) = self.drain.take() else { return };
        let progress = self.shared.state.lock().revoke(&tps);
        // From here on their receipts are stale, so this is the last that can be said of them.
        self.write_last(progress);
        self.shared.ready.notify_one();
        let places: Vec<_> = tps.into_iter().map(|tp| self.shared.place(tp)).collect();
        self.note(self.consumer.let_go(&places));
    }

    /// Looks up what is unknown, and begins what is placed.
    fn try_again(&mut self) {
        if self.again.is_none_or(|at| at > Instant::now()) {
            return;
        }
        let looked_up = self.look_up();
        let begun = self.begin();
        let Err(fault) = looked_up.and(begun) else {
            (self.again, self.failing) = (None, None);
            return;
        };
        tracing::debug!(error = switchboard_core::chain(&fault), "trying again");
        self.again = Some(Instant::now() + AGAIN);
        let since = *self.failing.get_or_insert_with(Instant::now);
        if since.elapsed() >= HOPELESS {
            // A new member may fare better.
            self.failing = None;
            self.shared.state.lock().fail(ConsumeError::Unavailable(fault.into()));
            self.shared.ready.notify_one();
        }
    }

    /// Asks Kafka where partitions stand, and takes those that are not held yet: the group waits
    /// for that answer.
    fn look_up(&mut self) -> Result<(), Fault> {
        if self.unknown.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = self.unknown.iter().map(|of| self.shared.place(of.tp)).collect();
        let committed = self.consumer.committed(&wanted)?;
        let mut places = Vec::with_capacity(wanted.len());
        let mut taken = Vec::with_capacity(wanted.len());
        for ((unknown, wanted), committed) in self.unknown.iter().zip(wanted).zip(committed) {
            let (first, last) = self.consumer.bounds(&wanted)?;
            let &Unknown { tp, generation, at } = unknown;
            places.push(Place { tp, generation, first, last, committed, at });
            if at.is_none() {
                taken.push((wanted, last));
            }
        }
        self.unknown.clear();
        if !taken.is_empty() {
            self.note(self.consumer.take(&taken));
        }
        self.shared.state.lock().places.extend(places);
        self.shared.ready.notify_one();
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Fault> {
        let state = self.shared.state.lock();
        self.begins.retain(|(tp, generation, _)| state.is_held(*tp, *generation));
        drop(state);
        if self.begins.is_empty() {
            return Ok(());
        }
        let place = |(tp, _, after): &(Tp, u64, u64)| (self.shared.place(*tp), *after);
        let places: Vec<_> = self.begins.iter().map(place).collect();
        self.consumer.begin(&places)?;
        self.begins.clear();
        if self.paused {
            let places: Vec<_> = places.into_iter().map(|(place, _)| place).collect();
            self.consumer.pause(&places)?;
        }
        Ok(())
    }

    /// Ends the present assignment of a partition and begins another one elsewhere.
    fn move_to(&mut self, tp: Tp, position: u64) -> Result<(), BoxError> {
        if !self.shared.state.lock().holds(tp) || self.drain.is_some() {
            return Err("the group has just changed: try again".into());
        }
        let place = self.shared.place(tp);
        self.consumer.pause(std::slice::from_ref(&place))?;
        self.begins.retain(|(other, ..)| *other != tp);
        self.unknown.retain(|unknown| unknown.tp != tp);
        self.shared.state.lock().revoke(&[tp]);
        self.shared.ready.notify_one();
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        self.unknown.push(Unknown { tp, generation, at: Some(position) });
        Ok(self.consumer.commit(&[(place, position, String::new())], true)?)
    }

    fn fail(&mut self, fault: Fault) {
        let failure = match fault.kind {
            Kind::OutOfRange => self.out_of_range(fault),
            Kind::Fatal => {
                self.shared.state.lock().end.get_or_insert(End::Broken);
                ConsumeError::Unavailable(fault.into())
            }
            Kind::Unknown => ConsumeError::Unavailable(fault.into()),
            _ => {
                // The client connects again by itself.
                tracing::debug!(error = switchboard_core::chain(&fault), "the Kafka consumer");
                return;
            }
        };
        self.shared.state.lock().fail(failure);
        self.shared.ready.notify_one();
    }

    /// Finds the partition whose records were dropped under the group's feet.
    fn out_of_range(&self, fault: Fault) -> ConsumeError {
        let reading = self.shared.state.lock().reading();
        for (tp, fetched) in reading {
            let Ok((first, _)) = self.consumer.bounds(&self.shared.place(tp)) else { continue };
            if fetched + 1 < first {
                return ConsumeError::BelowRetention {
                    group: self.shared.group.clone(),
                    topic: self.shared.topics[tp.0].name.clone(),
                    partition: tp.1,
                    position: fetched,
                    oldest: first,
                };
            }
        }
        ConsumeError::Unavailable(fault.into())
    }

    /// Commits for the last time and leaves the group.
    fn leave(mut self) {
        let until = Instant::now() + self.options.drain;
        while self.shared.state.lock().burying > 0 && Instant::now() < until {
            self.shared.bell.wait(REST.min(self.options.drain));
        }
        let progress = self.shared.state.lock().finish(End::Closed);
        self.write_last(progress);
        let place = |tp: &Tp| self.shared.place(*tp);
        if let Some((tps, _)) = &self.drain {
            self.note(self.consumer.let_go(&tps.iter().map(place).collect::<Vec<_>>()));
        }
        let untaken = self.unknown.iter().filter(|unknown| unknown.at.is_none());
        let untaken: Vec<_> = untaken.map(|unknown| place(&unknown.tp)).collect();
        if !untaken.is_empty() {
            self.note(self.consumer.refuse(untaken));
        }
        self.consumer.close();
    }

    fn count_rebalance(&self) {
        let group = self.shared.group.to_string();
        metrics::counter!(common::REBALANCES, "group" => group).increment(1);
    }
}

// === impl Farewell ===

impl Drop for Farewell {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.end.get_or_insert(End::Broken);
        // Whoever waits for an answer hears that there will be none.
        state.orders.clear();
        drop(state);
        self.shared.ready.notify_one();
        self.members.gone(self.id);
    }
}
