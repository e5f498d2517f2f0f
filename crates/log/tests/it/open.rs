//! Opening: what is cut, what is refused, who is kept out.

use bytes::Bytes;
use proptest::prelude::*;
use switchboard_log::{Log, OpenError, Options};
use switchboard_testkit::file::FaultyFiles;

use crate::kit::{end, fill, open, options, put, reopen, segment, texts};

#[test]
fn rule_5_a_new_segment_is_there_after_a_crash() {
    for seed in 0..50 {
        let files = FaultyFiles::new(seed);
        let log = open(&files);
        let channel = log.channel("a").unwrap();
        fill(&log, channel, 2);
        let last = log.bounds(channel).unwrap().last;
        files.crash();
        drop(log);
        let log = open(&files);
        assert_eq!(log.bounds(channel).unwrap().last, last, "seed {seed}");
    }
}

#[test]
fn rule_7_a_short_or_empty_last_segment_is_not_yet_written() {
    for rest in [vec![], vec![0; 10], vec![0; 32 << 10]] {
        let files = FaultyFiles::new(1);
        let log = open(&files);
        let channel = log.channel("a").unwrap();
        put(&log, channel, "kept");
        drop(log);
        files.put(&segment(2), &rest);
        files.put(&segment(3), &rest);
        let (log, recovered) = reopen(&files).unwrap();
        assert_eq!((recovered.unwritten, recovered.cut), (2, None));
        assert_eq!(texts(&log, channel, 0), ["kept"]);
        assert_eq!(recovered.epoch, 1);
    }
}

#[test]
fn rule_7_a_log_that_only_has_an_unwritten_segment_is_new() {
    let files = FaultyFiles::new(1);
    files.put(&segment(1), &[]);
    let (log, recovered) = reopen(&files).unwrap();
    assert_eq!((recovered.unwritten, recovered.epoch), (1, 1));
    put(&log, log.channel("a").unwrap(), "first");
}

/// A log with three records, then bytes changed behind the last commit point.
fn with_tail(tail: impl Fn(&mut Vec<u8>, usize)) -> FaultyFiles {
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    for text in ["one", "two", "three"] {
        put(&log, channel, text);
    }
    let end = end(&log);
    drop(log);
    let mut bytes = files.contents(&segment(1)).unwrap();
    tail(&mut bytes, end);
    files.put(&segment(1), &bytes);
    files
}

#[test]
fn rule_3_an_unfinished_group_is_cut_and_raises_the_epoch() {
    let files = with_tail(|bytes, end| bytes[end..end + 3].copy_from_slice(b"???"));
    let (log, recovered) = reopen(&files).unwrap();
    let cut = recovered.cut.expect("a tail was cut");
    assert_eq!((cut.path, recovered.epoch, log.epoch()), (segment(1), 2, 2));
    let channel = log.find("a").unwrap();
    assert_eq!(texts(&log, channel, 0), ["one", "two", "three"]);
    assert_eq!(put(&log, channel, "four"), 4);
    drop(log);
    let (log, recovered) = reopen(&files).unwrap();
    assert_eq!((recovered.cut, recovered.epoch), (None, 2), "the epoch is durable");
    assert_eq!(texts(&log, channel, 2), ["three", "four"]);
}

#[test]
fn an_epoch_survives_a_crash_right_after_the_opening_that_raised_it() {
    for seed in 0..30 {
        let files = with_tail(|bytes, end| bytes[end] = 1);
        // Any chance for the disk to forget, before anything is appended.
        let files = reseed(&files, seed);
        let (log, recovered) = reopen(&files).unwrap();
        assert_eq!(recovered.epoch, 2);
        files.crash();
        drop(log);
        assert_eq!(reopen(&files).unwrap().1.epoch, 2, "seed {seed}");
    }
}

#[test]
fn rule_3_a_cut_that_was_interrupted_is_made_up_for_before_its_witness_goes() {
    // The new segment says where the torn one ends; retention drops it; the tail must be gone then.
    for nth in 1..30 {
        let files = FaultyFiles::new(nth);
        let log = open(&files);
        let (kept, bulk) = (log.channel("kept").unwrap(), log.channel("bulk").unwrap());
        for _ in 0..20 {
            put(&log, kept, vec![b'k'; 1024]);
        }
        let end = end(&log);
        drop(log);
        let mut bytes = files.contents(&segment(1)).unwrap();
        bytes[end..end + 3].copy_from_slice(b"???");
        files.put(&segment(1), &bytes);
        files.cut_power_at(nth);
        let _ = reopen(&files);
        files.crash();
        let log = open(&files);
        fill(&log, bulk, 3);
        log.retain(bulk, u64::MAX).unwrap();
        assert_eq!(log.enforce(&[], 0).unwrap().dropped, 2);
        drop(log);
        files.put(&segment(1).with_extension("idx"), b"lost");
        let log = open(&files);
        assert_eq!(texts(&log, kept, 0).len(), 20, "power cut at change {nth}");
    }
}

fn reseed(files: &FaultyFiles, seed: u64) -> FaultyFiles {
    let copy = FaultyFiles::new(seed);
    for (path, _) in files.names() {
        copy.put(&path, &files.contents(&path).unwrap());
    }
    copy
}

#[test]
fn rule_3_records_without_a_marker_are_not_committed() {
    // The frames of the third group, whole and valid, but its marker is missing.
    let files = with_tail(|bytes, end| bytes[end - 52..end].fill(0));
    let (log, recovered) = reopen(&files).unwrap();
    assert!(recovered.cut.is_some());
    assert_eq!(texts(&log, log.find("a").unwrap(), 0), ["one", "two"]);
}

#[test]
fn rule_2_a_zero_filled_tail_does_not_parse() {
    let files = with_tail(|_, _| {});
    assert_eq!(reopen(&files).unwrap().1.cut, None);
}

#[test]
fn rule_9_unknown_control_records_are_skipped() {
    // A group as a later version might write it is made from one of ours: its last cell entry gets
    // another kind. The frame's and the group's checksums are then made to fit again.
    let files = FaultyFiles::new(1);
    let log = open(&files);
    let channel = log.channel("a").unwrap();
    put(&log, channel, "known");
    log.set_cell("unknown", Bytes::from_static(b"?")).unwrap();
    put(&log, channel, "beside");
    drop(log);
    let path = segment(1);
    let bytes = files.contents(&path).unwrap();
    files.put(&path, &forge::with_kind(bytes, 5, 99));
    let log = open(&files);
    assert_eq!(texts(&log, channel, 0), ["known", "beside"]);
    assert_eq!(log.cell("unknown"), None, "it is not a cell for this version");
}

/// Rewrites frames by hand, as another version would have written them.
pub(crate) mod forge {
    const HEADER: usize = 32;

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn seal(frame: &mut [u8]) {
        let sum = crc_fast::crc32_iscsi(&frame[HEADER..]);
        frame[24..28].copy_from_slice(&sum.to_le_bytes());
        let sum = crc_fast::crc32_iscsi(&frame[..28]);
        frame[28..32].copy_from_slice(&sum.to_le_bytes());
    }

    /// Gives every frame of one kind another, and repairs all checksums.
    pub(crate) fn with_kind(mut bytes: Vec<u8>, from: u8, to: u8) -> Vec<u8> {
        let (mut at, mut sums) = (0, Vec::new());
        while u32_at(&bytes, at) as usize >= HEADER {
            let next = at + u32_at(&bytes, at) as usize;
            let frame = &mut bytes[at..next];
            if frame[4] == from {
                frame[4] = to;
                seal(frame);
            }
            if frame[4] == 2 {
                let digest = crc_fast::crc32_iscsi(&sums);
                frame[HEADER + 12..HEADER + 16].copy_from_slice(&digest.to_le_bytes());
                seal(frame);
                sums.clear();
            } else {
                sums.extend_from_slice(&frame[28..32]);
            }
            at = next;
        }
        bytes
    }
}

#[test]
fn rule_11_a_second_writer_is_refused_in_this_process() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(dir.path()).with_segment_bytes(64 << 10);
    let (log, _) = Log::open(options.clone()).unwrap();
    assert!(matches!(Log::open(options.clone()), Err(OpenError::Locked { .. })));
    // Another spelling of the same folder is the same folder.
    let mut other = options.clone();
    other.dir = dir.path().join(".");
    assert!(matches!(Log::open(other), Err(OpenError::Locked { .. })));
    log.close();
    Log::open(options).unwrap();
}

#[test]
fn rule_11_a_second_writer_is_refused_whoever_holds_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(dir.path().join("LOCK")).unwrap();
    file.lock().unwrap();
    let options = Options::new(dir.path()).with_segment_bytes(64 << 10);
    assert!(matches!(Log::open(options.clone()), Err(OpenError::Locked { .. })));
    drop(file);
    Log::open(options).unwrap();
}

#[test]
fn a_log_on_the_real_disk_is_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(dir.path()).with_segment_bytes(64 << 10);
    let (log, _) = Log::open(options.clone()).unwrap();
    let channel = log.channel("a").unwrap();
    fill(&log, channel, 3);
    let last = log.bounds(channel).unwrap().last;
    drop(log);
    let (log, recovered) = Log::open(options).unwrap();
    assert_eq!((recovered.segments, recovered.rebuilt), (4, 0), "sidecars were used");
    assert_eq!(texts(&log, channel, 0).len() as u64, last);
}

#[test]
fn wrong_settings_are_refused_before_anything_is_touched() {
    let files = FaultyFiles::new(1);
    let error = Log::open(options(&files).with_group_bytes(1)).unwrap_err();
    assert!(matches!(error, OpenError::Options(_)));
    assert_eq!(files.names(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_bytes_in_the_last_segment_never_panic_and_never_lose_an_older_one(
        noise in proptest::collection::vec(any::<u8>(), 1..2000), at in 0_usize..4000,
    ) {
        let files = FaultyFiles::new(1);
        let log = open(&files);
        let channel = log.channel("a").unwrap();
        fill(&log, channel, 1);
        let sealed = log.inspect()[0].records;
        drop(log);
        let mut bytes = files.contents(&segment(2)).unwrap();
        let end = (at + noise.len()).min(bytes.len());
        bytes.splice(at..end, noise);
        files.put(&segment(2), &bytes);
        match reopen(&files) {
            Ok((log, _)) => prop_assert!(log.bounds(channel).unwrap().last >= sealed),
            Err(error) => prop_assert!(matches!(error, OpenError::Damaged(_)), "{error:?}"),
        }
    }
}
