//! Appending and reading back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pagewire_disk::{Disk, MemoryDisk, OsDisk};
use pagewire_log::{AppendContext, AppendError, Log, LogConfig, OpenOptions, Origin, ReadError, ReadUpTo};
use pagewire_record::header::CRC_START;
use pagewire_record::{BatchBuilder, BatchHeader, Codec, HEADER_LEN, batches, crc};

use crate::support::*;

#[test]
fn offsets_and_epoch_are_patched_and_nothing_else() {
    let bench = Bench::new();
    bench.append(batch(3, 1000));
    let sent = batch(2, 2000);
    let context = AppendContext { leader_epoch: 7, ..context() };
    let appended = bench.log.append(sent.clone(), context).expect("append");
    assert_eq!((appended.base_offset, appended.last_offset, appended.log_append_time_ms), (3, 4, -1));
    let slice = bench.log.read(3, 1 << 20, ReadUpTo::HighWatermark, true).expect("read");
    let stored = slice.range.expect("records").read_to_vec().expect("range");
    assert_eq!(stored[8..12], sent[8..12]);
    assert_eq!(stored[16..], sent[16..]);
    assert_eq!(stored[..8], 3_i64.to_be_bytes());
    assert_eq!(stored[12..16], 7_i32.to_be_bytes());
    assert_eq!(bench.log.leader_epoch(), Some(7));
    assert_eq!(bench.log.end_offset_for_epoch(0), Some((0, 3)));
}

#[test]
fn a_log_append_time_batch_answers_its_time() {
    let bench = Bench::new();
    let stamped = fill(BatchBuilder::new(Codec::None).log_append_time(4711), 2, 4711);
    assert_eq!(bench.append(stamped).log_append_time_ms, 4711);
}

#[test]
fn every_record_is_read_back_over_many_segments() {
    let bench = Bench::new();
    bench.fill(100);
    assert!(bench.log.segments().len() > 10);
    assert!(bench.log.segments().iter().all(|segment| segment.size_bytes <= 1024));
    for start in 0..300 {
        let all = bench.read_all(start);
        assert_eq!(all.first().map(|header| header.base_offset), Some(start - start % 3));
        assert_eq!(all.last().map(BatchHeader::last_offset), Some(299));
    }
}

#[test]
fn several_batches_go_in_with_one_append() {
    let bench = Bench::new();
    let two = [batch(3, 1), batch(2, 2)].concat();
    let appended = bench.append(two.into());
    assert_eq!((appended.base_offset, appended.last_offset), (0, 4));
    let bases: Vec<i64> = bench.read_all(0).iter().map(|header| header.base_offset).collect();
    assert_eq!(bases, [0, 3]);
}

#[test]
fn a_range_never_crosses_a_segment() {
    let bench = Bench::new();
    bench.fill(30);
    for segment in bench.log.segments() {
        let headers = bench.read(segment.base_offset, u32::MAX, true);
        assert_eq!(headers.last().map(BatchHeader::next_offset), Some(segment.next_offset));
    }
}

#[test]
fn the_last_batch_may_be_cut_and_the_first_never() {
    let bench = Bench::new();
    bench.fill(5);
    let size = batch(3, 1000).len() as u32;
    let len = |max_bytes, at_least_one| {
        let slice = bench.log.read(4, max_bytes, ReadUpTo::HighWatermark, at_least_one).expect("read");
        slice.range.map(|range| range.len())
    };
    assert_eq!(len(size + 10, false), Some(u64::from(size) + 10), "cut inside the second batch");
    assert_eq!(len(size, false), Some(u64::from(size)));
    assert_eq!(len(size - 1, false), None, "the first does not fit");
    assert_eq!(len(size - 1, true), Some(u64::from(size)), "the first is returned whole");
    assert_eq!(len(0, false), None);
    let tail = |max_bytes, at_least_one| bench.read(12, max_bytes, at_least_one).len();
    assert_eq!((tail(size, false), tail(size - 1, false), tail(size - 1, true)), (1, 0, 1));
}

#[test]
fn offsets_outside_the_log_are_out_of_range_and_the_end_is_empty() {
    let bench = Bench::new();
    assert!(bench.read(0, 100, true).is_empty());
    bench.fill(2);
    assert!(bench.read(6, 100, true).is_empty());
    for offset in [-1, 7] {
        let read = bench.log.read(offset, 100, ReadUpTo::HighWatermark, true);
        assert!(matches!(read, Err(ReadError::OffsetOutOfRange { log_start: 0, log_end: 6, .. })));
    }
}

#[test]
fn every_bound_reads_to_the_end_while_nothing_is_open() {
    let bench = Bench::new();
    bench.fill(2);
    for upto in [ReadUpTo::HighWatermark, ReadUpTo::LastStable, ReadUpTo::LogEnd] {
        let slice = bench.log.read(0, 10_000, upto, true).expect("read");
        assert_eq!(slice.range.map(|range| range.len()), Some(bench.log.size_bytes()));
        assert_eq!((slice.marks.log_end, slice.marks.high_watermark, slice.marks.last_stable), (6, 6, 6));
    }
}

#[test]
fn a_batch_longer_than_a_segment_is_too_large() {
    let bench = Bench::new();
    let long = batch(100, 1);
    assert!(long.len() > 1024);
    assert!(matches!(bench.try_append(long), Err(AppendError::TooLarge { segment_bytes: 1024, .. })));
    assert_eq!(bench.log.marks().log_end, 0);
}

#[test]
fn bytes_that_are_not_whole_batches_are_refused() {
    let bench = Bench::new();
    let good = batch(2, 1);
    for bytes in [good.slice(..good.len() - 1), good.slice(..40), bytes::Bytes::new()] {
        assert!(matches!(bench.try_append(bytes), Err(AppendError::Malformed(_))));
    }
    assert_eq!(bench.log.size_bytes(), 0);
}

#[test]
fn a_segment_closes_when_its_records_span_too_much_time() {
    let bench = Bench::with(LogConfig { segment_ms: 500, segment_bytes: 1 << 20, ..config() });
    for timestamp in [1000, 1499, 1498, 1501, 1502] {
        bench.append(batch(1, timestamp));
    }
    let bases: Vec<i64> = bench.log.segments().iter().map(|segment| segment.base_offset).collect();
    assert_eq!(bases, [0, 3]);
}

#[test]
fn a_quiet_segment_closes_by_the_clock() {
    let bench = Bench::with(LogConfig { segment_ms: 500, ..config() });
    assert!(!bench.log.roll_if_due(10_000).expect("roll"), "nothing in it");
    let context = AppendContext { now_ms: 100, leader_epoch: 0, origin: Origin::Client };
    bench.log.append(batch(1, 1), context).expect("append");
    assert!(!bench.log.roll_if_due(600).expect("roll"));
    assert!(bench.log.roll_if_due(601).expect("roll"));
    assert!(!bench.log.roll_if_due(602).expect("roll"));
    assert_eq!(active(&bench.log), 1);
}

#[test]
fn jitter_closes_segments_of_one_age_at_different_times() {
    let config = LogConfig { segment_bytes: 1 << 20, segment_ms: 1000, segment_jitter_ms: 900, ..config() };
    let (mut early, mut late) = (0, 0);
    for partition in 0..40 {
        let options = OpenOptions { config: config.clone(), ..options() };
        let disk = Arc::new(MemoryDisk::new());
        let (log, _) = Log::open(disk, Path::new(DIR), "t", partition, options).expect("open");
        log.append(batch(1, 0), context()).expect("append");
        assert!(!log.roll_if_due(100).expect("roll"), "never more than the jitter before its time");
        if log.roll_if_due(600).expect("roll") {
            early += 1;
        } else {
            late += i32::from(log.roll_if_due(1001).expect("roll"));
        }
    }
    assert!(early > 5 && late > 5 && early + late == 40, "{early} and {late}");
}

#[test]
fn offsets_that_do_not_fit_the_index_close_the_segment() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    bench.append(batch(1, 1));
    // As compaction leaves them: few records, many offsets.
    let bytes = batch(1, 2);
    let (raw, payload) = bytes.split_at(HEADER_LEN);
    let mut header = BatchHeader::parse(raw).expect("header");
    header.last_offset_delta = i32::MAX - 5;
    header.crc = crc::append(crc::crc32c(&header.encode()[CRC_START..]), payload);
    bench.log.append_batch(&header, payload, context()).expect("append");
    assert_eq!(bench.log.segments().len(), 1);
    let base = bench.append(batch(10, 3)).base_offset;
    assert_eq!(base, i64::from(i32::MAX) - 3);
    assert_eq!(bench.log.segments().iter().map(|one| one.base_offset).collect::<Vec<_>>(), [0, base]);
    let bench = bench.killed();
    assert_eq!((bench.log.marks().log_end, bench.report.cuts.len()), (base + 10, 0));
    assert_eq!(bench.read(base + 5, 1, true)[0].base_offset, base);
}

#[test]
fn a_full_index_closes_its_segment() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, segment_index_bytes: 32, ..config() });
    bench.fill(40);
    assert!(bench.log.segments().len() > 3);
    for segment in &bench.log.segments()[..3] {
        assert!(bench.bytes(&name(segment.base_offset, "index")).len() <= 32);
    }
}

#[test]
fn pacing_is_due_after_its_bytes_and_done_once() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, pace_bytes: 4096, ..config() });
    let due: Vec<bool> = (0..40).map(|n| bench.append(batch(3, n)).pace_due).collect();
    let size = batch(3, 0).len();
    let first = 4096usize.div_ceil(size);
    let expected: Vec<bool> = (1..=40).map(|n| n % first == 0).collect();
    assert_eq!(due, expected, "asked for once per so many bytes");
    assert!(bench.log.pace().expect("pace") >= 4096);
    assert_eq!(bench.log.pace().expect("pace"), 0);
    assert!(!bench.append(batch(3, 100)).pace_due);
}

#[test]
fn what_is_far_behind_is_handed_over_piece_by_piece() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, pace_bytes: 4096, ..config() });
    while bench.log.size_bytes() < 30_000 {
        bench.append(batch(3, 0));
    }
    let pushed: Vec<u64> = (0..5).map(|_| bench.log.pace().expect("pace")).collect();
    let pages = bench.log.size_bytes() / 4096 * 4096;
    assert_eq!(pushed, [8192, 8192, 8192, pages - 3 * 8192, 0], "twice what comes meanwhile");
}

#[test]
fn while_little_is_dirty_only_closed_segments_are_handed_over() {
    let dir = tempfile::tempdir().expect("dir");
    // Nothing is ever due on this one.
    let disk = Arc::new(OsDisk::new());
    let options =
        OpenOptions { config: LogConfig { segment_bytes: 100_000, ..LogConfig::default() }, ..options() };
    let (log, _) = Log::open(disk, &dir.path().join("t-0"), "t", 0, options).expect("open");
    while log.size_bytes() < 80_000 {
        log.append(batch(3, 0), context()).expect("append");
    }
    assert_eq!(log.pace().expect("pace"), 0);
    while log.segments().len() < 2 {
        log.append(batch(3, 0), context()).expect("append");
    }
    let closed = log.segments()[0].size_bytes;
    assert_eq!(log.pace().expect("pace"), closed, "it is about to be synced");
}

#[test]
fn readers_see_a_growing_log_without_a_tear() {
    let bench = Bench::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for upto in [ReadUpTo::HighWatermark, ReadUpTo::LogEnd] {
            let (log, done) = (&bench.log, &done);
            scope.spawn(move || {
                let mut offset = 0;
                while !done.load(Ordering::Acquire) || offset < log.marks().log_end {
                    let slice = log.read(offset, 400, upto, true).expect("read");
                    let Some(range) = slice.range else { continue };
                    let bytes = range.read_to_vec().expect("range");
                    for batch in batches(&bytes).map_while(Result::ok) {
                        assert_eq!(batch.header.base_offset, offset);
                        assert!(batch.header.next_offset() <= slice.marks.log_end, "never past the marks");
                        batch.verify_crc().expect("crc");
                        offset = batch.header.next_offset();
                    }
                }
            });
        }
        bench.fill(400);
        done.store(true, Ordering::Release);
    });
    assert_eq!(bench.log.marks().log_end, 1200);
}

#[test]
fn the_real_file_system_works_the_same() {
    let dir = tempfile::tempdir().expect("dir");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::new());
    let path = dir.path().join("t-0");
    let (log, _) = Log::open(Arc::clone(&disk), &path, "t", 0, options()).expect("open");
    for n in 0..50 {
        log.append(batch(3, n), context()).expect("append");
        log.pace().expect("pace");
    }
    assert_eq!(log.sync().expect("sync"), 150);
    log.close(0).expect("close");
    drop(log);
    let again = OpenOptions { clean: true, recovery_point: 150, ..options() };
    let (log, report) = Log::open(disk, &path, "t", 0, again).expect("open");
    assert_eq!((log.marks().log_end, report.cuts.len(), report.rebuilt.len()), (150, 0, 0), "{report:?}");
}

#[test]
fn a_batch_in_two_pieces_is_written_as_in_one() {
    let (whole, pieces) = (Bench::new(), Bench::new());
    for n in 0..40 {
        let bytes = if n % 2 == 0 { batch(3, 1000 + n) } else { sequenced(7, 0, n as i32 / 2, 1) };
        let header = BatchHeader::parse(&bytes).expect("header");
        let appended = pieces.log.append_batch(&header, &bytes[HEADER_LEN..], context()).expect("append");
        assert_eq!(appended, whole.append(bytes));
    }
    assert_eq!(pieces.log.segments(), whole.log.segments());
    for segment in whole.log.segments() {
        let name = name(segment.base_offset, "log");
        assert_eq!(pieces.bytes(&name), whole.bytes(&name));
    }
}

#[test]
fn a_header_that_does_not_fit_its_payload_is_refused() {
    let (bench, bytes) = (Bench::new(), batch(3, 1));
    let header = BatchHeader::parse(&bytes).expect("header");
    let cut = &bytes[HEADER_LEN..bytes.len() - 1];
    let refused = bench.log.append_batch(&header, cut, context());
    assert!(matches!(refused, Err(AppendError::Malformed(_))), "{refused:?}");
    assert_eq!((bench.log.marks().log_end, bench.log.size_bytes()), (0, 0));
}
