//! Appending: one writer, groups, batches, failures.

use std::sync::Arc;

use bytes::Bytes;
use switchboard_log::{AppendError, Appended, Log};
use switchboard_testkit::file::FaultyFiles;

use crate::kit::{end, fill, open, options, put, reopen, texts};

#[test]
fn rule_1_what_is_staged_during_a_sync_rides_on_the_next_one() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    let commits = log.watermark();
    let flying: Vec<_> =
        (0..2000).map(|_| log.append(vec![(channel, Bytes::from_static(b"x"), 0)])).collect();
    for (index, append) in flying.into_iter().enumerate() {
        let position = index as u64 + 1;
        assert_eq!(append.wait().unwrap(), [Appended { channel, position }]);
    }
    assert!(*commits.borrow() < 1000, "{} syncs for 2000 appends", *commits.borrow());
}

#[test]
fn rule_1_the_queue_is_bounded_and_a_full_one_makes_appends_wait() {
    let files = FaultyFiles::new(1);
    let log = Log::open(options(&files).with_queue(2)).unwrap().0;
    let channel = log.channel("a").unwrap();
    let flying: Vec<_> =
        (0..100).map(|_| log.append(vec![(channel, Bytes::from_static(b"x"), 0)])).collect();
    for append in flying {
        append.wait().unwrap();
    }
    assert_eq!(log.bounds(channel).unwrap().last, 100);
}

#[tokio::test]
async fn an_append_that_is_dropped_while_it_waits_for_room_gives_its_place_back() {
    let files = FaultyFiles::new(1);
    let log = Log::open(options(&files).with_queue(1)).unwrap().0;
    let channel = log.channel("a").unwrap();
    for _ in 0..100 {
        let batch = || vec![(channel, Bytes::from_static(b"x"), 0)];
        let (kept, dropped) = (log.append(batch()), log.append(batch()));
        drop(dropped);
        kept.await.unwrap();
    }
    assert!(log.bounds(channel).unwrap().last >= 100);
}

#[test]
fn rule_3_a_batch_never_spans_segments() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    for _ in 0..20 {
        let batch = (0..5).map(|_| (channel, Bytes::from(vec![1; 1000]), 0)).collect();
        log.append(batch).wait().unwrap();
    }
    let segments = log.inspect();
    assert!(segments.len() > 3, "{segments:?}");
    assert!(segments.iter().all(|segment| segment.records % 5 == 0), "{segments:?}");
}

#[test]
fn a_batch_that_does_not_fit_a_segment_is_refused() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    let batch = (0..20).map(|_| (channel, Bytes::from(vec![1; 1000]), 0)).collect();
    let error = log.append(batch).wait().unwrap_err();
    assert!(matches!(error, AppendError::BatchTooLarge { .. }), "{error:?}");
    let error = log.append(vec![(channel, Bytes::from(vec![1; 9000]), 0)]).wait().unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { bytes: 9000, limit: 8192 }), "{error:?}");
    assert_eq!(put(&log, channel, "fits"), 1);
}

#[test]
fn rule_4_orphans_of_a_failed_batch_are_not_adopted() {
    for nth in 1..4 {
        let files = FaultyFiles::new(nth);
        let log = open(&files);
        let channel = log.channel("a").unwrap();
        put(&log, channel, "before");
        files.fail_write_at(1);
        let lost = log.append(vec![(channel, Bytes::from(vec![b'o'; 3000]), 0); 2]).wait();
        assert!(matches!(lost, Err(AppendError::Unwritten(_))), "{lost:?}");
        assert_eq!(put(&log, channel, "after"), 2, "the failed positions are taken again");
        drop(log);
        files.crash();
        let (log, recovered) = reopen(&files).unwrap();
        assert_eq!(texts(&log, log.find("a").unwrap(), 0), ["before", "after"]);
        assert_eq!(recovered.cut, None, "the bytes were taken back, not left behind");
    }
}

#[test]
fn rule_6_after_a_failed_sync_the_writer_stops_and_everything_staged_fails() {
    let files = FaultyFiles::new(3);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    put(&log, channel, "safe");
    files.fail_sync_at(1);
    let batch = || vec![(channel, Bytes::from_static(b"lost?"), 0)];
    let flying: Vec<_> = (0..10).map(|_| log.append(batch())).collect();
    for append in flying {
        assert!(matches!(append.wait(), Err(AppendError::Poisoned(_))));
    }
    assert!(matches!(log.append(batch()).wait(), Err(AppendError::Poisoned(_))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(!runtime.block_on(log.can_write()));
    assert_eq!(texts(&log, channel, 0), ["safe"], "what is synced can still be read");
    log.close();
    let log = open(&files);
    assert_eq!(texts(&log, channel, 0)[0], "safe");
    let last = put(&log, channel, "again");
    // What recovery let readers see is synced by then, whatever the first sync did.
    files.crash();
    drop(log);
    let log = open(&files);
    assert_eq!(log.bounds(channel).unwrap().last, last);
}

#[test]
fn rule_7_a_full_disk_refuses_and_the_log_goes_on_when_there_is_room() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    files.set_room(Some(40 << 10));
    let mut written = 0;
    let refused = loop {
        match log.append(vec![(channel, Bytes::from(vec![b'x'; 1024]), 0)]).wait() {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Unwritten(_)), "{refused:?}");
    files.set_room(None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(log.can_write()), "a small group was tried");
    assert_eq!(put(&log, channel, "room again"), written + 1);
    drop(log);
    let log = open(&files);
    assert_eq!(log.bounds(channel).unwrap().last, written + 1);
}

#[test]
fn closing_on_a_full_disk_ends() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 1);
    while 32 * 1024 - end(&log) > 1200 {
        put(&log, channel, vec![b'x'; 512]);
    }
    files.set_room(Some(0));
    log.set_cell("large", Bytes::from(vec![1; 2000])).unwrap();
    log.close();
    assert!(matches!(log.append(Vec::new()).wait(), Err(AppendError::Closed)));
}

#[tokio::test]
async fn many_producers_get_dense_positions_in_the_order_of_their_calls() {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let log_ref = Arc::new(log);
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let log = log_ref.clone();
            tokio::spawn(async move {
                let channel = log.channel("shared").unwrap();
                for index in 0..50 {
                    let data = Bytes::from(format!("{number}/{index}"));
                    log.append(vec![(channel, data, 0)]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let channel = log_ref.find("shared").unwrap();
    let all = texts(&log_ref, channel, 0);
    assert_eq!(all.len(), 800);
    for number in 0..16 {
        let own: Vec<_> = all.iter().filter(|t| t.starts_with(&format!("{number}/"))).collect();
        let wanted: Vec<_> = (0..50).map(|index| format!("{number}/{index}")).collect();
        assert_eq!(own, wanted.iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_unknown_channel_is_refused() {
    let (one, other) = (open(&FaultyFiles::new(1)), open(&FaultyFiles::new(2)));
    other.channel("a").unwrap();
    let strange = other.channel("b").unwrap();
    let error = one.append(vec![(strange, Bytes::new(), 0)]).wait().unwrap_err();
    assert!(matches!(error, AppendError::UnknownChannel(id) if id == strange));
}

#[test]
fn records_may_be_empty() {
    let log = open(&FaultyFiles::new(1));
    let channel = log.channel("a").unwrap();
    put(&log, channel, "");
    assert_eq!(texts(&log, channel, 0), [""]);
}
