//! One trial: cycle after cycle over the same files, now and then over new ones.

use std::sync::Arc;

use switchboard_core::{BoxError, ManualClock, Rng, chain};
use switchboard_store::{CommitError, Journal, Outbox};
use switchboard_store_sqlite::{Options, Planted, SqliteStore};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::Report;
use super::check::Books;
use super::work::{COUNTS, unit};
use crate::vfs::FaultyDisk;

/// Cycles over one database, so that creating one is tried as well, and none gets long.
const CYCLES_PER_FOLDER: u64 = 40;

struct Trial {
    disk: FaultyDisk,
    rng: Rng,
    planted: Option<Planted>,
    folder: TempDir,
    books: Books,
    report: Report,
}

pub(super) fn run(seed: u64, cycles: u64, planted: Option<Planted>) -> Result<Report, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let mut trial = Trial {
            disk: FaultyDisk::register(seed),
            rng: Rng::from_seed(seed),
            planted,
            folder: tempfile::tempdir()?,
            books: Books::default(),
            report: Report::default(),
        };
        for cycle in 0..cycles {
            if cycle % CYCLES_PER_FOLDER == CYCLES_PER_FOLDER - 1 {
                trial.folder = tempfile::tempdir()?;
                trial.books = Books::default();
            }
            trial.cycle().await?;
        }
        Ok(trial.report)
    })
}

// === impl Trial ===

impl Trial {
    async fn cycle(&mut self) -> Result<(), BoxError> {
        self.report.cycles += 1;
        self.arm();
        if let Ok(store) = self.open() {
            self.work(&store).await;
        }
        self.disk.crash();
        self.disk.settle()?;
        self.disk.fill_after(None);
        let checked = match self.open() {
            Ok(store) => self.check(&store).await,
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            self.write_off(&*error)?;
        }
        // Between cycles the disk is quiet: what comes next is about the next power cut.
        self.disk.settle()?;
        Ok(())
    }

    /// Decides how this cycle ends.
    fn arm(&mut self) {
        match self.rng.below(10) {
            0 => self.disk.fail_sync_after(self.rng.below(30)),
            1 => self.disk.fill_after(Some(self.rng.below(200_000))),
            // Some of them while the store is still opening.
            2 => self.disk.crash_after(self.rng.below(40)),
            _ => self.disk.crash_after(self.rng.below(700)),
        }
    }

    fn open(&mut self) -> Result<SqliteStore, BoxError> {
        let path = self.folder.path().join("crash.db");
        let clock = Arc::new(ManualClock::default());
        let mut options = Options::new(path, "crash", clock, self.rng.fork())
            .with_tables(&[&COUNTS])
            .with_wal_bytes(256 << 10)
            .with_vfs(self.disk.name());
        if let Some(bug) = self.planted {
            options = options.with_planted(bug);
        }
        Ok(SqliteStore::open(options)?)
    }

    /// Commits waves of units until something fails or enough is done.
    async fn work(&mut self, store: &SqliteStore) {
        for _ in 0..20 {
            let wave = 1 + self.rng.below(24);
            let mut tasks = JoinSet::new();
            for _ in 0..wave {
                let number = self.books.submit();
                let store = store.clone();
                tasks.spawn(async move { (number, store.commit(unit(number)).await) });
            }
            let mut is_down = false;
            while let Some(answer) = tasks.join_next().await {
                let Ok((number, answer)) = answer else { continue };
                match answer {
                    Ok(_) => self.acknowledge(number),
                    // Its timer is set by a unit of the same wave that came later.
                    Err(CommitError::TimerGone(_)) => {}
                    Err(_) => is_down = true,
                }
            }
            if self.rng.below(4) == 0 {
                is_down |= self.sweep(store).await.is_err();
            }
            if is_down {
                break;
            }
        }
    }

    fn acknowledge(&mut self, number: u64) {
        self.report.acknowledged += 1;
        self.books.acknowledge(number);
    }

    /// Moves the checkpoints past what the books have seen, and sweeps.
    async fn sweep(&mut self, store: &SqliteStore) -> Result<(), BoxError> {
        store.commit(self.books.passing()).await?;
        store.sweep(200).await?;
        Ok(())
    }

    /// Compares store and books, then delivers again what was not acknowledged.
    async fn check(&mut self, store: &SqliteStore) -> Result<(), BoxError> {
        self.books.compare(store, &mut self.report).await?;
        for number in self.books.open_units() {
            match store.commit(unit(number)).await {
                Ok(committed) => {
                    self.report.acknowledged += 1;
                    self.books.delivered(number, committed.duplicate, &mut self.report);
                }
                Err(CommitError::TimerGone(_)) => {
                    self.report.lost += 1;
                    self.books.give_up(number);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.books.compare(store, &mut self.report).await?;
        self.books.close_cycle();
        Ok(())
    }

    /// The store cannot be opened or read any more: all that it held is lost.
    fn write_off(&mut self, error: &(dyn std::error::Error + 'static)) -> Result<(), BoxError> {
        tracing::error!(error = %chain(error), "the store cannot be used after a power cut");
        self.report.lost += self.books.held().max(1);
        self.folder = tempfile::tempdir()?;
        self.books = Books::default();
        Ok(())
    }
}
