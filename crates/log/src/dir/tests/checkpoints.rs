//! The three checkpoint files, good and bad.

use pagewire_disk::checkpoint::{CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Call, Errno, Fault, When};

use super::*;

const FILES: [&str; 3] = [RECOVERY_POINT_FILE, LOG_START_FILE, HIGH_WATERMARK_FILE];

#[test]
fn checkpoints_are_kafkas_and_written_only_when_they_change() {
    let world = World::new().knows("a-b.c", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a-b.c", 0);
    world.create(&dir, "a-b.c", 1);
    assert_eq!(world.get(RECOVERY_POINT_FILE), "0\n2\na-b.c 0 0\na-b.c 1 0\n");
    append(&log, 9);
    assert_eq!(dir.write_checkpoints().expect("write"), 1);
    assert_eq!(dir.write_checkpoints().expect("write"), 0);
    assert_eq!(world.get(RECOVERY_POINT_FILE), "0\n2\na-b.c 0 0\na-b.c 1 0\n");
    assert_eq!(world.get(HIGH_WATERMARK_FILE), "0\n2\na-b.c 0 9\na-b.c 1 0\n");
    log.sync().expect("sync");
    assert_eq!(dir.write_checkpoints().expect("write"), 1);
    assert_eq!(world.get(RECOVERY_POINT_FILE), "0\n2\na-b.c 0 9\na-b.c 1 0\n");
    assert!(!world.has(LOG_START_FILE), "no log starts elsewhere than its first segment");
    log.delete_records_before(2).expect("delete records");
    assert_eq!(dir.write_checkpoints().expect("write"), 1);
    assert_eq!(world.get(LOG_START_FILE), "0\n1\na-b.c 0 2\n");
}

#[test]
fn a_damaged_checkpoint_costs_a_notice_and_no_record() {
    for bytes in [[0; 64].as_slice(), b"garbage", b"0\n5\na 0 3\n", b"\xff\xff"] {
        for file in FILES {
            let world = World::new().knows("a", A);
            let (dir, _) = world.open();
            append(&world.create(&dir, "a", 0), 9);
            dir.close_clean(0);
            world.put(file, bytes);
            let (dir, report) = world.open();
            assert!(
                matches!(report.notices.as_slice(), [Notice::Damaged(_)]),
                "{file}: {:?}",
                notices(&report)
            );
            assert_eq!(log_end(&dir, "a", 0), 9, "{file}");
            assert!(reads_all(&dir.get("a", 0).expect("open")));
            dir.close_clean(0);
            let report = world.open().1;
            assert!(report.notices.is_empty(), "{file} was not rebuilt: {:?}", notices(&report));
        }
    }
}

#[test]
fn a_missing_checkpoint_costs_a_longer_start_and_no_record() {
    for file in FILES {
        let world = World::new().knows("a", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 20);
        dir.get("a", 0).expect("open").delete_records_before(1).expect("delete records");
        dir.close_clean(0);
        let before = world.get(file);
        world.disk.remove_file(&path(file)).expect("remove");
        let (dir, report) = world.open();
        // Of the others it is not certain that they had been there.
        assert_eq!(
            report.notices.len(),
            usize::from(file == RECOVERY_POINT_FILE),
            "{file}: {:?}",
            notices(&report)
        );
        let marks = dir.get("a", 0).expect("open").marks();
        let log_start = i64::from(file != LOG_START_FILE);
        assert_eq!((marks.log_end, marks.high_watermark, marks.log_start), (20, 20, log_start), "{file}");
        dir.close_clean(0);
        assert!(file == LOG_START_FILE || world.get(file) == before, "{file}");
    }
}

#[test]
fn an_empty_checkpoint_is_what_a_young_kafka_has() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 9);
    drop(dir);
    for file in FILES {
        world.put(file, b"");
    }
    let (dir, report) = world.open();
    assert!(report.notices.is_empty(), "{:?}", notices(&report));
    assert_eq!(log_end(&dir, "a", 0), 9);
}

#[test]
fn the_mark_alone_does_not_vouch_for_a_log() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    dir.close_clean(0);
    // A batch in the middle of the file goes bad; a checkpoint that does not name the log leaves the mark worthless,
    // and says nothing about what may go.
    let file = world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("open");
    file.write_at(batch(1).len() as u64 + 70, b"\xff\xff\xff").expect("damage");
    world.put(RECOVERY_POINT_FILE, b"0\n0\n");
    let (dir, report) = world.open();
    assert!(report.clean);
    assert_eq!(log_end(&dir, "a", 0), 3);
    let [loaded] = report.loaded.as_slice() else { panic!("{report:?}") };
    assert!(loaded.report.cuts.is_empty(), "{report:?}");
    let [damage] = loaded.report.damage.as_slice() else { panic!("{report:?}") };
    assert_eq!((damage.from, damage.upto, damage.bytes), (1, 2, batch(1).len() as u64));
}

#[test]
fn a_log_start_past_everything_the_log_held_takes_no_record() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 9);
    dir.close_clean(0);
    world.put(LOG_START_FILE, b"0\n1\na 0 70\n");
    let (dir, report) = world.open();
    let marks = dir.get("a", 0).expect("open").marks();
    assert_eq!((marks.log_start, marks.log_end), (0, 9), "{report:?}");
}

#[test]
fn a_checkpoint_that_was_emptied_or_removed_is_none_that_says_nothing() {
    for emptied in [true, false] {
        let world = World::new().knows("a", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 3);
        dir.close_clean(0);
        let (dir, _) = world.open();
        append(&dir.get("a", 0).expect("open"), 9);
        dir.close_clean(0);
        if emptied {
            world.put(RECOVERY_POINT_FILE, b"0\n0\n");
        } else {
            world.disk.remove_file(&path(RECOVERY_POINT_FILE)).expect("removed");
        }
        let (_, report) = world.open();
        assert!(matches!(report.notices.as_slice(), [Notice::Damaged(_)]), "{:?}", notices(&report));
    }
}

#[test]
fn one_wrong_digit_in_either_witness_moves_no_end() {
    for file in [RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE] {
        for offset in [1, 99] {
            let world = World::new().knows("a", A);
            let (dir, _) = world.open();
            append(&world.create(&dir, "a", 0), 9);
            dir.close_clean(0);
            world.put(file, format!("0\n1\na 0 {offset}\n").as_bytes());
            let (dir, report) = world.open();
            assert_eq!(log_end(&dir, "a", 0), 9, "{file}, {offset}: {report:?}");
            assert!(report.loaded[0].report.damage.is_empty() && report.loaded[0].report.cuts.is_empty());
        }
    }
}

#[test]
fn a_log_without_its_high_watermark_was_not_closed_in_order_and_keeps_its_recovery_point() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 1);
    dir.close_clean(0);
    let file = world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("open");
    file.write_at(file.len().expect("len") - 1, b"\xff").expect("damage");
    world.put(HIGH_WATERMARK_FILE, b"0\n0\n");
    let (dir, report) = world.open();
    let recovery = &report.loaded[0].report;
    assert!(recovery.cuts.is_empty(), "{recovery:?}");
    assert_eq!((recovery.damage.len(), log_end(&dir, "a", 0)), (1, 1), "{recovery:?}");
}

/// Of three checkpoints the first landed when the disk was full.
#[test]
fn a_topic_of_the_same_name_is_not_missed_after_checkpoints_that_failed_half_way() {
    let (failing, world) = World::failing();
    let world = world.knows("t", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "t", 0);
    append(&log, 12);
    log.sync().expect("synced");
    failing.fail_on(HIGH_WATERMARK_FILE, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    dir.write_checkpoints().expect_err("no room");
    assert!(world.get(RECOVERY_POINT_FILE).contains("t 0 12"), "it landed");
    failing.heal();
    assert!(dir.delete("t", 0, 0).expect("deleted"));
    world.learns("t", Some(B));
    append(&world.create(&dir, "t", 0), 5);
    drop((log, dir));
    let (dir, report) = world.open();
    assert_eq!(log_end(&dir, "t", 0), 5);
    assert!(report.loaded.iter().all(|log| log.report.damage.is_empty()), "{report:?}");
}

#[test]
fn a_directory_without_partitions_is_loaded_from_a_full_disk() {
    let (failing, world) = World::failing();
    assert!(world.open().0.close_clean(0).clean);
    for file in [RECOVERY_POINT_FILE, CLEANER_FILE] {
        world.disk.remove_file(&path(file)).expect("removed");
    }
    failing.fail(Call::Write, When::Always, Errno::NOSPC);
    let (dir, _) = world.open();
    assert!(dir.offline().is_none() && !world.has(RECOVERY_POINT_FILE));
    failing.heal();
    drop(dir);
    let (_, report) = world.open();
    assert!(report.notices.is_empty() && world.has(RECOVERY_POINT_FILE), "{:?}", notices(&report));
    assert!(world.open().1.notices.is_empty(), "what was written then has its sum");
}
