//! What a start finds, judges and leaves alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use pagewire_disk::checkpoint::{CLEAN_MARK_FILE, META_PROPERTIES_FILE};
use pagewire_disk::{Call, Errno, Fault, LockError, When};

use super::super::{Unmarked, note_restored, note_start_stopped, was_left_in_order};
use super::*;

#[test]
fn a_new_directory_gets_an_identity_and_keeps_it() {
    let world = World::new();
    let (dir, report) = world.open();
    assert!(!report.clean && report.notices.is_empty());
    let id = dir.directory_id().expect("id");
    assert!(world.get(META_PROPERTIES_FILE).contains("cluster.id=cluster\n"));
    drop(dir);
    assert_eq!(world.open().0.directory_id(), Some(id));
}

#[test]
fn a_directory_of_another_cluster_or_node_is_refused_untouched() {
    let world = World::new();
    world.open().0.close_clean(0);
    let open = |options: &LogDirOptions| {
        LogDir::open(Arc::clone(&world.disk), root(), options, &|_, _| None, &|_| {}).map(drop)
    };
    let other = LogDirOptions { cluster_id: "other".to_owned(), ..options() };
    let error = open(&other).expect_err("another cluster");
    assert!(matches!(&error, LogDirError::OtherCluster { found, .. } if found == "cluster"), "{error}");
    let other = LogDirOptions { node_id: 2, ..options() };
    let error = open(&other).expect_err("another node");
    assert!(error.to_string().contains("set node.id=1"), "{error}");
    assert!(world.has(CLEAN_MARK_FILE), "the mark is still there");
}

#[test]
fn a_topic_id_with_a_flipped_bit_is_written_anew_and_the_records_are_served() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    dir.close_clean(0);
    drop(dir);
    let file = "a-0/partition.metadata";
    let before = world.get(file);
    let flipped = before.replacen("topic_id: A", "topic_id: Q", 1);
    assert_ne!(flipped, before);
    world.put(file, flipped.as_bytes());
    let (dir, report) = world.open();
    assert!(matches!(report.notices.as_slice(), [Notice::Misnamed { .. }]), "{:?}", notices(&report));
    assert_eq!((dir.get("a", 0).expect("served").marks().log_end, world.get(file)), (3, before));
}

#[test]
fn a_directory_is_open_once() {
    let world = World::new();
    let (dir, _) = world.open();
    assert!(matches!(world.try_open(), Err(LogDirError::Lock(LockError::Held { .. }))));
    dir.close_clean(0);
    assert!(world.try_open().is_ok(), "a closed directory is free, though it still exists");
}

#[test]
fn a_damaged_identity_is_written_anew() {
    let world = World::new();
    world.put(META_PROPERTIES_FILE, &[0; 90]);
    let (dir, report) = world.open();
    assert!(dir.directory_id().is_some());
    assert!(matches!(report.notices.as_slice(), [Notice::Damaged(_)]), "{:?}", notices(&report));
    assert!(world.get(META_PROPERTIES_FILE).starts_with("version=1\n"));
}

#[test]
fn everything_is_back_after_a_clean_stop() {
    let world = World::new().knows("a-b.c", A).knows("other", B);
    let (dir, _) = world.open();
    for partition in 0..7 {
        append(&world.create(&dir, "a-b.c", partition), partition as usize);
    }
    append(&world.create(&dir, "other", 3), 20);
    let closed = dir.close_clean(5);
    assert!(closed.clean && closed.failed.is_empty(), "{closed:?}");
    assert!(world.has(CLEAN_MARK_FILE));

    let (dir, report) = world.open();
    assert!(report.clean && report.notices.is_empty() && report.failed.is_empty(), "{:?}", notices(&report));
    assert_eq!(report.loaded.len(), 8);
    assert!(report.loaded.iter().all(|loaded| loaded.report.cuts.is_empty()));
    for partition in 0..7 {
        assert_eq!(log_end(&dir, "a-b.c", partition), i64::from(partition));
        assert_eq!(dir.topic_id("a-b.c", partition), Some(A));
    }
    let other = dir.get("other", 3).expect("open");
    assert!(other.marks().log_end == 20 && other.segments().len() > 1 && reads_all(&other));
    assert!(!world.has(CLEAN_MARK_FILE), "the mark is gone while the directory is open");
}

#[test]
fn everything_is_back_after_a_kill() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 20);
    drop(dir);
    let (dir, report) = world.open();
    assert!(!report.clean);
    assert_eq!(log_end(&dir, "a", 0), 20);
    assert!(reads_all(&dir.get("a", 0).expect("open")));
}

#[test]
fn a_recovery_is_watched_in_bytes_and_adds_up() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    for partition in 0..4 {
        append(&world.create(&dir, "a", partition), 20);
    }
    let synced = dir.get("a", 0).expect("open");
    synced.sync().expect("sync");
    dir.write_checkpoints().expect("write");
    let bytes: u64 = dir.logs().iter().map(|log| log.size_bytes()).sum();
    let active = synced.segments().last().expect("active").size_bytes;
    let saved = synced.size_bytes() - active;
    drop((dir, synced));
    world
        .disk
        .open(&path("a-1/00000000000000000000.log"), OpenMode::ReadWrite)
        .expect("open")
        .set_len(100)
        .expect("cut");
    let load = || {
        let locked = super::super::LockedDir::lock(Arc::clone(&world.disk), root()).expect("lock");
        let meter = Arc::clone(locked.meter());
        let settings = |topic: &str, _| world.settings(topic);
        let (dir, report) = locked.load(&options(), &settings, &|_| {}).expect("loads");
        (dir, report, meter.look())
    };
    let (dir, report, looked) = load();
    let all = |count: fn(&crate::RecoveryReport) -> u64| {
        report.loaded.iter().map(|log| count(&log.report)).sum::<u64>()
    };
    assert_eq!((looked.logs, looked.logs_total), (4, 4));
    assert!(looked.bytes_total > bytes - saved - 400 && looked.bytes_total < bytes - saved, "{looked:?}");
    assert_eq!(looked.bytes, looked.bytes_total);
    assert_eq!(looked.checked, all(|report| report.scanned_bytes));
    assert_eq!(looked.cuts, all(|report| report.cuts.len() as u64));
    assert!(looked.cuts > 1 && looked.cut_bytes > 100 && looked.rebuilt > 0, "{looked:?}");
    dir.close_clean(0);
    assert_eq!(load().2.bytes_total, 0, "nothing has to be checked");
}

#[test]
fn progress_counts_every_directory_once() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    for partition in 0..10 {
        world.create(&dir, "a", partition);
    }
    drop(dir);
    let (calls, last) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let settings = |topic: &str, _| world.settings(topic);
    let progress = |progress: crate::dir::Progress<'_>| {
        assert!(progress.total == 10 && progress.topic == "a" && progress.report.is_some());
        calls.fetch_add(1, Ordering::Relaxed);
        last.fetch_max(progress.done, Ordering::Relaxed);
    };
    LogDir::open(Arc::clone(&world.disk), root(), &options(), &settings, &progress).expect("opens");
    assert_eq!((calls.into_inner(), last.into_inner()), (10, 10));
}

#[test]
fn a_recreated_topic_does_not_adopt_old_data() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    dir.close_clean(0);
    world.learns("a", Some(B));
    let (dir, report) = world.open();
    let [Notice::Stray { path, found, expected }] = report.notices.as_slice() else {
        panic!("{:?}", notices(&report));
    };
    assert_eq!((*found, *expected), (A, B));
    assert!(world.has(path.join("00000000000000000000.log")), "the old data is kept");
    assert!(dir.get("a", 0).is_none());
    assert_eq!(world.create(&dir, "a", 0).marks().log_end, 0, "the new topic is empty");
    drop(dir);
    let (dir, report) = world.open();
    assert!(matches!(report.notices.as_slice(), [Notice::SetAside { .. }]), "{:?}", notices(&report));
    assert_eq!(log_end(&dir, "a", 0), 0);
}

#[test]
fn a_partition_of_an_unknown_topic_is_left_alone_until_it_is_known() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 5);
    log.delete_records_before(3).expect("delete records");
    dir.close_clean(0);
    world.learns("a", None);
    let (dir, report) = world.open();
    assert!(matches!(report.notices.as_slice(), [Notice::UnknownTopic { .. }]), "{:?}", notices(&report));
    assert!(dir.get("a", 0).is_none() && dir.logs().is_empty());
    assert!(dir.close_clean(0).clean);
    world.learns("a", Some(A));
    let marks = world.open().0.get("a", 0).expect("open").marks();
    assert_eq!((marks.log_start, marks.log_end), (3, 5), "its checkpoints were kept too");
}

#[test]
fn a_partition_that_names_no_topic_is_named() {
    for content in [None, Some([0; 40].as_slice()), Some(b"garbage")] {
        let world = World::new().knows("a", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 3);
        dir.close_clean(0);
        match content {
            None => world.disk.remove_file(&path("a-0/partition.metadata")).expect("remove"),
            Some(bytes) => world.put("a-0/partition.metadata", bytes),
        }
        let (dir, report) = world.open();
        assert!(
            matches!(report.notices.last(), Some(Notice::Named { topic_id: A, .. })),
            "{:?}",
            notices(&report)
        );
        assert_eq!(log_end(&dir, "a", 0), 3);
        drop(dir);
        assert!(world.open().1.notices.is_empty(), "named for good");
    }
}

#[test]
fn only_leftovers_of_deletion_are_removed() {
    let world = World::new().knows("a", A);
    let id = "0123456789abcdef0123456789abcdef";
    let (delete, stray, future) =
        (format!("a-0.{id}-delete"), format!("a-0.{id}-stray"), format!("a-0.{id}-future"));
    for name in [&delete, &stray, &future, "lost+found", "something", "snap-shots", "a-01"] {
        world.put(format!("{name}/file"), b"1");
    }
    let (dir, report) = world.open();
    assert_eq!(dir.unlink_due(0).expect("unlink"), 1);
    assert_eq!(
        world.dirs(),
        [&stray, &future, "a-01", "lost+found", "snap-shots", "something"]
            .map(str::to_owned)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    let said = notices(&report);
    assert_eq!(said.len(), 5, "{said:?}");
    let is_said = |name: &str| said.iter().any(|line| line.contains(name));
    assert!(!is_said("lost+found"));
    assert!(is_said(&stray) && !is_said(&future), "a move goes on, or is told by whoever looks at moves");
}

#[test]
fn a_log_that_cannot_be_opened_does_not_stop_the_others() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    for partition in 0..3 {
        append(&world.create(&dir, "a", partition), 3);
    }
    dir.close_clean(0);
    failing.fail_on("a-1", Call::ReadDir, When::Always, Fault::Error(Errno::IO));
    let (dir, report) = world.open();
    let failed: Vec<_> =
        report.failed.iter().map(|failed| (failed.topic.as_str(), failed.partition)).collect();
    failing.heal();
    assert_eq!(failed, [("a", 1)]);
    assert!(dir.get("a", 0).is_some() && dir.get("a", 1).is_none() && dir.get("a", 2).is_some());
    assert_eq!(world.create(&dir, "a", 1).marks().log_end, 3, "it is opened again once the cause is gone");
}

#[test]
fn the_machines_own_disk_does_as_well() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let (disk, root) = (Arc::new(pagewire_disk::OsDisk::new()), temporary.path().join("made/on/demand"));
    let world = World::new().knows("a", A);
    let settings = |topic: &str, _: i32| world.settings(topic);
    for round in 0..3 {
        let (dir, report) = LogDir::open(disk.clone(), &root, &options(), &settings, &|_| {}).expect("opens");
        assert_eq!(report.clean, round > 0);
        assert!(report.notices.is_empty(), "{:?}", notices(&report));
        for partition in 0..3 {
            let log = world.create(&dir, "a", partition);
            assert_eq!(log.marks().log_end, round * 9);
            append(&log, 9);
        }
        let held = LogDir::open(disk.clone(), &root, &options(), &settings, &|_| {}).expect_err("held");
        assert!(held.to_string().contains(&std::process::id().to_string()), "{held}");
        assert!(dir.close_clean(0).clean);
    }
}

/// An opening that was killed while it looked whether the directory can be written.
#[test]
fn what_a_probe_left_is_removed() {
    let world = World::new();
    let there = |name: &str| world.disk.exists(&path(name)).expect("looked for");
    for name in [".pagewire-probe-00", ".pagewire-other"] {
        world.put(name, b"1");
    }
    let (_dir, report) = world.open();
    assert!(report.notices.is_empty(), "{:?}", notices(&report));
    assert!(!there(".pagewire-probe-00") && there(".pagewire-other"));
}

#[test]
fn why_there_is_no_mark_of_an_orderly_stop_is_told_where_it_was_no_kill_and_excuses_no_check() {
    let stopped = |clean: bool| {
        let world = World::new().knows("t", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "t", 0), 3);
        assert!(!clean || dir.close_clean(1).clean);
        world
    };
    let opened = |world: &World| {
        let (_, report) = world.open();
        (report.clean, report.unmarked, report.loaded[0].report.scanned_bytes > 0)
    };
    assert_eq!(opened(&stopped(false)), (false, None, true), "killed");

    let world = stopped(false);
    note_restored(&*world.disk, root()).expect("noted");
    assert_eq!(opened(&world), (false, Some(Unmarked::Restored), true));
    assert_eq!(opened(&world), (false, None, true), "killed since");

    let world = stopped(true);
    assert!(was_left_in_order(&*world.disk, root()).expect("looked"));
    world.disk.remove_file(&path(CLEAN_MARK_FILE)).expect("removed");
    assert!(!was_left_in_order(&*world.disk, root()).expect("looked"));
    note_start_stopped(&*world.disk, root()).expect("noted");
    assert!(was_left_in_order(&*world.disk, root()).expect("looked"), "another start that is stopped");
    assert_eq!(opened(&world), (false, Some(Unmarked::StartStopped), true));
    assert_eq!(opened(&world), (false, None, true), "killed since");

    let world = stopped(true);
    world.disk.remove_file(&path(CLEAN_MARK_FILE)).expect("removed");
    assert_eq!(opened(&world), (false, Some(Unmarked::MarkLost), true));
    assert_eq!(opened(&world), (false, None, true), "killed since");

    let world = stopped(true);
    world.put(CLEAN_MARK_FILE, b"garbage");
    assert_eq!(opened(&world), (false, Some(Unmarked::MarkLost), true));

    let world = stopped(true);
    note_restored(&*world.disk, root()).expect("noted");
    assert_eq!((opened(&world).1, opened(&world).1), (None, None), "served and stopped in order");
}
