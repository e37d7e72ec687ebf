//! Disks that fail.

use std::io;
use std::sync::Arc;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, ForgettingDisk, MemoryDisk, OsDisk, When};
use pagewire_log::{AppendContext, AppendError, Log, LogConfig, OpenOptions, Origin, ReadUpTo};
use pagewire_record::BatchHeader;

use crate::support::*;

fn failing(config: LogConfig) -> (FailingDisk, Bench) {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config, ..options() });
    (disk, bench)
}

#[test]
fn a_torn_write_is_cut_back_and_the_log_goes_on() {
    let (disk, bench) = failing(config());
    bench.fill(2);
    for keep in [0, 1, 60, 61, 100] {
        let size = bench.log.size_bytes();
        disk.fail_on(".log", Call::Write, When::Nth(1), Fault::Torn { errno: Errno::NOSPC, keep });
        match bench.try_append(batch(3, 1)) {
            Err(AppendError::Write(error)) => assert_eq!(error.kind(), io::ErrorKind::StorageFull),
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.file(&name(active(&bench.log), "log")).len().expect("len"), size);
        assert_eq!((bench.log.marks().log_end, bench.log.size_bytes()), (6, size));
        disk.heal();
    }
    assert_eq!(bench.append(batch(3, 1)).base_offset, 6);
    assert_eq!(bench.read_all(0).len(), 3);
    assert!(bench.killed().report.cuts.is_empty());
}

/// What was written of it may be on the disk when the power goes.
#[test]
fn an_orderly_stop_makes_stable_what_cut_a_torn_write_back() {
    for seed in 0..40 {
        let forgetting = ForgettingDisk::new();
        let disk = FailingDisk::new(Arc::new(forgetting.clone()));
        let bench = Bench::on(Arc::new(disk.clone()), options());
        bench.fill(2);
        bench.log.sync().expect("synced");
        disk.fail_on(".log", Call::Write, When::Nth(1), Fault::Torn { errno: Errno::NOSPC, keep: 34 });
        assert!(bench.try_append(batch(3, 1)).is_err());
        let recovery_point = bench.log.marks().recovery_point;
        bench.log.close(0).expect("closed");
        let left = Arc::new(forgetting.crash(seed).expect("a crash"));
        let bench = Bench::on(left, OpenOptions { recovery_point, clean: true, ..options() });
        assert!(
            bench.report.cuts.is_empty() && bench.report.rebuilt.is_empty(),
            "seed {seed}: {:?}",
            bench.report
        );
    }
}

#[test]
fn a_failed_write_that_cannot_be_cut_back_takes_the_log_offline() {
    let (disk, bench) = failing(config());
    bench.fill(2);
    disk.fail_on(".log", Call::Write, When::Nth(1), Fault::Torn { errno: Errno::IO, keep: 30 });
    disk.fail_on(".log", Call::SetLen, When::Nth(1), Fault::Error(Errno::IO));
    assert!(matches!(bench.try_append(batch(3, 1)), Err(AppendError::Offline(_))));
    assert!(matches!(bench.try_append(batch(3, 1)), Err(AppendError::Offline(_))));
    assert!(bench.log.sync().is_err());
    assert_eq!(bench.read_all(0).len(), 2, "reads go on");
    disk.heal();
    let bench = bench.killed();
    assert_eq!((bench.log.marks().log_end, bench.report.cuts.len()), (6, 1));
}

/// The first append of a leader's epoch writes it down before its records.
#[test]
fn a_leader_epoch_that_a_sick_disk_does_not_take_takes_the_log_offline() {
    let (disk, bench) = failing(config());
    bench.fill(2);
    disk.fail_on("leader-epoch-checkpoint", Call::Write, When::Nth(1), Fault::Error(Errno::IO));
    let context = AppendContext { leader_epoch: 9, origin: Origin::Client, now_ms: 1 };
    assert!(matches!(bench.log.append(batch(3, 1), context), Err(AppendError::Offline(_))));
    assert!(bench.log.offline().is_some(), "whatever comes next must not be written to a sick disk");
    assert_eq!((bench.log.marks().log_end, bench.read_all(0).len()), (6, 2));
}

/// So many entries wait in memory; the next one is due to be written.
const WAITING: i64 = 64;

#[test]
fn the_largest_time_is_known_though_an_index_entry_before_it_in_the_same_append_could_not_be_written() {
    let all = LogConfig { segment_bytes: 1 << 20, index_interval_bytes: 1, ..config() };
    let (disk, bench) = failing(all);
    bench.fill(WAITING);
    disk.fail_on(".index", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let together = [batch(1, 2_000), batch(1, 9_000), batch(1, 3_000)].concat();
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    bench.log.append(together.into(), context).expect("appended");
    let latest =
        |bench: &Bench| bench.log.max_timestamp_offset().expect("a lookup").expect("found").timestamp;
    let late =
        |bench: &Bench| bench.log.offset_for_time(8_000).expect("a lookup").map(|found| found.timestamp);
    assert_eq!((latest(&bench), late(&bench)), (9_000, Some(9_000)));
    disk.heal();
    let bench = bench.restarted();
    assert_eq!((latest(&bench), late(&bench)), (9_000, Some(9_000)), "also when the segment is closed");
}

#[test]
fn a_duplicate_is_not_remembered_from_a_write_that_failed() {
    let (disk, bench) = failing(config());
    disk.fail_on(".log", Call::Write, When::Nth(1), Fault::Error(Errno::NOSPC));
    assert!(bench.try_append(sequenced(1, 0, 0, 2)).is_err());
    disk.heal();
    assert!(!bench.append(sequenced(1, 0, 0, 2)).duplicate);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let (disk, bench) = failing(config());
    bench.fill(2);
    assert_eq!(bench.log.sync().expect("sync"), 6);
    bench.fill(2);
    disk.fail(Call::SyncData, When::Nth(1), Errno::IO);
    assert!(bench.log.sync().is_err());
    assert!(bench.log.sync().is_err(), "a second sync proves nothing");
    assert_eq!(bench.log.marks().recovery_point, 6);
    assert!(matches!(bench.try_append(batch(1, 1)), Err(AppendError::Offline(_))));
    assert!(bench.log.offline().expect("offline").reason.contains("sync failed"));
    assert_eq!(bench.read_all(0).len(), 4, "reads go on");
}

#[test]
fn a_failed_directory_sync_counts_as_a_failed_sync() {
    let (disk, bench) = failing(config());
    bench.fill(20);
    disk.fail(Call::SyncDir, When::Nth(1), Errno::IO);
    assert!(bench.log.sync().is_err());
    assert!(bench.log.offline().is_some());
}

/// One segment that a batch of six records does not fit into any more.
fn nearly_full(config: LogConfig) -> (FailingDisk, Bench) {
    let (disk, bench) = failing(config);
    while bench.log.size_bytes() + 250 < 1024 {
        bench.fill(1);
    }
    assert_eq!(bench.log.segments().len(), 1);
    (disk, bench)
}

#[test]
fn a_segment_that_cannot_be_made_refuses_the_append_and_is_made_later() {
    for (call, errno) in [(Call::Open, Errno::NOSPC), (Call::Open, Errno::MFILE), (Call::Write, Errno::DQUOT)]
    {
        for nth in 1..8 {
            let (disk, bench) = nearly_full(config());
            let end = bench.log.marks().log_end;
            disk.fail(call, When::From(nth), errno);
            let refused = (0..3).filter(|_| bench.try_append(batch(6, 1)).is_err()).count() as i64;
            assert!(bench.log.offline().is_none(), "{errno} at {call:?} {nth}");
            disk.heal();
            assert!(nth > 1 || refused == 3);
            assert_eq!(bench.log.marks().log_end, end + (3 - refused) * 6);
            bench.append(batch(6, 1));
            assert!(bench.log.segments().len() > 1, "{errno} at {call:?} {nth}");
            let read = bench.read_all(0).len();
            let bench = bench.restarted();
            assert_eq!((bench.read_all(0).len(), bench.report.cuts.len()), (read, 0), "{:?}", bench.report);
        }
    }
}

/// A leftover would be taken for the segment after it at the next start.
#[test]
fn an_attempt_at_a_segment_leaves_none_behind() {
    for nth in 1..8 {
        let (disk, bench) = nearly_full(LogConfig { segment_ms: 5, ..config() });
        disk.fail(Call::Open, When::Nth(nth), Errno::MFILE);
        let rolled = bench.log.roll_if_due(1000).is_ok();
        disk.heal();
        let logs = suffixed(&bench, ".log");
        assert_eq!(logs, if rolled { 2 } else { 1 }, "open {nth}");
    }
}

/// What closes a time index is written before the segment after it is made, and none of its entries if the segment goes on.
#[test]
fn an_attempt_at_a_segment_leaves_no_time_entry_behind() {
    let indexes = |attempt: bool| {
        let (disk, bench) = failing(LogConfig { segment_ms: 500, index_interval_bytes: 200, ..config() });
        bench.fill(4);
        let before = bench.bytes(&name(0, "timeindex"));
        if attempt {
            disk.fail_on(".log", Call::Open, When::Always, Fault::Error(Errno::NOSPC));
            assert!(bench.log.roll_if_due(1000).is_err());
            assert!(bench.bytes(&name(0, "timeindex")).len() > before.len(), "it was about to be closed");
            disk.heal();
        }
        bench.append(batch(3, 1040));
        bench.append(batch(3, 1050));
        bench.log.close(0).expect("close");
        assert_eq!(bench.log.segments().len(), 1);
        ["index", "timeindex"].map(|suffix| bench.bytes(&name(0, suffix)))
    };
    assert_eq!(indexes(true), indexes(false));
}

#[test]
fn a_file_that_cannot_be_opened_refuses_the_round_and_not_the_next() {
    let (disk, bench) = failing(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    bench.log.sync().expect("sync");
    let config = LogConfig { retention_bytes: 0, ..config() };
    let bench = bench.reopened(OpenOptions { config, ..options() });
    bench.fill(30);
    disk.fail(Call::Open, When::Always, Errno::MFILE);
    disk.fail(Call::SyncDir, When::Always, Errno::MFILE);
    assert!(bench.log.sync().is_err(), "the directory cannot be opened either");
    assert!(bench.log.roll_if_due(i64::MAX).is_err());
    let _ = (bench.log.pace(), bench.log.apply_retention(0), bench.log.delete_records_before(3));
    assert!(bench.log.offline().is_none(), "{:?}", bench.log.offline());
    disk.heal();
    let end = bench.append(batch(3, 1)).last_offset + 1;
    assert_eq!(bench.log.sync().expect("sync"), end);
    let retained = bench.log.apply_retention(0).expect("retention");
    assert_eq!(retained.log_start, active(&bench.log));
}

#[test]
fn a_full_disk_is_emptied_by_retention_and_taken_into_use_again() {
    let (disk, bench) = failing(LogConfig { retention_ms: 100, segment_ms: 1, ..config() });
    bench.fill(30);
    let last = active(&bench.log);
    disk.fail(Call::Write, When::Always, Errno::NOSPC);
    disk.fail(Call::Open, When::Always, Errno::NOSPC);
    assert!(bench.try_append(batch(3, 5000)).is_err() && bench.log.roll_if_due(i64::MAX).is_err());
    let retained = bench.log.apply_retention(1_000_000).expect("retention");
    assert_eq!(retained.log_start, last, "all but the active one, which nothing can follow");
    assert!(bench.log.unlink_due(i64::MAX).expect("unlink") > 0);
    assert_eq!(bench.log.delete_records_before(-1).expect("delete"), 90);
    assert!(bench.log.offline().is_none());
    disk.heal();
    assert_eq!(bench.append(batch(3, 5000)).base_offset, 90);
    let bench = bench.reopened(OpenOptions { log_start_offset: 90, ..options() });
    assert_eq!((bench.log.marks().log_start, bench.read_all(90).len()), (90, 1), "{:?}", bench.report);
}

#[test]
fn a_log_whose_sync_ran_out_of_space_takes_no_writes_but_still_forgets() {
    let (disk, bench) = failing(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    disk.fail(Call::SyncData, When::Nth(1), Errno::NOSPC);
    assert!(bench.log.sync().is_err() && bench.try_append(batch(1, 1)).is_err());
    assert!(bench.log.apply_retention(0).expect("retention").segments > 1);
    assert_eq!(bench.log.delete_records_before(-1).expect("delete"), 90);
    assert_eq!(bench.log.apply_retention(0).expect("retention").segments, 0, "never the active one");
}

#[test]
fn retention_writes_nothing_while_it_holds_up_appends() {
    let (disk, bench) = failing(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    disk.fail_on("leader-epoch", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(bench.log.apply_retention(0).expect("retention").segments > 1, "the epochs can wait");
    assert!(bench.log.offline().is_none());
    let start = bench.log.marks().log_start;
    assert_eq!(bench.log.end_offset_for_epoch(-1), Some((-1, start)));
    disk.heal();
    bench.append(batch(3, 1));
    assert_eq!(bench.log.delete_records_before(start + 2).expect("delete"), start + 2);
    assert_eq!(bench.bytes("leader-epoch-checkpoint"), format!("0\n1\n0 {}\n", start + 2).as_bytes());
}

#[test]
fn what_retention_took_on_a_full_disk_is_not_lost_to_the_start_after_a_kill() {
    let (disk, bench) = failing(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    disk.fail(Call::Write, When::Always, Errno::NOSPC);
    disk.fail(Call::Open, When::Always, Errno::NOSPC);
    let retained = bench.log.apply_retention(0).expect("retention");
    assert!(retained.segments > 1, "it is what makes room");
    disk.heal();
    let bench = bench.killed();
    assert_eq!((bench.report.holes.len(), bench.log.marks().log_start), (0, retained.log_start));
    assert_eq!(bench.log.end_offset_for_epoch(0), Some((0, 90)), "the batches tell");
    assert_eq!(
        bench.bytes("leader-epoch-checkpoint"),
        format!("0\n1\n0 {}\n", retained.log_start).as_bytes()
    );
}

#[test]
fn no_segment_loses_its_name_while_the_epochs_say_that_the_log_begins_with_it() {
    for (call, errno) in
        [(Call::Open, Errno::ACCESS), (Call::Rename, Errno::PERM), (Call::Open, Errno::MFILE)]
    {
        let (disk, bench) = failing(LogConfig { retention_bytes: 0, ..config() });
        bench.fill(30);
        disk.fail_on("leader-epoch", call, When::Always, Fault::Error(errno));
        for _ in 0..2 {
            assert!(bench.log.apply_retention(0).is_err(), "{errno}: it says so");
            assert_eq!(suffixed(&bench, ".log.deleted"), 0, "{errno}");
        }
        assert!(bench.log.offline().is_none(), "{errno}");
        disk.heal();
        bench.log.apply_retention(0).expect("retention");
        assert_eq!(suffixed(&bench, ".log"), 1, "{errno}: it tries again");
        let start = bench.log.marks().log_start;
        let bench = bench.killed();
        assert_eq!((bench.report.holes.len(), bench.log.marks().log_start), (0, start), "{errno}");
    }
}

#[test]
fn after_a_request_to_delete_records_retention_writes_the_epochs_before_it_takes_a_segment() {
    let (disk, bench) = failing(config());
    bench.fill(30);
    let third = bench.log.segments()[2].base_offset;
    disk.fail_on("leader-epoch", Call::Write, When::Nth(1), Fault::Error(Errno::NOSPC));
    bench.log.delete_records_before(third).expect("delete");
    assert_eq!(bench.bytes("leader-epoch-checkpoint"), b"0\n1\n0 0\n");
    disk.fail(Call::Rename, When::Nth(2), Errno::ACCESS);
    assert!(bench.log.apply_retention(0).is_err(), "the epochs' name, then a segment's");
    assert_eq!(bench.bytes("leader-epoch-checkpoint"), format!("0\n1\n0 {third}\n").as_bytes());
}

#[test]
fn epochs_that_a_full_disk_did_not_take_are_written_by_the_orderly_end() {
    let (disk, bench) = failing(config());
    bench.fill(2);
    disk.fail_on("leader-epoch", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert_eq!(bench.log.delete_records_before(4).expect("delete"), 4);
    disk.heal();
    assert_eq!(bench.bytes("leader-epoch-checkpoint"), b"0\n1\n0 0\n");
    bench.log.close(1).expect("closes");
    assert_eq!(bench.bytes("leader-epoch-checkpoint"), b"0\n1\n0 4\n");
}

#[test]
fn a_failed_index_write_loses_no_record() {
    let (disk, bench) = failing(LogConfig { segment_bytes: 1 << 20, ..config() });
    disk.fail_on(".index", Call::Write, When::Always, Fault::Error(Errno::IO));
    let mut acked = 0;
    while bench.try_append(batch(3, acked)).is_ok() {
        acked += 1;
        assert!(acked < 1000);
    }
    assert!(bench.log.offline().is_some());
    assert_eq!(bench.read_all(0).len() as i64, acked);
    disk.heal();
    let bench = bench.killed();
    assert_eq!(bench.read_all(0).len() as i64, acked);
}

/// Closed, it would lack them for good.
#[test]
fn a_segment_whose_entries_find_no_room_is_closed_when_they_do() {
    let (disk, bench) = failing(config());
    bench.fill(4);
    disk.fail_on("index", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let roll = || bench.log.roll_if_due(i64::MAX / 2);
    assert!(roll().is_err() && bench.log.segments().len() == 1);
    disk.heal();
    assert!(roll().expect("rolled") && bench.log.segments().len() == 2);
    assert!(!bench.bytes(&name(0, "index")).is_empty() && !bench.bytes(&name(0, "timeindex")).is_empty());
}

#[test]
fn index_entries_that_cannot_be_written_are_left_out() {
    for errno in [Errno::NOSPC, Errno::MFILE] {
        let (disk, bench) = failing(LogConfig { segment_bytes: 1 << 20, ..config() });
        for suffix in [".index", ".timeindex"] {
            disk.fail_on(suffix, Call::Write, When::Always, Fault::Error(errno));
            disk.fail_on(suffix, Call::Open, When::Always, Fault::Error(errno));
        }
        bench.fill(300);
        assert!(bench.log.offline().is_none());
        assert_eq!(bench.read_all(0).len(), 300);
        disk.heal();
        bench.fill(300);
        assert_eq!(bench.read_all(0).len(), 600);
        let found = bench.log.offset_for_time(3980).expect("lookup").expect("found");
        assert_eq!((found.offset, found.timestamp), (298 * 3, 3980));
        let bench = bench.restarted();
        assert_eq!((bench.read_all(0).len(), bench.report.rebuilt.len()), (600, 0), "{:?}", bench.report);
    }
}

#[test]
fn every_single_failing_call_leaves_a_log_that_opens_with_all_it_acknowledged() {
    let calls = [
        Call::Open,
        Call::Rename,
        Call::RemoveFile,
        Call::SyncDir,
        Call::Len,
        Call::Read,
        Call::Write,
        Call::SetLen,
        Call::SyncData,
        Call::SyncAll,
        Call::Preallocate,
        Call::StartWriteback,
    ];
    for call in calls {
        for nth in 1..30 {
            let (disk, bench) = failing(LogConfig { retention_bytes: 3000, ..config() });
            disk.fail(call, When::Nth(nth), Errno::IO);
            let (mut acked, mut synced) = (0, 0);
            for n in 0..30 {
                if let Ok(appended) = bench.try_append(batch(3, n)) {
                    acked = appended.last_offset + 1;
                }
                let _ = bench.log.pace();
                if n % 5 == 0 {
                    synced = bench.log.sync().unwrap_or(synced);
                }
            }
            let _ = bench.log.apply_retention(0);
            let start = bench.log.marks().log_start;
            disk.heal();
            let recovery_point = synced.min(bench.log.marks().recovery_point);
            let bench = bench.reopened(OpenOptions { recovery_point, log_start_offset: start, ..options() });
            let marks = bench.log.marks();
            assert!(marks.log_end >= acked, "{call:?} {nth}: {acked} > {} {:?}", marks.log_end, bench.report);
            let all = bench.read_all(marks.log_start);
            assert_eq!(all.last().map_or(acked, BatchHeader::next_offset), marks.log_end, "{call:?} {nth}");
        }
    }
}

/// How many files there are whose names end so.
fn suffixed(bench: &Bench, suffix: &str) -> usize {
    bench.names().iter().filter(|name| name.ends_with(suffix)).count()
}

#[test]
fn segments_that_cannot_be_renamed_go_with_a_later_round() {
    for nth in 1..20 {
        let (disk, bench) = failing(LogConfig { retention_bytes: 0, ..config() });
        bench.fill(30);
        disk.fail_on("/0", Call::Rename, When::From(nth), Fault::Error(Errno::IO));
        let failed = bench.log.apply_retention(0).is_err();
        assert!(bench.log.apply_retention(0).is_err() == failed, "the second try is one");
        disk.heal();
        assert_eq!(bench.log.apply_retention(500).expect("retention").segments, 0, "they are off the list");
        assert_eq!((suffixed(&bench, ".log"), suffixed(&bench, ".index")), (1, 1), "rename {nth}");
        bench.log.unlink_due(2000).expect("unlink");
        assert_eq!(suffixed(&bench, ".deleted"), 0, "rename {nth}");
    }
}

#[test]
fn files_that_cannot_be_unlinked_go_with_a_later_round() {
    let (disk, bench) = failing(LogConfig { retention_bytes: 0, ..config() });
    bench.fill(30);
    bench.log.apply_retention(0).expect("retention");
    disk.fail(Call::RemoveFile, When::Nth(2), Errno::IO);
    assert!(bench.log.unlink_due(2000).is_err());
    assert!(bench.log.unlink_due(2000).expect("unlink") > 0);
    assert_eq!(suffixed(&bench, ".deleted"), 0);
}

#[test]
fn what_retention_removed_does_not_come_back_after_a_power_cut() {
    let disk = ForgettingDisk::new();
    let config = LogConfig { retention_bytes: 0, ..config() };
    let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config: config.clone(), ..options() });
    bench.fill(30);
    bench.log.sync().expect("sync");
    let log_start = bench.log.apply_retention(0).expect("retention").log_start;
    for seed in 0..20 {
        let after = Arc::new(disk.crash(seed).expect("crash"));
        let bench = Bench::on(after, OpenOptions { config: config.clone(), ..options() });
        assert_eq!((bench.log.marks().log_start, bench.log.marks().log_end), (log_start, 90), "seed {seed}");
    }
}

#[test]
fn a_power_cut_amid_retention_leaves_no_hole() {
    for nth in 1..14 {
        let forgetting = ForgettingDisk::new();
        let disk = FailingDisk::new(Arc::new(forgetting.clone()));
        let config = LogConfig { retention_bytes: 0, ..config() };
        let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config: config.clone(), ..options() });
        bench.fill(30);
        bench.log.sync().expect("sync");
        disk.fail_on("/0", Call::Rename, When::From(nth), Fault::Error(Errno::IO));
        let _ = bench.log.apply_retention(0);
        for seed in 0..20 {
            let after = Arc::new(forgetting.crash(seed).expect("crash"));
            // Nobody wrote a checkpoint since the log was made.
            let bench = Bench::on(after, OpenOptions { config: config.clone(), ..options() });
            let marks = bench.log.marks();
            assert_eq!(marks.log_end, 90, "rename {nth}, seed {seed}: {:?}", bench.report);
            assert_eq!(bench.read_all(marks.log_start).last().map(BatchHeader::next_offset), Some(90));
        }
    }
}

#[test]
fn a_segment_that_goes_unsynced_leaves_no_hole_before_what_is_synced_after_it() {
    for seed in 0..20 {
        let forgetting = ForgettingDisk::new();
        let disk = FailingDisk::new(Arc::new(forgetting.clone()));
        let bench = Bench::on(Arc::new(disk.clone()), options());
        bench.fill(20);
        bench.log.delete_records_before(bench.log.marks().log_end).expect("delete");
        disk.fail_on(".log", Call::Rename, When::Always, Fault::Error(Errno::MFILE));
        let _ = bench.log.apply_retention(0);
        bench.fill(3);
        let stable = bench.log.sync().expect("sync");
        let after = Arc::new(forgetting.crash(seed).expect("crash"));
        let bench = Bench::on(after, options());
        assert_eq!((bench.log.marks().log_end, &bench.report.cuts), (stable, &vec![]), "seed {seed}");
    }
}

#[test]
fn nothing_is_stable_in_a_segment_that_somebody_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("t-0");
    let (log, _) = Log::open(Arc::new(OsDisk::new()), &path, "t", 0, options()).expect("open");
    log.append(batch(2, 0), context()).expect("append");
    assert_eq!(log.sync().expect("there"), 2);
    log.append(batch(2, 0), context()).expect("append");
    std::fs::remove_file(path.join(name(0, "log"))).expect("removed");
    let refused = log.sync().expect_err("nobody would find it");
    assert!(refused.to_string().contains("was removed"), "{refused}");
    assert_eq!(log.marks().recovery_point, 2);
    let why = log.offline_alone().expect("it takes no records any more").reason;
    assert!(log.append(batch(1, 0), context()).is_err());
    let read = log.read(2, 1 << 20, ReadUpTo::LogEnd, true).expect("what is open is read");
    assert!(read.range.is_some());
    let command = why.split('`').nth(1).expect("a command that brings them back");
    assert!(std::process::Command::new("sh").args(["-c", command]).status().expect("run").success(), "{why}");
    drop(log);
    let (again, _) = Log::open(Arc::new(OsDisk::new()), &path, "t", 0, options()).expect("open");
    assert_eq!(again.marks().log_end, 4, "{why}");
}
