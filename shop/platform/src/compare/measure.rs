//! Rounds in turns, and what they come to: every figure is the median of its rounds.

mod figures;

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use switchboard_core::{BoxError, Rng};

use super::fill::Reader;
use super::{Caller, Options, Protocol, Report, Tally, Work};

pub(crate) use figures::cpu_in;
use figures::{cpu_of, middle, percentile};

/// Rounds that the figures are medians of, when there is time for them.
const ROUNDS: u32 = 3;
/// A round is not shorter than this, unless all the time is.
const ROUND_MIN: Duration = Duration::from_millis(300);
/// Each cell is warmed up for so long, at most.
const WARM_UP: Duration = Duration::from_millis(400);

/// The clients of one protocol.
pub(super) type Lane = (Protocol, Vec<Box<dyn Caller>>);

/// What one protocol made of one piece of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The work.
    pub work: Work,
    /// The protocol.
    pub protocol: Protocol,
    /// Operations per second, of all clients.
    pub per_second: f64,
    /// How long an operation takes, the middle one.
    pub p50: Duration,
    /// The same, which one in a hundred exceeds.
    pub p99: Duration,
    /// Bytes that an operation sends, at the socket.
    pub sent: f64,
    /// Bytes that an operation receives, at the socket.
    pub received: f64,
    /// Bytes of bodies that the work does not need; they are among those received.
    pub surplus: f64,
    /// Questions of an operation that waited for an answer.
    pub round_trips: f64,
    /// Processor time of the shop's process for an operation, if it can be read.
    pub cpu: Option<Duration>,
    /// From a change to its notice, the middle one; only where something is followed.
    pub notice_p50: Option<Duration>,
    /// The same, which one in a hundred exceeds.
    pub notice_p99: Option<Duration>,
}

/// Measures every cell, the protocols in turns.
pub(super) async fn all(
    options: &Options,
    readers: &[Rc<Reader>],
    lanes: &[Lane],
) -> Result<Report, BoxError> {
    let rounds = rounds_in(options.time);
    let time = options.time / rounds;
    let run = Rng::from_entropy().u64();
    let (mut cells, mut conditional, mut unchanged) = (Vec::new(), 0, 0);
    for work in Work::ALL {
        let mut results: Vec<Vec<Cell>> = lanes.iter().map(|_| Vec::new()).collect();
        let mut surplus = Vec::new();
        for (protocol, callers) in lanes {
            let prefix = format!("{run:016x}-{}-warm-{}", work.name(), protocol.name());
            let tallies = Tallies::new(callers.len(), true);
            let warm = Round { work, time: WARM_UP.min(time), prefix, tallies };
            warm.run(callers, readers).await.map_err(|error| in_cell(work, *protocol, &error))?;
            surplus.push(warm.per_operation(|tally| tally.surplus.get()));
        }
        for number in 0..rounds {
            // Nobody is always the first.
            for turn in 0..lanes.len() {
                let index = (turn + number as usize) % lanes.len();
                let (protocol, callers) = &lanes[index];
                let prefix = format!("{run:016x}-{}-{number}-{}", work.name(), protocol.name());
                let weighs = work == Work::Stream;
                let round =
                    Round { work, time, prefix, tallies: Tallies::new(callers.len(), weighs) };
                let measured = round
                    .measure(*protocol, callers, readers, options.process)
                    .await
                    .map_err(|error| in_cell(work, *protocol, &error))?;
                conditional += round.tallies.sum(|tally| tally.conditional.get());
                unchanged += round.tallies.sum(|tally| tally.unchanged.get());
                let surplus = if weighs { measured.surplus } else { surplus[index] };
                results[index].push(Cell { surplus, ..measured });
            }
        }
        cells.extend(results.iter().filter_map(|rounds| middle(rounds)));
    }
    Ok(Report {
        cells,
        time: options.time,
        clients: options.clients,
        rounds: rounds as usize,
        http2: options.http2,
        conditional: conditional > 0,
        unchanged,
        sizes: options.sizes,
    })
}

fn in_cell(work: Work, protocol: Protocol, error: &BoxError) -> BoxError {
    format!("{} over {}: {error}", work.name(), protocol.title()).into()
}

/// Three rounds when there is time, else one.
fn rounds_in(time: Duration) -> u32 {
    if time / ROUNDS >= ROUND_MIN { ROUNDS } else { 1 }
}

/// What each client has done.
struct Tallies(Vec<(Tally, std::cell::RefCell<Vec<Duration>>)>);

/// One round of one cell.
struct Round {
    work: Work,
    time: Duration,
    /// What the keys of its orders begin with.
    prefix: String,
    tallies: Tallies,
}

// === impl Tallies ===

impl Tallies {
    fn new(clients: usize, weighs: bool) -> Self {
        let tally = |_| if weighs { Tally::weighing() } else { Tally::default() };
        Self((0..clients).map(|client| (tally(client), Default::default())).collect())
    }

    fn sum(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        self.0.iter().map(|(tally, _)| of(tally)).sum()
    }

    fn latencies(&self) -> Vec<Duration> {
        let mut all: Vec<_> =
            self.0.iter().flat_map(|(_, latencies)| latencies.borrow().clone()).collect();
        all.sort_unstable();
        all
    }

    fn notices(&self) -> Vec<Duration> {
        let mut all: Vec<_> =
            self.0.iter().flat_map(|(tally, _)| tally.notices.borrow().clone()).collect();
        all.sort_unstable();
        all
    }
}

// === impl Round ===

impl Round {
    /// Lets every client do one operation after another for the round's time, one at least.
    async fn run(
        &self,
        callers: &[Box<dyn Caller>],
        readers: &[Rc<Reader>],
    ) -> Result<(), BoxError> {
        let begun = Instant::now();
        let clients = callers.iter().zip(readers).zip(&self.tallies.0).enumerate();
        let working = clients.map(|(client, ((caller, reader), (tally, latencies)))| async move {
            for number in 0_u64.. {
                if number > 0 && begun.elapsed() >= self.time {
                    break;
                }
                // Placing the order is no part of following it.
                let order = match self.work {
                    Work::Stream => {
                        reader.order(&format!("{}-{client}-{number}", self.prefix)).await?
                    }
                    _ => String::new(),
                };
                let since = Instant::now();
                match self.work {
                    Work::User => caller.user(tally).await?,
                    Work::Posts => caller.posts(tally).await?,
                    Work::List => caller.list(tally).await?,
                    Work::Stream => caller.follow(&order, tally).await?,
                }
                latencies.borrow_mut().push(since.elapsed());
            }
            Ok::<_, BoxError>(())
        });
        try_join_all(working).await.map(drop)
    }

    async fn measure(
        &self,
        protocol: Protocol,
        callers: &[Box<dyn Caller>],
        readers: &[Rc<Reader>],
        process: Option<u32>,
    ) -> Result<Cell, BoxError> {
        let (wire, cpu, begun) = (on_the_wire(callers), cpu_of(process), Instant::now());
        self.run(callers, readers).await?;
        let elapsed = begun.elapsed();
        let (cpu, after) = (cpu_of(process).zip(cpu), on_the_wire(callers));
        let (latencies, notices) = (self.tallies.latencies(), self.tallies.notices());
        let count = latencies.len() as f64;
        let each = |bytes: u64| bytes as f64 / count;
        Ok(Cell {
            work: self.work,
            protocol,
            per_second: count / elapsed.as_secs_f64(),
            p50: percentile(&latencies, 50).unwrap_or_default(),
            p99: percentile(&latencies, 99).unwrap_or_default(),
            sent: each(after.0 - wire.0),
            received: each(after.1 - wire.1),
            surplus: self.per_operation(|tally| tally.surplus.get()),
            round_trips: self.per_operation(|tally| tally.trips.get()),
            cpu: cpu.map(|(after, before)| after.saturating_sub(before).div_f64(count)),
            notice_p50: percentile(&notices, 50),
            notice_p99: percentile(&notices, 99),
        })
    }

    fn per_operation(&self, of: impl Fn(&Tally) -> u64) -> f64 {
        self.tallies.sum(of) as f64 / self.tallies.latencies().len().max(1) as f64
    }
}

fn on_the_wire(callers: &[Box<dyn Caller>]) -> (u64, u64) {
    callers
        .iter()
        .map(|caller| caller.counts().now())
        .fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_rounds_when_there_is_time() {
        assert_eq!(rounds_in(Duration::from_secs(3)), 3);
        assert_eq!(rounds_in(Duration::from_secs(1)), 3);
        assert_eq!(rounds_in(Duration::from_millis(500)), 1);
    }
}
