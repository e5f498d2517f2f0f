//! Where partitions ended when an epoch began.
//!
//! An epoch begins when the log lost an unsynced tail. Whoever knows a position of an earlier
//! epoch may have seen records of that tail; their places were given to others, so the position is
//! cut to where the tail began.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use switchboard_core::Position;
use switchboard_log::{ChannelId, Log};

use crate::{OpenError, cell};

const NAME: &str = "epochs";
/// How many epochs are remembered. Older ones count as the oldest of these.
const REMEMBERED: usize = 16;

/// The ends of all channels at the beginnings of epochs.
#[derive(Debug)]
pub(crate) struct Epochs {
    present: u64,
    /// Oldest first.
    begun: Vec<Begun>,
    /// Where the channels ended when this process opened the log.
    opened: BTreeMap<u32, u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Begun {
    epoch: u64,
    /// By channel number. A channel that is not here had no record yet.
    ends: BTreeMap<u32, u64>,
}

// === impl Epochs ===

impl Epochs {
    /// Reads what is remembered, and adds the present epoch if it is new.
    pub(crate) fn open(log: &Log) -> Result<Self, OpenError> {
        let cells = cell::all::<Vec<Begun>>(log, NAME)?;
        let mut begun = cells.into_iter().next().map(|(_, begun)| begun).unwrap_or_default();
        let end = |(channel, _): (ChannelId, _)| {
            let last = log.bounds(channel).map_or(0, |bounds| bounds.last);
            (last > 0).then_some((channel.get(), last))
        };
        let opened: BTreeMap<u32, u64> = log.channels().into_iter().filter_map(end).collect();
        let present = log.epoch();
        if begun.last().is_none_or(|last| last.epoch < present) {
            begun.push(Begun { epoch: present, ends: opened.clone() });
            let surplus = begun.len().saturating_sub(REMEMBERED);
            begun.drain(..surplus);
            cell::put(log, NAME, &begun)?;
        }
        Ok(Self { present, begun, opened })
    }

    pub(crate) const fn present(&self) -> u64 {
        self.present
    }

    /// Where a channel ended when the epoch after `epoch` began. An epoch later than the present
    /// one is of another life of this folder: only what was there at the start is common to both.
    pub(crate) fn end_of(&self, epoch: u64, channel: ChannelId) -> Position {
        let next = self.begun.iter().find(|begun| begun.epoch > epoch);
        let ends = next.map_or(&self.opened, |begun| &begun.ends);
        Position(ends.get(&channel.get()).copied().unwrap_or(0))
    }
}
