//! Facts about several log directories, on disks of which one fails.

mod altered;
mod held;
mod left;
mod moving;
mod online;
mod put_back;
mod stories;
mod switch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::checkpoint::CLEAN_MARK_FILE;
use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, MemoryDisk, OpenMode, When, read_small};
use pagewire_record::{BatchBuilder, Codec};
use uuid::Uuid;

use super::{Coming, Locked, LogDirs, TakenIn, Takes};
use crate::{
    AppendContext, AppendError, CreateError, Handles, LoadReport, LockedDir, LogConfig, LogDirError,
    LogDirOptions, Notice, Origin, PartitionSettings, TakeInError, Unmarked, note_restored,
};

const TOPIC: Uuid = Uuid::from_u128(0xA);

/// Nobody waits longer for what must come.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// One disk under three directories; faults are by path.
struct World {
    disk: FailingDisk,
    paths: Vec<PathBuf>,
}

impl World {
    fn new() -> Self {
        let paths = ["/a", "/b", "/c"].map(PathBuf::from).to_vec();
        Self { disk: FailingDisk::new(Arc::new(MemoryDisk::new())), paths }
    }

    fn lock(&self) -> Vec<Locked> {
        let lock = |path: &PathBuf| (path.clone(), LockedDir::lock(Arc::new(self.disk.clone()), path));
        self.paths.iter().map(lock).collect()
    }

    /// As a start that remembers the ids.
    fn lock_known(&self, placed: &[Option<Uuid>]) -> Vec<Locked> {
        let disk = || -> Arc<dyn Disk> { Arc::new(self.disk.clone()) };
        let lock = |(path, id): (&PathBuf, &Option<Uuid>)| match id {
            Some(id) => (path.clone(), LockedDir::lock_known(disk(), path, *id)),
            None => (path.clone(), LockedDir::lock(disk(), path)),
        };
        self.paths.iter().zip(placed).map(lock).collect()
    }

    fn take_in(&self, dirs: &LogDirs, path: &str, coming: Coming) -> Result<TakenIn, TakeInError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        dirs.take_in(Path::new(path), &disk, coming, options(), &known, &|_| {})
    }

    fn try_open(&self) -> Result<(LogDirs, LoadReport), LogDirError> {
        LogDirs::load(self.lock(), &options(), &|topic, _| (topic == "t").then(settings), &|_| {})
    }

    fn open(&self) -> (LogDirs, LoadReport) {
        self.try_open().expect("opens")
    }

    /// Three directories with a partition each, stopped cleanly.
    fn with_three_partitions() -> (Self, Vec<Option<Uuid>>) {
        let world = Self::new();
        let (dirs, _) = world.open();
        let placed = dirs.place(3).expect("room");
        dirs.create_all("t", &numbered(&placed), &settings(), 0).expect("made");
        (0..3).for_each(|partition| append(&dirs, partition));
        assert!(dirs.close_clean(0).clean);
        (world, placed)
    }

    fn fail(&self, path: &str, call: Call) {
        self.disk.fail_on(path, call, When::Always, Fault::Error(Errno::IO));
    }

    fn copy(&self, from: &str, to: &str) {
        self.disk.create_dir_all(Path::new(to)).expect("made");
        for entry in self.disk.read_dir(Path::new(from)).expect("listed") {
            let bytes = self.read(Path::new(from).join(&entry.name));
            let file = self.disk.open(&Path::new(to).join(&entry.name), OpenMode::Create).expect("made");
            file.set_len(0).and_then(|()| file.write_at(0, &bytes)).expect("written");
        }
    }

    fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        read_small(&self.disk, path.as_ref(), 1 << 20).expect("read").expect("there")
    }

    fn has(&self, path: &str) -> bool {
        self.disk.exists(Path::new(path)).expect("a disk")
    }
}

fn options() -> LogDirOptions {
    let (cluster_id, handles) = ("cluster".to_owned(), Handles::new(64));
    LogDirOptions { cluster_id, node_id: 1, threads: 2, handles, now_ms: 0 }
}

fn known(topic: &str, _: i32) -> Option<PartitionSettings> {
    (topic == "t").then(settings)
}

fn settings() -> PartitionSettings {
    PartitionSettings {
        topic_id: TOPIC,
        leader_epoch: 0,
        log: LogConfig::default(),
        flush_ms: None,
        behind: Vec::new(),
    }
}

fn numbered(placed: &[Option<Uuid>]) -> Vec<(i32, Option<Uuid>)> {
    (0..).zip(placed.iter().copied()).collect()
}

fn append(dirs: &LogDirs, partition: i32) {
    try_append(dirs, partition).expect("appended");
}

fn try_append(dirs: &LogDirs, partition: i32) -> Result<(), AppendError> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(1, Some(b"key"), Some(b"value"), &[]).expect("record");
    let batch: Bytes = builder.build().expect("batch");
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
    dirs.get("t", partition).expect("served").append(batch, context).map(drop)
}

fn ends(dirs: &LogDirs) -> Vec<Option<i64>> {
    (0..3).map(|partition| Some(dirs.get("t", partition)?.marks().log_end)).collect()
}

#[test]
fn what_is_new_spares_a_directory_as_long_as_there_is_another() {
    let (dirs, _) = World::new().open();
    let all = dirs.place(3).expect("room");
    let spared: Vec<PathBuf> = dirs.paths().skip(1).map(Path::to_path_buf).collect();
    let takes = |dir: &Path| if spared.iter().any(|one| one == dir) { Takes::IfNoneElse } else { Takes::New };
    let placed = dirs.place_beside(3, takes, |_| 0).expect("room");
    assert_eq!(placed, [None; 3], "all at home");
    assert_eq!(dirs.place_beside(3, |_| Takes::IfNoneElse, |_| 0).expect("room"), all, "there is no other");
}

#[test]
fn directories_are_closed_side_by_side_so_that_one_that_hangs_keeps_no_other_from_its_mark() {
    let (world, _) = World::with_three_partitions();
    let (dirs, _) = world.open();
    (0..3).for_each(|partition| append(&dirs, partition));
    let marks = || ["/a", "/b", "/c"].map(|dir| world.has(&format!("{dir}/{CLEAN_MARK_FILE}")));
    assert_eq!(marks(), [false; 3]);
    let held = world.disk.hold("/a/t-", Call::SyncData);
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| dirs.close_clean(0));
        assert!(held.is_reached());
        let began = std::time::Instant::now();
        while marks() != [false, true, true] && began.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        assert_eq!(marks(), [false, true, true]);
        assert!(!closing.is_finished());
        drop(held);
        assert!(closing.join().expect("no panic").clean);
    });
    assert_eq!(marks(), [true; 3]);
}

#[test]
fn partitions_are_spread_and_found_again() {
    let (world, placed) = World::with_three_partitions();
    assert_eq!(placed[0], None, "home needs no name");
    assert!(placed[1].is_some() && placed[2].is_some() && placed[1] != placed[2]);
    for (dir, partition) in ["/a", "/b", "/c"].into_iter().zip(0..) {
        assert!(world.has(&format!("{dir}/t-{partition}")));
    }
    let (dirs, report) = world.open();
    assert!(report.clean && report.loaded.len() == 3);
    assert_eq!(ends(&dirs), [Some(1); 3]);
    let found: Vec<_> = (0..3).map(|partition| dirs.directory_of("t", partition).expect("served")).collect();
    assert_eq!(found, placed);
}

#[test]
fn a_directory_that_cannot_be_read_is_away_and_the_others_are_served() {
    for call in [Call::ReadDir, Call::Open] {
        let (world, placed) = World::with_three_partitions();
        world.fail("/b", call);
        let (dirs, report) = world.open();
        assert_eq!(ends(&dirs), [Some(1), None, Some(1)], "{call:?}");
        assert!(report.clean, "what is here was closed cleanly");
        let away = dirs.away();
        assert_eq!((away.len(), away[0].0), (1, Path::new("/b")));
        append(&dirs, 2);
        let made = dirs.create_all("t", &numbered(&placed), &settings(), 0);
        assert!(matches!(made, Err(CreateError::Away { .. })), "never anew elsewhere: {made:?}");
        assert!(!world.has("/a/t-1") && !world.has("/c/t-1"));
        assert!(!dirs.place(5).expect("room").contains(&placed[1]));
        drop(dirs);
        world.disk.heal();
        assert_eq!(ends(&world.open().0), [Some(1), Some(1), Some(2)], "{call:?}");
    }
}

#[test]
fn a_known_directory_that_is_bare_is_away_and_nothing_is_made_in_it_unless_its_loss_is_accepted() {
    for there in [true, false] {
        let (world, placed) = World::with_three_partitions();
        let id = placed[1].expect("not home");
        world.disk.rename(Path::new("/b"), Path::new("/elsewhere")).expect("unmounted");
        if there {
            world.disk.create_dir_all(Path::new("/b/lost+found")).expect("a mount point");
        }
        let mut locked = world.lock_known(&placed);
        let told = locked[1].1.as_ref().expect_err("bare").to_string();
        assert!(told.contains("not mounted") && told.contains("--empty"), "{told}");
        let (dirs, _) =
            LogDirs::load(std::mem::take(&mut locked), &options(), &known, &|_| {}).expect("opens");
        assert_eq!(ends(&dirs), [Some(1), None, Some(1)]);
        let made = dirs.create_all("t", &numbered(&placed), &settings(), 0);
        assert!(matches!(made, Err(CreateError::Away { .. })), "{made:?}");
        assert!(!world.has("/b/.lock") && !world.has("/b/meta.properties") && world.has("/b") == there);
        assert!(matches!(world.take_in(&dirs, "/b", Coming::Back(Some(id))), Err(TakeInError::Still(_))));
        let taken = world.take_in(&dirs, "/b", Coming::Bare(Some(id))).expect("accepted");
        dirs.serve(taken).expect("alone");
        dirs.create_all("t", &numbered(&placed), &settings(), 0).expect("anew");
        assert_eq!(ends(&dirs), [Some(1), Some(0), Some(1)]);
    }
}

#[test]
fn a_directory_with_partitions_is_not_emptied_and_one_without_identity_keeps_its_id() {
    let (world, placed) = World::with_three_partitions();
    world.disk.remove_file(Path::new("/b/meta.properties")).expect("lost");
    let bare = LockedDir::lock_bare(Arc::new(world.disk.clone()), Path::new("/b"), placed[1]);
    assert!(matches!(bare, Err(LogDirError::NotEmpty { .. })));
    let (dirs, _) = LogDirs::load(world.lock_known(&placed), &options(), &known, &|_| {}).expect("opens");
    assert_eq!(dirs.directory_of("t", 1), Some(placed[1]));
    assert_eq!(ends(&dirs), [Some(1); 3]);
}

#[test]
fn a_held_directory_takes_no_writes_until_it_is_released_and_no_clean_mark() {
    let (world, placed) = World::with_three_partitions();
    let (dirs, _) = world.open();
    let all = || dirs.here().collect::<Vec<_>>();
    for dir in all() {
        dir.hold("no room");
    }
    let log = dirs.get("t", 0).expect("served");
    assert!(log.offline().is_some_and(|why| why.kind == std::io::ErrorKind::StorageFull));
    assert!(dirs.place(1).is_err() && dirs.offline_count() == 3);
    assert!(matches!(world.take_in(&dirs, "/b", Coming::Back(placed[1])), Err(TakeInError::Held { .. })));
    log.delete_records_before(1).expect("what makes room is allowed");
    for dir in all() {
        dir.release();
    }
    append(&dirs, 0);
    for dir in all() {
        dir.hold("no room");
    }
    assert!(!dirs.close_clean(0).clean);
    assert!(!world.has(&format!("/a/{CLEAN_MARK_FILE}")));
}

#[test]
fn a_directory_that_was_restored_excuses_no_other_one_that_was_killed() {
    let unmarked = |restored: &[&str]| {
        let (world, _) = World::with_three_partitions();
        drop(world.open());
        for dir in restored {
            note_restored(&world.disk, Path::new(dir)).expect("noted");
        }
        let (_, report) = world.open();
        assert!(!report.clean);
        report.unmarked
    };
    assert_eq!(unmarked(&["/a", "/b", "/c"]), Some(Unmarked::Restored));
    for some in [&["/a", "/b"], &["/b", "/c"], &["/a", "/c"]] {
        assert_eq!(unmarked(some), None, "{some:?}");
    }
}

#[test]
fn a_directory_in_use_by_another_process_is_away() {
    let (mut world, _) = World::with_three_partitions();
    let all = std::mem::replace(&mut world.paths, vec!["/b".into()]);
    let other = world.lock();
    world.paths = all;
    let (dirs, _) = world.open();
    assert_eq!(ends(&dirs), [Some(1), None, Some(1)]);
    assert!(dirs.away()[0].1.reason.contains("in use by another process"));
    drop(other);
}

#[test]
fn nothing_is_touched_when_home_cannot_be_read() {
    let (world, _) = World::with_three_partitions();
    world.fail("/a", Call::ReadDir);
    assert!(matches!(world.try_open(), Err(LogDirError::Io { .. })));
    assert!(world.has(&format!("/b/{CLEAN_MARK_FILE}")));
}

#[test]
fn a_partition_in_two_directories_is_served_from_neither_and_both_stay_as_they_are() {
    let (world, _) = World::with_three_partitions();
    world.copy("/a/t-0", "/c/t-0");
    let before = world.read("/c/t-0/00000000000000000000.log");
    let (dirs, report) = world.open();
    assert_eq!(ends(&dirs), [None, Some(1), Some(1)]);
    let [failed] = report.failed.as_slice() else { panic!("{:?}", report.failed) };
    let told = failed.error.to_string();
    assert!(told.contains("/a/t-0 and /c/t-0"), "{told}");
    assert!(!report.notices.iter().any(|notice| matches!(notice, Notice::UnknownTopic { .. })));
    for dir in ["/a", "/c"] {
        assert_eq!(world.read(format!("{dir}/t-0/00000000000000000000.log")), before);
    }
    assert!(dirs.close_clean(0).clean);
    world.disk.rename(Path::new("/c/t-0"), Path::new("/elsewhere")).expect("moved");
    assert_eq!(ends(&world.open().0), [Some(1); 3], "as soon as one is gone");
}

#[test]
fn what_a_creation_without_room_left_in_another_directory_is_no_second_log() {
    let (world, _) = World::with_three_partitions();
    world.disk.create_dir_all(Path::new("/c/t-0")).expect("made");
    let (dirs, report) = world.open();
    assert_eq!(ends(&dirs), [Some(1); 3]);
    assert!(report.failed.is_empty());
    assert!(world.has("/c/t-0") && !world.has("/c/t-0/partition.metadata"), "left as it is");
}

#[test]
fn a_creation_that_finds_no_room_leaves_nothing() {
    let world = World::new();
    let (dirs, _) = world.open();
    world.disk.fail_on("partition.metadata", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let made = dirs.create_all("t", &[(0, None)], &settings(), 0);
    assert!(made.is_err_and(|error| error.is_full_disk()));
    assert!(!world.has("/a/t-0"));
    world.disk.heal();
    dirs.create_all("t", &[(0, None)], &settings(), 0).expect("room");
}

#[test]
fn a_namesake_of_another_topic_in_another_directory_is_set_aside() {
    let (world, _) = World::with_three_partitions();
    world.copy("/a/t-0", "/c/t-0");
    let other = pagewire_disk::PartitionMetadata { topic_id: Uuid::from_u128(0xB0B) };
    other.write(&world.disk, Path::new("/c/t-0/partition.metadata")).expect("written");
    let (dirs, report) = world.open();
    assert_eq!(ends(&dirs), [Some(1); 3]);
    assert!(report.notices.iter().any(|notice| matches!(notice, Notice::Stray { .. })));
}

#[test]
fn a_partition_that_was_moved_is_served_from_where_it_is() {
    let (world, placed) = World::with_three_partitions();
    world.disk.rename(Path::new("/b/t-1"), Path::new("/c/t-1")).expect("moved");
    let (dirs, _) = world.open();
    assert_eq!(ends(&dirs), [Some(1); 3]);
    assert_eq!(dirs.directory_of("t", 1), Some(placed[2]));
    dirs.create_all("t", &numbered(&placed), &settings(), 0).expect("it is there");
    assert!(!world.has("/b/t-1"));
}

#[test]
fn two_directories_of_one_id_are_refused() {
    let (world, _) = World::with_three_partitions();
    let meta = world.read("/b/meta.properties");
    let file = world.disk.open(Path::new("/c/meta.properties"), OpenMode::ReadWrite).expect("there");
    file.set_len(0).and_then(|()| file.write_at(0, &meta)).expect("written");
    assert!(matches!(world.try_open(), Err(LogDirError::SameId { .. })));
}

#[test]
fn a_sick_directory_leaves_the_others_alone() {
    let (world, placed) = World::with_three_partitions();
    let (dirs, _) = world.open();
    append(&dirs, 1);
    world.fail("/b/t-1/", Call::SyncData);
    dirs.get("t", 1).expect("served").sync().expect_err("sick");
    assert!(dirs.here().any(|dir| dir.offline().is_some()));
    append(&dirs, 0);
    append(&dirs, 2);
    dirs.get("t", 2).expect("served").sync().expect("another disk");
    assert!(!dirs.place(9).expect("room").contains(&placed[1]), "nothing new goes there");
    assert!(!dirs.close_clean(0).clean);
    assert!(world.has(&format!("/a/{CLEAN_MARK_FILE}")) && !world.has(&format!("/b/{CLEAN_MARK_FILE}")));
}

#[test]
fn a_deleted_topic_may_have_left_something_in_a_directory_that_is_away() {
    let (world, _) = World::with_three_partitions();
    world.fail("/b", Call::ReadDir);
    let (dirs, _) = world.open();
    assert!(!dirs.delete_all("t", &[0, 1, 2], 0).expect("renamed"));
    drop(dirs);
    world.disk.heal();
    let (dirs, _) = world.open();
    let (removed, all) = dirs.delete_leftovers(&[TOPIC].into(), 0);
    assert!(removed.is_empty(), "it is open again: {removed:?}");
    assert!(all.expect("looked for"));
}

#[test]
fn a_deleted_topic_leaves_the_directory_of_a_log_that_was_put_back() {
    let (world, _) = World::with_three_partitions();
    world.disk.rename(Path::new("/b/t-1"), Path::new("/aside")).expect("moved");
    let (dirs, _) = world.open();
    world.disk.rename(Path::new("/aside"), Path::new("/b/t-1")).expect("moved");
    assert!(!dirs.delete_all("t", &[0, 1, 2], 0).expect("renamed"));
    assert!(world.has("/b/t-1"), "with its name");
    assert!(dirs.reopen(Path::new("/b"), &known, 0).loaded.is_empty(), "and nobody's");
    let (removed, all) = dirs.delete_leftovers(&[TOPIC].into(), 0);
    assert_eq!((removed, all.expect("looked for")), (vec!["/b/t-1".into()], true));
}

#[test]
fn a_deleted_topic_leaves_the_directory_of_a_log_that_could_not_be_opened() {
    let (world, _) = World::with_three_partitions();
    world.fail("/b/t-1", Call::ReadDir);
    let (dirs, _) = world.open();
    assert!(!dirs.delete_all("t", &[0, 1, 2], 0).expect("renamed"));
    assert!(world.has("/b/t-1"), "with its name");
    world.disk.heal();
    let (removed, all) = dirs.delete_leftovers(&[TOPIC].into(), 0);
    assert_eq!((removed, all.expect("looked for")), (vec!["/b/t-1".into()], true));
    assert!(dirs.delete_all("t", &[0, 1, 2], 0).expect("nothing is left"));
}
