//! What should be in the store, and whether it is.

use std::collections::{BTreeSet, HashMap};

use switchboard_core::{BoxError, Position, Slot, Timestamp};
use switchboard_store::{Journal, Outbox, Rows, StoredEvent, Timers, Unit};
use switchboard_store_sqlite::SqliteStore;

use super::Report;
use super::work::{COUNTS, fires, sets_timer, timer};

/// The books of one database: which units it must hold, may hold, and holds.
#[derive(Debug, Default)]
pub(super) struct Books {
    next: u64,
    /// The first unit of this cycle; all before it are in the store.
    cycle: u64,
    acknowledged: BTreeSet<u64>,
    /// Units of this cycle that the store holds, as far as was seen.
    found: BTreeSet<u64>,
    /// Units that a planted bug has made impossible.
    given_up: BTreeSet<u64>,
    /// Everything up to here was compared in former cycles.
    compared: Position,
    sequences: HashMap<Slot, u64>,
    compared_sequences: HashMap<Slot, u64>,
    newest: Position,
}

// === impl Books ===

impl Books {
    /// The number of the next unit.
    pub(super) fn submit(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn acknowledge(&mut self, number: u64) {
        self.acknowledged.insert(number);
    }

    /// How many units the store must hold.
    pub(super) fn held(&self) -> u64 {
        self.cycle + self.acknowledged.len() as u64
    }

    /// Units of this cycle that were submitted and not acknowledged.
    pub(super) fn open_units(&self) -> Vec<u64> {
        (self.cycle..self.next).filter(|number| !self.acknowledged.contains(number)).collect()
    }

    /// The second delivery of a unit was answered. It is called a duplicate exactly if the store
    /// held it.
    pub(super) fn delivered(&mut self, number: u64, duplicate: bool, report: &mut Report) {
        match (duplicate, self.found.contains(&number)) {
            (true, false) => {
                report.lost += 1;
                self.give_up(number);
            }
            (false, true) => {
                report.invented += 1;
                self.acknowledge(number);
            }
            _ => self.acknowledge(number),
        }
    }

    pub(super) fn give_up(&mut self, number: u64) {
        self.given_up.insert(number);
    }

    /// Checkpoints of all slots behind everything that was compared.
    pub(super) fn passing(&self) -> Unit {
        let mut unit = Unit::new();
        unit.checkpoints = (0..=u8::MAX).map(|slot| (Slot(slot), self.compared)).collect();
        unit
    }

    pub(super) fn close_cycle(&mut self) {
        self.cycle = self.next;
        self.acknowledged.clear();
        self.found.clear();
        self.compared = self.newest;
        self.compared_sequences.clone_from(&self.sequences);
    }

    /// Looks at everything that this cycle has left.
    pub(super) async fn compare(
        &mut self,
        store: &SqliteStore,
        report: &mut Report,
    ) -> Result<(), BoxError> {
        self.newest = *store.watch().borrow();
        let events = store.events(self.compared, 100_000).await?;
        self.compare_events(&events, report);
        self.compare_messages(store, report).await?;
        self.compare_timers(store, report).await?;
        let given_up = self.given_up.len() as u64;
        let former = self.cycle - self.given_up.range(..self.cycle).count() as u64;
        let expected = former + self.found.len() as u64;
        let row = store.row(&COUNTS, "done").await?;
        let counted = row.map_or(0, |row| row.integer("n").cast_unsigned());
        report.lost += expected.saturating_sub(counted);
        report.invented += counted.saturating_sub(expected + given_up);
        // One of the older units, to see that nothing done since has taken it away.
        if former == self.cycle && former > 0 {
            let stream = format!("unit-{}", self.newest.0 % former);
            report.lost += u64::from(store.stream(&stream, 0, 2).await?.len() != 1);
        }
        Ok(())
    }

    fn compare_events(&mut self, events: &[StoredEvent], report: &mut Report) {
        self.found.clear();
        for event in events {
            let number = std::str::from_utf8(&event.data).ok().and_then(|text| text.parse().ok());
            let wanted = number.filter(|number| (self.cycle..self.next).contains(number));
            let is_new = wanted.is_some_and(|number| self.found.insert(number));
            report.invented += u64::from(!is_new);
        }
        for number in self.acknowledged.difference(&self.found) {
            report.lost += u64::from(!self.given_up.contains(number));
        }
        let lost: Vec<u64> = self.acknowledged.difference(&self.found).copied().collect();
        self.given_up.extend(lost);
    }

    /// Each unit's message, and each fired timer's, exactly once and with dense sequences.
    async fn compare_messages(
        &mut self,
        store: &SqliteStore,
        report: &mut Report,
    ) -> Result<(), BoxError> {
        self.sequences.clone_from(&self.compared_sequences);
        let mut expected: BTreeSet<String> = BTreeSet::new();
        for number in &self.found {
            expected.insert(number.to_string());
            expected.extend(fires(*number).map(|set| timer(set).to_string()));
        }
        for outgoing in store.outgoing(self.compared, 100_000).await? {
            let text = String::from_utf8_lossy(&outgoing.envelope.payload).into_owned();
            report.invented += u64::from(!expected.remove(&text));
            let last = self.sequences.entry(outgoing.slot).or_default();
            let sequence = outgoing.envelope.identity.map_or(0, |identity| identity.sequence);
            report.lost += u64::from(sequence != *last + 1);
            *last = sequence;
        }
        report.lost += expected.len() as u64;
        Ok(())
    }

    /// A timer is set exactly if its unit is there and the one that fires it is not.
    async fn compare_timers(
        &self,
        store: &SqliteStore,
        report: &mut Report,
    ) -> Result<(), BoxError> {
        let is_there = |number: u64| {
            (number < self.cycle && !self.given_up.contains(&number))
                || self.found.contains(&number)
        };
        let (set, _) = store.due_timers(Timestamp::default(), 100_000).await?;
        let mut set: BTreeSet<String> = set.into_iter().map(|timer| timer.id.to_string()).collect();
        // Older ones were compared in their own cycles.
        for number in self.cycle.saturating_sub(8)..self.next {
            let fired = fires(number + 6) == Some(number) && is_there(number + 6);
            let expected = sets_timer(number) && is_there(number) && !fired;
            match (expected, set.remove(timer(number).as_str())) {
                (true, false) => report.lost += 1,
                (false, true) => report.invented += 1,
                _ => {}
            }
        }
        if self.given_up.is_empty() {
            report.invented += set.len() as u64;
        }
        Ok(())
    }
}
