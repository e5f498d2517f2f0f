//! A copy that is taken while the log goes on is a log of its own, and begins an epoch of its own.

use std::path::Path;

use switchboard_log::file::{Access, FileLayer};
use switchboard_log::{Keep, Log, Moment, Options};
use switchboard_testkit::file::FaultyFiles;

use crate::kit::{fill, open, options, put, texts};

/// Copies what counted at a moment to another disk.
fn copied(files: &FaultyFiles, moment: &Moment) -> FaultyFiles {
    let other = FaultyFiles::new(9);
    other.create_dir(Path::new("log")).unwrap();
    for extent in &moment.segments {
        let mut bytes = vec![0; usize::try_from(extent.bytes).unwrap()];
        let from = files.open(&extent.path, Access::Read).unwrap();
        let mut at = 0;
        while at < bytes.len() {
            at += from.read_at(&mut bytes[at..], at as u64).unwrap();
        }
        let to = other.open(&extent.path, Access::Create).unwrap();
        let mut at = 0;
        while at < bytes.len() {
            at += to.write_at(&bytes[at..], at as u64).unwrap();
        }
        to.sync_all().unwrap();
    }
    other.sync_dir(Path::new("log")).unwrap();
    other
}

#[test]
fn a_copy_holds_exactly_what_was_committed_at_its_moment() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    for sealed in [0, 1, 3] {
        fill(&log, channel, sealed);
        let hold = log.hold();
        let moment = hold.moment();
        let then = texts(&log, channel, 0);
        put(&log, channel, "later");
        fill(&log, channel, sealed + 1);
        let other = copied(&files, &moment);
        drop(hold);
        let (copy, recovered) = Log::open(options(&other)).unwrap();
        assert_eq!((recovered.cut, recovered.epoch), (None, 1));
        let again = copy.find("a").map_or(Vec::new(), |channel| texts(&copy, channel, 0));
        assert_eq!(again.len(), then.len());
        assert_eq!(again, then, "after {sealed} sealed segments");
        if let Some(channel) = copy.find("a") {
            assert_eq!(copy.bounds(channel).unwrap().last, moment.channels[0].1);
        }
    }
}

#[test]
fn retention_waits_for_whoever_copies() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 4);
    let hold = log.hold();
    let moment = hold.moment();
    let (going, keep) = (log.clone(), Keep { bytes: Some(1), ..Keep::default() });
    let retention = std::thread::spawn(move || going.enforce(&[(channel, keep)], 0).unwrap());
    // Had it not waited, the copy would miss files.
    let other = copied(&files, &moment);
    drop(hold);
    assert!(retention.join().unwrap().dropped > 0);
    let (copy, _) = Log::open(options(&other)).unwrap();
    let channel = copy.find("a").unwrap();
    assert_eq!(texts(&copy, channel, 0).len() as u64, moment.channels[0].1);
}

#[test]
fn an_epoch_can_be_begun_above_any_other() {
    let files = FaultyFiles::new(1);
    let above = |epoch| -> Options { options(&files).with_epoch_above(epoch) };
    assert_eq!(Log::open(above(4)).unwrap().1.epoch, 5, "an empty log, too");
    let (log, recovered) = Log::open(above(2)).unwrap();
    assert_eq!((recovered.epoch, recovered.cut), (6, None), "never back");
    let channel = log.channel("a").unwrap();
    put(&log, channel, "1");
    drop(log);
    let (log, recovered) = Log::open(above(100)).unwrap();
    assert_eq!((recovered.epoch, log.epoch()), (101, 101));
    put(&log, channel, "2");
    drop(log);
    let (log, recovered) = Log::open(options(&files)).unwrap();
    assert_eq!(recovered.epoch, 101, "it stays");
    assert_eq!(texts(&log, channel, 0), ["1", "2"]);
}
