//! Logs of which nobody knows up to where they are stable, and which cannot be made so: they are read, and not written.

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Call, Errno, FailingDisk, Fault, When};

use super::*;

const RECORDS: usize = 20;

/// The logs `a-0` and `a-1`, killed; in the first a batch that was stable is destroyed, and no checkpoint says so.
fn killed() -> (FailingDisk, World) {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    for partition in [0, 1] {
        let log = world.create(&dir, "a", partition);
        append(&log, RECORDS);
        log.sync().expect("synced");
    }
    dir.write_checkpoints().expect("written");
    drop(dir);
    let file = world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("there");
    file.write_at(batch(1).len() as u64 + 70, &[0xff; 4]).expect("destroyed");
    world.disk.remove_file(&path(RECOVERY_POINT_FILE)).expect("removed");
    (failing, world)
}

/// What a start finds, which must be all that there was.
fn keeps_all(world: &World) -> LogDir {
    let (dir, report) = world.open();
    let cuts = |loaded: &crate::LoadedLog| loaded.report.cuts.len();
    assert_eq!((report.failed.len(), report.loaded.iter().map(cuts).sum::<usize>()), (0, 0), "{report:?}");
    assert_eq!([0, 1].map(|partition| log_end(&dir, "a", partition)), [RECORDS as i64; 2]);
    dir
}

fn names(world: &World, log: &str) -> bool {
    world.has(RECOVERY_POINT_FILE) && world.get(RECOVERY_POINT_FILE).contains(&format!("\n{log} "))
}

/// What the sync of `a-0` may say; whether it is the disk that is sick.
const TROUBLES: [(Errno, bool); 2] = [(Errno::IO, true), (Errno::NOSPC, false)];

#[test]
fn a_log_that_cannot_be_made_stable_is_read_and_not_written_and_every_start_keeps_all_of_it() {
    for (errno, is_sick) in TROUBLES {
        let (failing, world) = killed();
        let log = "a-0/00000000000000000000.log";
        failing.fail_on(log, Call::SyncData, When::Always, Fault::Error(errno));
        for _ in 0..3 {
            let dir = keeps_all(&world);
            let [one, other] = [0, 1].map(|partition| dir.get("a", partition).expect("open"));
            assert!(reads_all(&other) && one.read(0, 1, ReadUpTo::LogEnd, true).is_ok(), "{errno}");
            let refused = try_append(&one, 1).expect_err("not written");
            assert!(matches!(refused, AppendError::Offline(_)), "{errno}: {refused}");
            assert_eq!(dir.offline().is_some(), is_sick, "{errno}: one sick disk, one directory");
            assert_eq!(other.offline().is_some(), is_sick, "{errno}");
            dir.set_settings("a", &world.settings("a").expect("known"));
            let _ = (dir.flush_due(i64::MAX), dir.note_stable(), dir.write_checkpoints());
            assert!(!names(&world, "a 0"), "{errno}");
            assert!(!dir.close_clean(0).clean, "{errno}: the next start is to look");
        }
        failing.heal();
        let dir = keeps_all(&world);
        assert!(names(&world, "a 0") && names(&world, "a 1"), "{errno}");
        append(&dir.get("a", 0).expect("open"), 1);
    }
}

/// Before that sync others are made, each of which keeps the log closed.
#[test]
fn a_log_whose_sync_could_not_even_begin_takes_no_record() {
    let (failing, world) = killed();
    let opened = (1..16).find_map(|nth| {
        failing.heal();
        failing.fail_on("a-0", Call::SyncDir, When::From(nth), Fault::Error(Errno::MFILE));
        Some(world.open()).filter(|(_, report)| report.failed.is_empty())
    });
    let (dir, _) = opened.expect("opened when only the last one fails");
    let [one, other] = [0, 1].map(|partition| dir.get("a", partition).expect("open"));
    assert!(dir.offline().is_none() && other.offline().is_none());
    assert!(matches!(try_append(&one, 1), Err(AppendError::Offline(_))));
    let _ = dir.write_checkpoints();
    assert!(!names(&world, "a 0") && names(&world, "a 1"));
    drop(dir);
    failing.heal();
    keeps_all(&world);
    assert!(names(&world, "a 0"));
}

#[test]
fn retention_and_deletion_take_what_could_not_be_made_stable_for_want_of_room() {
    let (failing, world) = killed();
    failing.fail_on(".log", Call::SyncData, When::Always, Fault::Error(Errno::NOSPC));
    failing.fail_on("-checkpoint", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let dir = keeps_all(&world);
    let before = dir.get("a", 1).expect("open").segments().len();
    let retained = dir.retain(10_000);
    assert!(retained.segments >= before - 1 && before > 2, "{} of {before}", retained.segments);
    assert!(dir.get("a", 1).expect("open").marks().log_start > 0);
    assert!(dir.unlink_due(20_000).expect("unlinked") > 0);
    assert!(dir.delete("a", 1, 0).expect("deleted"));
    drop(dir);
    failing.heal();
    let (dir, _) = world.open();
    assert_eq!(log_end(&dir, "a", 0), RECORDS as i64, "no offset is given out twice");
}

#[test]
fn a_full_disk_that_takes_no_epochs_keeps_no_log_closed() {
    let (failing, world) = killed();
    for partition in [0, 1] {
        let epochs = path(&format!("a-{partition}")).join(crate::epochs::FILE);
        world.disk.remove_file(&epochs).expect("removed");
    }
    failing.fail_on(crate::epochs::FILE, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let dir = keeps_all(&world);
    assert!(dir.is_full());
    assert!(dir.close_clean(0).clean, "a start makes them anew");
    failing.heal();
    let dir = keeps_all(&world);
    assert_eq!(dir.get("a", 1).expect("open").leader_epoch(), Some(0));
}
