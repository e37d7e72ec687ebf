//! The first stable records of a segment are written down soon, and that costs what changed.

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Call, Errno, Fault, ForgettingDisk, OffsetCheckpoint, When};

use super::*;

fn point(world: &World, partition: i32) -> Option<i64> {
    let read = OffsetCheckpoint::read(&*world.disk, &path(RECOVERY_POINT_FILE));
    read.expect("read").and_then(|points| points.get("a", partition))
}

/// Calls that change the disk, of a note about the first of so many logs, of which the others have more than is written down.
fn changes(logs: i32) -> u64 {
    let disk = ForgettingDisk::new();
    let world = World::on(Arc::new(disk.clone())).knows("a", A);
    let config = LogConfig { segment_bytes: 1 << 20, index_interval_bytes: 100, ..world.config.clone() };
    let world = World { config, ..world };
    let (dir, _) = world.open();
    let logs: Vec<_> = (0..logs).map(|partition| world.create(&dir, "a", partition)).collect();
    let (first, others) = logs.split_first().expect("one");
    for records in [3, 4] {
        for log in others {
            append(log, records);
            log.sync().expect("synced");
        }
        dir.note_stable().expect("noted");
    }
    assert!(!dir.has_unnoted());
    append(first, 5);
    first.sync().expect("synced");
    assert!(dir.has_unnoted());
    let before = disk.changes();
    dir.note_stable().expect("noted");
    let changes = disk.changes() - before;
    assert!(!dir.has_unnoted());
    assert_eq!(point(&world, 0), Some(5));
    assert!(
        others.iter().all(|log| point(&world, log.partition()) == Some(3)),
        "the next checkpoint says it"
    );
    dir.write_checkpoints().expect("written");
    assert!(others.iter().all(|log| point(&world, log.partition()) == Some(7)));
    changes
}

#[test]
fn a_note_writes_what_it_is_about_and_looks_at_no_other_log() {
    assert_eq!(changes(1), changes(40));
}

#[test]
fn a_note_that_could_not_be_written_is_still_due() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 1);
    log.sync().expect("synced");
    failing.fail_on(RECOVERY_POINT_FILE, Call::Write, When::Nth(1), Fault::Error(Errno::NOSPC));
    assert!(dir.note_stable().is_err() && dir.has_unnoted());
    // What the file holds is not known any more, so all of it is written.
    dir.note_stable().expect("noted");
    assert!(point(&world, 0) == Some(1) && !dir.has_unnoted());
}

#[test]
fn a_log_that_could_not_be_named_takes_no_record_until_it_is() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    failing.fail_on(RECOVERY_POINT_FILE, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let settings = world.settings("a").expect("known");
    let error = dir.create("a", 0, &settings, 0).expect_err("not named");
    assert!(error.is_full_disk(), "{error}");
    let log = dir.get("a", 0).expect("made");
    let AppendError::Write(error) = try_append(&log, 1).expect_err("not named") else { panic!("offline") };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(dir.has_unnoted() && dir.note_stable().is_err() && dir.has_unnoted());
    failing.heal();
    dir.note_stable().expect("named");
    assert_eq!(point(&world, 0), Some(0));
    append(&log, 1);
    assert!(!dir.has_unnoted());
}

#[test]
fn a_log_that_a_start_could_not_name_takes_no_record_until_it_is() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    append(&world.create(&world.open().0, "a", 0), 5);
    world.disk.remove_file(&path(RECOVERY_POINT_FILE)).expect("removed");
    failing.fail_on(RECOVERY_POINT_FILE, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    assert!(reads_all(&log) && try_append(&log, 1).is_err() && dir.has_unnoted());
    failing.heal();
    dir.note_stable().expect("named");
    assert_eq!(point(&world, 0), Some(5));
    append(&log, 1);
}

#[test]
fn topics_that_are_made_together_are_named_by_one_write() {
    let (failing, world) = World::failing();
    let (dir, _) = world.open();
    let names: Vec<String> = (0..20).map(|at| format!("t{at}")).collect();
    let written = || failing.traffic(RECOVERY_POINT_FILE).syncs;
    let before = written();
    for name in &names {
        world.learns(name, Some(A));
        dir.make_all(name, &[0, 1], &world.settings(name).expect("known"), 0).expect("made");
        assert!(try_append(&dir.get(name, 0).expect("made"), 1).is_err(), "not before it is named");
    }
    dir.name_made().expect("named");
    assert_eq!(written() - before, 1);
    for name in &names {
        append(&dir.get(name, 1).expect("made"), 1);
    }
    dir.name_made().expect("nothing is left");
    assert_eq!(written() - before, 1);
}

#[test]
fn a_log_that_is_deleted_is_not_named_by_a_note() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let logs = [0, 1].map(|partition| world.create(&dir, "a", partition));
    for log in &logs {
        append(log, 1);
        log.sync().expect("synced");
    }
    dir.delete("a", 0, 0).expect("deleted");
    dir.note_stable().expect("noted");
    assert_eq!((point(&world, 0), point(&world, 1)), (None, Some(1)));
    assert!(!dir.has_unnoted());
}
