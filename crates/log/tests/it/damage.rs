//! Damage is an error with a place, never an end.

use std::path::Path;

use switchboard_log::{Damage, OpenError, ReadError, verify};
use switchboard_testkit::file::FaultyFiles;

use crate::kit::{fill, open, put, reopen, segment};

/// A log with two sealed segments, closed.
fn three_segments() -> FaultyFiles {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 2);
    for _ in 0..3 {
        put(&log, channel, "in the third");
    }
    drop(log);
    files
}

fn flip(files: &FaultyFiles, path: &Path, at: usize) {
    let mut bytes = files.contents(path).unwrap();
    bytes[at] ^= 0x40;
    files.put(path, &bytes);
}

fn damage_on_open(files: &FaultyFiles) -> Damage {
    match reopen(files) {
        Err(OpenError::Damaged(damage)) => damage,
        other => panic!("expected damage, got {other:?}"),
    }
}

#[test]
fn rule_8_damage_before_the_last_commit_point_is_an_error_with_its_place() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    put(&log, channel, "one");
    let begin = log.inspect()[0].bytes;
    put(&log, channel, "two");
    put(&log, channel, "three");
    drop(log);
    flip(&files, &segment(1), begin as usize + 33);
    let damage = damage_on_open(&files);
    assert_eq!((damage.path, damage.offset), (segment(1), begin));
}

#[test]
fn rule_8_a_damaged_head_of_the_last_segment_is_not_an_unwritten_segment() {
    let files = three_segments();
    flip(&files, &segment(3), 40);
    assert_eq!(damage_on_open(&files).path, segment(3));
}

#[test]
fn rule_8_a_damaged_log_is_never_opened_as_an_empty_one() {
    let files = three_segments();
    for id in 1..=3 {
        files.put(&segment(id), &vec![0; 32 << 10]);
    }
    assert_eq!(damage_on_open(&files).path, segment(2), "its index says that it was written");
}

#[test]
fn rule_8_a_lost_segment_is_noticed_wherever_it_was() {
    for lost in 1..=3 {
        let files = three_segments();
        let copy = FaultyFiles::new(1);
        for (path, _) in files.names().into_iter().filter(|(path, _)| *path != segment(lost)) {
            copy.put(&path, &files.contents(&path).unwrap());
        }
        let damage = damage_on_open(&copy);
        assert!(damage.reason.contains("missing"), "{damage}");
    }
}

#[test]
fn rule_8_damage_in_a_sealed_segment_is_found_when_it_is_read() {
    let files = three_segments();
    flip(&files, &segment(1), 5000);
    let log = open(&files);
    let channel = log.find("a").unwrap();
    let mut after = 0;
    let damage = loop {
        match log.read(channel, after, 1, 1) {
            Ok(records) => after = records[0].position,
            Err(ReadError::Damaged(damage)) => break damage,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(damage.path, segment(1));
    assert!((4000..=5000).contains(&damage.offset), "{damage}");
    // What lies behind it is still there for who asks for it.
    assert!(!log.read(channel, after + 1, 10, 1 << 20).unwrap().is_empty());
}

#[test]
fn rule_9_lost_and_damaged_indexes_are_built_again() {
    for damage in [true, false] {
        let files = three_segments();
        for id in 1..=2 {
            let sidecar = segment(id).with_extension("idx");
            if damage {
                flip(&files, &sidecar, 20);
            } else {
                files.put(&sidecar, b"");
            }
        }
        let (log, recovered) = reopen(&files).unwrap();
        assert_eq!(recovered.rebuilt, 2);
        let channel = log.find("a").unwrap();
        let read = log.read(channel, 0, 1000, 1 << 20).unwrap();
        assert_eq!(read.len() as u64, log.bounds(channel).unwrap().last);
    }
}

#[test]
fn verify_reads_a_folder_without_changing_it_and_names_the_damage() {
    let files = three_segments();
    let before = files.changes();
    let report = verify(Path::new("log"), &files).unwrap();
    assert_eq!(report.len(), 3);
    assert!(report.iter().all(|segment| segment.damage.is_none() && !segment.unfinished));
    flip(&files, &segment(2), 5000);
    let report = verify(Path::new("log"), &files).unwrap();
    let damage = report[1].damage.as_ref().expect("damage");
    assert!((4000..=5000).contains(&damage.offset), "{damage}");
    assert_eq!(files.changes(), before);
}

#[test]
fn a_read_that_fails_is_an_error_and_the_next_one_may_succeed() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    put(&log, channel, "x");
    log.close();
    for nth in 1..5 {
        files.fail_read_at(nth);
        let _ = log.read(channel, 0, 1, 1);
    }
    assert_eq!(log.read(channel, 0, 1, 1).unwrap().len(), 1);
}
