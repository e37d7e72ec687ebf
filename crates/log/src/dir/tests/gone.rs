//! Partitions whose directories somebody removed.

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
    dir.accept_gone();
    assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);
    assert!(dir.close_clean(1).clean);
    let (dir, report) = world.open();
    assert!(report.failed.is_empty());
    assert_eq!((log_end(&dir, "t", 0), log_end(&dir, "t", 1)), (0, 2));
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
