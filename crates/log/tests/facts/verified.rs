//! What reads verify after a start: what they serve, and little besides.

use std::sync::Arc;

use pagewire_disk::{FailingDisk, MemoryDisk};
use pagewire_log::{LogConfig, OpenOptions, ReadUpTo};

use crate::support::*;

/// Bytes of the segment that is read.
const SEGMENT: u64 = 2 << 20;

/// A log with a closed segment that nobody has looked at since the start, and the disk that counts.
fn taken_over() -> (FailingDisk, Bench) {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let config = LogConfig { segment_bytes: SEGMENT as u32, index_interval_bytes: 4096, ..config() };
    let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config, ..options() });
    while bench.log.segments().len() < 2 {
        bench.append(batch(40, 0));
    }
    (disk, bench.restarted())
}

#[test]
fn a_read_of_one_batch_verifies_no_more_than_its_surroundings() {
    let (disk, bench) = taken_over();
    let end = bench.log.segments()[0].next_offset;
    for offset in [end / 2, end / 3, 0, end - 1] {
        let before = disk.bytes_read();
        let slice = bench.log.read(offset, 1, ReadUpTo::LogEnd, true).expect("served");
        assert!(slice.range.is_some());
        let read = disk.bytes_read() - before;
        assert!(read < 160 << 10, "{read} bytes for one batch at {offset}");
    }
}

#[test]
fn whoever_reads_on_and_on_has_each_byte_verified_once() {
    let (disk, bench) = taken_over();
    let (end, before) = (bench.log.segments()[0].next_offset, disk.bytes_read());
    let mut offset = 0;
    while offset < end {
        let read = bench.read(offset, 100_000, true);
        offset = read.last().expect("a batch").last_offset() + 1;
    }
    let read = disk.bytes_read() - before;
    assert!(read > SEGMENT / 2 && read < SEGMENT * 2, "{read} bytes of {SEGMENT}");
    let again = disk.bytes_read();
    bench.log.read(end / 2, 100_000, ReadUpTo::LogEnd, true).expect("served");
    let read = disk.bytes_read() - again;
    assert!(read < 16 << 10, "{read} bytes, though it was verified");
}
