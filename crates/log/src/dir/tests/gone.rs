//! Partitions whose directories somebody removed.

use std::collections::HashSet;
use std::error::Error;

use pagewire_disk::{Call, Errno, Fault, ForgettingDisk, PartitionMetadata, When};

use super::*;
use crate::verify::KnownTopic;
use crate::{CreateError, LogError, Marks, RecoveryReport};

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
        matches!(&made, Err(CreateError::Log(LogError::Gone { path: dir, .. })) if *dir == path("t-0")),
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
    assert!(log.marks().log_end == 2 && reads_all(&log) && dir.gone_names().is_empty());

    let world = without_the_first(true);
    assert!(world.open().0.close_clean(1).clean);
    put_back(&world);
    let (dir, report) = world.open();
    assert!(report.failed.is_empty() && dir.gone_names().is_empty());
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
    assert_eq!(dir.gone_names().len(), 0);
}

/// A start that finds another log damaged writes the checkpoints before anybody could miss it.
#[test]
fn of_one_that_had_no_stable_record_it_is_known_that_it_had_none_when_it_returns() {
    let world = World::new().knows("t", A).knows("u", B);
    let (dir, _) = world.open();
    append(&world.create(&dir, "u", 0), 2);
    assert!(dir.close_clean(1).clean);
    drop(dir);
    let (dir, _) = world.open();
    append(&world.create(&dir, "t", 0), 2);
    drop(dir);
    let elsewhere = Path::new("/elsewhere");
    world.disk.rename(&path("t-0"), elsewhere).expect("moved");
    let file = |name: &Path| world.disk.open(name, OpenMode::ReadWrite).expect("there");
    file(&path("u-0/00000000000000000000.log")).set_len(1).expect("cut");
    let (dir, report) = world.open();
    assert!(report.failed.is_empty() && !report.loaded[0].report.damage.is_empty(), "{report:?}");
    drop(dir);
    world.disk.rename(elsewhere, &path("t-0")).expect("moved");
    file(&path("t-0/00000000000000000000.log")).write_at(20, &[0xff; 9]).expect("torn");
    let (dir, report) = world.open();
    let said = &report.loaded.iter().find(|loaded| loaded.topic == "t").expect("loaded").report;
    assert!(said.damage.is_empty() && said.cuts.len() == 1, "{said:?}");
    assert_eq!(log_end(&dir, "t", 0), 0);
}

/// A log that a start opens, and one that was not there at that start and came back: what is found, and where it begins and ends.
fn opened_at_a_start_and_later(live: impl Fn(&World)) -> [(RecoveryReport, Marks); 2] {
    let elsewhere = Path::new("/elsewhere");
    [false, true].map(|later| {
        let world = World::new().knows("t", A);
        live(&world);
        if later {
            world.disk.rename(&path("t-0"), elsewhere).expect("moved");
        }
        let (dir, mut report) = world.open();
        let opened = if later {
            world.disk.rename(elsewhere, &path("t-0")).expect("moved");
            dir.open_again("t", 0, &world.settings("t").expect("known"), 0).expect("opened")
        } else {
            report.loaded.pop()
        };
        (opened.expect("told").report, dir.get("t", 0).expect("open").marks())
    })
}

/// Segments of three records, the first of them deleted.
fn lived(world: &World, clean: bool) {
    let (dir, _) = world.open();
    let log = world.create(&dir, "t", 0);
    append(&log, 8);
    log.sync().expect("synced");
    log.delete_records_before(4).expect("deleted");
    log.apply_retention(0).expect("retained");
    dir.write_checkpoints().expect("written");
    append(&log, 4);
    if clean {
        assert!(dir.close_clean(1).clean);
    }
}

#[test]
fn one_that_returns_is_opened_by_all_that_a_start_would_have_known() {
    type Harm = Box<dyn Fn(&World)>;
    let gone =
        |name: &'static str| move |world: &World| world.disk.remove_file(&path(name)).expect("removed");
    let harms: [(&str, Harm); 5] = [
        ("none", Box::new(|_: &World| ())),
        ("the newest records", Box::new(gone("t-0/00000000000000000009.log"))),
        ("the first records", Box::new(gone("t-0/00000000000000000003.log"))),
        ("the epochs", Box::new(gone("t-0/leader-epoch-checkpoint"))),
        ("whose it is", Box::new(gone("t-0/partition.metadata"))),
    ];
    for clean in [true, false] {
        for (what, harm) in &harms {
            let [at_the_start, later] = opened_at_a_start_and_later(|world| {
                lived(world, clean);
                harm(world);
            });
            assert_eq!(later, at_the_start, "{what}, clean: {clean}");
            assert!(*what != "none" || later.1.log_start == 4, "{later:?}");
        }
    }
}

/// A log of which nothing was synced, as a power cut left it that took the records of its first segment and not the
/// name of its second; the checkpoints may have come to name it.
fn torn_by_a_power_cut(named: bool) -> World {
    let disk = ForgettingDisk::new();
    let world = World::on(Arc::new(disk.clone())).knows("t", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "t", 0), 4);
    disk.sync_dir(&path("t-0")).expect("the names are stable");
    if named {
        dir.write_checkpoints().expect("written");
    }
    let left = disk.crash(0).expect("a crash");
    let world = world.moved_to(Arc::new(left));
    assert!(
        world.has("t-0/00000000000000000003.log") && world.get("t-0/00000000000000000000.log").is_empty()
    );
    world
}

#[test]
fn of_one_that_returns_after_orderly_stops_of_others_what_was_never_stable_is_cut_as_at_once() {
    let elsewhere = Path::new("/elsewhere");
    for named in [false, true] {
        let at_once = torn_by_a_power_cut(named).open();
        let [loaded] = at_once.1.loaded.as_slice() else { panic!("{:?}", at_once.1) };
        assert!(loaded.report.damage.is_empty() && !loaded.report.cuts.is_empty(), "{loaded:?}");
        for stops in 1..4 {
            let world = torn_by_a_power_cut(named);
            world.disk.rename(&path("t-0"), elsewhere).expect("moved");
            for _ in 0..stops {
                let (dir, _) = world.open();
                dir.miss("t", 0);
                assert!(dir.close_clean(1).clean);
            }
            world.disk.rename(elsewhere, &path("t-0")).expect("moved");
            let (dir, report) = world.open();
            let [returned] = report.loaded.as_slice() else { panic!("{report:?}") };
            assert_eq!(returned.report, loaded.report, "named: {named}, {stops} stops");
            assert_eq!(log_end(&dir, "t", 0), 0);
        }
    }
}

/// A log that cannot be opened at the start, of which a checkpoint knows or not; then its directory goes.
fn unopened_and_removed(checkpoint: bool) -> (World, LogDir) {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let world = World::on(Arc::new(disk.clone())).knows("t", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "t", 0), 2);
    if checkpoint {
        dir.flush_due(i64::MAX);
        dir.write_checkpoints().expect("written");
    }
    drop(dir);
    disk.fail_on("/data/t-0", Call::ReadDir, When::Always, Fault::Error(Errno::IO));
    let (dir, report) = world.open();
    assert_eq!((report.failed.len(), dir.unopened().len()), (1, 1));
    disk.heal();
    world.disk.remove_dir_all(&path("t-0")).expect("removed");
    (world, dir)
}

#[test]
fn one_that_could_not_be_opened_and_is_removed_then_is_gone_like_others() {
    for checkpoint in [true, false] {
        let (world, dir) = unopened_and_removed(checkpoint);
        refused(&world, &dir);
        assert_eq!((dir.unopened().len(), dir.gone_names().len()), (0, 1));
        dir.accept_gone(true);
        assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);

        let (world, dir) = unopened_and_removed(checkpoint);
        dir.look_for_removed(&|_, _, id| id == A);
        assert_eq!((dir.unopened().len(), dir.gone_names().len()), (0, 1));
        dir.accept_gone(true);
        assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);
        assert_eq!(dir.gone_names().len(), 0);
    }
    let (world, dir) = unopened_and_removed(true);
    dir.look_for_removed(&|_, _, _| true);
    assert!(dir.close_clean(1).clean);
    drop(dir);
    assert_eq!(world.open().1.failed.len(), 1, "the next start knows as much");
}

#[test]
fn of_a_deleted_topic_nothing_that_was_removed_is_waited_for() {
    let (_, dir) = unopened_and_removed(true);
    dir.look_for_removed(&|_, _, _| false);
    assert_eq!((dir.unopened().len(), dir.gone_names().len()), (0, 0));

    let (world, dir) = unopened_and_removed(true);
    dir.delete_all("t", &[0], 0).expect("deleted");
    assert_eq!((dir.unopened().len(), dir.gone_names().len()), (0, 0));
    world.learns("t", Some(B));
    assert_eq!(try_create(&world, &dir).expect("made").marks().log_end, 0);
}

#[test]
fn what_is_only_opened_again_is_never_made() {
    let world = World::new().knows("t", A);
    let (dir, _) = world.open();
    let opened = dir.open_again("t", 0, &world.settings("t").expect("known"), 0);
    assert!(matches!(opened, Err(CreateError::Log(LogError::Gone { .. }))), "{opened:?}");
    assert!(!world.has("t-0") && dir.get("t", 0).is_none());
    world.create(&dir, "t", 0);
    let opened = dir.open_again("t", 0, &world.settings("t").expect("known"), 0);
    assert!(matches!(opened, Ok(None)), "it is open: {opened:?}");
}

/// Two partitions of a topic, of which the first was away at the start and is back.
fn with_one_put_back(world: &World) -> LogDir {
    let (dir, _) = world.open();
    append(&world.create(&dir, "t", 0), 2);
    append(&world.create(&dir, "t", 1), 2);
    assert!(dir.close_clean(1).clean);
    drop(dir);
    world.disk.rename(&path("t-0"), Path::new("/elsewhere")).expect("moved");
    let (dir, _) = world.open();
    world.disk.rename(Path::new("/elsewhere"), &path("t-0")).expect("put back");
    dir
}

#[test]
fn topics_come_and_go_while_a_log_is_opened_again() {
    let (disk, failing) = World::failing();
    let world = failing.knows("t", A).knows("u", B);
    let dir = with_one_put_back(&world);
    let held = disk.hold("t-0/00000000000000000000.log", Call::Open);
    let settings = world.settings("t").expect("known");
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| dir.open_again("t", 0, &settings, 0));
        assert!(held.is_reached());
        world.create(&dir, "u", 0);
        assert!(dir.delete("u", 0, 1).expect("deleted"));
        assert!(dir.delete("t", 1, 1).expect("deleted"), "another partition of it");
        dir.look_for_removed(&|_, _, _| true);
        drop(held);
        assert!(opening.join().expect("lives").expect("opened").is_some());
    });
    assert_eq!(log_end(&dir, "t", 0), 2);
}

#[test]
fn the_topic_of_a_log_that_is_being_opened_goes_at_once_and_its_log_with_the_opening() {
    let (disk, failing) = World::failing();
    let world = failing.knows("t", A);
    let dir = with_one_put_back(&world);
    let held = disk.hold("t-0/00000000000000000000.log", Call::Open);
    let settings = world.settings("t").expect("known");
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| dir.open_again("t", 0, &settings, 0));
        assert!(held.is_reached() && dir.is_being_opened("t", 0));
        assert_eq!(dir.delete_all("t", &[0, 1], 1).expect("deleted"), 1, "the other one is gone");
        let anew = dir.create("t", 0, &PartitionSettings { topic_id: B, ..settings.clone() }, 1);
        assert!(matches!(anew, Err(CreateError::BeingOpened { partition: 0, .. })), "{anew:?}");
        drop(held);
        assert!(opening.join().expect("lives").expect("opened").is_some());
    });
    assert!(dir.delete("t", 0, 2).expect("deleted"), "by whoever had it opened");
    world.learns("t", Some(B));
    assert_eq!(world.create(&dir, "t", 0).marks().log_end, 0);
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

/// A flipped bit in an id, which has no checksum.
#[test]
fn what_names_another_topic_is_named_by_a_check_and_where_it_was_set_aside_by_what_is_said_of_its_loss() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    dir.close_clean(0);
    drop(dir);
    let topics = |id| Topics::from([("a".to_owned(), KnownTopic { id: Some(id), ..KnownTopic::default() })]);
    assert!(found(&world, Some(&topics(A))).is_empty());
    let named = PartitionMetadata { topic_id: B }.render();
    world.put("a-0/partition.metadata", named.as_bytes());
    let findings = found(&world, Some(&topics(A)));
    let told: Vec<_> = findings.iter().map(|one| (one.severity, one.path.clone())).collect();
    assert_eq!(told, [(Severity::Damage, path("a-0/partition.metadata"))], "{findings:?}");

    let (dir, _) = world.open();
    let stray =
        world.disk.read_dir(root()).expect("there").into_iter().find(|one| one.name.ends_with("-stray"));
    let stray = stray.expect("it was set aside").name;
    assert!(dir.miss("a", 0), "the metadata knows that it was made");
    world.put("metadata.redb", b"");
    let placed = KnownTopic { id: Some(A), homes: vec![None], ..KnownTopic::default() };
    let told = found(&world, Some(&Topics::from([("a".to_owned(), placed)])));
    assert!(told.iter().any(|one| one.path == path("a-0") && one.what.contains(&stray)), "{told:?}");
    let said = dir.gone_error("a", 0).to_string();
    assert!(said.contains(&stray) && said.contains("remove partition.metadata"), "{said}");
    drop(dir);
    // As it says.
    world.disk.rename(&path(&stray), &path("a-0")).expect("put back");
    world.disk.remove_file(&path("a-0/partition.metadata")).expect("there");
    let (dir, _) = world.open();
    assert_eq!(dir.get("a", 0).expect("served").marks().log_end, 3);
}

/// Somebody had it set aside by hand, while no broker served it.
#[test]
fn what_was_renamed_to_a_stray_is_named_by_whoever_misses_it() {
    for name in ["a-0-stray", "a-0.0123456789abcdef0123456789abcdef-stray"] {
        let world = World::new().knows("a", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 3);
        append(&world.create(&dir, "a", 1), 3);
        dir.close_clean(0);
        drop(dir);
        world.disk.rename(&path("a-0"), &path(name)).expect("renamed");
        world.put("metadata.redb", b"");
        let placed = KnownTopic { id: Some(A), homes: vec![None; 2], ..KnownTopic::default() };
        let told = found(&world, Some(&Topics::from([("a".to_owned(), placed)])));
        assert!(told.iter().any(|one| one.path == path("a-0") && one.what.contains(name)), "{told:?}");
        let (dir, report) = world.open();
        let [failed] = report.failed.as_slice() else { panic!("{:?}", report.failed) };
        let way = "If its records are this partition's";
        for said in [failed.error.to_string(), dir.gone_error("a", 0).to_string()] {
            assert!(said.contains(name) && said.contains(way), "{said}");
        }
    }
}
