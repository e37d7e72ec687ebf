//! Facts about copies that somebody changes while a log moves.

use std::time::{Duration, SystemTime};

use pagewire_disk::OpenMode;

use super::moving::{begun, end, future, headers, names, nothing, small, with_a_log};
use super::switch::halted;
use super::*;
use crate::MoveError;

const FIRST: &str = "00000000000000000000.log";

/// The log's files were written a while ago.
fn aged(dirs: &LogDirs, disk: &dyn Disk) {
    let log = dirs.get("t", 0).expect("served");
    for entry in disk.read_dir(log.dir()).expect("listed").iter().filter(|entry| !entry.is_dir) {
        let file = disk.open(&log.dir().join(&entry.name), OpenMode::Read).expect("there");
        file.file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_mins(1)).expect("aged");
    }
}

fn copy() -> PathBuf {
    Path::new("/b").join(future().dir_name().expect("short"))
}

fn flip(disk: &dyn Disk, file: &Path) {
    let file = disk.open(file, OpenMode::ReadWrite).expect("there");
    file.write_at(65, &[9]).expect("written");
}

type Change = fn(&dyn Disk, &Path);

/// What somebody does to a copy, and what is said of it.
const CHANGES: [(&str, Change); 6] = [
    ("it was written to after it was copied", |disk, copy| flip(disk, &copy.join(FIRST))),
    ("it has 3 bytes of", |disk, copy| {
        let file = disk.open(&copy.join(FIRST), OpenMode::ReadWrite).expect("there");
        file.set_len(3).expect("cut");
    }),
    ("00000000000000000000.log: it is gone", |disk, copy| {
        disk.remove_file(&copy.join(FIRST)).expect("removed");
    }),
    ("00000000000000000000.index: it is gone", |disk, copy| {
        disk.remove_file(&copy.join(FIRST).with_extension("index")).expect("removed");
    }),
    ("00000000000000000099.log: it was not copied", |disk, copy| {
        disk.open(&copy.join("00000000000000000099.log"), OpenMode::CreateNew).expect("made");
    }),
    // Also of the segment that grows.
    ("it has 0 bytes of", |disk, copy| {
        let all = disk.read_dir(copy).expect("listed");
        let is_log = |name: &&String| Path::new(name).extension().is_some_and(|end| end == "log");
        let last = all.iter().map(|entry| &entry.name).filter(is_log).max();
        disk.remove_file(&copy.join(last.expect("some"))).expect("removed");
    }),
];

#[test]
fn a_copy_that_somebody_changed_does_not_become_the_log() {
    for (told, change) in CHANGES {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let dirs = with_a_log(&disk);
        aged(&dirs, &*disk);
        let mut moving = begun(&dirs);
        moving.catch_up(&nothing).expect("copied");
        change(&*disk, &copy());
        let refused = moving.halt(&moving.last_round(), u64::MAX, &nothing).expect_err(told);
        assert!(matches!(refused, MoveError::Altered(_)), "{told}: {refused:?}");
        assert!(refused.to_string().contains(told), "{refused}");
        // The log goes on where it is, and the next copy is another one.
        append(&dirs, 0);
        let before = headers(&dirs);
        let mut moving = begun(&dirs);
        halted(&mut moving);
        moving.switch(&small(), 0).expect("switched");
        assert_eq!((end(&dirs), headers(&dirs)), (7, before), "{told}");
    }
}

#[test]
fn what_was_left_is_kept_where_its_copy_turns_out_to_be_damaged() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    halted(&mut moving);
    let file = disk.open(&copy().join(FIRST), OpenMode::ReadWrite).expect("there");
    file.set_len(3).expect("cut");
    moving.switch(&small(), 0).expect("switched");
    assert!(!dirs.get("t", 0).expect("served").damage().is_empty());
    dirs.here().for_each(|dir| drop(dir.unlink_due(i64::MAX)));
    assert_eq!(names(&*disk, "/a"), ["…-stray"]);
}
