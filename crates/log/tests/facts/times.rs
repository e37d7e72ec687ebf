//! Offsets by timestamp.

use pagewire_log::LogConfig;
use pagewire_record::{BatchBuilder, Codec};

use crate::support::*;

fn offset(bench: &Bench, timestamp: i64) -> Option<(i64, i64)> {
    bench.log.offset_for_time(timestamp).expect("lookup").map(|found| (found.offset, found.timestamp))
}

#[test]
fn the_first_record_at_or_after_a_time_is_found_in_every_segment() {
    let bench = Bench::new();
    bench.fill(60);
    let check = |bench: &Bench| {
        for n in 0..60 {
            let base = 1000 + n * 10;
            assert_eq!(offset(bench, base), Some((n * 3, base)));
            assert_eq!(offset(bench, base + 2), Some((n * 3 + 2, base + 2)), "inside a batch");
            assert_eq!(offset(bench, base - 5), Some((n * 3, base)), "between two");
        }
        assert_eq!(offset(bench, 1593), None, "after the last");
        assert_eq!(offset(bench, 0), Some((0, 1000)));
    };
    check(&bench);
    check(&bench.restarted());
}

#[test]
fn times_that_run_backwards_answer_the_first_offset() {
    let bench = Bench::new();
    for n in 0..40 {
        bench.append(batch(1, if n % 2 == 0 { 5000 + n } else { 1000 + n }));
    }
    assert_eq!(offset(&bench, 5001), Some((2, 5002)));
    assert_eq!(offset(&bench, 1001), Some((0, 5000)));
    assert_eq!(offset(&bench, 5039), None);
    let max = bench.log.max_timestamp_offset().expect("lookup").expect("found");
    assert_eq!((max.offset, max.timestamp), (38, 5038));
}

#[test]
fn the_largest_timestamp_is_the_first_record_that_has_it() {
    let bench = Bench::new();
    assert_eq!(bench.log.max_timestamp_offset().expect("lookup"), None);
    for timestamp in [10, 90, 20, 89, 30] {
        bench.append(batch(2, timestamp));
    }
    let bench = bench.restarted();
    let max = bench.log.max_timestamp_offset().expect("lookup").expect("found");
    assert_eq!((max.offset, max.timestamp, max.leader_epoch), (3, 91, 0));
}

#[test]
fn compressed_batches_are_looked_into() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    for n in 0..20 {
        bench.append(fill(BatchBuilder::new(Codec::Zstd), 50, n * 100));
    }
    assert_eq!(offset(&bench, 1025), Some((525, 1025)));
}

#[test]
fn what_was_deleted_is_not_found() {
    let bench = Bench::new();
    bench.fill(10);
    bench.log.delete_records_before(4).expect("delete");
    assert_eq!(offset(&bench, 0), Some((4, 1011)));
}

#[test]
fn the_largest_timestamp_is_that_of_what_is_left() {
    for rolled in [false, true] {
        let bench = Bench::with(LogConfig { segment_bytes: if rolled { 250 } else { 1 << 20 }, ..config() });
        // Offsets 0..2 at 10 and 11, 2..4 at 90 and 91, 4..6 at 80 and 81, 6..8 at 50 and 51.
        for timestamp in [10, 90, 80, 50] {
            bench.append(batch(2, timestamp));
        }
        let largest =
            || bench.log.max_timestamp_offset().expect("lookup").map(|found| (found.offset, found.timestamp));
        for (log_start, expected) in [
            (0, Some((3, 91))),
            (3, Some((3, 91))),
            (4, Some((5, 81))),
            (5, Some((5, 81))),
            (6, Some((7, 51))),
            (7, Some((7, 51))),
            (8, None),
        ] {
            bench.log.delete_records_before(log_start).expect("delete");
            assert_eq!(largest(), expected, "from {log_start} on, rolled {rolled}");
        }
    }
}
