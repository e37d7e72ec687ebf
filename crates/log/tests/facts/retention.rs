//! What is forgotten, when, and who may still read it.

use std::sync::Arc;

use pagewire_disk::ForgettingDisk;
use pagewire_log::{DeleteRecordsError, LogConfig, OpenOptions, ReadError, ReadUpTo};

use crate::support::*;

fn suffixed(bench: &Bench, suffix: &str) -> usize {
    bench.names().iter().filter(|name| name.ends_with(suffix)).count()
}

#[test]
fn old_segments_go_by_time_and_even_the_active_one() {
    let bench = Bench::with(LogConfig { retention_ms: 100, ..config() });
    bench.fill(30);
    let second = bench.log.segments()[1];
    let newest = 1000 + (second.base_offset / 3 - 1) * 10 + 2;
    assert_eq!(bench.log.apply_retention(newest + 100).expect("retention").segments, 0);
    let retained = bench.log.apply_retention(newest + 101).expect("retention");
    assert_eq!((retained.segments, retained.log_start), (1, second.base_offset));
    let gone = bench.log.read(0, 100, ReadUpTo::HighWatermark, true);
    assert!(matches!(gone, Err(ReadError::OffsetOutOfRange { .. })));
    bench.log.apply_retention(1_000_000).expect("retention");
    let marks = bench.log.marks();
    assert_eq!((marks.log_start, marks.log_end, bench.log.segments().len()), (90, 90, 1));
    assert_eq!(bench.log.size_bytes(), 0);
    assert_eq!(bench.append(batch(1, 1)).base_offset, 90);
}

#[test]
fn the_oldest_go_by_size() {
    let bench = Bench::with(LogConfig { retention_bytes: 3000, ..config() });
    bench.fill(60);
    bench.log.apply_retention(0).expect("retention");
    let size = bench.log.size_bytes();
    assert!((3000..3000 + 1024).contains(&size), "{size}");
    assert_eq!(bench.log.marks().log_start, bench.log.segments()[0].base_offset);
}

/// As in Kafka: `retention.bytes=0` empties a topic.
#[test]
fn where_no_bytes_are_to_be_kept_the_active_segment_goes_too() {
    let bench = Bench::with(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    bench.log.apply_retention(0).expect("retention");
    let marks = bench.log.marks();
    assert_eq!((marks.log_start, marks.log_end, bench.log.segments().len()), (90, 90, 1));
    assert_eq!(bench.log.size_bytes(), 0);
    assert_eq!(bench.log.apply_retention(0).expect("again").segments, 0);
    assert_eq!(bench.append(batch(1, 1)).base_offset, 90);
}

#[test]
fn files_are_renamed_now_and_unlinked_later_and_readers_keep_theirs() {
    let bench = Bench::with(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    let range = bench.log.read(0, 10_000, ReadUpTo::LogEnd, true).expect("read").range.expect("records");
    let before = range.read_to_vec().expect("range");
    let retained = bench.log.apply_retention(5000).expect("retention");
    assert!(retained.segments > 1);
    assert_eq!(suffixed(&bench, ".log.deleted"), retained.segments);
    assert_eq!((suffixed(&bench, ".log"), suffixed(&bench, ".timeindex")), (1, 1));
    assert_eq!(bench.log.unlink_due(5999).expect("unlink"), 0);
    assert!(bench.log.unlink_due(6000).expect("unlink") >= 3 * retained.segments);
    assert_eq!(suffixed(&bench, ".deleted"), 0);
    assert_eq!(range.read_to_vec().expect("range"), before);
}

#[test]
fn deleted_files_left_by_a_stop_go_at_the_next_start() {
    let bench = Bench::with(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    bench.log.apply_retention(0).expect("retention");
    let start = bench.log.marks().log_start;
    let bench = bench.restarted();
    assert_eq!((suffixed(&bench, ".deleted"), bench.log.marks().log_start), (0, start));
}

#[test]
fn delete_records_moves_the_start_inside_a_batch_and_frees_whole_segments() {
    let bench = Bench::new();
    bench.fill(30);
    let third = bench.log.segments()[2].base_offset;
    assert_eq!(bench.log.delete_records_before(third + 1).expect("delete"), third + 1);
    assert!(bench.log.read(third, 100, ReadUpTo::HighWatermark, true).is_err());
    let found = bench.read(third + 1, 100, true);
    assert_eq!(found.first().map(|header| header.base_offset), Some(third), "the batch it lies in");
    assert_eq!(bench.log.delete_records_before(5).expect("delete"), third + 1, "never back");
    let retained = bench.log.apply_retention(0).expect("retention");
    assert_eq!((retained.segments, retained.log_start), (2, third + 1));
    let bench = bench.restarted();
    assert_eq!(bench.log.marks().log_start, third + 1);
}

#[test]
fn delete_records_past_the_end_is_out_of_range_and_minus_one_is_everything() {
    let bench = Bench::new();
    bench.fill(3);
    for offset in [10, -2] {
        let refused = bench.log.delete_records_before(offset);
        assert!(matches!(refused, Err(DeleteRecordsError::OffsetOutOfRange { high_watermark: 9, .. })));
    }
    assert_eq!(bench.log.delete_records_before(-1).expect("delete"), 9);
    assert!(bench.read(9, 100, true).is_empty());
    bench.fill(1);
    assert_eq!(bench.read_all(9).len(), 1);
}

#[test]
fn the_log_start_carries_the_epoch_along() {
    let bench = Bench::new();
    bench.fill(30);
    bench.log.delete_records_before(40).expect("delete");
    assert_eq!(bench.bytes("leader-epoch-checkpoint"), b"0\n1\n0 40\n");
}

#[test]
fn a_compacted_log_forgets_nothing_by_time_or_size() {
    let policy = LogConfig {
        retention_bytes: 0,
        retention_ms: 1,
        cleanup_delete: false,
        cleanup_compact: true,
        ..config()
    };
    let bench = Bench::with(policy);
    bench.fill(30);
    assert_eq!(bench.log.apply_retention(i64::MAX).expect("retention").segments, 0);
}

#[test]
fn readers_running_into_retention_get_records_or_out_of_range() {
    let bench = Bench::with(LogConfig { retention_bytes: 2000, ..config() });
    bench.fill(30);
    std::thread::scope(|scope| {
        let log = &bench.log;
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let mut offset = 0;
                    for _ in 0..5_000 {
                        match log.read(offset, 300, ReadUpTo::HighWatermark, true) {
                            Ok(slice) => {
                                offset =
                                    if slice.range.is_some() { offset + 1 } else { slice.marks.log_start }
                            }
                            Err(ReadError::OffsetOutOfRange { log_start, .. }) => offset = log_start,
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        let mut now_ms = 0;
        while readers.iter().any(|reader| !reader.is_finished()) {
            bench.fill(5);
            now_ms += 600;
            bench.log.apply_retention(now_ms).expect("retention");
            bench.log.unlink_due(now_ms).expect("unlink");
        }
    });
}

#[test]
fn a_lost_time_index_does_not_make_records_look_old() {
    let bench = Bench::with(LogConfig { retention_ms: 100, ..config() });
    bench.fill(30);
    bench.log.close(0).expect("close");
    for name in bench.names().iter().filter(|name| name.ends_with(".timeindex")) {
        bench.file(name).set_len(0).expect("cut");
    }
    let options =
        OpenOptions { config: (*bench.log.config()).clone(), clean: true, recovery_point: 90, ..options() };
    let bench = bench.reopened(options);
    assert_eq!(bench.log.apply_retention(1100).expect("retention").segments, 0);
}

#[test]
fn a_damaged_segment_keeps_nothing_from_being_forgotten() {
    let bench = Bench::with(LogConfig { retention_ms: 100, ..config() });
    bench.fill(30);
    bench.log.close(0).expect("close");
    let second = bench.log.segments()[1];
    for name in bench.names().iter().filter(|name| name.ends_with("index")) {
        bench.file(name).set_len(0).expect("cut");
    }
    bench.file(&name(second.base_offset, "log")).write_at(second.size_bytes / 2, &[0xAB; 40]).expect("write");
    let config = (*bench.log.config()).clone();
    let bench = bench.reopened(OpenOptions { config, clean: true, recovery_point: 90, ..options() });
    let retained = bench.log.apply_retention(2000).expect("retention");
    assert_eq!(retained.log_start, second.base_offset, "its file was written today");
    let in_a_century = i64::MAX / 2;
    let retained = bench.log.apply_retention(in_a_century).expect("retention");
    assert_eq!((retained.log_start, bench.log.segments().len()), (90, 1));
}

#[test]
fn what_retention_takes_unsynced_is_no_hole_in_what_a_later_sync_calls_stable() {
    let mut synced_somewhere = false;
    for changes in 1..40 {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()), options());
        // Somebody whose sequence a snapshot has to tell: retention syncs the log for it.
        bench.append(sequenced(7, 0, 0, 1));
        bench.fill(60);
        let second = bench.log.segments()[2].base_offset;
        bench.log.delete_records_before(second).expect("deleted");
        // The process dies somewhere in the round, then the power goes.
        disk.die_in(changes, 1);
        let _ = bench.log.apply_retention(0);
        let synced = bench.log.marks().recovery_point;
        synced_somewhere |= synced > 0;
        let after = Arc::new(disk.crash(0).expect("crash"));
        let left = Bench::on(after, options());
        assert!(left.log.marks().log_end >= synced, "{changes}: {synced} was stable: {:?}", left.report);
    }
    assert!(synced_somewhere);
}
