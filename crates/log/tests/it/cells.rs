//! Cells: the last value counts, and it rides along.

use bytes::Bytes;
use switchboard_log::AppendError;
use switchboard_testkit::file::FaultyFiles;

use crate::kit::{fill, open, put};

#[test]
fn a_cell_rides_along_with_the_next_sync() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    for value in 0..100_u8 {
        log.set_cell("group", Bytes::copy_from_slice(&[value])).unwrap();
    }
    put(&log, channel, "x");
    files.crash();
    drop(log);
    assert_eq!(open(&files).cell("group").unwrap()[..], [99]);
}

#[test]
fn cells_are_written_on_close_and_can_be_removed() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    log.set_cell("g/1", Bytes::from_static(b"one")).unwrap();
    log.set_cell("g/2", Bytes::from_static(b"two")).unwrap();
    log.set_cell("h", Bytes::from_static(b"other")).unwrap();
    drop(log);
    let log = open(&files);
    assert_eq!(log.cells("g/").len(), 2);
    log.set_cell("g/1", Bytes::new()).unwrap();
    drop(log);
    assert_eq!(open(&files).cells("g/"), [("g/2".into(), Bytes::from_static(b"two"))]);
}

#[test]
fn cells_and_channels_survive_when_their_segments_are_dropped() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    log.channel("never used").unwrap();
    log.set_cell("early", Bytes::from_static(b"value")).unwrap();
    fill(&log, channel, 3);
    let last = log.bounds(channel).unwrap().last;
    log.retain(channel, last).unwrap();
    assert_eq!(log.enforce(&[], 0).unwrap().dropped, 3);
    drop(log);
    let log = open(&files);
    assert_eq!(log.cell("early").unwrap(), "value");
    assert!(log.find("never used").is_some());
    assert_eq!(log.bounds(channel).unwrap().first, last);
}

#[test]
fn cells_are_bounded() {
    let log = open(&FaultyFiles::new(1));
    let error = log.set_cell("large", Bytes::from(vec![1; 5000])).unwrap_err();
    assert!(matches!(error, AppendError::TooMany { limit: 4096, .. }), "{error:?}");
    assert_eq!(log.cell("large"), None);
    log.set_cell("small", Bytes::from(vec![1; 3000])).unwrap();
    log.set_cell("small", Bytes::from(vec![2; 3500])).unwrap();
}
