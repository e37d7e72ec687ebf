//! What the failing disk fails, and what callers of small files see of it.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{
    Call, CheckpointError, Disk, Errno, FailingDisk, Fault, LockError, MemoryDisk, OffsetCheckpoint,
    OpenMode, When, read_small, write_atomically,
};

fn disk() -> FailingDisk {
    FailingDisk::new(Arc::new(MemoryDisk::new()))
}

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> Option<i32> {
    result.expect_err("fails").raw_os_error()
}

#[test]
fn only_the_nth_call_fails() {
    let disk = disk();
    let file = disk.open(Path::new("/a"), OpenMode::Create).expect("create");
    disk.fail(Call::Write, When::Nth(2), Errno::IO);
    file.write_at(0, b"1").expect("first");
    assert_eq!(errno(file.write_at(0, b"2")), Some(Errno::IO.raw_os_error()));
    file.write_at(0, b"3").expect("third");
}

#[test]
fn all_calls_from_the_nth_on_fail_until_healed() {
    let disk = disk();
    let file = disk.open(Path::new("/a"), OpenMode::Create).expect("create");
    disk.fail(Call::SyncData, When::From(2), Errno::IO);
    file.sync_data().expect("first");
    assert!(file.sync_data().is_err() && file.sync_data().is_err());
    disk.heal();
    file.sync_data().expect("healed");
}

#[test]
fn a_rule_is_for_the_paths_it_names() {
    let disk = disk();
    disk.fail_on(".index", Call::Open, When::Always, Fault::Error(Errno::MFILE));
    disk.open(Path::new("/a.log"), OpenMode::Create).expect("another file");
    assert_eq!(errno(disk.open(Path::new("/a.index"), OpenMode::Create)), Some(Errno::MFILE.raw_os_error()));
}

#[test]
fn a_torn_write_leaves_its_first_bytes() {
    let disk = disk();
    let file = disk.open(Path::new("/a"), OpenMode::Create).expect("create");
    disk.fail_on("", Call::Write, When::Always, Fault::Torn { errno: Errno::NOSPC, keep: 3 });
    assert_eq!(errno(file.write_at(0, b"abcdef")), Some(Errno::NOSPC.raw_os_error()));
    assert_eq!(file.len().expect("len"), 3);
}

#[test]
fn a_failed_atomic_write_leaves_the_old_content() {
    for call in [Call::Open, Call::SetLen, Call::Write, Call::SyncAll, Call::Rename] {
        let disk = disk();
        let path = Path::new("/checkpoint");
        write_atomically(&disk, path, b"old").expect("write");
        disk.fail(call, When::Always, Errno::NOSPC);
        assert_eq!(
            errno(write_atomically(&disk, path, b"new")),
            Some(Errno::NOSPC.raw_os_error()),
            "{call:?}"
        );
        disk.heal();
        assert_eq!(read_small(&disk, path, 100).expect("read").expect("there"), b"old", "{call:?}");
    }
}

#[test]
fn a_disk_error_is_not_damage() {
    let disk = disk();
    let path = Path::new("/checkpoint");
    OffsetCheckpoint::new().write(&disk, path).expect("write");
    disk.fail(Call::Read, When::Always, Errno::IO);
    let error = OffsetCheckpoint::read(&disk, path).expect_err("unreadable");
    assert!(matches!(error, CheckpointError::Io { .. }) && !error.is_damage());
}

#[test]
fn a_lock_file_that_cannot_be_made_says_so() {
    let disk = disk();
    disk.fail(Call::Open, When::Always, Errno::ROFS);
    let error = pagewire_disk::DirLock::acquire(&disk, Path::new("/")).expect_err("read only");
    assert!(matches!(error, LockError::Io { .. }), "{error}");
}

#[test]
fn a_full_disk_does_not_stop_the_lock() {
    let disk = disk();
    disk.fail(Call::Write, When::Always, Errno::NOSPC);
    pagewire_disk::DirLock::acquire(&disk, Path::new("/")).expect("locked without naming us");
}

#[test]
fn a_cold_file_would_block_only_who_may_not_wait() {
    let disk = disk();
    let file = disk.open(Path::new("/a"), OpenMode::Create).expect("create");
    file.write_at(0, b"abc").expect("write");
    disk.fail(Call::ReadNoWait, When::Always, Errno::AGAIN);
    let error = file.read_at_nowait(0, &mut [0; 3]).expect_err("cold");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(file.read_at(0, &mut [0; 3]).expect("waits"), 3);
}

#[test]
fn calls_are_counted_with_and_without_rules() {
    let disk = disk();
    let file = disk.open(Path::new("/a"), OpenMode::Create).expect("create");
    file.sync_data().expect("sync");
    disk.fail(Call::SyncData, When::Always, Errno::IO);
    file.sync_data().expect_err("fails");
    assert_eq!((disk.calls(Call::SyncData), disk.calls(Call::SyncAll)), (2, 0));
}
