//! Retention, flushes and their company.

use std::os::unix::fs::MetadataExt as _;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, OsDisk, When};

use super::*;

#[test]
fn retention_goes_over_all_logs() {
    let world = World::new().knows("a", A).knows("b", B);
    let (dir, _) = world.open();
    for topic in ["a", "b"] {
        append(&world.create(&dir, topic, 0), 9);
    }
    assert_eq!(dir.retain(1000).segments, 0);
    let round = dir.retain(1002);
    assert!(round.segments >= 4 && round.bytes > 0 && round.failed.is_empty(), "{round:?}");
    for topic in ["a", "b"] {
        assert_eq!(dir.get(topic, 0).expect("open").marks().log_start, 9);
    }
    assert_eq!(dir.unlink_due(1002).expect("unlink"), 0, "not before the delay is over");
    assert!(dir.unlink_due(1052).expect("unlink") >= round.segments);
    let left = world.disk.read_dir(&path("a-0")).expect("list");
    assert!(!left.iter().any(|entry| entry.name.ends_with(".deleted")), "{left:?}");
}

#[test]
fn retention_has_idle_logs_give_back_what_they_reserved() {
    let place = tempfile::tempdir().expect("temporary directory");
    let mut world = World::on(Arc::new(OsDisk::new())).knows("a", A);
    world.config.segment_bytes = 64 << 20;
    let settings = |topic: &str, _: i32| world.settings(topic);
    let (dir, _) =
        LogDir::open(Arc::clone(&world.disk), place.path(), &options(), &settings, &|_| {}).expect("opens");
    let log = world.create(&dir, "a", 0);
    let mut large = BatchBuilder::new(Codec::None);
    large.append(1, None, Some(&vec![7; 512 << 10]), &[]).expect("record");
    let large = large.build().expect("batch");
    for _ in 0..8 {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
        log.append(large.clone(), context).expect("append");
    }
    log.pace().expect("pace");
    log.sync().expect("sync");
    let file = place.path().join("a-0/00000000000000000000.log");
    let blocks = || std::fs::metadata(&file).expect("file").blocks();
    let reserved = blocks();
    dir.retain(1);
    assert_eq!(blocks(), reserved, "it was written to a moment ago");
    dir.retain(1);
    assert!(blocks() < reserved);
}

#[test]
fn retention_that_fails_is_told_once_until_it_does_not() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    for failures in [1, 2] {
        append(&log, 9);
        failing.fail_on("a-0/", Call::Rename, When::Always, Fault::Error(Errno::ACCESS));
        assert_eq!(dir.retain(i64::MAX / 2).failed.len(), 1, "{failures}");
        assert_eq!(dir.retain(i64::MAX / 2).failed.len(), 0, "{failures}");
        failing.heal();
        assert_eq!(dir.retain(i64::MAX / 2).failed.len(), 0, "{failures}");
    }
    log.take_offline(std::io::ErrorKind::NotFound, "its directory is gone");
    assert_eq!(dir.retain(i64::MAX / 2).failed.len(), 0, "that was said of the log");
}

#[test]
fn a_log_is_synced_when_its_flush_ms_is_over() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let settings = PartitionSettings { flush_ms: Some(100), ..world.settings("a").expect("known") };
    let log = dir.create("a", 0, &settings, 0).expect("create");
    append(&log, 1);
    assert_eq!(dir.flush_due(99).logs, 0);
    assert_eq!(dir.flush_due(100).logs, 1);
    assert_eq!(log.marks().recovery_point, 1);
    assert_eq!(dir.flush_due(500).logs, 0, "nothing to sync");
    append(&log, 1);
    assert_eq!(dir.flush_due(500).logs, 1);
}

#[test]
fn a_log_without_flush_ms_is_synced_when_it_closed_a_segment() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 1);
    assert_eq!(dir.flush_due(i64::MAX / 2).logs, 0);
    append(&log, 6);
    assert!(log.segments().len() > 1);
    assert_eq!(dir.flush_due(1).logs, 1);
    assert_eq!(log.marks().recovery_point, 7);
}

#[test]
fn files_that_are_open_beyond_the_budget_are_synced_to_be_closed() {
    let world = World::new().knows("a", A);
    let options = LogDirOptions { handles: Handles::new(2), ..options() };
    let settings = |topic: &str, _| world.settings(topic);
    let (dir, _) =
        LogDir::open(Arc::clone(&world.disk), root(), &options, &settings, &|_| {}).expect("opens");
    for partition in 0..5 {
        append(&world.create(&dir, "a", partition), 1);
    }
    assert_eq!(options.handles.open_files(), 5, "each has a write that nobody has synced");
    assert!(dir.has_too_many_files());
    assert_eq!(dir.close_files(1).logs, 5);
    assert!(options.handles.open_files() <= 2 && !dir.has_too_many_files());
    append(&dir.get("a", 0).expect("open"), 1);
}

#[test]
fn rounds_beside_deletion_and_creation_do_no_harm() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..200 {
                dir.retain(2000);
                dir.flush_due(round);
                dir.unlink_due(round).expect("unlink");
                dir.write_checkpoints().expect("checkpoints");
            }
        });
        for _ in 0..50 {
            let log = world.create(&dir, "a", 0);
            for _ in 0..5 {
                try_append(&log, 1900).expect("append");
            }
            assert_eq!((log.marks().log_start, log.marks().log_end), (0, 5));
            assert!(reads_all(&log));
            assert!(dir.delete("a", 0, 0).expect("delete"));
        }
    });
    assert!(dir.offline().is_none());
    dir.unlink_due(i64::MAX).expect("unlink");
    assert!(world.dirs().is_empty());
}

#[test]
fn segments_that_could_not_be_removed_stay_below_the_log_start() {
    let (disk, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 9);
    disk.fail_on("a-0/00", Call::Rename, When::Always, Fault::Error(Errno::IO));
    assert_eq!(dir.retain(1002).failed.len(), 1);
    assert_eq!(dir.get("a", 0).expect("open").marks().log_start, 9);
    dir.write_checkpoints().expect("checkpoints");
    assert_eq!(world.get("log-start-offset-checkpoint"), "0\n1\na 0 9\n");
    disk.heal();
    drop(dir);
    let (dir, _) = world.open();
    let marks = dir.get("a", 0).expect("open").marks();
    assert_eq!((marks.log_start, marks.log_end), (9, 9), "not risen from the dead");
    dir.retain(1002);
    dir.write_checkpoints().expect("checkpoints");
    assert_eq!(world.get("log-start-offset-checkpoint"), "0\n0\n", "the names say it");
}

/// A log of so many closed segments that all have to go, and cannot be renamed yet.
fn doomed(failing: &FailingDisk, dir: &LogDir, world: &World) -> (Arc<Log>, u64) {
    let log = world.create(dir, "a", 0);
    append(&log, 30);
    log.sync().expect("synced");
    let closed = log.segments().len() as u64 - 1;
    assert!(closed >= 4, "{closed}");
    log.delete_records_before(29).expect("moved");
    failing.fail(Call::Rename, When::Always, Errno::NOSPC);
    assert!(log.apply_retention(0).is_err());
    failing.heal();
    (log, closed)
}

#[test]
fn a_segment_goes_with_one_sync_and_not_two() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    let (log, closed) = doomed(&failing, &dir, &world);
    let before = failing.calls(Call::SyncDir);
    log.apply_retention(0).expect("renamed");
    let syncs = failing.calls(Call::SyncDir) - before;
    assert!((closed..=closed + 4).contains(&syncs), "{syncs} syncs for {closed} segments");
    assert_eq!(log.oldest_on_disk(), log.segments()[0].base_offset);
}

/// Deletion waits for a round that is under way, and other changes of topics for the deletion.
#[test]
fn who_deletes_a_topic_does_not_wait_until_all_its_old_segments_are_renamed() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    let (log, _) = doomed(&failing, &dir, &world);
    let oldest = log.oldest_on_disk();
    // What a deletion does first, before it waits.
    log.retire();
    let before = failing.calls(Call::Rename);
    let _ = log.rename_doomed();
    assert_eq!((failing.calls(Call::Rename) - before, log.oldest_on_disk()), (0, oldest));
}

#[test]
fn a_segment_that_cannot_be_read_keeps_nothing_newer_from_being_forgotten() {
    for call in [Call::Read, Call::Open] {
        let (failing, world) = World::failing();
        let world = world.knows("a", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 20);
        assert!(dir.close_clean(0).clean);
        drop(dir);
        let (dir, _) = world.open();
        let log = dir.get("a", 0).expect("open");
        let count = log.segments().len();
        assert!(count > 3, "{count}");
        failing.fail_on("a-0/00000000000000000000.", call, When::Always, Fault::Error(Errno::IO));
        let retained = log.apply_retention(1 << 60).expect("all that is old goes");
        assert_eq!((retained.segments, log.segments().len()), (count, 1), "{call:?}");
    }
}
