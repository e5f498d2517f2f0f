//! What the log knew at the beginning of its last segment, brought up to its end.

use std::path::Path;

use super::Opening;
use crate::catalog::Catalog;
use crate::control::{Head, decode_cell};
use crate::error::{Damage, OpenError};
use crate::frame::{CELL, CHANNEL, FLOOR};
use crate::index::Index;
use crate::scan::{Control, Scanned};
use crate::types::ChannelId;

// === impl Opening ===

impl Opening<'_> {
    /// Applies what the last segment says to what was known at its beginning.
    pub(super) fn replay(
        &mut self,
        catalog: &mut Catalog,
        head: &Head,
        path: &Path,
        scanned: &Scanned,
    ) -> Result<(), OpenError> {
        for channel in &head.channels {
            catalog.add(channel.name.clone(), channel.last, channel.floor);
        }
        self.cells = head.cells.iter().cloned().collect();
        for control in &scanned.controls {
            self.apply(catalog, control);
        }
        for found in &scanned.records {
            let header = found.header;
            let fits = catalog.channel_mut(ChannelId(header.channel)).is_some_and(|channel| {
                let fits = header.position == channel.last + 1;
                channel.last = header.position;
                fits
            });
            if !fits {
                let why = "a record's position does not follow the one before it";
                return Err(Damage::at(path, found.offset, why).into());
            }
        }
        Ok(())
    }

    fn apply(&mut self, catalog: &mut Catalog, control: &Control) {
        let header = control.header;
        match header.kind {
            CHANNEL => {
                let name = String::from_utf8_lossy(&control.data);
                if catalog.find(&name).is_none() {
                    catalog.add(name.as_ref().into(), 0, 1);
                }
            }
            CELL => match decode_cell(&control.data) {
                Some((name, value)) if value.is_empty() => {
                    self.cells.remove(&name);
                }
                Some((name, value)) => {
                    self.cells.insert(name, value);
                }
                None => {}
            },
            FLOOR => {
                if let Some(channel) = catalog.channel_mut(ChannelId(header.channel)) {
                    channel.floor = channel.floor.max(header.position);
                }
            }
            // A newer version's entry: its checksum holds, so it can be passed over (rule 9).
            _ => {}
        }
    }
}

/// Every position from the oldest kept one to the last must be somewhere.
pub(super) fn check_gaps(catalog: &Catalog, active: &Index, path: &Path) -> Result<(), OpenError> {
    for (id, channel) in catalog.channels() {
        let mut next = channel.floor;
        let sealed = channel.runs.iter().map(|(segment, run)| {
            (catalog.sealed.get(segment).map(|segment| segment.path.clone()), *run)
        });
        let active = active.run(id.0).map(|run| (None, *run));
        for (file, run) in sealed.chain(active) {
            if run.last() < next {
                continue;
            }
            if run.first > next {
                let file = file.unwrap_or_else(|| path.to_owned());
                let (from, to) = (next, run.first - 1);
                let why = format!("records {from} to {to} of `{}` are missing", channel.name);
                return Err(Damage::at(file, 0, why).into());
            }
            next = run.last() + 1;
        }
        if next <= channel.last {
            let (from, to) = (next, channel.last);
            let why = format!("records {from} to {to} of `{}` are missing", channel.name);
            return Err(Damage::at(path, 0, why).into());
        }
    }
    Ok(())
}
