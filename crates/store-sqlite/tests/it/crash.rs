//! Power cuts. The long run is `cargo xtask crash`.

use switchboard_store_sqlite::Planted;
use switchboard_testkit::crash::{Report, planted_crash_cycles, store_crash_cycles};

#[test]
fn what_was_acknowledged_survives_every_power_cut_and_nothing_is_invented() {
    let report = store_crash_cycles(11, 300).unwrap();
    assert_eq!((report.lost, report.invented), (0, 0), "{report}");
    assert!(report.acknowledged > 3_000, "{report}");
}

/// Runs until the bug shows, 200 cycles at most.
fn finds(bug: Planted) -> Report {
    for seed in 0..10 {
        let report = planted_crash_cycles(seed, 20, bug).unwrap();
        if report.lost + report.invented > 0 {
            return report;
        }
    }
    panic!("{bug:?} was not found");
}

#[test]
fn acknowledge_before_fsync_is_found() {
    assert!(finds(Planted::AckBeforeSync).lost > 0);
}

#[test]
fn acknowledge_before_commit_is_found() {
    assert!(finds(Planted::AckBeforeCommit).lost > 0);
}

#[test]
fn handled_mark_before_commit_is_found() {
    assert!(finds(Planted::MarkBeforeCommit).lost > 0);
}

#[test]
fn timer_outside_the_unit_is_found() {
    assert!(finds(Planted::TimerOutsideUnit).lost > 0);
}
