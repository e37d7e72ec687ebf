//! Reads that may not wait.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, MemoryDisk, When};
use pagewire_log::{Handles, Log, LogConfig, OpenOptions, ReadError, ReadUpTo, TryRead};

use crate::support::*;

fn counted(config: LogConfig) -> (FailingDisk, Bench) {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config, ..options() });
    (disk, bench)
}

/// Where the records lie, position and length; `None` if the read would have to wait.
fn try_read(log: &Log, offset: i64, max_bytes: u32) -> Option<(u64, u64)> {
    match log.try_read(offset, max_bytes, ReadUpTo::HighWatermark, true).expect("read") {
        TryRead::Slice(slice) => slice.range.map(|range| (range.offset(), range.len())),
        TryRead::WouldBlock => None,
    }
}

fn read(log: &Log, offset: i64, max_bytes: u32) -> Option<(u64, u64)> {
    let slice = log.read(offset, max_bytes, ReadUpTo::HighWatermark, true).expect("read");
    slice.range.map(|range| (range.offset(), range.len()))
}

fn cold(disk: &FailingDisk, file: &str) {
    disk.fail_on(file, Call::ReadNoWait, When::Always, Fault::Error(Errno::AGAIN));
}

#[test]
fn in_memory_it_answers_what_a_patient_read_answers() {
    let bench = Bench::new();
    bench.fill(200);
    assert!(bench.log.segments().len() > 5);
    for offset in 0..600 {
        for max_bytes in [1, 150, 100_000] {
            let patient = read(&bench.log, offset, max_bytes);
            assert!(patient.is_some());
            assert_eq!(try_read(&bench.log, offset, max_bytes), patient, "{offset} {max_bytes}");
        }
    }
}

#[test]
fn a_cold_batch_header_would_block() {
    let (disk, bench) = counted(config());
    bench.fill(2);
    cold(&disk, ".log");
    assert_eq!(try_read(&bench.log, 0, 1000), None);
    assert!(read(&bench.log, 0, 1000).is_some(), "whoever may wait gets it");
    disk.heal();
    assert!(try_read(&bench.log, 0, 1000).is_some());
}

#[test]
fn a_cold_index_page_would_block() {
    let (disk, bench) = counted(LogConfig { segment_bytes: 1 << 20, ..config() });
    bench.fill(500);
    cold(&disk, ".index");
    assert_eq!(try_read(&bench.log, 300, 1000), None);
    assert!(try_read(&bench.log, 1490, 1000).is_some(), "the newest entries are in memory");
    disk.heal();
    assert!(try_read(&bench.log, 300, 1000).is_some());
    cold(&disk, ".index");
    assert!(try_read(&bench.log, 330, 1000).is_some(), "the page was read just now");
}

#[test]
fn a_reader_that_goes_on_reads_one_header_for_each_fetch() {
    let (disk, bench) = counted(LogConfig { segment_bytes: 1 << 20, ..config() });
    bench.fill(500);
    let (_, batch_len) = try_read(&bench.log, 0, 1).expect("a batch");
    let max_bytes = batch_len as u32 * 10 + 50;
    let (mut offset, mut fetches) = (0, 0);
    let mut seen = vec![disk.calls(Call::ReadNoWait)];
    while offset < 1000 {
        let (_, len) = try_read(&bench.log, offset, max_bytes).expect("hot");
        assert_eq!(len, u64::from(max_bytes), "cut within a batch");
        offset += 3 * (len / batch_len) as i64;
        seen.push(disk.calls(Call::ReadNoWait));
        fetches += 1;
    }
    let reads: Vec<_> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A page of the index besides where one begins, and the header before where the floor is another page's.
    assert!(fetches > 30 && reads.iter().filter(|count| **count > 1).count() <= 2, "{reads:?}");
}

#[test]
fn the_tail_is_read_without_a_look_at_any_file() {
    let (disk, bench) = counted(config());
    bench.fill(30);
    cold(&disk, "");
    let before = (disk.calls(Call::Read), disk.calls(Call::ReadNoWait), disk.calls(Call::Open));
    assert!(try_read(&bench.log, 87, 1000).is_some());
    assert_eq!((disk.calls(Call::Read), disk.calls(Call::ReadNoWait), disk.calls(Call::Open)), before);
}

#[test]
fn a_file_that_is_not_open_would_block() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let (log, _) = Log::open_with(disk, Path::new(DIR), "t", 0, options(), Handles::new(1)).expect("open");
    for n in 0..60 {
        log.append(batch(3, 1000 + n), context()).expect("append");
    }
    let first = log.segments().first().expect("segment").next_offset - 1;
    assert_eq!(try_read(&log, first, 1000), None);
    assert!(read(&log, first, 1000).is_some());
}

#[test]
fn an_index_that_lies_is_left_to_those_who_may_wait() {
    let (disk, bench) = counted(config());
    bench.fill(60);
    let bench = bench.restarted();
    bench.file(&name(0, "index")).write_at(4, &[0, 0, 0, 1]).expect("lie");
    assert_eq!(try_read(&bench.log, 20, 1000), None, "not even loaded");
    let patient = read(&bench.log, 20, 1000);
    assert!(patient.is_some());
    assert_eq!(try_read(&bench.log, 20, 1000), patient, "rebuilt");
    assert!(disk.calls(Call::ReadNoWait) > 0);
}

#[test]
fn refusals_need_no_disk() {
    let (disk, bench) = counted(config());
    bench.fill(2);
    cold(&disk, "");
    let answer = bench.log.try_read(7, 1000, ReadUpTo::HighWatermark, true);
    assert!(matches!(answer, Err(ReadError::OffsetOutOfRange { log_start: 0, log_end: 6, .. })));
    assert_eq!(try_read(&bench.log, 6, 1000), None);
    assert!(matches!(
        bench.log.try_read(6, 1000, ReadUpTo::HighWatermark, true),
        Ok(TryRead::Slice(slice)) if slice.range.is_none()
    ));
}

#[test]
fn what_nobody_has_verified_since_the_start_would_block_once_and_is_served_only_if_it_is_right() {
    let bench = Bench::with(LogConfig { segment_bytes: 100 << 10, ..config() });
    while bench.log.segments().len() < 3 {
        bench.fill(1);
    }
    let bench = bench.restarted();
    let segment = bench.log.segments()[1];
    let file = bench.file(&name(segment.base_offset, "log"));
    let at = segment.size_bytes - 1;
    let mut last = [0];
    file.read_exact_at(at, &mut last).expect("read");
    file.write_at(at, &[last[0] ^ 1]).expect("flipped");
    // File and index are at hand afterwards, and so is what begins here.
    assert!(read(&bench.log, segment.base_offset, 1).is_some());
    assert!(try_read(&bench.log, segment.base_offset, 1).is_some());
    let before = segment.next_offset - 6;
    assert_eq!(try_read(&bench.log, before, 5000), None, "it was not looked at");
    let (position, len) = read(&bench.log, before, 5000).expect("records");
    assert!(position + len < segment.size_bytes, "they end before the damage");
    assert_eq!(try_read(&bench.log, before, 5000), Some((position, len)), "it is known by now");
    let bad = bench.log.try_read(segment.next_offset - 1, 1000, ReadUpTo::HighWatermark, true);
    assert!(matches!(bad, Err(ReadError::Damaged { .. })), "{bad:?}");
    let news = bench.append(batch(3, 5000)).base_offset;
    assert!(try_read(&bench.log, news, 1000).is_some(), "what this process wrote needs no look");
}
