//! Which log is cleaned, who gets it, and what is remembered of it.

use pagewire_disk::{Call, Errno, FailingDisk, Fault, ForgettingDisk, OffsetCheckpoint, When};
use pagewire_record::DecompressLimits;

use super::*;
use crate::clean::tests::fill;
use crate::{CleanError, Cleaner, CleanerLimits, Share, Throttle};

const CHECKPOINT: &str = "cleaner-offset-checkpoint";

fn compacting(world: World) -> World {
    let config = LogConfig { cleanup_compact: true, cleanup_delete: false, ..world.config.clone() };
    World { config, ..world }
}

fn cleaner() -> Cleaner {
    Cleaner::new(CleanerLimits::default())
}

fn throttle() -> Throttle {
    Throttle::new(u64::MAX)
}

fn clean(dir: &LogDir, now_ms: i64) -> Option<Result<i64, CleanError>> {
    let dirty = dir.dirtiest(now_ms)?;
    Some(dirty.clean(&mut cleaner(), now_ms, &throttle()).map(|cleaned| cleaned.clean_to))
}

fn checkpointed(world: &World, topic: &str, partition: i32) -> Option<i64> {
    let read = OffsetCheckpoint::read(&*world.disk, &path(CHECKPOINT)).expect("checkpoint");
    read.unwrap_or_default().get(topic, partition)
}

#[test]
fn the_dirtiest_log_comes_first_and_each_goes_to_one_cleaner() {
    let world = compacting(World::new().knows("a", A).knows("b", B));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    append(&world.create(&dir, "a", 1), 2);
    append(&world.create(&dir, "b", 0), 40);
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9);
    append(&dir.get("a", 0).expect("a"), 40);
    let first = dir.dirtiest(0).expect("b is all dirty");
    assert_eq!((&**first.topic(), first.ratio()), ("b", Share::new(1.0)));
    let second = dir.dirtiest(0).expect("a is dirty, too");
    assert_eq!((&**second.topic(), second.partition()), ("a", 0));
    assert!(second.ratio() > Share::HALF && dir.dirtiest(0).is_none());
    assert_eq!(dir.cleaning(0).busy, 2);
    drop(first);
    assert_eq!(dir.dirtiest(0).map(|dirty| dirty.topic().to_string()), Some("b".to_owned()));
}

#[test]
fn how_far_a_log_is_clean_is_remembered_over_a_restart() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    let clean_to = clean(&dir, 0).expect("due").expect("clean");
    assert!(clean(&dir, 0).is_none());
    assert_eq!(checkpointed(&world, "a", 0), Some(clean_to));
    dir.close_clean(0);
    let (dir, report) = world.open();
    assert!(report.clean && clean(&dir, 0).is_none());
    assert!(reads_all(&dir.get("a", 0).expect("a")));
}

#[test]
fn a_checkpoint_outside_of_its_log_is_started_over() {
    for text in ["0\n1\na 0 4711\n", "garbage", ""] {
        let world = compacting(World::new().knows("a", A));
        world.put(CHECKPOINT, text.as_bytes());
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 10);
        assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9, "{text:?}");
        assert_eq!(checkpointed(&world, "a", 0), Some(9));
    }
}

#[test]
fn a_deleted_topic_leaves_no_offset_to_the_next_of_its_name() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    clean(&dir, 0).expect("due").expect("clean");
    let dirty = {
        append(&dir.get("a", 0).expect("a"), 40);
        dir.dirtiest(0).expect("due")
    };
    dir.delete("a", 0, 0).expect("delete");
    assert_eq!(checkpointed(&world, "a", 0), None);
    assert!(dirty.clean(&mut cleaner(), 0, &throttle()).expect_err("deleted").is_harmless());
    assert_eq!(checkpointed(&world, "a", 0), None);
    world.learns("a", Some(B));
    append(&world.create(&dir, "a", 0), 10);
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9);
}

#[test]
fn a_damaged_log_is_set_aside_until_other_settings_and_the_others_go_on() {
    let world = compacting(World::new().knows("a", A).knows("b", B));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 40);
    append(&world.create(&dir, "b", 0), 10);
    let name = "a-0/00000000000000000000.log";
    let file = world.disk.open(&path(name), OpenMode::ReadWrite).expect("open");
    file.write_at(100, b"X").expect("damage");
    assert!(clean(&dir, 0).expect("due").expect_err("damaged").is_lasting());
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9, "b");
    assert!(clean(&dir, i64::MAX / 2).is_none());
    let report = dir.cleaning(0);
    assert_eq!((report.uncleanable.len(), report.uncleanable_bytes), (1, log.size_bytes()));
    assert!(report.uncleanable[0].reason.contains(name) && report.uncleanable[0].retry_at_ms.is_none());
    let other = PartitionSettings {
        log: LogConfig { min_compaction_lag_ms: 1, ..world.config.clone() },
        ..world.settings("a").expect("known")
    };
    dir.set_settings("a", &other);
    assert!(clean(&dir, 1 << 40).expect("tried again").is_err());
}

#[test]
fn a_full_disk_is_tried_again_later_and_later() {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let world = compacting(World::on(Arc::new(failing.clone())).knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    failing.fail_on(".cleaned", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let mut now_ms = 0;
    for wait_ms in [15_000, 30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000] {
        assert!(clean(&dir, now_ms).expect("due").is_err(), "{wait_ms}");
        assert_eq!(dir.cleaning(now_ms).uncleanable[0].retry_at_ms, Some(now_ms + wait_ms));
        assert!(clean(&dir, now_ms + wait_ms - 1).is_none());
        now_ms += wait_ms;
    }
    failing.heal();
    assert_eq!(clean(&dir, now_ms).expect("due").expect("clean"), 9);
    assert!(dir.offline().is_none() && dir.cleaning(now_ms).uncleanable.is_empty());
}

#[test]
fn a_sick_disk_takes_the_directory_offline_and_nothing_more_is_cleaned() {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let world = compacting(World::on(Arc::new(failing.clone())).knows("a", A).knows("b", B));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    append(&world.create(&dir, "b", 0), 10);
    failing.fail_on(".cleaned", Call::Write, When::Always, Fault::Error(Errno::IO));
    assert!(clean(&dir, 0).expect("due").is_err());
    assert!(dir.offline().is_some() && clean(&dir, i64::MAX).is_none());
    assert!(reads_all(&dir.get("a", 0).expect("a")) && reads_all(&dir.get("b", 0).expect("b")));
}

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

#[test]
fn nothing_is_cleaned_while_that_cannot_be_remembered() {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let world = compacting(World::on(Arc::new(failing.clone())).knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    failing.fail_on(CHECKPOINT, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(clean(&dir, 0).expect("due").is_err());
    assert_eq!(dir.get("a", 0).expect("a").segments().len(), 4);
    failing.heal();
    assert!(clean(&dir, 1 << 40).expect("due").is_ok());
}

/// An open transaction ends the range in the middle of a segment; what is behind it there may go as well, where a
/// transaction was aborted.
#[test]
fn a_segment_is_stable_to_its_end_before_any_of_it_is_written_anew() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 4);
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 };
    let open = BatchBuilder::new(Codec::None).producer(7, 0, 0).transactional();
    log.append(fill(open, &[(Some("k"), Some("v"))]), context).expect("appended");
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    append(&log, 9);
    let until = log.marks().last_stable;
    let bases: Vec<_> = log.segments().iter().map(|segment| segment.base_offset).collect();
    let end = *bases.iter().find(|base| **base > until).expect("a segment behind it");
    assert!(!bases.contains(&until), "{until} is in the middle: {bases:?}");
    assert!(dir.is_written_stable(&log, until) && !dir.is_written_stable(&log, end));
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), until);
    assert!(dir.is_written_stable(&log, end));
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

/// Two dirty logs, `a` and `b`, on a disk that can fail.
fn two_dirty(change: impl Fn(&mut LogConfig)) -> (FailingDisk, World, LogDir) {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let mut world = compacting(World::on(Arc::new(failing.clone())).knows("a", A).knows("b", B));
    change(&mut world.config);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    append(&world.create(&dir, "b", 0), 10);
    (failing, world, dir)
}

#[test]
fn a_panic_sets_its_log_aside_until_a_restart_and_the_others_go_on() {
    let (failing, world, dir) = two_dirty(|_| {});
    failing.fail_on("a-0/00000000000000000000.log.cleaned", Call::Write, When::Nth(1), Fault::Panic);
    let error = clean(&dir, 0).expect("due").expect_err("a panic");
    assert!(matches!(&error, CleanError::Panicked(told) if told.contains("Write")) && error.is_lasting());
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9, "b");
    assert!(clean(&dir, i64::MAX / 2).is_none(), "a is not tried again");
    let uncleanable = dir.cleaning(0).uncleanable;
    assert_eq!((uncleanable.len(), &*uncleanable[0].topic, uncleanable[0].retry_at_ms), (1, "a", None));
    let left = world.disk.read_dir(&path("a-0")).expect("list");
    assert!(!left.iter().any(|entry| entry.name.ends_with(".cleaned")), "{left:?}");
    let log = dir.get("a", 0).expect("a");
    append(&log, 10);
    assert!(dir.offline().is_none() && reads_all(&log));
    drop((dir, log));
    let (again, _) = world.open();
    assert!(clean(&again, 0).expect("due").expect("clean") > 9);
}

#[test]
fn a_panic_of_a_look_sets_its_log_aside_too() {
    let (failing, _, dir) = two_dirty(|config| config.max_compaction_lag_ms = 1 << 40);
    failing.fail_on("a-0", Call::Read, When::Always, Fault::Panic);
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9, "b");
    assert!(dir.cleaning(0).uncleanable[0].reason.contains("panic"));
}

#[test]
fn a_read_that_fails_is_tried_again_later_and_ends_no_writes() {
    let (failing, _, dir) = two_dirty(|_| {});
    failing.fail_on("a-0/00000000000000000000.log", Call::Read, When::Always, Fault::Error(Errno::IO));
    for now_ms in [0, 15_000] {
        let error = clean(&dir, now_ms).expect("due").expect_err("not read");
        assert!(matches!(error, CleanError::Unreadable { .. }), "{error}");
        if now_ms == 0 {
            assert_eq!(clean(&dir, now_ms).expect("due").expect("clean"), 9, "b");
        }
        assert!(clean(&dir, now_ms + 1).is_none());
    }
    let [trouble] = &dir.cleaning(15_000).uncleanable[..] else { panic!("one") };
    assert_eq!((trouble.attempts, trouble.since_ms, trouble.retry_at_ms), (2, 0, Some(45_000)));
    let log = dir.get("a", 0).expect("a");
    append(&log, 1);
    log.sync().expect("sync");
    assert!(dir.offline().is_none() && log.offline().is_none());
    failing.heal();
    assert_eq!(clean(&dir, 45_000).expect("due").expect("clean"), 9);
    assert!(dir.cleaning(45_000).uncleanable.is_empty());
}

#[test]
fn a_log_that_cannot_be_looked_at_is_named_and_put_off() {
    let (failing, _, dir) = two_dirty(|config| config.max_compaction_lag_ms = 1 << 40);
    failing.fail_on("a-0", Call::Read, When::Always, Fault::Error(Errno::IO));
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9, "b");
    let calls = failing.calls(Call::Read);
    assert!(clean(&dir, 1).is_none());
    assert_eq!(failing.calls(Call::Read), calls, "not looked at again so soon");
    let report = dir.cleaning(1);
    assert!(report.uncleanable[0].reason.contains("cannot be read"), "{report:?}");
    failing.heal();
    assert_eq!(clean(&dir, 15_000).expect("due").expect("clean"), 9);
}

#[test]
fn a_look_reads_what_it_needs_of_each_segment_once() {
    let (failing, _, dir) = two_dirty(|config| {
        (config.max_compaction_lag_ms, config.min_compaction_lag_ms) = (1 << 41, 1 << 40);
    });
    assert!(clean(&dir, 1).is_none(), "too young");
    let calls = failing.calls(Call::Read);
    for now_ms in 2..20 {
        assert!(clean(&dir, now_ms).is_none() && dir.cleaning(now_ms).max_overdue_ms == 0);
    }
    assert_eq!(failing.calls(Call::Read), calls);
}

#[test]
fn one_look_finds_logs_for_many_cleans_and_a_later_one_what_became_dirtier() {
    let world = compacting(World::new().knows("a", A).knows("b", B));
    let (dir, _) = world.open();
    for (topic, partition, count) in [("a", 0, 10), ("a", 1, 10), ("b", 0, 10)] {
        append(&world.create(&dir, topic, partition), count);
    }
    clean(&dir, 0).expect("due").expect("a-0 is clean");
    append(&world.create(&dir, "b", 1), 10);
    append(&dir.get("a", 0).expect("a"), 40);
    let next = |now_ms| dir.dirtiest(now_ms).map(|dirty| (dirty.topic().to_string(), dirty.partition()));
    assert_eq!(next(14_999), Some(("a".to_owned(), 1)), "as it was found");
    assert_eq!(next(14_999), Some(("a".to_owned(), 1)), "what was not cleaned comes first again");
    clean(&dir, 14_999).expect("due").expect("a-1 is clean");
    append(&dir.get("a", 1).expect("a"), 40);
    let order: Vec<_> = std::iter::from_fn(|| {
        let dirty = dir.dirtiest(15_000)?;
        let name = format!("{}-{}", dirty.topic(), dirty.partition());
        dirty.clean(&mut cleaner(), 15_000, &throttle()).expect("clean");
        Some(name)
    })
    .collect();
    assert_eq!(order, ["b-0", "b-1", "a-0", "a-1"]);
}

#[test]
fn how_far_many_logs_are_clean_is_written_down_now_and_then_and_in_the_end() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    let logs = [0, 1, 2].map(|partition| world.create(&dir, "a", partition));
    for log in &logs {
        append(log, 10);
    }
    while clean(&dir, 0).is_some() {}
    assert_eq!(checkpointed(&world, "a", 0), Some(9));
    for log in &logs {
        append(log, 20);
    }
    clean(&dir, 1).expect("due").expect("clean");
    assert_eq!(checkpointed(&world, "a", 0), Some(9), "not yet");
    while clean(&dir, 1).is_some() {}
    let clean_to = dir.cleaned_to("a", 0);
    assert!(clean_to > Some(9) && checkpointed(&world, "a", 0) == clean_to);
    append(&dir.get("a", 1).expect("a"), 60);
    clean(&dir, 2).expect("due").expect("clean");
    dir.close_clean(2);
    assert_eq!(checkpointed(&world, "a", 1), dir.cleaned_to("a", 1));
}

#[test]
fn a_batch_that_comes_to_too_much_is_no_damage_and_is_cleaned_with_another_limit() {
    let (_, world, dir) = two_dirty(|config| config.decompress = DecompressLimits { max_bytes: 500 });
    let log = dir.get("a", 0).expect("a");
    let mut builder = BatchBuilder::new(Codec::Gzip);
    builder.append(1, Some(b"long"), Some(&[7; 1000]), &[]).expect("record");
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
    log.append(builder.build().expect("batch"), context).expect("append");
    append(&log, 10);
    let error = clean(&dir, 0).expect("due").expect_err("too much");
    assert!(matches!(error, CleanError::TooMuch { max_bytes: 500, .. }) && error.is_lasting());
    assert!(error.to_string().contains("max.message.bytes"), "{error}");
    assert!(
        log.segments.load().iter().all(|segment| !segment.suspect.load(std::sync::atomic::Ordering::Relaxed))
    );
    let settings = world.settings("a").expect("known");
    let raised = LogConfig { decompress: DecompressLimits::default(), ..settings.log.clone() };
    dir.set_settings("a", &PartitionSettings { log: raised, ..settings });
    assert!(clean(&dir, 15_000).expect("due").is_ok() && clean(&dir, 15_000).expect("due").is_ok());
    assert!(dir.cleaning(15_000).uncleanable.is_empty());
}

#[test]
fn a_segment_that_is_filling_keeps_its_age_over_restarts() {
    let world = compacting(World::new().knows("a", A));
    let world = World { config: LogConfig { segment_ms: 1000, ..world.config.clone() }, ..world };
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    try_append(&log, 100).expect("append");
    drop((dir, log));
    let mut options = options();
    options.now_ms = 1100;
    let settings = |topic: &str, _| world.settings(topic);
    let (dir, _) =
        LogDir::open(Arc::clone(&world.disk), root(), &options, &settings, &|_| {}).expect("opens");
    let log = dir.get("a", 0).expect("a");
    assert!(!log.roll_if_due(1100).expect("roll"));
    assert!(log.roll_if_due(1101).expect("roll"), "as old as its first record");
}
