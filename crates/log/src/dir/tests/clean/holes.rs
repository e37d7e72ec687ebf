//! Where a hole between offsets is compaction's, and where it is a loss.

use pagewire_disk::{Call, Errno, FailingDisk, Fault, ForgettingDisk, When};

use super::*;

#[test]
fn a_log_that_was_compacted_once_keeps_its_holes_without_any_other_checkpoint() {
    let disk = ForgettingDisk::new();
    let world = compacting(World::on(Arc::new(disk.clone())).knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    clean(&dir, 0).expect("due").expect("clean");
    let deleting = LogConfig { cleanup_compact: false, ..world.config.clone() };
    let crashed = World { config: deleting, ..world.moved_to(Arc::new(disk.crash(0).expect("crash"))) };
    for file in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"] {
        let _ = crashed.disk.remove_file(&path(file));
    }
    let (again, report) = crashed.open();
    assert!(report.loaded.iter().all(|loaded| loaded.report.cuts.is_empty()), "{:?}", report.loaded);
    assert_eq!(log_end(&again, "a", 0), dir.get("a", 0).expect("a").marks().recovery_point);
}

#[test]
fn a_clean_that_came_half_way_leaves_word_of_the_holes_it_made() {
    let disk = ForgettingDisk::new();
    let failing = FailingDisk::new(Arc::new(disk.clone()));
    let world = compacting(World::on(Arc::new(failing.clone())).knows("a", A));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    for n in 0..20 {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(1, Some(format!("key {n}").as_bytes()), Some(b"stays"), &[]).expect("record");
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
        log.append(builder.build().expect("batch"), context).expect("append");
        append(&log, 1);
    }
    let before = log.size_bytes();
    // The second group of segments cannot be begun: the first one is in its place.
    failing.fail_on(".index.cleaned", Call::Open, When::Nth(2), Fault::Error(Errno::NOSPC));
    assert!(clean(&dir, 0).expect("due").is_err());
    assert!(log.size_bytes() < before);
    let deleting = LogConfig { cleanup_compact: false, ..world.config.clone() };
    let crashed = World { config: deleting, ..world.moved_to(Arc::new(disk.crash(0).expect("crash"))) };
    let (again, report) = crashed.open();
    assert!(report.loaded.iter().all(|loaded| loaded.report.cuts.is_empty()), "{:?}", report.loaded);
    assert_eq!(log_end(&again, "a", 0), 40);
}

/// A compacted log of which the last but one segment, never synced, is lost, opened again.
fn middle_lost(cleaned: bool, checkpoints: bool) -> (i64, i64, LoadReport) {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    if cleaned {
        append(&log, 10);
        clean(&dir, 0).expect("due").expect("clean");
    }
    append(&log, 20);
    let lost = log.segments().iter().rev().nth(1).expect("several").base_offset;
    assert!(log.marks().recovery_point < lost);
    drop((dir, log));
    world.disk.remove_file(&path(&format!("a-0/{lost:020}.log"))).expect("remove");
    if !checkpoints {
        world.disk.remove_file(&path("recovery-point-offset-checkpoint")).expect("remove");
    }
    let (again, report) = world.open();
    (lost, log_end(&again, "a", 0), report)
}

#[test]
fn a_hole_past_the_recovery_point_ends_a_compacted_log_as_any_other() {
    for cleaned in [false, true] {
        let (lost, end, report) = middle_lost(cleaned, true);
        assert_eq!((end, report.loaded[0].report.cuts.len()), (lost, 1), "cleaned: {cleaned}, {report:?}");
    }
}

#[test]
fn without_a_recovery_point_a_hole_of_a_compacted_log_is_no_loss() {
    let (lost, end, report) = middle_lost(true, false);
    assert!(end > lost && report.loaded[0].report.cuts.is_empty(), "{report:?}");
}

#[test]
fn where_the_cleaner_was_ahead_of_the_recovery_point_holes_are_no_losses() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    clean(&dir, 0).expect("due").expect("clean");
    let before = log_end(&dir, "a", 0);
    drop(dir);
    // Kafka cleans what it has not written down as synced.
    world.put("recovery-point-offset-checkpoint", b"0\n1\na 0 1\n");
    let (again, report) = world.open();
    assert_eq!((log_end(&again, "a", 0), report.loaded[0].report.cuts.len()), (before, 0), "{report:?}");
}
