//! Crash cycles: everything acknowledged is there, nothing else is; and planted bugs are found.

use switchboard_log::Planted;
use switchboard_testkit::file::{log_crash_cycles, log_crash_cycles_planted};

#[test]
fn five_hundred_crashes_lose_and_invent_nothing() {
    let report = log_crash_cycles(1, 500);
    assert!(report.is_clean(), "{report:#?}");
    assert!(report.acknowledged > 20_000, "{report:#?}");
    assert!(report.cut > 20 && report.refused > 20, "the faults did not bite: {report:#?}");
}

fn is_found(planted: Planted) {
    let report = log_crash_cycles_planted(2, 300, planted);
    assert!(!report.is_clean(), "{planted:?} was not found in {} cycles", report.cycles);
}

#[test]
fn planted_acknowledge_before_fsync_is_found() {
    is_found(Planted::AckBeforeFsync);
}

#[test]
fn planted_adoption_of_orphans_is_found() {
    is_found(Planted::AdoptOrphans);
}

#[test]
fn planted_missing_rewind_is_found() {
    is_found(Planted::NoRewind);
}

#[test]
fn planted_missing_sync_of_the_folder_is_found() {
    is_found(Planted::NoDirSync);
}

#[test]
fn planted_retry_of_a_failed_fsync_is_found() {
    is_found(Planted::RetryFsync);
}
