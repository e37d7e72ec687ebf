//! What compaction writes down of the segments it wrote costs as much as there are segments, not that squared.

use pagewire_disk::{FailingDisk, Traffic};

use super::*;
use crate::rewritten::{FILE, Rewritten};

/// A log of so many closed segments of a batch each, and what its first clean writes to the file.
fn cleaned(segments: usize, segment_bytes: u32) -> (Bench, Traffic) {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let config = LogConfig { segment_bytes, ..config() };
    let mut bench = Bench::on(Arc::new(disk.clone()), options(config));
    for n in 0..segments {
        bench.put(&[(&format!("k{n:06}"), Some("a value"))]);
        bench.roll();
    }
    bench.put(&[("k000000", Some("active"))]);
    bench.log.sync().expect("sync");
    let before = disk.traffic(FILE);
    bench.clean(0);
    let after = disk.traffic(FILE);
    let traffic = Traffic { bytes: after.bytes - before.bytes, syncs: after.syncs - before.syncs };
    (bench, traffic)
}

/// Too small for two of them.
const ALONE: u32 = 90;

/// What is said of each segment that is there is what it is.
fn is_as_written_down(bench: &Bench) {
    let said = Rewritten::read(&*bench.disk, Path::new(DIR)).expect("read").expect("there");
    let segments = bench.log.segments();
    let nexts = segments.iter().skip(1).map(|next| next.base_offset);
    for (segment, next) in segments.iter().zip(nexts) {
        assert_eq!(said.end_of(segment.base_offset, segment.size_bytes), Some(next));
    }
}

#[test]
fn a_clean_of_many_segments_writes_down_a_kilobyte_of_each_at_most() {
    let (bench, many) = cleaned(400, ALONE);
    assert_eq!(bench.log.segments().len(), 401);
    is_as_written_down(&bench);
    assert!(many.bytes <= 400 * 1024, "{many:?}");
    // One for each segment that gets its place, as before it counts it must be stable.
    assert!(many.syncs <= 402, "{many:?}");
    let (_, few) = cleaned(40, ALONE);
    assert!(many.bytes < 11 * few.bytes, "{many:?} for ten times as many as {few:?}");
}

#[test]
fn many_segments_that_become_few_are_written_down_as_well() {
    let (bench, traffic) = cleaned(400, 100 * ALONE);
    assert!(bench.log.segments().len() < 20, "{}", bench.log.segments().len());
    is_as_written_down(&bench);
    assert!(traffic.bytes <= 32 * 1024, "{traffic:?}");
}

#[test]
fn a_log_of_another_clean_begins_with_what_is_there_now() {
    let (mut bench, _) = cleaned(40, ALONE);
    for round in 1..4 {
        bench.put(&[("k000001", Some("once more"))]);
        bench.roll_and_clean(0);
        is_as_written_down(&bench);
        bench = bench.killed();
        assert!(bench.report.damage.is_empty(), "round {round}: {:?}", bench.report);
        assert!(bench.text().contains("k000039a value"));
    }
}

/// Files of before it was kept in sectors.
#[test]
fn a_file_of_the_first_version_is_read() {
    let (bench, _) = cleaned(40, ALONE);
    let path = Path::new(DIR).join(FILE);
    let said = Rewritten::read(&*bench.disk, Path::new(DIR)).expect("read").expect("there");
    pagewire_disk::write_atomically(&*bench.disk, &path, &said.bytes_of_version_1()).expect("written");
    let older = Rewritten::read(&*bench.disk, Path::new(DIR)).expect("read").expect("there");
    assert_eq!(older, said);
    let mut again = bench.killed();
    assert!(again.report.damage.is_empty() && again.report.notes.is_empty(), "{:?}", again.report);
    again.put(&[("k000002", Some("later"))]);
    again.roll_and_clean(0);
    is_as_written_down(&again);
}
