//! Messages and notes in the log.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use switchboard_core::{BoxError, Clock, Timestamp};
use switchboard_log::{Append, AppendError, ChannelId, Keep, Log, Staging};
use switchboard_message::exchange::Layout;
use switchboard_message::exchange::embedded::{
    Appending, Limits, Note, Put, Snapshot, State, Store, Stored,
};
use switchboard_message::{Durability, TopologyError};

use super::written::{self, WrittenLayout};
use crate::{OpenError, Options, cell};

/// The channel of a queue. No topic's partition has such a name.
const PREFIX: &str = "queue:";
const JOURNAL: &str = "queues:journal";
const LAYOUT: &str = "queues:layout";
/// There while the broker is closed in an orderly way.
const CLOSED: &str = "queues:closed";
/// Bytes that one append carries, unless a single message for all its queues needs more.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes that one read hands over, unless a single record is larger.
const READ_BYTES: usize = 1 << 20;
/// Records of the journal that are read at once.
const READ_NOTES: usize = 1_024;
/// Records of the journal that ride along with messages, which leave room for four.
const RIDING_RECORDS: usize = 3;
/// How long a note may stay unwritten.
const WRITE_AFTER: Duration = Duration::from_millis(100);

/// The queues' part of the log.
pub(super) struct Shelf {
    log: Log,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// The largest record of the journal.
    note_bytes: usize,
    journal: ChannelId,
    /// By the queue's number.
    channels: RwLock<Vec<ChannelId>>,
    /// Notes that are not in the log yet, by queue.
    pending: Mutex<BTreeMap<usize, Note>>,
    /// Whether a task waits to write them: there is at most one, and none when idle.
    write_is_due: AtomicBool,
    me: Weak<Self>,
}

/// A part of the log's batch that was staged.
struct Staged {
    append: Append,
    /// What rides along, for the case that it has to be written again.
    notes: Vec<Note>,
}

// === impl Shelf: its life ===

impl Shelf {
    /// What an earlier life left. Blocks on file work.
    pub(super) fn open(
        log: Log,
        options: &Options,
    ) -> Result<(Arc<Self>, Layout, Vec<State>), OpenError> {
        let written = cell::all::<WrittenLayout>(&log, LAYOUT)?.into_iter().next();
        let unreadable = |source| OpenError::Cell { name: LAYOUT.into(), source };
        let layout: Layout = match written {
            Some((_, written)) => written.try_into().map_err(unreadable)?,
            None => Layout::default(),
        };
        let journal = log.channel(JOURNAL)?;
        let channels = channels(&log, &layout)?;
        let states = states(&log, journal, &channels)?;
        if log.cell(CLOSED).is_some() {
            // Gone from the disk before anything is handed out: this life may end badly.
            log.set_cell(CLOSED, Bytes::new())?;
            log.append(Vec::new()).wait()?;
        }
        let segment = usize::try_from(options.log.segment_bytes).unwrap_or(usize::MAX);
        let record = options.log.max_record_bytes;
        let limits = Limits {
            message_bytes: options.max_message_bytes,
            // What a message's deaths add must fit as well.
            item_bytes: record - (record / 16).min(32 << 10),
            batch_bytes: BATCH_BYTES.min(segment / 4),
            // The log takes half a segment at once, notes and its own headers included.
            most_bytes: segment / 8 * 3,
        };
        let shelf = Arc::new_cyclic(|me| Self {
            log,
            clock: Arc::clone(&options.clock),
            limits,
            note_bytes: (segment / 32).min(64 << 10).min(record),
            journal,
            channels: RwLock::new(channels),
            pending: Mutex::default(),
            write_is_due: AtomicBool::new(false),
            me: me.clone(),
        });
        Ok((shelf, layout, states))
    }

    /// Writes what is pending, and that nothing is missing: the caller closes the log.
    pub(super) fn close(&self) {
        self.flush();
        if !self.channels.read().is_empty()
            && let Err(error) = self.log.set_cell(CLOSED, Bytes::from_static(&[1]))
        {
            tracing::warn!(error = %switchboard_core::chain(&error), "queues were not closed");
        }
    }

    /// Writes the journal anew, and says what has to be kept.
    ///
    /// No message may be on its way between queues meanwhile. What the journal holds before the
    /// snapshot is made is in it, and may go; notes that come in between are kept beside it.
    pub(super) async fn compact(
        &self,
        snapshot: impl FnOnce() -> Snapshot,
    ) -> Result<Vec<(ChannelId, Keep)>, BoxError> {
        let (appends, floors, known) = {
            let _no_notes = self.pending.lock();
            let known = self.log.bounds(self.journal).map_or(0, |bounds| bounds.last);
            let Snapshot { notes, floors } = snapshot();
            let entries = self.journal_entries(notes).into_iter();
            let appends: Vec<_> = entries.map(|entry| self.log.append(vec![entry])).collect();
            (appends, floors, known)
        };
        for append in appends {
            append.await?;
        }
        let keep = |not_beyond| Keep { age: None, bytes: Some(0), not_beyond: Some(not_beyond) };
        let channels = self.channels.read();
        let mut keeps: Vec<_> =
            channels.iter().zip(floors).map(|(channel, floor)| (*channel, keep(floor))).collect();
        keeps.push((self.journal, keep(known)));
        Ok(keeps)
    }
}

/// The channels of all queues, by number.
fn channels(log: &Log, layout: &Layout) -> Result<Vec<ChannelId>, AppendError> {
    layout.queues.iter().map(|queue| log.channel(&format!("{PREFIX}{}", queue.name))).collect()
}

/// What the journal says of each queue.
fn states(log: &Log, journal: ChannelId, channels: &[ChannelId]) -> Result<Vec<State>, OpenError> {
    let mut states = vec![State::default(); channels.len()];
    let mut after = log.bounds(journal).map_or(0, |bounds| bounds.first.saturating_sub(1));
    loop {
        let records = log.read(journal, after, READ_NOTES, READ_BYTES)?;
        let Some(last) = records.last() else { break };
        after = last.position;
        for record in &records {
            let unreadable = |source| OpenError::Note { position: record.position, source };
            for note in written::decode(&record.data).map_err(unreadable)? {
                if let Some(state) = states.get_mut(note.queue) {
                    state.apply(&note);
                }
            }
        }
    }
    let clean = log.cell(CLOSED).is_some();
    let ended = |(state, channel): (State, &ChannelId)| {
        let bounds = log.bounds(*channel);
        let (first, last) = bounds.map_or((1, 0), |bounds| (bounds.first, bounds.last));
        state.kept_from(first).ended(last, clean)
    };
    Ok(states.into_iter().zip(channels).map(ended).collect())
}

// === impl Shelf: notes ===

impl Shelf {
    /// What could not be written is pending again, before what came since.
    fn put_back(&self, notes: Vec<Note>) {
        let mut pending = self.pending.lock();
        for mut note in notes {
            let queue = note.queue;
            if let Some(later) = pending.remove(&queue) {
                note.merge(later);
            }
            pending.insert(queue, note);
        }
    }

    fn journal_entries(&self, notes: Vec<Note>) -> Vec<Staging> {
        let time = self.clock.now().as_micros();
        let records = written::records(notes, self.note_bytes);
        records.into_iter().map(|record| (self.journal, record, time)).collect()
    }

    /// Stages the pending notes by themselves. They are taken and staged under one lock: an append
    /// that is acknowledged later has all notes before it.
    fn flush(&self) -> Option<Staged> {
        let mut pending = self.pending.lock();
        let notes: Vec<Note> = std::mem::take(&mut *pending).into_values().collect();
        let entries = self.journal_entries(notes.clone());
        (!entries.is_empty()).then(|| Staged { append: self.log.append(entries), notes })
    }

    fn write_soon(&self) {
        if self.write_is_due.load(Ordering::Relaxed)
            || self.write_is_due.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            self.write_is_due.store(false, Ordering::Release);
            return;
        };
        let me = self.me.clone();
        runtime.spawn(async move {
            tokio::time::sleep(WRITE_AFTER).await;
            let Some(shelf) = me.upgrade() else { return };
            shelf.write_is_due.store(false, Ordering::Release);
            let Some(Staged { append, notes }) = shelf.flush() else { return };
            if let Err(error) = append.await {
                tracing::warn!(error = %switchboard_core::chain(&error), "notes not written");
                shelf.put_back(notes);
            }
        });
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        // Staged is enough: the log writes it before it closes.
        self.flush();
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("log", &self.log).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Shelf {
    fn durability(&self) -> Durability {
        Durability::Synced
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError> {
        let unavailable = |error: AppendError| TopologyError::Unavailable(BoxError::from(error));
        let channels = channels(&self.log, layout).map_err(unavailable)?;
        cell::put(&self.log, LAYOUT, &WrittenLayout::from(layout)).map_err(unavailable)?;
        self.log.append(Vec::new()).await.map_err(unavailable)?;
        *self.channels.write() = channels;
        Ok(())
    }

    fn append(&self, puts: Vec<Put>, mut notes: Vec<Note>) -> Appending {
        let time = self.clock.now().as_micros();
        let count = puts.len();
        let mut batch: Vec<Staging> = Vec::with_capacity(count + 1);
        {
            let channels = self.channels.read();
            for Put { queue, bytes } in puts {
                let Some(channel) = channels.get(queue) else {
                    let text = format!("there is no queue {queue}");
                    return Box::pin(std::future::ready(Err(text.into())));
                };
                batch.push((*channel, bytes, time));
            }
        }
        // What is pending is older, and is said first: in this batch, or by itself if it is much.
        let mut pending = self.pending.lock();
        let mut riding: Vec<Note> = std::mem::take(&mut *pending).into_values().collect();
        let before = match written::records(riding.clone(), self.note_bytes).len() {
            0..=RIDING_RECORDS => None,
            _ => Some(self.log.append(self.journal_entries(riding.clone()))),
        };
        let mut said = if before.is_none() { riding.clone() } else { Vec::new() };
        said.append(&mut notes);
        batch.extend(self.journal_entries(said));
        let append = self.log.append(batch);
        drop(pending);
        let me = self.me.clone();
        Box::pin(async move {
            if let Some(before) = before
                && before.await.is_ok()
            {
                riding.clear();
            }
            match append.await {
                Ok(appended) => Ok(appended.iter().take(count).map(|a| a.position).collect()),
                Err(error) => {
                    if let Some(shelf) = me.upgrade() {
                        shelf.put_back(riding);
                    }
                    Err(error.into())
                }
            }
        })
    }

    fn note(&self, note: Note) {
        let mut pending = self.pending.lock();
        match pending.entry(note.queue) {
            std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().merge(note),
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(note)),
        }
        drop(pending);
        self.write_soon();
    }

    fn read(&self, queue: usize, after: u64, limit: usize) -> Result<Vec<Stored>, BoxError> {
        let channel = self.channels.read().get(queue).copied();
        let channel = channel.ok_or_else(|| format!("there is no queue {queue}"))?;
        let records = self.log.read(channel, after, limit, READ_BYTES)?;
        let stored = |record: switchboard_log::Record| Stored {
            position: record.position,
            time: Timestamp::from_micros(record.time),
            bytes: record.data,
        };
        Ok(records.into_iter().map(stored).collect())
    }
}
