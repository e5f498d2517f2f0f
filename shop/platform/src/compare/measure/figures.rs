//! From what was counted to what is shown: percentiles, medians, processor time.

use std::time::Duration;

use super::Cell;

/// Processor time of a process so far, if it can be read.
pub(super) fn cpu_of(process: Option<u32>) -> Option<Duration> {
    cpu_in(&std::fs::read_to_string(format!("/proc/{}/stat", process?)).ok()?)
}

/// User and system time so far. `/proc` counts in hundredths of a second.
pub(crate) fn cpu_in(stat: &str) -> Option<Duration> {
    // The name of the program is in brackets, and may hold any of them.
    let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// The smallest that so many percent do not exceed, of sorted values.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

/// The middle one of each figure.
pub(super) fn middle(rounds: &[Cell]) -> Option<Cell> {
    let figure = |of: fn(&Cell) -> f64| {
        let mut figures: Vec<_> = rounds.iter().map(of).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    };
    let time = |of: fn(&Cell) -> Option<Duration>| {
        let mut times: Vec<_> = rounds.iter().filter_map(of).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    };
    let first = rounds.first()?;
    Some(Cell {
        work: first.work,
        protocol: first.protocol,
        per_second: figure(|cell| cell.per_second),
        p50: time(|cell| Some(cell.p50))?,
        p99: time(|cell| Some(cell.p99))?,
        sent: figure(|cell| cell.sent),
        received: figure(|cell| cell.received),
        surplus: figure(|cell| cell.surplus),
        round_trips: figure(|cell| cell.round_trips),
        cpu: time(|cell| cell.cpu),
        notice_p50: time(|cell| cell.notice_p50),
        notice_p99: time(|cell| cell.notice_p99),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::{Protocol, Work};
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let at = |percent| percentile(&values, percent).unwrap().as_millis();
        assert_eq!((at(50), at(99), at(100)), (100, 198, 200));
        let one = [Duration::from_millis(7)];
        assert_eq!((percentile(&one, 1), percentile(&one, 99)), (Some(one[0]), Some(one[0])));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn processor_time_is_read_past_any_name() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 2311 0 0 0 150 50 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu_in(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu_in("nothing of the kind"), None);
    }

    #[test]
    fn figures_are_medians_each_by_itself() {
        let cell = |per_second: f64, millis: u64, cpu: Option<u64>| Cell {
            work: Work::User,
            protocol: Protocol::Rest,
            per_second,
            p50: Duration::from_millis(millis),
            p99: Duration::from_millis(millis * 2),
            sent: 1.0,
            received: 2.0,
            surplus: 0.0,
            round_trips: 1.0,
            cpu: cpu.map(Duration::from_micros),
            notice_p50: None,
            notice_p99: None,
        };
        let rounds = [cell(9.0, 5, Some(3)), cell(1.0, 7, None), cell(5.0, 1, Some(1))];
        let middle = middle(&rounds).unwrap();
        assert_eq!((middle.per_second, middle.p50.as_millis()), (5.0, 5));
        assert_eq!(middle.cpu, Some(Duration::from_micros(3)));
        assert_eq!(middle.notice_p50, None);
    }
}
