//! Facts about what is built on the seam.

use std::io::ErrorKind;

use pagewire_disk::{
    CleanMark, DirLock, LOCK_FILE, LockError, OffsetCheckpoint, read_small, write_atomically,
};

use crate::{Place, facts, get, put};

facts! {
    a_small_file_is_replaced_whole,
    a_leftover_temporary_file_does_no_harm,
    a_small_file_has_a_bound,
    a_checkpoint_reads_back,
    a_directory_is_locked_once,
    a_lock_names_its_holder_only_while_held,
    the_clean_mark_is_taken_once,
}

fn a_small_file_is_replaced_whole(place: &Place) {
    let path = place.path("small");
    assert_eq!(read_small(place.disk.as_ref(), &path, 100).expect("read"), None);
    write_atomically(place.disk.as_ref(), &path, b"a long first content").expect("write");
    write_atomically(place.disk.as_ref(), &path, b"short").expect("write");
    assert_eq!(get(place.disk.as_ref(), &path), b"short");
    assert_eq!(place.disk.read_dir(&place.root).expect("list").len(), 1, "no temporary file is left");
}

fn a_leftover_temporary_file_does_no_harm(place: &Place) {
    put(place.disk.as_ref(), &place.path("small.tmp"), b"half of something much longer");
    write_atomically(place.disk.as_ref(), &place.path("small"), b"whole").expect("write");
    assert_eq!(get(place.disk.as_ref(), &place.path("small")), b"whole");
}

fn a_small_file_has_a_bound(place: &Place) {
    put(place.disk.as_ref(), &place.path("small"), &[1; 11]);
    let error = read_small(place.disk.as_ref(), &place.path("small"), 10).expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
}

fn a_checkpoint_reads_back(place: &Place) {
    let path = place.path("recovery-point-offset-checkpoint");
    assert!(OffsetCheckpoint::read(place.disk.as_ref(), &path).expect("read").is_none());
    let mut checkpoint = OffsetCheckpoint::new();
    checkpoint.set("orders", 3, 17);
    checkpoint.write(place.disk.as_ref(), &path).expect("write");
    assert_eq!(OffsetCheckpoint::read(place.disk.as_ref(), &path).expect("read"), Some(checkpoint));
}

fn a_directory_is_locked_once(place: &Place) {
    let lock = DirLock::acquire(place.disk.as_ref(), &place.root).expect("free");
    match DirLock::acquire(place.disk.as_ref(), &place.root) {
        Err(error @ LockError::Held { pid, .. }) => {
            assert_eq!(pid, Some(std::process::id()));
            let text = error.to_string();
            assert!(
                text.contains(&std::process::id().to_string()) && text.contains("another directory"),
                "{text}"
            );
        }
        other => panic!("locked twice: {other:?}"),
    }
    drop(lock);
    DirLock::acquire(place.disk.as_ref(), &place.root).expect("free again");
}

fn a_lock_names_its_holder_only_while_held(place: &Place) {
    drop(DirLock::acquire(place.disk.as_ref(), &place.root).expect("free"));
    assert_eq!(get(place.disk.as_ref(), &place.path(LOCK_FILE)), b"");
}

fn the_clean_mark_is_taken_once(place: &Place) {
    let disk = place.disk.as_ref();
    assert!(!CleanMark::take(disk, &place.root).expect("take"));
    CleanMark::write(disk, &place.root).expect("write");
    assert!(CleanMark::exists(disk, &place.root).expect("exists"));
    assert!(CleanMark::take(disk, &place.root).expect("take"));
    assert!(!CleanMark::exists(disk, &place.root).expect("exists"));
    assert!(!CleanMark::take(disk, &place.root).expect("take"));
}
