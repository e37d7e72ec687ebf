//! Idempotent producers over the log's life.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, ForgettingDisk, MemoryDisk, OpenMode, When};
use pagewire_log::{AppendError, LogConfig, OpenOptions};

use crate::support::*;

#[test]
fn a_duplicate_is_answered_with_its_original_offset_and_time() {
    let bench = Bench::new();
    bench.append(batch(2, 1));
    let first = bench.append(sequenced(9, 0, 0, 3));
    bench.append(sequenced(9, 0, 3, 3));
    let again = bench.append(sequenced(9, 0, 0, 3));
    assert!(again.duplicate && !first.duplicate);
    assert_eq!((again.base_offset, again.last_offset, again.log_append_time_ms), (2, 4, 1002));
    assert_eq!(bench.log.marks().log_end, 8, "nothing was written");
}

#[test]
fn a_gap_in_sequences_changes_nothing() {
    let bench = Bench::new();
    bench.append(sequenced(9, 0, 0, 3));
    let refused = bench.try_append(sequenced(9, 0, 4, 1));
    assert!(matches!(refused, Err(AppendError::OutOfOrderSequence { producer_id: 9, got: 4, last: 2 })));
    assert_eq!(bench.log.marks().log_end, 3);
}

#[test]
fn the_state_survives_an_orderly_restart_and_a_kill() {
    let mut bench = Bench::new();
    for n in 0..40 {
        bench.append(sequenced(9, 0, n * 2, 2));
        bench.append(sequenced(10 + i64::from(n % 3), 0, n / 3 * 2, 2));
        if n % 7 == 0 {
            bench = if n % 2 == 0 { bench.restarted() } else { bench.killed() };
            assert!(bench.report.cuts.is_empty(), "{:?}", bench.report);
            let again = bench.append(sequenced(9, 0, n * 2, 2));
            assert!(again.duplicate, "batch {n}");
            assert_eq!(again.base_offset, i64::from(n) * 4);
        }
    }
    let all = bench.log.producers();
    assert_eq!(all.iter().map(|producer| producer.producer_id).collect::<Vec<_>>(), [9, 10, 11, 12]);
    assert_eq!(
        (all[0].last_sequence, all[0].coordinator_epoch, all[0].current_txn_start_offset),
        (79, -1, -1)
    );
}

#[test]
fn few_snapshots_are_kept_and_one_of_the_recovery_point() {
    let bench = Bench::new();
    for n in 0..200 {
        bench.append(sequenced(9, 0, n, 1));
    }
    let count = |bench: &Bench| bench.names().iter().filter(|name| name.ends_with(".snapshot")).count();
    assert!(bench.log.segments().len() > 10);
    assert_eq!(count(&bench), 8, "the log began without one, and nothing was synced");
    let bench = bench.restarted();
    let base = active(&bench.log);
    for n in 200..400 {
        bench.append(sequenced(9, 0, n, 1));
    }
    assert_eq!(count(&bench), 10);
    assert!(bench.names().contains(&name(200, "snapshot")), "of the recovery point");
    assert!(bench.names().contains(&name(base, "snapshot")), "a start after a kill replays from there");
}

/// A clean stop, then the snapshots are changed; duplicates must still be known.
fn survives(change: impl Fn(&Bench, &str)) {
    let bench = Bench::new();
    for n in 0..30 {
        bench.append(sequenced(9, 0, n * 2, 2));
    }
    bench.log.close(0).expect("close");
    for name in bench.names().iter().filter(|name| name.ends_with(".snapshot")) {
        change(&bench, name);
    }
    let bench = bench.reopened(OpenOptions { clean: true, recovery_point: 60, ..options() });
    assert!(bench.append(sequenced(9, 0, 58, 2)).duplicate);
    assert!(bench.append(sequenced(9, 0, 50, 2)).duplicate, "all five are known from the log");
    assert!(bench.try_append(sequenced(9, 0, 61, 1)).is_err());
    assert!(!bench.append(sequenced(9, 0, 60, 1)).duplicate);
}

#[test]
fn deleted_snapshots_cost_nothing_though_the_stop_was_clean() {
    survives(|bench, name| bench.disk.remove_file(&path(name)).expect("remove"));
}

#[test]
fn damaged_snapshots_cost_nothing() {
    survives(|bench, name| bench.file(name).write_at(11, b"garbage").expect("write"));
    survives(|bench, name| bench.file(name).set_len(0).expect("cut"));
    survives(|bench, name| {
        let file = bench.disk.open(&path(name), OpenMode::ReadWrite).expect("open");
        let len = file.len().expect("len");
        file.write_at(0, &vec![0; len as usize]).expect("write");
    });
}

/// A producer that is not known may go on; one that is known as it was long ago is refused what is right.
#[test]
fn a_snapshot_from_before_the_first_segment_tells_of_nobody() {
    let bench = Bench::new();
    for n in 0..30 {
        bench.append(sequenced(9, 0, n, 1));
        if n < 20 {
            bench.append(sequenced(10, 0, n, 1));
        }
    }
    bench.log.sync().expect("sync");
    bench.log.delete_records_before(50).expect("delete");
    bench.log.apply_retention(0).expect("retention");
    let base = active(&bench.log);
    assert!(base > 40, "what 10 sent is gone");
    let snapshots: Vec<_> = bench.names().into_iter().filter(|name| name.ends_with(".snapshot")).collect();
    for newest in snapshots.iter().filter(|found| **found >= name(40, "snapshot")) {
        bench.disk.remove_file(&path(newest)).expect("never written: the disk was full");
    }
    assert!(snapshots.iter().any(|found| *found < name(40, "snapshot")), "{snapshots:?}");
    let bench = bench.killed();
    assert!(bench.log.producers().iter().all(|producer| producer.producer_id == 9));
    assert!(!bench.append(sequenced(10, 0, 20, 1)).duplicate);
    assert!(!bench.append(sequenced(9, 0, 30, 1)).duplicate);
}

#[test]
fn silent_producers_expire() {
    let bench = Bench::new();
    bench.append(sequenced(9, 0, 0, 1));
    assert_eq!(bench.log.expire_producers(86_399_999), 0);
    assert_eq!(bench.log.expire_producers(86_400_000), 1);
    assert!(bench.log.producers().is_empty());
    bench.append(sequenced(9, 0, 77, 1));
}

/// Sends five batches again; all must be known.
fn retried(bench: &Bench, offsets: &[i64], what: &str) {
    let log_end = bench.log.marks().log_end;
    for (n, offset) in (0..).zip(offsets) {
        let again = bench.try_append(sequenced(9, 0, n * 2, 2));
        let again = again.unwrap_or_else(|error| panic!("{what}: batch {n}: {error}"));
        assert!(again.duplicate && again.base_offset == *offset, "{what}: batch {n}: {again:?}");
    }
    assert_eq!(bench.log.marks().log_end, log_end, "{what}");
}

#[test]
fn five_batches_in_flight_are_known_wherever_the_log_rolled_and_however_it_ended() {
    let config = LogConfig { segment_bytes: 1 << 20, segment_ms: 1000, ..config() };
    for rolls in 0..1 << 5 {
        for clean in [true, false] {
            let bench = Bench::with(config.clone());
            let mut offsets = Vec::new();
            for n in 0..5 {
                bench.append(batch(1, 1000));
                offsets.push(bench.append(sequenced(9, 0, n * 2, 2)).base_offset);
                if rolls & 1 << n != 0 {
                    assert!(bench.log.roll_if_due(2000).expect("roll"));
                }
            }
            let what = format!("rolls {rolls:05b}, clean {clean}");
            let bench = if clean { bench.restarted() } else { bench.killed() };
            retried(&bench, &offsets, &what);
            let bench = if clean { bench.killed() } else { bench.restarted() };
            retried(&bench, &offsets, &format!("{what}, and again"));
            assert_eq!(bench.append(sequenced(9, 0, 10, 2)).base_offset, 15);
        }
    }
}

#[test]
fn batches_in_flight_are_found_behind_much_else() {
    let config = LogConfig { segment_bytes: 300_000, index_interval_bytes: 4096, ..config() };
    for clean in [true, false] {
        let bench = Bench::with(config.clone());
        let mut offsets = Vec::new();
        for n in 0..5 {
            bench.append(sequenced(10 + i64::from(n), 0, 7, 1));
            offsets.push(bench.append(sequenced(9, 0, n * 2, 2)).base_offset);
            for _ in 0..200 {
                bench.append(batch(30, 1000));
            }
        }
        assert!(bench.log.segments().len() > 2);
        let bench = if clean { bench.restarted() } else { bench.killed() };
        retried(&bench, &offsets, &format!("clean {clean}"));
    }
}

#[test]
fn batches_that_retention_took_are_not_made_up() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, segment_ms: 1000, ..config() });
    for n in 0..5 {
        bench.append(sequenced(9, 0, n * 2, 2));
        if n == 1 {
            assert!(bench.log.roll_if_due(2000).expect("roll"));
        }
    }
    bench.log.delete_records_before(4).expect("delete");
    assert_eq!(bench.log.apply_retention(0).expect("retention").segments, 1);
    let bench = bench.restarted();
    assert!(bench.try_append(sequenced(9, 0, 2, 2)).is_err());
    for n in 2..5 {
        assert!(bench.append(sequenced(9, 0, n * 2, 2)).duplicate);
    }
    assert_eq!(bench.append(sequenced(9, 0, 10, 2)).base_offset, 10);
}

#[test]
fn a_power_cut_after_many_rolls_leaves_producers_what_they_had_at_the_recovery_point() {
    for seed in 0..20 {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()), options());
        bench.append(sequenced(9, 0, 0, 1));
        bench.fill(20);
        let stable = bench.log.sync().expect("sync");
        bench.log.delete_records_before(stable - 3).expect("delete");
        assert!(bench.log.apply_retention(0).expect("retention").segments > 0);
        bench.fill(400);
        let after = Arc::new(disk.crash(seed).expect("crash"));
        let options = OpenOptions { recovery_point: stable, log_start_offset: stable - 3, ..options() };
        let bench = Bench::on(after, options);
        assert!(bench.append(sequenced(9, 0, 0, 1)).duplicate, "seed {seed}");
    }
}

#[test]
fn what_retention_takes_after_a_kill_is_not_all_that_knows_a_producer() {
    let disk = ForgettingDisk::new();
    let bench = Bench::on(Arc::new(disk.clone()), options());
    bench.append(sequenced(9, 0, 0, 1));
    bench.fill(20);
    drop(bench);
    let disk = disk.killed();
    let bench = Bench::on(Arc::new(disk.clone()), options());
    let stable = bench.log.sync().expect("sync");
    bench.log.delete_records_before(stable - 3).expect("delete");
    assert!(bench.log.apply_retention(0).expect("retention").segments > 0);
    let options = OpenOptions { recovery_point: stable, log_start_offset: stable - 3, ..options() };
    let bench = Bench::on(Arc::new(disk.crash(0).expect("crash")), options);
    assert!(bench.append(sequenced(9, 0, 0, 1)).duplicate);
}

#[test]
fn retention_relies_on_no_snapshot_of_producers_whose_sync_failed() {
    let disk = ForgettingDisk::new();
    let failing = FailingDisk::new(Arc::new(disk.clone()));
    let bench = Bench::on(Arc::new(failing.clone()), options());
    bench.append(sequenced(9, 0, 0, 1));
    bench.fill(20);
    failing.fail_on(".snapshot", Call::SyncData, When::Always, Fault::Error(Errno::NOSPC));
    let stable = bench.log.sync().expect("the records are");
    bench.log.delete_records_before(stable - 3).expect("delete");
    let going = || bench.log.apply_retention(0).map(|retained| retained.segments);
    going().expect_err("no snapshot can be made stable");
    let oldest = name(0, "log");
    assert!(bench.names().contains(&oldest));
    failing.heal();
    going().expect("retention");
    assert!(!bench.names().contains(&oldest));
    for seed in 0..16 {
        let options = OpenOptions { recovery_point: stable, log_start_offset: stable - 3, ..options() };
        let bench = Bench::on(Arc::new(disk.crash(seed).expect("crash")), options);
        assert!(bench.append(sequenced(9, 0, 0, 1)).duplicate, "seed {seed}");
    }
}

/// Else a sync that fails, and then needs who appends, would wait for who waits for it.
#[test]
fn who_begins_a_segment_waits_for_no_sync_of_a_snapshot() {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(failing.clone()), options());
    bench.append(sequenced(9, 0, 0, 1));
    bench.fill(20);
    let segments = bench.log.segments().len();
    let held = failing.hold(".snapshot", Call::SyncData);
    let (done, is_done) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| bench.log.sync());
        assert!(held.is_reached());
        let bench = &bench;
        scope.spawn(move || {
            bench.fill(20);
            done.send(())
        });
        let is_done = is_done.recv_timeout(Duration::from_secs(30)).is_ok();
        drop(held);
        assert!(is_done, "it waits");
    });
    assert!(bench.log.segments().len() > segments);
}
