//! What lies beside the records and outlives a stop: times, leader epochs, a log start, files that are nobody's.

use std::sync::Arc;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, MemoryDisk, When};
use pagewire_log::{LogConfig, OpenOptions, ReadUpTo};

use super::with_recovery_point;
use crate::support::*;

/// The entry for the largest time is in memory when the entries after it, for offsets alone, have long been written.
#[test]
fn the_largest_time_survives_a_kill_whatever_came_after_it() {
    for (falling, missing) in [(0, false), (70, false), (70, true), (200, false), (333, true)] {
        let config = LogConfig { segment_bytes: 1 << 20, index_interval_bytes: 1, ..config() };
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config: config.clone(), ..options() });
        // The first batch gets no entry.
        for n in 0..65 {
            bench.append(batch(1, n * 10));
        }
        if missing {
            disk.fail_on(".timeindex", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
        }
        bench.append(batch(1, 5000));
        for _ in 0..falling {
            bench.append(batch(1, 200));
        }
        let synced = bench.log.sync().expect("sync");
        disk.heal();
        let bench = bench.reopened(OpenOptions { config, ..with_recovery_point(synced, false) });
        let largest =
            || bench.log.max_timestamp_offset().expect("lookup").map(|found| (found.timestamp, found.offset));
        assert_eq!(largest(), Some((5000, 65)), "{falling} after it, {missing}");
        let since = bench.log.offset_for_time(1000).expect("lookup").map(|found| found.offset);
        assert_eq!(since, Some(65), "{falling} after it");
        bench.fill(200);
        assert_eq!(largest(), Some((5000, 65)));
        assert_eq!(bench.report.rebuilt.is_empty(), !missing, "{:?}", bench.report);
    }
}

#[test]
fn epochs_are_rebuilt_from_the_batches() {
    let bench = Bench::new();
    for n in 0..40_i64 {
        let context = pagewire_log::AppendContext { leader_epoch: (n / 15) as i32, ..context() };
        bench.log.append(batch(3, n), context).expect("append");
    }
    let epochs =
        |bench: &Bench| (0..3).map(|epoch| bench.log.end_offset_for_epoch(epoch)).collect::<Vec<_>>();
    let expected = [Some((0, 45)), Some((1, 90)), Some((2, 120))];
    assert_eq!(epochs(&bench), expected);
    bench.log.close(0).expect("close");
    let checkpoint = path("leader-epoch-checkpoint");
    let good = bench.bytes("leader-epoch-checkpoint");
    for damage in [None, Some(vec![0; 20]), Some(b"0\n7\nx".to_vec())] {
        bench.disk.remove_file(&checkpoint).expect("remove");
        if let Some(bytes) = damage {
            let file = bench.disk.open(&checkpoint, pagewire_disk::OpenMode::Create).expect("create");
            file.write_at(0, &bytes).expect("write");
        }
        let options = OpenOptions { leader_epoch: 2, ..with_recovery_point(120, true) };
        let again = Bench::on(Arc::clone(&bench.disk), options);
        assert_eq!(epochs(&again), expected);
        assert_eq!(again.bytes("leader-epoch-checkpoint"), good);
    }
}

#[test]
fn a_new_leadership_is_on_disk_before_its_first_batch() {
    let bench = Bench::new();
    bench.fill(1);
    let bench = bench.reopened(OpenOptions { leader_epoch: 4, ..options() });
    assert_eq!(String::from_utf8(bench.bytes("leader-epoch-checkpoint")).expect("text"), "0\n2\n0 0\n4 3\n");
    assert_eq!(bench.log.end_offset_for_epoch(4), Some((4, 3)));
    assert_eq!(bench.log.end_offset_for_epoch(5), None);
}

#[test]
fn leftovers_are_removed_and_unknown_files_are_not() {
    let bench = Bench::new();
    bench.fill(3);
    let left = [name(0, "log.deleted"), name(0, "log.cleaned"), name(77, "index"), "x.tmp".to_owned()];
    for name in left.iter().chain([&"notes.txt".to_owned()]) {
        bench.disk.open(&path(name), pagewire_disk::OpenMode::Create).expect("create");
    }
    let bench = bench.killed();
    for name in &left {
        assert!(!bench.names().contains(name), "{name}");
    }
    assert!(bench.names().contains(&"notes.txt".to_owned()));
    assert_eq!(bench.read_all(0).len(), 3);
}

#[test]
fn a_log_start_above_everything_starts_the_log_again_there() {
    let bench = Bench::new();
    bench.fill(30);
    let bench = bench.reopened(OpenOptions { log_start_offset: 500, ..options() });
    let marks = bench.log.marks();
    assert_eq!((marks.log_start, marks.log_end, bench.log.segments().len()), (500, 500, 1));
    assert_eq!(bench.append(batch(1, 1)).base_offset, 500);
}

#[test]
fn a_range_outlives_the_restart_of_its_log() {
    let bench = Bench::new();
    bench.fill(3);
    let range = bench.log.read(0, 10_000, ReadUpTo::LogEnd, true).expect("read").range.expect("records");
    let before = range.read_to_vec().expect("range");
    let bench = bench.restarted();
    assert_eq!(range.read_to_vec().expect("range"), before);
    assert_eq!(bench.log.marks().log_end, 9);
}
