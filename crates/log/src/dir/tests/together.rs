//! Many logs that are made, closed and opened together, and what is not done to those that have nothing to do.

use pagewire_disk::{Call, Errno, FailingDisk, Fault, When};

use super::*;

/// More than are taken at once.
const MANY: i32 = 600;

/// Any change of a file below the directories of topic `a` fails.
fn forbid_changes(disk: &FailingDisk) {
    for call in [Call::Write, Call::SetLen, Call::SyncData, Call::SyncAll, Call::SyncDir, Call::Rename] {
        disk.fail_on("/a-", call, When::Always, Fault::Error(Errno::IO));
    }
}

#[test]
fn a_log_that_was_closed_in_order_is_opened_and_closed_again_without_a_change() {
    for index_interval_bytes in [60, 4096] {
        let (failing, world) = World::failing();
        let mut world = world.knows("a", A);
        world.config.index_interval_bytes = index_interval_bytes;
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 1);
        append(&world.create(&dir, "a", 1), 20);
        world.create(&dir, "a", 2);
        assert!(dir.close_clean(0).clean);
        let before: Vec<_> = (0..3).map(|partition| world.files(&format!("a-{partition}"))).collect();
        forbid_changes(&failing);
        let (dir, report) = world.open();
        assert!(report.clean && report.failed.is_empty(), "{report:?}");
        assert!(dir.logs().iter().all(|log| reads_all(log)));
        let closed = dir.close_clean(0);
        assert!(closed.clean, "{closed:?}");
        let after: Vec<_> = (0..3).map(|partition| world.files(&format!("a-{partition}"))).collect();
        assert_eq!(before, after);
    }
}

#[test]
fn records_after_such_a_start_leave_the_indexes_of_a_log_that_never_stopped() {
    let indexes = |stops: bool| {
        let mut world = World::new().knows("a", A);
        world.config.index_interval_bytes = 60;
        world.config.segment_bytes = 1 << 20;
        let (mut dir, _) = world.open();
        world.create(&dir, "a", 0);
        for timestamp in [10, 20, 15, 20, 30, 30, 5] {
            try_append(&dir.get("a", 0).expect("there"), timestamp).expect("appends");
            if stops {
                assert!(dir.close_clean(0).clean);
                dir = world.open().0;
            }
        }
        assert!(dir.close_clean(0).clean);
        let bytes = |suffix| {
            let path = path(&format!("a-0/00000000000000000000.{suffix}"));
            pagewire_disk::read_small(&*world.disk, &path, 1 << 20).expect("read").expect("there")
        };
        (bytes("index"), bytes("timeindex"))
    };
    assert_eq!(indexes(true), indexes(false));
}

#[test]
fn a_last_time_entry_that_the_log_contradicts_goes() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    assert!(dir.close_clean(0).clean);
    let name = "a-0/00000000000000000000.timeindex";
    let read = || pagewire_disk::read_small(&*world.disk, &path(name), 100).expect("read").expect("there");
    let before = read();
    assert_eq!(before.len(), 12);
    world.put(name, &[&[0x7F], &before[1..]].concat());
    let (dir, _) = world.open();
    assert_eq!(read(), [0; 0]);
    assert!(dir.close_clean(0).clean);
    assert_eq!(read(), before);
}

#[test]
fn more_logs_than_are_taken_at_once_are_all_made_closed_and_opened() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let partitions: Vec<i32> = (0..MANY).collect();
    dir.create_all("a", &partitions, &world.settings("a").expect("known"), 0).expect("creates");
    for log in dir.logs().iter().step_by(50) {
        append(log, 1);
    }
    assert!(dir.close_clean(0).clean);
    let (dir, report) = world.open();
    assert!(report.clean && report.failed.is_empty() && report.notices.is_empty());
    assert_eq!((dir.logs().len(), report.loaded.len()), (MANY as usize, MANY as usize));
}

#[test]
fn of_a_log_that_cannot_be_made_nothing_stays_and_the_others_are_made() {
    for (call, path) in [
        (Call::CreateDir, "/a-3"),
        (Call::Write, "/a-3/leader-epoch"),
        (Call::SyncAll, "/a-3/partition"),
        (Call::Rename, "/a-3/leader-epoch"),
        (Call::Open, "/a-3/00000000000000000000.timeindex"),
        (Call::SyncDir, "/a-3"),
    ] {
        let (failing, world) = World::failing();
        let world = world.knows("a", A);
        let (dir, _) = world.open();
        failing.fail_on(path, call, When::Nth(1), Fault::Error(Errno::NOSPC));
        let (settings, partitions) = (world.settings("a").expect("known"), [0, 1, 2, 3, 4]);
        dir.create_all("a", &partitions, &settings, 0).expect_err("one fails");
        assert_eq!(world.dirs(), ["a-0", "a-1", "a-2", "a-4"], "{call:?} {path}");
        dir.create_all("a", &partitions, &settings, 0).expect("creates");
        assert_eq!(dir.logs().len(), 5);
    }
}
