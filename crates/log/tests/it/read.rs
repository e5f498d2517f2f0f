//! Reading: positions, limits, and waiting for more.

use bytes::Bytes;
use switchboard_log::{Log, ReadError};
use switchboard_testkit::file::FaultyFiles;

use crate::kit::{fill, open, options, put, texts};

#[test]
fn rule_12_positions_begin_at_1_and_0_is_before_everything() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    assert_eq!(log.read(channel, 0, 10, 10).unwrap(), []);
    assert_eq!(put(&log, channel, "first"), 1);
    assert_eq!(log.read(channel, 0, 10, 10).unwrap()[0].position, 1);
    assert_eq!(log.read(channel, 1, 10, 10).unwrap(), []);
    assert_eq!(log.read(channel, u64::MAX, 10, 10).unwrap(), []);
}

#[test]
fn channels_do_not_see_one_another() {
    let log = open(&FaultyFiles::new(1));
    let (a, b) = (log.channel("a").unwrap(), log.channel("b").unwrap());
    for index in 0..100 {
        put(&log, if index % 3 == 0 { a } else { b }, format!("{index}"));
    }
    assert_eq!(texts(&log, a, 0).len(), 34);
    assert_eq!(texts(&log, b, 65), ["98"]);
    assert_eq!(log.channel("a").unwrap(), a, "declared once");
}

#[test]
fn limits_hold_and_one_record_always_comes() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    for _ in 0..10 {
        put(&log, channel, vec![b'x'; 100]);
    }
    assert_eq!(log.read(channel, 0, 3, 1 << 20).unwrap().len(), 3);
    assert_eq!(log.read(channel, 0, 100, 350).unwrap().len(), 3);
    assert_eq!(log.read(channel, 0, 100, 1).unwrap().len(), 1);
    assert_eq!(log.read(channel, 0, 0, 1000).unwrap().len(), 0);
}

#[test]
fn a_read_goes_on_over_the_end_of_a_segment() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 3);
    let all = log.read(channel, 0, 10_000, 10 << 20).unwrap();
    assert_eq!(all.len() as u64, log.bounds(channel).unwrap().last);
    assert!(all.iter().zip(1..).all(|(record, position)| record.position == position));
}

#[tokio::test]
async fn rule_10_catching_up_and_following_are_one_loop() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 1);
    let mut tail = log.tail(channel, 0).unwrap();
    let reader = tokio::spawn(async move {
        let mut seen = 0;
        while seen < 2000 {
            for record in tail.next(7, 10_000).await.unwrap() {
                assert_eq!(record.position, seen + 1, "nothing is skipped or repeated");
                seen = record.position;
            }
        }
    });
    while log.bounds(channel).unwrap().last < 2000 {
        log.append(vec![(channel, Bytes::from_static(b"live"), 0); 3]).await.unwrap();
    }
    reader.await.unwrap();
}

#[tokio::test]
async fn rule_10_what_a_watcher_hears_of_can_be_read() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    let mut end = log.watch(channel).unwrap();
    let own = log.clone();
    let producer = tokio::spawn(async move {
        for _ in 0..200 {
            own.append(vec![(channel, Bytes::from(vec![1; 900]), 0)]).await.unwrap();
        }
    });
    let mut last = 0;
    while last < 200 {
        end.changed().await.unwrap();
        last = *end.borrow_and_update();
        assert_eq!(log.read(channel, last - 1, 1, 1).unwrap()[0].position, last);
    }
    producer.await.unwrap();
}

#[tokio::test]
async fn a_tail_ends_when_the_log_is_closed_after_everything_was_read() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    put(&log, channel, "last words");
    let mut tail = log.tail(channel, 0).unwrap();
    let waiting = tokio::spawn(async move {
        let first = tail.next(10, 100).await.unwrap().len();
        (first, tail.next(10, 100).await)
    });
    tokio::task::yield_now().await;
    log.close();
    let (first, then) = waiting.await.unwrap();
    assert_eq!(first, 1);
    assert!(matches!(then, Err(ReadError::Closed)), "{then:?}");
}

#[test]
fn nothing_un_synced_is_ever_read() {
    let files = FaultyFiles::new(1);
    let log = Log::open(options(&files)).unwrap().0;
    let channel = log.channel("a").unwrap();
    put(&log, channel, "synced");
    files.fail_sync_at(1);
    log.append(vec![(channel, Bytes::from_static(b"not synced"), 0)]).wait().unwrap_err();
    assert_eq!(texts(&log, channel, 0), ["synced"]);
    assert_eq!(log.bounds(channel).unwrap().last, 1);
}
