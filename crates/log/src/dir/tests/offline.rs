//! Disks that fail under an open directory.

use std::io;

use pagewire_disk::checkpoint::CLEAN_MARK_FILE;
use pagewire_disk::{Call, Errno, FailingDisk, Fault, ForgettingDisk, OsDisk, When};

use super::*;
use crate::dir::CreateError;

fn failing() -> (FailingDisk, World) {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    (failing, world)
}

#[test]
fn a_failed_sync_of_one_log_ends_writes_in_the_whole_directory() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    let (sick, well) = (world.create(&dir, "a", 0), world.create(&dir, "a", 1));
    append(&sick, 2);
    append(&well, 2);
    failing.fail_on("a-0/", Call::SyncData, When::Nth(1), Fault::Error(Errno::IO));
    assert!(sick.sync().is_err());
    let offline = dir.offline().expect("offline");
    assert!(offline.reason.contains("a-0"), "{offline}");
    assert!(matches!(try_append(&well, 1), Err(AppendError::Offline(_))));
    assert!(well.sync().is_err() && well.offline().is_some(), "what it has is not acknowledged either");
    assert!(reads_all(&well) && reads_all(&sick), "reads go on");
    let settings = world.settings("a").expect("known");
    assert!(matches!(dir.create("a", 2, &settings, 0), Err(CreateError::Offline(_))));
    assert!(dir.describe().offline.is_some());
    assert!(!dir.close_clean(0).clean && !world.has(CLEAN_MARK_FILE));
    let (dir, report) = world.open();
    assert!(!report.clean && dir.offline().is_none(), "a start looks at the disk anew");
    append(&dir.get("a", 1).expect("open"), 1);
}

#[test]
fn a_flush_round_that_fails_takes_the_directory_offline() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 2);
    dir.set_settings("a", &PartitionSettings { flush_ms: Some(10), ..world.settings("a").expect("known") });
    failing.fail(Call::SyncData, When::Always, Errno::IO);
    assert_eq!(dir.flush_due(10).failed.len(), 1);
    assert!(dir.offline().is_some());
    assert_eq!(dir.flush_due(20).failed.len(), 0, "nothing is tried again");
}

#[test]
fn a_full_disk_at_a_checkpoint_is_survived() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    failing.fail_on("checkpoint", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    append(&log, 1);
    assert!(dir.write_checkpoints().is_err());
    assert!(dir.offline().is_none());
    failing.heal();
    assert!(dir.write_checkpoints().expect("written later") > 0);
}

#[test]
fn a_log_that_ran_out_of_space_leaves_the_others_alone() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    let (full, well) = (world.create(&dir, "a", 0), world.create(&dir, "a", 1));
    append(&full, 1);
    failing.fail_on("a-0/", Call::SyncData, When::Nth(1), Fault::Error(Errno::NOSPC));
    assert!(full.sync().is_err() && full.offline().is_some());
    let offline = dir.offline();
    assert!(offline.is_none(), "{offline:?}");
    append(&well, 1);
    let closed = dir.close_clean(0);
    assert!(!closed.clean && closed.failed.len() == 1, "{closed:?}");
}

/// Whatever a log does next is refused.
fn append_until_refused(log: &Log) -> AppendError {
    (0..1000).find_map(|_| try_append(log, 1).err()).expect("a segment was full and no new one can be made")
}

#[test]
fn a_directory_in_which_nothing_may_be_made_any_more_takes_no_writes_whoever_finds_out() {
    for errno in [Errno::ACCESS, Errno::PERM] {
        let finders: [fn(&World, &LogDir, &Log); 3] = [
            |_, _, log| assert!(matches!(append_until_refused(log), AppendError::Offline(_))),
            |_, dir, _| assert!(dir.write_checkpoints().is_err()),
            |world, dir, _| assert!(dir.create("a", 9, &world.settings("a").expect("known"), 0).is_err()),
        ];
        for find in finders {
            let (failing, world) = failing();
            let (dir, _) = world.open();
            let (log, other) = (world.create(&dir, "a", 0), world.create(&dir, "a", 1));
            append(&log, 1);
            for call in [Call::Open, Call::CreateDir] {
                failing.fail(call, When::Always, errno);
            }
            find(&world, &dir, &log);
            let offline = dir.offline().expect("the directory");
            assert_eq!(offline.kind, io::ErrorKind::PermissionDenied, "{offline}");
            assert!(dir.describe().offline.is_some());
            assert!(matches!(try_append(&other, 1), Err(AppendError::Offline(_))));
            assert!(reads_all(&log), "reads go on");
        }
    }
}

#[test]
fn a_file_that_may_not_be_made_is_that_logs_trouble_and_is_shown() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    let (shut, well) = (world.create(&dir, "a", 0), world.create(&dir, "a", 1));
    failing.fail_on("a-0/", Call::Open, When::Always, Fault::Error(Errno::ACCESS));
    assert!(matches!(append_until_refused(&shut), AppendError::Offline(_)));
    append(&well, 3);
    let described = dir.describe();
    assert!(described.offline.is_none());
    let offline = described.logs.iter().filter(|log| log.offline.is_some()).map(|log| log.partition);
    assert_eq!(offline.collect::<Vec<_>>(), [0]);
}

#[test]
fn what_may_pass_by_itself_refuses_once_and_shuts_nothing() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    failing.fail(Call::Write, When::Nth(1), Errno::AGAIN);
    assert!(matches!(try_append(&log, 1), Err(AppendError::Write(_))));
    append(&log, 1);
    assert!(dir.offline().is_none());
}

#[test]
fn a_file_in_a_partitions_place_is_that_partitions_trouble() {
    let (_, world) = failing();
    let (dir, _) = world.open();
    world.put("a-0", b"not a directory");
    let settings = world.settings("a").expect("known");
    assert!(matches!(dir.create("a", 0, &settings, 0), Err(CreateError::Io { .. })));
    assert!(dir.offline().is_none());
    world.create(&dir, "a", 1);
}

#[test]
fn a_broken_disk_at_a_checkpoint_takes_the_directory_offline() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    failing.fail_on("checkpoint", Call::Write, When::Always, Fault::Error(Errno::IO));
    append(&log, 1);
    assert!(dir.write_checkpoints().is_err());
    assert!(dir.offline().is_some() && log.offline().is_some());
}

#[test]
fn a_log_that_cannot_be_closed_keeps_the_mark_away() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 2);
    failing.fail_on("a-0/", Call::SyncData, When::Always, Fault::Error(Errno::IO));
    let closed = dir.close_clean(0);
    assert!(!closed.clean && closed.failed.len() == 1, "{closed:?}");
    failing.heal();
    assert!(!world.open().1.clean);
}

#[test]
fn a_mark_that_cannot_be_taken_away_stops_the_start() {
    let (failing, world) = failing();
    world.open().0.close_clean(0);
    failing.fail_on(CLEAN_MARK_FILE, Call::RemoveFile, When::Always, Fault::Error(Errno::ROFS));
    assert!(matches!(world.try_open(), Err(LogDirError::Io { .. })));
}

#[test]
fn nothing_is_made_after_the_close() {
    let (_, world) = failing();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    assert!(dir.close_clean(0).clean);
    let settings = world.settings("a").expect("known");
    assert!(matches!(dir.create("a", 1, &settings, 0), Err(CreateError::Offline(_))));
    assert!(try_append(&log, 1).is_err());
    assert!(!dir.close_clean(0).clean, "a second close does nothing");
    assert!(world.has(CLEAN_MARK_FILE));
}

#[test]
fn a_full_disk_is_told_when_it_begins_and_when_it_is_over() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 1);
    assert!(!dir.is_full());
    failing.fail_on("a-0/", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(try_append(&log, 1).is_err() && dir.is_full() && dir.offline().is_none());
    assert!(dir.describe().full);
    dir.look();
    dir.look();
    assert!(!dir.is_full() && !dir.describe().full, "by what the disk says");
    failing.fail(Call::Space, When::Always, Errno::NOSYS);
    assert!(try_append(&log, 1).is_err());
    dir.look();
    assert!(try_append(&log, 1).is_err() && dir.is_full());
    dir.look();
    assert!(dir.is_full(), "something was refused since the last look");
    failing.heal();
    append(&log, 1);
    dir.look();
    assert!(!dir.is_full());
}

#[test]
fn a_topic_that_does_not_fit_is_told_as_a_full_disk() {
    let (failing, world) = failing();
    let (dir, _) = world.open();
    failing.fail_on("a-0/", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(dir.create("a", 0, &world.settings("a").expect("known"), 0).is_err());
    assert!(dir.is_full());
}

/// A log and another one in a directory, and what removes files of the first.
fn beside_another() -> (World, LogDir, Arc<Log>, Arc<Log>) {
    let world = World::on(Arc::new(ForgettingDisk::new())).knows("a", A);
    let (dir, _) = world.open();
    let (removed, well) = (world.create(&dir, "a", 0), world.create(&dir, "a", 1));
    append(&removed, 2);
    append(&well, 2);
    (world, dir, removed, well)
}

#[test]
fn nothing_is_acknowledged_that_went_into_a_file_without_a_name() {
    let (world, dir, removed, well) = beside_another();
    removed.sync().expect("synced");
    append(&removed, 1);
    world.disk.remove_dir_all(&path("a-0")).expect("removed");
    assert!(removed.sync().is_err());
    assert_eq!(removed.marks().recovery_point, 2, "the third is not stable");
    let offline = removed.offline().expect("offline");
    assert!(offline.reason.contains("was removed"), "{offline}");
    assert!(reads_all(&removed), "what is open can be read");
    assert!(
        dir.retain(1 << 40).failed.is_empty(),
        "that it takes no writes is said once, and not in each round"
    );
    assert!(dir.offline().is_none() && well.sync().is_ok(), "the others are served");
}

#[test]
fn a_log_whose_directory_was_removed_takes_no_more_writes() {
    let (world, dir, removed, well) = beside_another();
    dir.look();
    append(&removed, 1);
    world.disk.remove_dir_all(&path("a-0")).expect("removed");
    dir.look();
    assert!(removed.offline().is_some_and(|offline| offline.reason.contains("was removed")));
    assert!(matches!(try_append(&removed, 1), Err(AppendError::Offline(_))));
    append(&well, 1);
}

#[test]
fn a_segment_that_was_rolled_and_removed_in_order_is_not_missed() {
    let (world, dir, log, _) = beside_another();
    for time in 1..20 {
        try_append(&log, time).expect("appended");
    }
    let active = log.segments().last().expect("one").base_offset;
    assert!(dir.retain(1 << 40).segments > 0);
    dir.unlink_due(1 << 50).expect("unlinked");
    dir.look();
    assert!(log.sync().is_ok() && log.offline().is_none() && !world.has(format!("a-0/{active:020}.log")));
}

/// On the machine's own disk, where a file has a number whatever its name.
fn on_os_disk() -> (tempfile::TempDir, LogDir, Arc<Log>) {
    let place = tempfile::tempdir().expect("a directory");
    let world = World::on(Arc::new(OsDisk::new())).knows("a", A);
    let settings = world.settings("a").expect("known");
    let known = |_: &str, _| Some(settings.clone());
    let opened =
        LogDir::open(Arc::clone(&world.disk), &place.path().join("data"), &options(), &known, &|_| {});
    let (dir, _) = opened.expect("opened");
    let log = dir.create("a", 0, &settings, 0).expect("made");
    append(&log, 1);
    (place, dir, log)
}

/// Whether the log takes no writes since a look, why, and that the command in it brings back what was moved.
fn moved_and_brought_back(dir: &LogDir, log: &Log, file: &Path) {
    dir.look();
    let why = log.offline().expect("offline").reason;
    assert!(why.contains("was moved away to") && dir.offline().is_none(), "{why}");
    assert!(reads_all(log), "what is open can be read");
    let command = why.split('`').nth(1).expect("a command");
    let done = std::process::Command::new("sh").args(["-c", command]).status().expect("run");
    assert!(done.success() && file.exists(), "{why}");
}

#[test]
fn a_segment_that_is_moved_away_takes_no_more_writes_and_is_told_with_the_way_back() {
    let (place, dir, log) = on_os_disk();
    let file = place.path().join("data/a-0").join(format!("{:020}.log", 0));
    dir.look();
    append(&log, 1);
    std::fs::rename(&file, place.path().join("some where.log")).expect("moved");
    moved_and_brought_back(&dir, &log, &file);
}

#[test]
fn a_partitions_directory_that_is_moved_away_is_named_and_not_each_of_its_files() {
    let (place, dir, log) = on_os_disk();
    let own = place.path().join("data/a-0");
    std::fs::rename(&own, place.path().join("data/a-0-stray")).expect("moved");
    moved_and_brought_back(&dir, &log, &own.join(format!("{:020}.log", 0)));
}

#[test]
fn where_files_are_moved_to_is_not_taken_for_their_directory() {
    let (place, dir, log) = on_os_disk();
    let (own, others) = (place.path().join("data/a-0"), place.path().join("others"));
    std::fs::create_dir(&others).expect("made");
    std::fs::write(others.join("theirs"), "").expect("written");
    for entry in std::fs::read_dir(&own).expect("listed").map(|entry| entry.expect("read")) {
        std::fs::rename(entry.path(), others.join(entry.file_name())).expect("moved");
    }
    std::fs::remove_dir(&own).expect("removed");
    moved_and_brought_back(&dir, &log, &own.join(format!("{:020}.log", 0)));
    assert!(others.join("theirs").exists(), "it stays where it is");
}

#[test]
fn another_file_in_a_segments_place_is_not_written_over() {
    let (place, dir, log) = on_os_disk();
    let file = place.path().join("data/a-0").join(format!("{:020}.log", 0));
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).expect("moved");
    std::fs::copy(&aside, &file).expect("copied");
    dir.look();
    let why = log.offline().expect("offline").reason;
    assert!(why.contains("was moved away to") && !why.contains("`mv"), "{why}");
}

/// A log whose segment had a second name when it was synced, and has only that one now.
fn with_the_second_name_alone() -> (tempfile::TempDir, LogDir, Arc<Log>, PathBuf) {
    let (place, dir, log) = on_os_disk();
    let file = place.path().join("data/a-0").join(format!("{:020}.log", 0));
    std::fs::hard_link(&file, place.path().join("linked.log")).expect("linked");
    log.sync().expect("synced");
    append(&log, 1);
    std::fs::remove_file(&file).expect("removed");
    (place, dir, log, file)
}

#[test]
fn a_segment_that_was_removed_and_has_a_name_elsewhere_is_told_as_removed() {
    let (_place, dir, log, file) = with_the_second_name_alone();
    dir.look();
    let why = log.offline().expect("offline").reason;
    assert!(why.contains("was removed") && !why.contains("moved away"), "{why}");
    let command = why.split('`').nth(1).expect("a command");
    let done = std::process::Command::new("sh").args(["-c", command]).status().expect("run");
    assert!(done.success() && file.exists(), "{why}");
}

#[test]
fn nothing_is_acknowledged_that_went_into_a_file_with_fewer_names_than_before() {
    let (_place, _dir, log, _) = with_the_second_name_alone();
    assert!(log.sync().is_err());
    assert_eq!(log.marks().recovery_point, 1, "the second is not stable");
    assert!(log.offline().is_some_and(|offline| offline.reason.contains("was removed")));
}

#[test]
fn a_name_of_which_it_was_not_known_where_it_leads_is_looked_for_at_the_next_sync() {
    let (_place, _dir, log, file) = with_the_second_name_alone();
    let (own, aside) = (log.dir().to_path_buf(), log.dir().with_extension("aside"));
    std::fs::rename(&own, &aside).expect("moved");
    // It leads to itself: nobody can say what is there.
    std::os::unix::fs::symlink(&own, &own).expect("linked");
    log.sync().expect("nobody knows that it is gone");
    std::fs::remove_file(&own).expect("removed");
    std::fs::rename(&aside, &own).expect("moved back");
    append(&log, 1);
    assert!(!file.exists() && log.sync().is_err());
}

#[test]
fn a_copy_of_links_that_goes_costs_a_log_nothing() {
    let (place, _dir, log) = on_os_disk();
    let (file, linked) =
        (place.path().join("data/a-0").join(format!("{:020}.log", 0)), place.path().join("linked.log"));
    std::fs::hard_link(&file, &linked).expect("linked");
    log.sync().expect("synced");
    append(&log, 1);
    std::fs::remove_file(linked).expect("removed");
    assert_eq!(log.sync().expect("synced"), 2);
}

#[test]
fn a_sync_under_way_when_its_log_is_opened_anew_acknowledges_no_file_that_was_removed() {
    let failing = FailingDisk::new(Arc::new(ForgettingDisk::new()));
    let world = World::on(Arc::new(failing.clone())).knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 1);
    let held = failing.hold("/a-0", Call::SyncData);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| log.sync());
        assert!(held.is_reached());
        world.disk.remove_dir_all(&path("a-0")).expect("removed");
        // Waits for the sync.
        let giving_up = scope.spawn(|| dir.give_up());
        while !log.is_given_up() {
            std::thread::yield_now();
        }
        drop(held);
        giving_up.join().expect("no panic");
        assert!(syncing.join().expect("no panic").is_err());
    });
    assert_eq!(log.marks().recovery_point, 0);
}
