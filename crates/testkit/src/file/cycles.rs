//! Crash cycles over a log: append, fail, lose power, open, compare; as often as one likes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use switchboard_core::{Rng, chain};
use switchboard_log::{Append, ChannelId, Keep, Log, OpenError, Options, Planted};

use super::faulty::FaultyFiles;
use super::model::Model;

/// After so many cycles a new log begins, as comparing takes ever longer.
const LIFE: u64 = 20;
/// Channels per log.
const CHANNELS: u64 = 4;

/// What a number of cycles showed. A trustworthy log has zeros in the lower half.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Times that the power was cut or the log was closed.
    pub cycles: u64,
    /// Records whose append was acknowledged.
    pub acknowledged: u64,
    /// Records that were refused with an error.
    pub refused: u64,
    /// Tails that an opening cut.
    pub cut: u64,
    /// Acknowledged or seen records that were not there afterwards, and refusals to open.
    pub lost: u64,
    /// Records that were there and should not have been.
    pub invented: u64,
    /// Batches of which a part was there.
    pub torn: u64,
    /// The first few complaints in words.
    pub complaints: Vec<String>,
}

/// One log's life.
struct Life {
    files: FaultyFiles,
    options: Options,
    model: Model,
    rng: Rng,
}

/// Runs crash cycles. The same seed draws the same faults; threads still race for the disk.
///
/// A thousand cycles take some seconds, and acknowledge some 100 000 records.
pub fn log_crash_cycles(seed: u64, cycles: u64) -> Report {
    log_crash_cycles_planted(seed, cycles, Planted::None)
}

/// The same with a bug planted, to prove that it would be found.
pub fn log_crash_cycles_planted(seed: u64, cycles: u64, planted: Planted) -> Report {
    let mut rng = Rng::from_seed(seed);
    let mut report = Report::default();
    while report.cycles < cycles {
        let mut life = Life::new(rng.fork(), planted);
        for _ in 0..LIFE.min(cycles - report.cycles) {
            report.cycles += 1;
            let healthy = report.is_clean();
            life.cycle(&mut report);
            if healthy && !report.is_clean() {
                // What is wrong once stays wrong in this log: count it once.
                break;
            }
        }
    }
    report
}

// === impl Life ===

impl Life {
    fn new(mut rng: Rng, planted: Planted) -> Self {
        let files = FaultyFiles::new(rng.u64());
        files.set_short(rng.below(2) == 0);
        let options = Options::new("log")
            .with_segment_bytes(32 << 10)
            .with_group_bytes(4 << 10)
            .with_queue(256)
            .with_files(Arc::new(files.clone()))
            .with_planted(planted);
        Self { files, options, model: Model::default(), rng }
    }

    /// Opens, compares, appends under faults, and ends in a crash or an orderly close.
    fn cycle(&mut self, report: &mut Report) {
        let Some(log) = self.open(report) else { return };
        self.model.compare(&log, report);
        self.check_cell(&log, report);
        self.plan_faults();
        self.work(&log, report);
        self.model.see(&log);
        let orderly = self.rng.below(8) == 0;
        if orderly {
            log.close();
        }
        // Without a close, the power goes while the log is open; its threads die on their own.
        self.files.crash();
        drop(log);
    }

    /// Opens the log; the power may go during that, too.
    fn open(&mut self, report: &mut Report) -> Option<Log> {
        if self.rng.below(4) == 0 {
            self.files.cut_power_at(1 + self.rng.below(30));
        }
        match Log::open(self.options.clone()) {
            Ok((log, recovered)) if self.files.has_power() => {
                return self.opened(log, &recovered, report);
            }
            // The power went during a step that opening can do without.
            Ok((log, _)) => drop(log),
            Err(OpenError::Damaged(damage)) => {
                report.lost(damage.to_string());
                return None;
            }
            Err(_) => {}
        }
        self.files.crash();
        match Log::open(self.options.clone()) {
            Ok((log, recovered)) => self.opened(log, &recovered, report),
            Err(error) => {
                report.lost(chain(&error));
                None
            }
        }
    }

    fn opened(
        &mut self,
        log: Log,
        recovered: &switchboard_log::Recovered,
        report: &mut Report,
    ) -> Option<Log> {
        report.cut += u64::from(recovered.cut.is_some());
        if recovered.epoch < self.model.epoch + u64::from(recovered.cut.is_some()) {
            report.lost(format!("epoch {} after {}", recovered.epoch, self.model.epoch));
        }
        self.model.epoch = recovered.epoch;
        // A power cut that was planned for the opening and did not come is called off.
        self.files.cut_power_at(u64::MAX);
        Some(log)
    }

    fn check_cell(&mut self, log: &Log, report: &mut Report) {
        let value = log.cell("counter").and_then(|value| value[..].try_into().ok());
        let value = value.map_or(0, u64::from_le_bytes);
        if value < self.model.cell || value > self.model.cell_set {
            let (least, most) = (self.model.cell, self.model.cell_set);
            report.lost(format!("the cell is {value}, not from {least} to {most}"));
        }
        // What was set and did not ride along is forgotten on both sides.
        (self.model.cell, self.model.cell_set) = (value, value);
    }

    fn plan_faults(&mut self) {
        match self.rng.below(5) {
            0 | 1 => self.files.cut_power_at(1 + self.rng.below(120)),
            2 => self.files.fail_sync_at(1 + self.rng.below(30)),
            3 => self.files.fail_write_at(1 + self.rng.below(40)),
            _ => {}
        }
        if self.rng.below(8) == 0 {
            self.files.set_room(Some(self.rng.below(64 << 10)));
        }
    }

    /// Several producers append; answers are awaited in no particular order.
    fn work(&mut self, log: &Log, report: &mut Report) {
        let mut channels = Vec::new();
        for number in 0..CHANNELS {
            match log.channel(&format!("topic/{number}")) {
                Ok(channel) => channels.push(channel),
                Err(_) => return,
            }
        }
        let mut flying: VecDeque<(usize, u64, Append)> = VecDeque::new();
        let batches = 10 + self.rng.below(60);
        for _ in 0..batches {
            self.produce(log, &channels, &mut flying);
            while flying.len() as u64 > self.rng.below(12) {
                self.settle(&mut flying, report);
            }
            match self.rng.below(40) {
                0 => self.model.see(log),
                1 => {
                    let keep = Keep { bytes: Some(8 << 10), ..Keep::default() };
                    let keep: Vec<_> = channels.iter().map(|id| (*id, keep)).collect();
                    // It may fail as everything may here; what counts is what is kept.
                    let _ = log.enforce(&keep, 0);
                }
                _ => {}
            }
        }
        // Sometimes the power goes while answers are still awaited.
        let awaited = if self.rng.below(3) == 0 { flying.len() / 2 } else { 0 };
        while flying.len() > awaited {
            self.settle(&mut flying, report);
        }
    }

    fn produce(
        &mut self,
        log: &Log,
        channels: &[ChannelId],
        flying: &mut VecDeque<(usize, u64, Append)>,
    ) {
        if self.rng.below(8) == 0 {
            let value = self.model.cell_set + 1;
            if log.set_cell("counter", Bytes::copy_from_slice(&value.to_le_bytes())).is_ok() {
                self.model.cell_set = value;
            }
        }
        let (number, batch) = self.model.batch(&mut self.rng, channels);
        flying.push_back((number, self.model.cell_set, log.append(batch)));
    }

    /// Waits for one of the answers.
    fn settle(&mut self, flying: &mut VecDeque<(usize, u64, Append)>, report: &mut Report) {
        let index = self.rng.below(flying.len() as u64) as usize;
        // A queue that is full takes batches in the order in which their futures are polled, so
        // the first of them is waited for first.
        let index = if flying.len() > 16 { 0 } else { index };
        let Some((number, cell, append)) = flying.remove(index) else { return };
        let answer = append.wait();
        match &answer {
            Ok(appended) => {
                report.acknowledged += appended.len() as u64;
                self.model.cell = self.model.cell.max(cell);
            }
            Err(_) => report.refused += 1,
        }
        self.model.answer(number, answer);
    }
}

// === impl Report ===

impl Report {
    /// Whether nothing was lost, invented or torn.
    pub fn is_clean(&self) -> bool {
        self.lost + self.invented + self.torn == 0
    }

    pub(super) fn lost(&mut self, what: String) {
        self.lost += 1;
        self.complain("lost", what);
    }

    pub(super) fn invented(&mut self, what: String) {
        self.invented += 1;
        self.complain("invented", what);
    }

    pub(super) fn torn(&mut self, what: String) {
        self.torn += 1;
        self.complain("torn", what);
    }

    fn complain(&mut self, kind: &str, what: String) {
        if self.complaints.len() < 10 {
            self.complaints.push(format!("cycle {}: {kind}: {what}", self.cycles));
        }
    }
}
