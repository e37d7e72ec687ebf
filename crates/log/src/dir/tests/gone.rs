//! Partitions whose directories somebody removed.

use std::collections::HashSet;
use std::error::Error;

use pagewire_disk::{Call, Errno, Fault, ForgettingDisk, When};

use super::*;
use crate::{CreateError, LogError};

/// A topic of two partitions with records, of which the directory of the first is taken away.
fn without_the_first(clean: bool) -> World {
    let world = World::new().knows("t", A);
    let (dir, _) = world.open();
    for partition in 0..2 {
        append(&world.create(&dir, "t", partition), 2);
    }
    if clean {
        assert!(dir.close_clean(1).clean);
    } else {
        dir.write_checkpoints().expect("written");
    }
    drop(dir);
    world.disk.rename(&path("t-0"), Path::new("/elsewhere")).expect("moved");
    world
}

fn try_create(world: &World, dir: &LogDir) -> Result<Arc<Log>, CreateError> {
    dir.create("t", 0, &world.settings("t").expect("known"), 0)
}

fn refused(world: &World, dir: &LogDir) {
    let made = try_create(world, dir);
    assert!(
        matches!(&made, Err(CreateError::Log(LogError::Gone { path: dir })) if *dir == path("t-0")),
        "{made:?}"
    );
    assert!(!world.has("t-0"), "nothing is made");
}

#[test]
fn one_that_had_records_is_not_made_anew_at_any_start() {
    for clean in [true, false] {
        let world = without_the_first(clean);
        for start in 0..3 {
            let (dir, report) = world.open();
            let [failed] = report.failed.as_slice() else { panic!("{start}: {report:?}") };
            assert_eq!((failed.topic.as_str(), failed.partition), ("t", 0));
            assert!(failed.error.to_string().contains("log online --empty /data"), "{}", failed.error);
            refused(&world, &dir);
            assert_eq!(log_end(&dir, "t", 1), 2, "the others are served");
            if start == 0 {
                dir.write_checkpoints().expect("written");
            } else {
                assert!(dir.close_clean(1).clean);
            }
        }
    }
}

#[test]
fn one_that_is_put_back_is_opened_at_once_or_by_the_next_start() {
    let put_back = |world: &World| world.disk.rename(Path::new("/elsewhere"), &path("t-0")).expect("moved");
    let world = without_the_first(true);
    let (dir, _) = world.open();
    put_back(&world);
    let log = try_create(&world, &dir).expect("there");
    assert!(log.marks().log_end == 2 && reads_all(&log) && dir.gone_count() == 0);

    let world = without_the_first(true);
    assert!(world.open().0.close_clean(1).clean);
    put_back(&world);
    let (dir, report) = world.open();
    assert!(report.failed.is_empty() && dir.gone_count() == 0);
    assert_eq!(log_end(&dir, "t", 0), 2);
}

#[test]
fn one_whose_loss_is_accepted_is_made_anew() {
    let world = without_the_first(true);
    let (dir, _) = world.open();
    refused(&world, &dir);
    dir.accept_gone(true);
    assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);
    assert!(dir.close_clean(1).clean);
    let (dir, report) = world.open();
    assert!(report.failed.is_empty());
    assert_eq!((log_end(&dir, "t", 0), log_end(&dir, "t", 1)), (0, 2));
}

/// No checkpoint knows of it.
#[test]
fn one_that_its_owner_misses_is_made_only_while_its_loss_is_accepted() {
    let world = World::new().knows("t", A);
    let (dir, report) = world.open();
    assert!(report.failed.is_empty() && dir.miss("t", 0) && !dir.miss("t", 0), "news once");
    refused(&world, &dir);
    dir.accept_gone(true);
    dir.accept_gone(false);
    refused(&world, &dir);
    assert_eq!(dir.gone_names(), [("t".to_owned(), 0)]);
    dir.accept_gone(true);
    assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);
    assert_eq!(dir.gone_count(), 0);
}

#[test]
fn a_topic_that_is_deleted_and_made_again_does_not_miss_what_the_old_one_had() {
    let world = without_the_first(true);
    let (dir, _) = world.open();
    dir.delete_all("t", &[0, 1], 5).expect("deleted");
    world.learns("t", Some(B));
    assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);
}

#[test]
fn one_without_records_and_one_of_an_unknown_topic_are_not_missed() {
    let world = World::new().knows("empty", A).knows("forgotten", B);
    let (dir, _) = world.open();
    world.create(&dir, "empty", 0);
    append(&world.create(&dir, "forgotten", 0), 2);
    assert!(dir.close_clean(1).clean);
    drop(dir);
    for name in ["empty-0", "forgotten-0"] {
        world.disk.remove_dir_all(&path(name)).expect("removed");
    }
    world.learns("forgotten", None);
    let (dir, report) = world.open();
    assert!(report.failed.is_empty(), "{report:?}");
    world.create(&dir, "empty", 0);
}

/// Of a directory with records of topic A, whose place B takes: `live` dies at every call that changes the disk, by a kill or a
/// power cut. Whatever the metadata knew by then, B is made without a word.
fn is_never_missed(live: impl Fn(&World) -> Result<(), Box<dyn Error>>) {
    for calls in 1.. {
        let disk = ForgettingDisk::new();
        let world = World::on(Arc::new(disk.clone())).knows("t", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "t", 0), 2);
        assert!(dir.close_clean(0).clean);
        drop(dir);
        disk.die_in(calls, calls);
        let lived = live(&world);
        let died = disk.is_dead();
        assert!(died || lived.is_ok(), "{lived:?}");
        for left in [disk.killed(), disk.crash(0).expect("crash"), disk.crash(calls).expect("crash")] {
            let world = world.moved_to(Arc::new(left)).knows("t", B);
            let (dir, report) = world.open();
            assert!(report.failed.is_empty(), "{calls}: {report:?}");
            assert_eq!(world.create(&dir, "t", 0).marks().log_end, 0, "{calls}");
        }
        if !died {
            assert!(calls > 10, "{calls} calls are too few to be all");
            return;
        }
    }
}

#[test]
fn a_deleted_topic_is_not_missed_by_the_next_one_wherever_the_process_dies() {
    is_never_missed(|world| {
        let (dir, _) = world.try_open()?;
        dir.delete("t", 0, 0)?;
        dir.unlink_due(i64::MAX)?;
        world.learns("t", Some(B));
        dir.create("t", 0, &world.settings("t").expect("known"), 0)?;
        Ok(())
    });
}

#[test]
fn a_topic_that_was_set_aside_is_not_missed_by_the_next_one_wherever_the_process_dies() {
    is_never_missed(|world| {
        world.learns("t", Some(B));
        let (dir, _) = world.try_open()?;
        dir.delete_leftovers(&HashSet::from([A]), 0)?;
        dir.unlink_due(i64::MAX)?;
        dir.create("t", 0, &world.settings("t").expect("known"), 0)?;
        Ok(())
    });
    is_never_missed(|world| {
        world.learns("t", None);
        let (dir, _) = world.try_open()?;
        world.learns("t", Some(B));
        dir.create("t", 0, &world.settings("t").expect("known"), 0)?;
        Ok(())
    });
}

#[test]
fn a_leftover_of_a_deleted_topic_is_not_missed_by_the_next_one_wherever_the_process_dies() {
    is_never_missed(|world| {
        world.learns("t", None);
        let (dir, _) = world.try_open()?;
        dir.delete_leftovers(&HashSet::from([A]), 0)?;
        dir.unlink_due(i64::MAX)?;
        Ok(())
    });
}

#[test]
fn a_topic_whose_loss_was_noticed_and_that_was_deleted_is_not_missed_at_the_next_start() {
    let world = without_the_first(true);
    let (dir, _) = world.open();
    dir.delete("t", 0, 5).expect("nothing there");
    drop(dir);
    world.learns("t", Some(B));
    let (dir, report) = world.open();
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);
}

#[test]
fn a_directory_keeps_its_name_while_a_sick_disk_does_not_let_it_be_forgotten_and_loses_it_on_a_full_one() {
    for (errno, keeps) in [(Errno::IO, true), (Errno::NOSPC, false)] {
        let (failing, world) = World::failing();
        let world = world.knows("t", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "t", 0), 2);
        dir.write_checkpoints().expect("written");
        failing.fail_on("checkpoint", Call::Write, When::Always, Fault::Error(errno));
        assert_eq!(dir.delete("t", 0, 0).is_err(), keeps);
        assert!(dir.get("t", 0).is_none());
        assert_eq!((world.has("t-0"), dir.offline().is_some()), (keeps, keeps));
    }
}
