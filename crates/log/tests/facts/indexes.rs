//! Indexes help, and are never believed.

use std::sync::Arc;

use pagewire_disk::{FailingDisk, MemoryDisk};
use pagewire_log::{LogConfig, OpenOptions, ReadUpTo};
use pagewire_record::{BatchHeader, batches};

use crate::support::*;

fn all_reads_find_their_batch(bench: &Bench) {
    for offset in bench.log.marks().log_start..bench.log.marks().log_end {
        let found = bench.read(offset, 1, true);
        let header = found.first().expect("a batch");
        assert!(header.base_offset <= offset && offset <= header.last_offset(), "{offset}: {header:?}");
    }
}

#[test]
fn closed_indexes_have_kafkas_entries() {
    let bench = Bench::new();
    bench.fill(60);
    for segment in bench.log.segments().iter().rev().skip(1) {
        let log = bench.bytes(&name(segment.base_offset, "log"));
        let (mut position, mut since, mut expected, mut times) = (0_u32, 0, Vec::new(), Vec::new());
        let mut last: Option<BatchHeader> = None;
        for batch in batches(&log) {
            let header = batch.expect("batch").header;
            let relative = (header.last_offset() - segment.base_offset) as u32;
            if since > 100 {
                expected.extend(relative.to_be_bytes().into_iter().chain(position.to_be_bytes()));
                times.extend(header.max_timestamp.to_be_bytes().into_iter().chain(relative.to_be_bytes()));
                since = 0;
                last = None;
            } else {
                last = Some(header);
            }
            position += header.size_in_bytes() as u32;
            since += header.size_in_bytes();
        }
        if let Some(header) = last {
            let relative = (header.last_offset() - segment.base_offset) as u32;
            times.extend(header.max_timestamp.to_be_bytes().into_iter().chain(relative.to_be_bytes()));
        }
        assert!(expected.len() >= 8);
        assert_eq!(bench.bytes(&name(segment.base_offset, "index")), expected);
        assert_eq!(bench.bytes(&name(segment.base_offset, "timeindex")), times);
    }
}

#[test]
fn whoever_takes_batch_after_batch_has_one_header_read_for_each() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let config = LogConfig { segment_bytes: 1 << 20, index_interval_bytes: 4096, ..config() };
    let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config, ..options() });
    while bench.log.segments().len() < 2 {
        bench.append(batch(200, 0));
    }
    let log = bench.bytes(&name(0, "log"));
    let headers: Vec<BatchHeader> = batches(&log).map(|batch| batch.expect("batch").header).collect();
    for first in [0, 3, headers.len() / 2] {
        for (at, header) in headers.iter().enumerate().skip(first) {
            let before = disk.bytes_read();
            let slice = bench.log.read(header.base_offset, 1, ReadUpTo::HighWatermark, true).expect("served");
            assert_eq!(slice.range.expect("a batch").len(), header.size_in_bytes());
            let read = disk.bytes_read() - before;
            assert!(at == first || read <= 1024, "{read} bytes to find batch {at}");
        }
    }
}

#[test]
fn a_segment_of_one_batch_has_an_empty_index() {
    let bench = Bench::new();
    bench.append(batch(24, 1));
    bench.append(batch(24, 2));
    bench.append(batch(24, 3));
    assert_eq!(bench.log.segments().len(), 3);
    assert!(bench.bytes(&name(0, "index")).is_empty());
    assert_eq!(bench.bytes(&name(0, "timeindex")).len(), 12, "the entry every closed segment gets");
}

#[test]
fn many_entries_are_found_again_after_a_restart() {
    let config = LogConfig { segment_bytes: 1 << 20, ..config() };
    let bench = Bench::with(config);
    bench.fill(1200);
    all_reads_find_their_batch(&bench);
    let bench = bench.restarted();
    assert!(bench.report.cuts.is_empty() && bench.report.rebuilt.is_empty(), "{:?}", bench.report);
    assert!(bench.report.scanned_bytes < 1000, "only the tail: {}", bench.report.scanned_bytes);
    all_reads_find_their_batch(&bench);
    bench.fill(200);
    all_reads_find_their_batch(&bench);
}

/// Damages the indexes of every segment while nobody has them open, then reads everything.
fn survives(damage: impl Fn(&mut Vec<u8>)) {
    for clean in [true, false] {
        let bench = Bench::new();
        bench.fill(60);
        let bases: Vec<i64> = bench.log.segments().iter().map(|segment| segment.base_offset).collect();
        bench.log.close(0).expect("close");
        for base in &bases {
            for suffix in ["index", "timeindex"] {
                let mut bytes = bench.bytes(&name(*base, suffix));
                damage(&mut bytes);
                let file = bench.file(&name(*base, suffix));
                file.set_len(0).expect("cut");
                file.write_at(0, &bytes).expect("write");
            }
        }
        let log_end = bench.log.marks().log_end;
        let recovery_point = log_end;
        let bench = bench.reopened(pagewire_log::OpenOptions { clean, recovery_point, ..options() });
        assert_eq!((bench.log.marks().log_end, bench.report.cuts.len()), (log_end, 0), "{:?}", bench.report);
        all_reads_find_their_batch(&bench);
        assert_eq!(bench.read_all(0).len(), 60);
        for n in 0..60 {
            let found = bench.log.offset_for_time(1000 + n * 10).expect("lookup").expect("found");
            assert_eq!(found.offset, n * 3);
        }
    }
}

#[test]
fn garbage_in_indexes_costs_nothing() {
    survives(|bytes| {
        for (byte, n) in bytes.iter_mut().zip(1_u32..) {
            *byte = (n.wrapping_mul(2_654_435_761) >> 13) as u8;
        }
    });
}

#[test]
fn zeroed_indexes_cost_nothing() {
    survives(|bytes| bytes.fill(0));
}

#[test]
fn empty_indexes_cost_nothing() {
    survives(Vec::clear);
}

#[test]
fn cut_indexes_cost_nothing() {
    survives(|bytes| bytes.truncate(bytes.len() / 2 + 3));
}

#[test]
fn entries_that_point_beside_a_batch_cost_nothing() {
    survives(|bytes| {
        for entry in bytes.chunks_mut(8) {
            if let Some(last) = entry.last_mut() {
                *last = last.wrapping_add(5);
            }
        }
    });
}

#[test]
fn entries_of_wrong_batches_cost_nothing() {
    // Every entry keeps its position and claims the offset before: rising, inside the segment, and a lie.
    survives(|bytes| {
        for entry in bytes.chunks_exact_mut(8) {
            if entry[3] > 0 {
                entry[3] -= 1;
            }
        }
    });
}

#[test]
fn missing_indexes_are_made_again() {
    let bench = Bench::new();
    bench.fill(60);
    bench.log.close(0).expect("close");
    for name in bench.names().iter().filter(|name| name.ends_with("index")) {
        bench.disk.remove_file(&path(name)).expect("remove");
    }
    let log_end = bench.log.marks().log_end;
    let bench =
        bench.reopened(pagewire_log::OpenOptions { clean: true, recovery_point: log_end, ..options() });
    all_reads_find_their_batch(&bench);
    assert!(!bench.bytes(&name(0, "index")).is_empty());
}
