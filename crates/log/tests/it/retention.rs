//! Retention: what may go goes, what must stay stays, and nothing comes back.

use std::time::Duration;

use bytes::Bytes;
use switchboard_log::{Keep, ReadError};
use switchboard_testkit::file::FaultyFiles;

use crate::kit::{fill, open, put, segment, texts};

#[test]
fn below_retention_is_an_error_that_names_the_oldest() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    for text in ["1", "2", "3", "4"] {
        put(&log, channel, text);
    }
    log.retain(channel, 3).unwrap();
    let error = log.read(channel, 0, 10, 10).unwrap_err();
    assert!(matches!(error, ReadError::BelowRetention { after: 0, oldest: 3 }), "{error:?}");
    assert_eq!(texts(&log, channel, 2), ["3", "4"]);
    log.retain(channel, 1).unwrap();
    assert_eq!(log.bounds(channel).unwrap().first, 3, "it never moves down");
    log.retain(channel, 100).unwrap();
    assert_eq!(log.bounds(channel).unwrap().first, 5, "nor beyond the next record");
    drop(log);
    assert_eq!(open(&files).bounds(channel).unwrap().first, 5);
}

#[test]
fn size_drops_the_oldest_segments_but_not_what_a_group_still_needs() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 4);
    let keep = Keep { bytes: Some(40_000), not_beyond: Some(10), ..Keep::default() };
    assert_eq!(log.enforce(&[(channel, keep)], 0).unwrap().dropped, 0);
    assert_eq!(log.bounds(channel).unwrap().first, 11);
    let keep = Keep { bytes: Some(40_000), ..Keep::default() };
    let reclaimed = log.enforce(&[(channel, keep)], 0).unwrap();
    assert!(reclaimed.dropped >= 2 && reclaimed.bytes > 50_000, "{reclaimed:?}");
    let bounds = log.bounds(channel).unwrap();
    assert!(bounds.bytes >= 30_000, "{bounds:?}");
    assert_eq!(texts(&log, channel, bounds.first - 1).len() as u64, bounds.last - bounds.first + 1);
}

#[test]
fn age_drops_segments_whose_newest_record_is_too_old() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    let mut time = 0;
    while log.inspect().len() < 4 {
        time += 1_000_000;
        log.append(vec![(channel, Bytes::from(vec![1; 1000]), time)]).wait().unwrap();
    }
    let keep = Keep { age: Some(Duration::from_secs(40)), ..Keep::default() };
    log.enforce(&[(channel, keep)], time).unwrap();
    let oldest = log.bounds(channel).unwrap().first - 1;
    let first = &log.read(channel, oldest, 1, 1).unwrap()[0];
    assert!(first.time > 1_000_000 && first.time <= time - 40_000_000 + 32_000_000);
}

#[test]
fn survivors_are_written_anew_and_small_neighbours_are_merged() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let (bulk, rare) = (log.channel("bulk").unwrap(), log.channel("rare").unwrap());
    for round in 1..=5 {
        put(&log, rare, format!("rare {round}"));
        fill(&log, bulk, round);
    }
    let before = texts(&log, rare, 0);
    log.retain(bulk, u64::MAX).unwrap();
    let reclaimed = log.enforce(&[], 0).unwrap();
    assert_eq!(reclaimed.rewritten, 5, "{reclaimed:?}");
    assert!(reclaimed.bytes > 100_000, "{reclaimed:?}");
    assert_eq!(log.inspect().len(), 2, "five became one");
    assert_eq!(texts(&log, rare, 0), before);
    files.crash();
    drop(log);
    let log = open(&files);
    assert_eq!(texts(&log, rare, 0), before);
    assert_eq!(put(&log, rare, "rare 6"), 6);
}

#[test]
fn a_crash_in_the_middle_of_a_merge_leaves_every_record_once() {
    // Every change that retention makes is once the moment of the power cut.
    let mut finished = false;
    for nth in 1..200 {
        let files = FaultyFiles::new(nth);
        let log = open(&files);
        let (bulk, rare) = (log.channel("bulk").unwrap(), log.channel("rare").unwrap());
        for round in 1..=3 {
            put(&log, rare, format!("rare {round}"));
            fill(&log, bulk, round);
        }
        log.retain(bulk, u64::MAX).unwrap();
        files.cut_power_at(nth);
        finished = log.enforce(&[], 0).is_ok();
        files.crash();
        drop(log);
        let log = open(&files);
        assert_eq!(texts(&log, rare, 0), ["rare 1", "rare 2", "rare 3"], "cut at change {nth}");
        let last = log.bounds(rare).unwrap().last;
        assert_eq!(put(&log, rare, "next"), last + 1);
        if finished {
            break;
        }
    }
    assert!(finished, "the loop covers the whole of retention");
}

#[test]
fn a_reader_goes_on_while_segments_are_rewritten_under_it() {
    let log = open(&FaultyFiles::new(1));
    let (bulk, rare) = (log.channel("bulk").unwrap(), log.channel("rare").unwrap());
    for round in 1..=4 {
        put(&log, rare, format!("{round}"));
        fill(&log, bulk, round);
    }
    let (reader, done) =
        (log.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let stop = done.clone();
    let reading = std::thread::spawn(move || {
        let mut rounds = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) || rounds == 0 {
            assert_eq!(texts(&reader, rare, 0), ["1", "2", "3", "4"]);
            rounds += 1;
        }
    });
    log.retain(bulk, u64::MAX).unwrap();
    log.enforce(&[], 0).unwrap();
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    reading.join().unwrap();
}

#[test]
fn rule_5_files_are_never_used_again() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 2);
    log.retain(channel, u64::MAX).unwrap();
    log.enforce(&[], 0).unwrap();
    assert_eq!(files.contents(&segment(1)), None);
    fill(&log, channel, 1);
    assert_eq!(files.contents(&segment(1)), None, "numbers only rise");
    assert!(log.inspect().iter().all(|segment| segment.id >= 3));
}
