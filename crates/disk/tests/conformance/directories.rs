//! Facts about names.

use std::io::ErrorKind;

use pagewire_disk::{DirEntry, OpenMode, create_dir_durably};

use crate::{Place, facts, get, put};

facts! {
    names_are_listed_sorted_with_their_kind,
    missing_things_are_not_found,
    a_directory_is_made_with_its_parents_and_twice,
    one_that_is_there_is_not_made_once_more,
    a_file_is_in_the_way_of_a_directory,
    a_durable_directory_is_usable_at_once,
    a_rename_replaces_a_file_and_leaves_old_handles_alone,
    a_renamed_directory_keeps_its_content_and_its_handles,
    a_rename_onto_a_full_directory_is_refused,
    a_directory_is_removed_with_everything_below,
    a_directory_is_not_removed_as_a_file,
    only_a_directory_can_be_synced_as_one,
    space_is_known_where_something_is,
}

fn names_are_listed_sorted_with_their_kind(place: &Place) {
    put(place.disk.as_ref(), &place.path("b"), b"");
    put(place.disk.as_ref(), &place.path("a.log"), b"");
    place.disk.create_dir_all(&place.path("topic-0")).expect("create");
    let expected = [("a.log", false), ("b", false), ("topic-0", true)]
        .map(|(name, is_dir)| DirEntry { name: name.to_owned(), is_dir });
    assert_eq!(place.disk.read_dir(&place.root).expect("list"), expected);
}

fn missing_things_are_not_found(place: &Place) {
    let disk = &place.disk;
    let missing = place.path("missing");
    assert_eq!(disk.read_dir(&missing).expect_err("list").kind(), ErrorKind::NotFound);
    assert_eq!(disk.rename(&missing, &place.path("b")).expect_err("rename").kind(), ErrorKind::NotFound);
    assert_eq!(disk.remove_file(&missing).expect_err("remove").kind(), ErrorKind::NotFound);
    assert_eq!(disk.remove_dir_all(&missing).expect_err("remove").kind(), ErrorKind::NotFound);
    assert_eq!(disk.sync_dir(&missing).expect_err("sync").kind(), ErrorKind::NotFound);
    assert!(!disk.exists(&missing).expect("exists"));
    assert!(!disk.exists(&missing.join("below")).expect("exists"));
}

fn a_directory_is_made_with_its_parents_and_twice(place: &Place) {
    let path = place.path("a/b/c");
    place.disk.create_dir_all(&path).expect("create");
    place.disk.create_dir_all(&path).expect("again");
    assert!(place.disk.read_dir(&path).expect("list").is_empty());
}

fn one_that_is_there_is_not_made_once_more(place: &Place) {
    let path = place.path("a");
    place.disk.create_dir(&path).expect("create");
    put(place.disk.as_ref(), &path.join("b"), b"x");
    for taken in [&path, &path.join("b")] {
        assert_eq!(place.disk.create_dir(taken).expect_err("again").kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(place.disk.create_dir(&place.path("c/d")).expect_err("no parent").kind(), ErrorKind::NotFound);
    assert_eq!(get(place.disk.as_ref(), &path.join("b")), b"x");
}

fn a_file_is_in_the_way_of_a_directory(place: &Place) {
    put(place.disk.as_ref(), &place.path("a"), b"x");
    assert!(place.disk.create_dir_all(&place.path("a")).is_err());
    assert!(place.disk.create_dir_all(&place.path("a/b")).is_err());
    assert_eq!(get(place.disk.as_ref(), &place.path("a")), b"x");
}

fn a_durable_directory_is_usable_at_once(place: &Place) {
    create_dir_durably(place.disk.as_ref(), &place.path("x/y/z")).expect("create");
    create_dir_durably(place.disk.as_ref(), &place.path("x/y/z")).expect("again");
    put(place.disk.as_ref(), &place.path("x/y/z/file"), b"1");
    assert_eq!(get(place.disk.as_ref(), &place.path("x/y/z/file")), b"1");
}

fn a_rename_replaces_a_file_and_leaves_old_handles_alone(place: &Place) {
    put(place.disk.as_ref(), &place.path("old"), b"old");
    put(place.disk.as_ref(), &place.path("new"), b"new!");
    let old = place.disk.open(&place.path("old"), OpenMode::Read).expect("open");
    place.disk.rename(&place.path("new"), &place.path("old")).expect("rename");
    assert_eq!(get(place.disk.as_ref(), &place.path("old")), b"new!");
    assert!(!place.disk.exists(&place.path("new")).expect("exists"));
    let mut bytes = [0; 3];
    old.read_exact_at(0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"old");
}

fn a_renamed_directory_keeps_its_content_and_its_handles(place: &Place) {
    place.disk.create_dir_all(&place.path("t-0")).expect("create");
    put(place.disk.as_ref(), &place.path("t-0/a"), b"abc");
    let file = place.disk.open(&place.path("t-0/a"), OpenMode::ReadWrite).expect("open");
    place.disk.rename(&place.path("t-0"), &place.path("t-0.x-delete")).expect("rename");
    file.write_at(3, b"d").expect("write");
    assert_eq!(get(place.disk.as_ref(), &place.path("t-0.x-delete/a")), b"abcd");
    assert!(!place.disk.exists(&place.path("t-0")).expect("exists"));
}

fn a_rename_onto_a_full_directory_is_refused(place: &Place) {
    place.disk.create_dir_all(&place.path("a")).expect("create");
    place.disk.create_dir_all(&place.path("b")).expect("create");
    put(place.disk.as_ref(), &place.path("b/file"), b"1");
    let error = place.disk.rename(&place.path("a"), &place.path("b")).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
    assert!(place.disk.rename(&place.path("a"), &place.path("b/file")).is_err(), "a directory onto a file");
    assert!(place.disk.rename(&place.path("b/file"), &place.path("a")).is_err(), "a file onto a directory");
    assert!(place.disk.rename(&place.path("b"), &place.path("b/below")).is_err(), "into itself");
    assert_eq!(get(place.disk.as_ref(), &place.path("b/file")), b"1");
}

fn a_directory_is_removed_with_everything_below(place: &Place) {
    place.disk.create_dir_all(&place.path("a/b")).expect("create");
    put(place.disk.as_ref(), &place.path("a/b/c"), b"1");
    let file = place.disk.open(&place.path("a/b/c"), OpenMode::Read).expect("open");
    place.disk.remove_dir_all(&place.path("a")).expect("remove");
    assert!(place.disk.read_dir(&place.root).expect("list").is_empty());
    assert_eq!(file.len().expect("len"), 1);
}

fn a_directory_is_not_removed_as_a_file(place: &Place) {
    place.disk.create_dir_all(&place.path("a")).expect("create");
    assert!(place.disk.remove_file(&place.path("a")).is_err());
    assert!(place.disk.exists(&place.path("a")).expect("exists"));
}

fn only_a_directory_can_be_synced_as_one(place: &Place) {
    put(place.disk.as_ref(), &place.path("a"), b"1");
    assert_eq!(place.disk.sync_dir(&place.path("a")).expect_err("a file").kind(), ErrorKind::NotADirectory);
    assert_eq!(place.disk.read_dir(&place.path("a")).expect_err("a file").kind(), ErrorKind::NotADirectory);
}

fn space_is_known_where_something_is(place: &Place) {
    let space = place.disk.space(&place.root).expect("space");
    assert!(space.usable_bytes <= space.total_bytes && space.total_bytes > 0);
    assert!(place.disk.free_bytes(&place.root).expect("free") <= space.total_bytes);
    assert_eq!(place.disk.space(&place.path("missing")).expect_err("missing").kind(), ErrorKind::NotFound);
}
