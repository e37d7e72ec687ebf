//! Directories that come back under the running broker.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use pagewire_disk::{MetaProperties, PartitionMetadata};

use super::*;
use crate::{LogDir, ScrubLimits};

fn of(dirs: &LogDirs, path: &str) -> Arc<LogDir> {
    dirs.here().find(|dir| dir.path() == Path::new(path)).expect("here")
}

fn make_sick(dirs: &LogDirs, path: &str) {
    of(dirs, path).take_offline(ErrorKind::Other, "as the test wants");
}

/// Takes in one that was sick.
fn back(world: &World, dirs: &LogDirs, path: &str) -> LoadReport {
    make_sick(dirs, path);
    dirs.serve(world.take_in(dirs, path, Coming::Back(None)).expect("well")).expect("alone").1
}

impl World {
    fn names_in(&self, dir: &str) -> BTreeSet<String> {
        self.disk.read_dir(Path::new(dir)).expect("listed").into_iter().map(|entry| entry.name).collect()
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let file = self.disk.open(Path::new(path), OpenMode::Create).expect("made");
        file.set_len(0).and_then(|()| file.write_at(0, bytes)).expect("written");
    }

    fn move_away(&self, path: &str) {
        let to = format!("/elsewhere/{}", Uuid::new_v4());
        self.disk.create_dir_all(Path::new("/elsewhere")).expect("made");
        self.disk.rename(Path::new(path), Path::new(&to)).expect("moved");
    }
}

#[test]
fn a_directory_that_was_away_is_taken_in_when_it_can_be_read() {
    let (world, placed) = World::with_three_partitions();
    world.fail("/b", Call::ReadDir);
    let (dirs, _) = world.open();
    assert!(matches!(world.take_in(&dirs, "/b", Coming::Back(None)), Err(TakeInError::Still(_))));
    world.disk.heal();
    let taken = world.take_in(&dirs, "/b", Coming::Back(None)).expect("readable");
    assert!(taken.report.clean && taken.report.loaded.len() == 1);
    assert_eq!((ends(&dirs)[1], dirs.away().len()), (None, 1), "nobody sees it yet");
    dirs.serve(taken).expect("alone");
    assert_eq!((ends(&dirs), dirs.away().len()), (vec![Some(1); 3], 0));
    assert_eq!(dirs.directory_of("t", 1), Some(placed[1]));
    append(&dirs, 1);
    assert!(matches!(world.take_in(&dirs, "/b", Coming::Back(None)), Err(TakeInError::Served(_))));
}

#[test]
fn of_a_file_system_that_became_read_only_it_is_said_that_the_broker_has_to_be_stopped() {
    let (world, _) = World::with_three_partitions();
    let (dirs, _) = world.open();
    for call in [Call::Write, Call::SyncData] {
        world.disk.fail_on("/b/", call, When::Always, Fault::Error(Errno::ROFS));
    }
    let log = dirs.get("t", 1).expect("served");
    assert!(try_append(&dirs, 1).is_err());
    let words = "unmounted and mounted again, for which the broker has to be stopped";
    for offline in [of(&dirs, "/b").offline(), log.offline()] {
        let why = offline.expect("offline").reason;
        assert_eq!(why.matches(words).count(), 1, "{why}");
    }
    let Err(refused) = world.take_in(&dirs, "/b", Coming::Back(None)) else { panic!("read-only still") };
    assert!(refused.to_string().contains(words), "{refused}");
}

#[test]
fn a_directory_that_went_offline_is_opened_anew_with_all_that_was_acknowledged() {
    for sick in ["/a", "/b"] {
        let (world, _) = World::with_three_partitions();
        let (dirs, _) = world.open();
        let partition = i32::from(sick == "/b");
        append(&dirs, partition);
        let old = dirs.get("t", partition).expect("served");
        world.fail(&format!("{sick}/t-{partition}/"), Call::SyncData);
        old.sync().expect_err("sick");
        world.fail(sick, Call::Write);
        assert!(matches!(world.take_in(&dirs, sick, Coming::Back(None)), Err(TakeInError::Still(_))));
        assert_eq!(dirs.get("t", partition).expect("still read").marks().log_end, 2);
        world.disk.heal();
        let taken = world.take_in(&dirs, sick, Coming::Back(None)).expect("well");
        assert!(!taken.report.clean, "as after a crash");
        assert!(dirs.write_checkpoints_of(&[("t".into(), partition)]) == [0], "not by what is given up");
        assert!(dirs.here().any(|dir| dir.path() == Path::new(sick) && dir.offline().is_some()));
        dirs.serve(taken).expect("alone");
        let new = dirs.get("t", partition).expect("served");
        assert!(!Arc::ptr_eq(&old, &new) && old.offline().is_some());
        assert_eq!(new.marks().log_end, 2);
        append(&dirs, partition);
        assert_eq!((new.marks().log_end, old.marks().log_end), (3, 2));
        new.sync().expect("well");
        assert!(dirs.close_clean(0).clean);
        assert_eq!(world.open().0.get("t", partition).expect("served").marks().log_end, 3);
    }
}

#[test]
fn what_was_taken_in_and_dropped_is_recovered_again_by_the_next_attempt() {
    let (world, _) = World::with_three_partitions();
    let (dirs, _) = world.open();
    append(&dirs, 1);
    dirs.here().nth(1).expect("it").take_offline(std::io::ErrorKind::Other, "as the test wants");
    drop(world.take_in(&dirs, "/b", Coming::Back(None)).expect("well"));
    let taken = world.take_in(&dirs, "/b", Coming::Back(None)).expect("again");
    assert!(matches!(world.take_in(&dirs, "/b", Coming::Back(None)), Err(TakeInError::Busy(_))));
    assert!(!taken.report.clean);
    dirs.serve(taken).expect("alone");
    assert_eq!(ends(&dirs), [Some(1), Some(2), Some(1)]);
}

#[test]
fn a_directory_that_died_under_the_broker_is_replaced_under_its_id() {
    let (world, placed) = World::with_three_partitions();
    let (dirs, _) = world.open();
    make_sick(&dirs, "/b");
    world.move_away("/b");
    let id = placed[1];
    let taken = world.take_in(&dirs, "/b", Coming::Bare(id)).expect("accepted");
    let (dir, _) = dirs.serve(taken).expect("alone");
    assert_eq!(dir.directory_id(), id);
    dirs.create_all("t", &numbered(&placed), &settings(), 0).expect("anew");
    assert_eq!(ends(&dirs), [Some(1), Some(0), Some(1)]);
    append(&dirs, 1);
    assert!(dirs.close_clean(0).clean);
    drop((dirs, dir));
    assert_eq!(ends(&world.open().0), [Some(1); 3], "over a restart as well");
}

#[test]
fn a_replacement_does_not_get_the_id_of_a_directory_that_is_elsewhere_now() {
    let (world, placed) = World::with_three_partitions();
    let (dirs, _) = world.open();
    make_sick(&dirs, "/b");
    world.move_away("/b");
    let (dir, _) =
        dirs.serve(world.take_in(&dirs, "/b", Coming::Bare(placed[2])).expect("accepted")).expect("alone");
    assert!(dir.directory_id().is_some_and(|id| Some(id) != placed[2]));
}

#[test]
fn a_partition_in_two_directories_stays_closed_when_one_of_them_comes_back() {
    let (world, placed) = World::with_three_partitions();
    world.copy("/a/t-0", "/c/t-0");
    let before = world.read("/a/t-0/00000000000000000000.log");
    let (dirs, _) = world.open();
    for path in ["/a", "/c"] {
        let report = back(&world, &dirs, path);
        assert!(report.failed.iter().any(|failed| failed.error.to_string().contains("/a/t-0 and /c/t-0")));
        assert!(!report.notices.iter().any(|notice| matches!(notice, Notice::UnknownTopic { .. })));
        assert_eq!(ends(&dirs)[0], None, "{path}");
        let made = dirs.create_all("t", &numbered(&placed), &settings(), 0);
        assert!(matches!(made, Err(CreateError::Log(_))), "{made:?}");
    }
    assert_eq!(world.read("/a/t-0/00000000000000000000.log"), before);
    world.move_away("/c/t-0");
    assert!(back(&world, &dirs, "/a").failed.is_empty());
    assert_eq!(ends(&dirs), [Some(1); 3], "as soon as one is gone and the other is looked at");
    assert!(dirs.create_all("t", &numbered(&placed), &settings(), 0).is_ok());
}

#[test]
fn the_copy_that_is_left_elsewhere_is_not_taken_for_lost() {
    let (world, placed) = World::with_three_partitions();
    world.copy("/a/t-0", "/c/t-0");
    let (dirs, _) = world.open();
    world.move_away("/a/t-0");
    back(&world, &dirs, "/a");
    let made = dirs.create_all("t", &numbered(&placed), &settings(), 0);
    assert!(made.is_err() && !world.has("/a/t-0"), "{made:?}");
}

#[test]
fn a_copy_of_a_log_that_could_not_be_opened_does_not_take_its_place() {
    let (world, _) = World::with_three_partitions();
    world.copy("/a/t-0", "/c/t-0");
    world.fail("/c", Call::ReadDir);
    world.fail("/a/t-0", Call::ReadDir);
    let (dirs, report) = world.open();
    assert_eq!((ends(&dirs), report.failed.len()), (vec![None, Some(1), None], 1));
    world.disk.heal();
    dirs.serve(world.take_in(&dirs, "/c", Coming::Back(None)).expect("readable")).expect("alone");
    assert_eq!(ends(&dirs), [None, Some(1), Some(1)]);
}

#[test]
fn a_copy_that_came_later_takes_nothing_from_the_log_that_was_served() {
    let (world, _) = World::with_three_partitions();
    world.copy("/a/t-0", "/c/t-0");
    world.fail("/c", Call::ReadDir);
    let (dirs, _) = world.open();
    world.disk.heal();
    dirs.serve(world.take_in(&dirs, "/c", Coming::Back(None)).expect("readable")).expect("alone");
    append(&dirs, 0);
    assert_eq!(ends(&dirs), [Some(2), Some(1), Some(1)]);
    assert!(back(&world, &dirs, "/a").failed.is_empty());
    assert_eq!(ends(&dirs), [Some(2), Some(1), Some(1)]);
}

#[test]
fn what_belongs_to_somebody_else_is_not_written_to_and_what_is_open_is_kept() {
    let (world, placed) = World::with_three_partitions();
    let (dirs, _) = world.open();
    let log = dirs.get("t", 1).expect("served");
    make_sick(&dirs, "/b");
    world.move_away("/b");
    world.disk.create_dir_all(Path::new("/b")).expect("mounted");
    let theirs = |cluster: &str, node_id, directory_id| MetaProperties {
        cluster_id: cluster.to_owned(),
        node_id,
        directory_id,
    };
    for meta in [
        theirs("another", 1, None),
        theirs("cluster", 2, Some(Uuid::from_u128(3))),
        theirs("cluster", 1, placed[2]),
    ] {
        meta.write(&world.disk, Path::new("/b/meta.properties")).expect("written");
        let before = world.names_in("/b");
        for coming in [Coming::Back(None), Coming::Back(placed[1]), Coming::Bare(placed[1])] {
            let refused = world.take_in(&dirs, "/b", coming);
            assert!(matches!(refused, Err(TakeInError::Still(_))), "{refused:?}");
            assert_eq!(world.names_in("/b"), before);
        }
    }
    assert!(!of(&dirs, "/b").is_given_up());
    assert!(log.read(0, 1 << 20, crate::ReadUpTo::LogEnd, true).is_ok());
}

#[test]
fn a_file_of_somebody_outlives_the_look_whether_a_directory_can_be_written() {
    let (world, _) = World::with_three_partitions();
    let (dirs, _) = world.open();
    world.put("/b/.probe", b"somebody's");
    let before = world.names_in("/b");
    back(&world, &dirs, "/b");
    assert_eq!((world.read("/b/.probe"), world.names_in("/b")), (b"somebody's".to_vec(), before));
}

#[test]
fn a_log_that_cannot_be_opened_yet_takes_nobody_offline_and_comes_back_with_its_directory() {
    let (world, placed) = World::with_three_partitions();
    world.fail("/b/t-1", Call::ReadDir);
    let (dirs, _) = world.open();
    assert_eq!((ends(&dirs)[1], dirs.unopened()), (None, vec![("t".to_owned(), 1)]));
    let made = dirs.create_all("t", &numbered(&placed), &settings(), 0);
    assert!(made.is_err() && dirs.offline_count() == 0, "{made:?}");
    world.disk.heal();
    dirs.serve(world.take_in(&dirs, "/b", Coming::Back(None)).expect("it has something to open"))
        .expect("alone");
    assert_eq!((ends(&dirs), dirs.unopened().len()), (vec![Some(1); 3], 0));
    assert!(matches!(world.take_in(&dirs, "/b", Coming::Back(None)), Err(TakeInError::Served(_))));
}

#[test]
fn a_closed_log_of_a_directory_that_is_well_is_opened_and_the_others_are_left_alone() {
    let (world, _) = World::with_three_partitions();
    world.fail("/b/t-1", Call::ReadDir);
    let (dirs, _) = world.open();
    let before = of(&dirs, "/b");
    let known = |_: &str, _| Some(settings());
    let report = dirs.reopen(Path::new("/b"), &known, 0);
    assert_eq!((report.failed.len(), dirs.closed_in(Path::new("/b"))), (1, 1), "{report:?}");
    world.disk.heal();
    let report = dirs.reopen(Path::new("/b"), &known, 0);
    assert_eq!((report.failed.len(), report.loaded.len()), (0, 1), "{report:?}");
    assert_eq!((ends(&dirs), dirs.closed_in(Path::new("/b"))), (vec![Some(1); 3], 0));
    assert!(Arc::ptr_eq(&of(&dirs, "/b"), &before) && before.offline().is_none() && !before.is_given_up());
    make_sick(&dirs, "/b");
    assert_eq!(dirs.closed_in(Path::new("/b")), 0);
}

#[test]
fn a_closed_log_that_another_directory_has_as_well_is_not_opened() {
    let (world, _) = World::with_three_partitions();
    world.copy("/a/t-0", "/c/t-0");
    world.fail("/c", Call::ReadDir);
    world.fail("/a/t-0", Call::ReadDir);
    let (dirs, _) = world.open();
    world.disk.heal();
    dirs.serve(world.take_in(&dirs, "/c", Coming::Back(None)).expect("readable")).expect("alone");
    let report = dirs.reopen(Path::new("/a"), &|_, _| Some(settings()), 0);
    assert_eq!((ends(&dirs)[0], report.failed.len()), (None, 1), "{report:?}");
}

#[test]
fn a_log_that_is_offline_alone_is_shown_and_comes_back_with_its_directory() {
    let (world, _) = World::with_three_partitions();
    let (dirs, _) = world.open();
    append(&dirs, 1);
    world.disk.fail_on("/b/t-1/", Call::SyncData, When::Nth(1), Fault::Error(Errno::NOSPC));
    dirs.get("t", 1).expect("served").sync().expect_err("no room");
    let offline = || {
        let dirs = dirs.describe().into_iter();
        dirs.map(|dir| (dir.offline.is_some(), dir.logs.iter().filter(|log| log.offline.is_some()).count()))
    };
    assert_eq!(offline().collect::<Vec<_>>(), [(false, 0), (false, 1), (false, 0)]);
    dirs.serve(world.take_in(&dirs, "/b", Coming::Back(None)).expect("there is room")).expect("alone");
    assert!(offline().all(|one| one == (false, 0)));
    append(&dirs, 1);
    assert_eq!(ends(&dirs), [Some(1), Some(3), Some(1)]);
}

#[test]
fn the_scrub_counts_on() {
    let (world, _) = World::with_three_partitions();
    let (dirs, _) = world.open();
    let log = LogConfig { segment_bytes: 100, ..LogConfig::default() };
    dirs.set_settings("t", &PartitionSettings { log, ..settings() });
    (0..3).for_each(|_| append(&dirs, 1));
    let scrub = |now_ms| {
        of(&dirs, "/b").scrub(ScrubLimits { interval_ms: 1, bytes: 1 << 20 }, now_ms);
        of(&dirs, "/b").scrub_counts()
    };
    let before = scrub(1_000_000);
    assert!(before.bytes > 0 && before.batches > 0);
    back(&world, &dirs, "/b");
    assert_eq!(of(&dirs, "/b").scrub_counts(), before);
    assert!(scrub(2_000_000).bytes > before.bytes);
}

#[test]
fn a_partition_that_names_no_topic_is_opened_later_as_at_a_start() {
    let (world, placed) = World::with_three_partitions();
    let file = "/b/t-1/partition.metadata";
    world.fail(file, Call::Open);
    let (dirs, report) = world.open();
    assert_eq!(report.failed.len(), 1);
    world.disk.heal();
    world.put(file, b"garbage");
    dirs.create_all("t", &numbered(&placed), &settings(), 0).expect("opened");
    assert_eq!(ends(&dirs), [Some(1); 3]);
    let named = PartitionMetadata::read(&world.disk, Path::new(file)).expect("read");
    assert_eq!(named, Some(PartitionMetadata { topic_id: TOPIC }));
    assert!(!world.names_in("/b").iter().any(|name| name.ends_with("-stray")));
}

#[test]
fn of_two_that_come_back_at_once_with_a_partition_the_second_leaves_it_closed() {
    let (world, _) = World::with_three_partitions();
    world.copy("/b/t-1", "/c/t-1");
    for path in ["/b", "/c"] {
        world.fail(path, Call::ReadDir);
    }
    let (dirs, _) = world.open();
    world.disk.heal();
    let [b, c] = ["/b", "/c"].map(|path| world.take_in(&dirs, path, Coming::Back(None)).expect("readable"));
    dirs.serve(b).expect("the first");
    assert!(matches!(dirs.serve(c), Err(TakeInError::Overtaken { .. })));
    assert_eq!(ends(&dirs), [Some(1), Some(1), None]);
    dirs.serve(world.take_in(&dirs, "/c", Coming::Back(None)).expect("readable")).expect("alone");
    append(&dirs, 1);
    assert_eq!(ends(&dirs), [Some(1), Some(2), Some(1)]);
}
