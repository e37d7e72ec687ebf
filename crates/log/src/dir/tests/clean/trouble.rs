//! A log that cannot be cleaned is set aside or tried again, and the others go on.

use pagewire_disk::{Call, Errno, Fault, When};
use pagewire_record::DecompressLimits;

use super::*;
use crate::CleanError;

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
    let (failing, world) = World::failing();
    let world = compacting(world.knows("a", A));
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
    let (failing, world) = World::failing();
    let world = compacting(world.knows("a", A).knows("b", B));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    append(&world.create(&dir, "b", 0), 10);
    failing.fail_on(".cleaned", Call::Write, When::Always, Fault::Error(Errno::IO));
    assert!(clean(&dir, 0).expect("due").is_err());
    assert!(dir.offline().is_some() && clean(&dir, i64::MAX).is_none());
    assert!(reads_all(&dir.get("a", 0).expect("a")) && reads_all(&dir.get("b", 0).expect("b")));
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
