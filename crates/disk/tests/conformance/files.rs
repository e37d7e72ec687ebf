//! Facts about open files.

use std::io::{ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;

use pagewire_disk::OpenMode;

use crate::{Place, facts, put};

facts! {
    a_created_file_is_empty,
    modes_refuse_what_they_do_not_mean,
    slices_land_one_after_the_other,
    a_hole_reads_as_zeros,
    the_length_of_a_file_is_known_by_its_name,
    a_read_at_the_end_is_short_and_past_it_empty,
    a_read_that_may_not_wait_gives_what_is_there,
    an_exact_read_past_the_end_is_unexpected_eof,
    set_len_cuts_and_grows_with_zeros,
    preallocation_does_not_show_in_the_length,
    handles_of_one_file_see_each_others_writes,
    a_reading_handle_cannot_write,
    the_descriptor_reads_the_same_bytes,
    syncs_and_writeback_succeed,
    a_removed_file_stays_readable_through_its_handle,
}

fn a_created_file_is_empty(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    assert_eq!(file.len().expect("len"), 0);
    assert!(file.is_empty().expect("len"));
    assert!(place.disk.exists(&place.path("a")).expect("exists"));
}

fn modes_refuse_what_they_do_not_mean(place: &Place) {
    let open =
        |name: &str, mode| place.disk.open(&place.path(name), mode).map(drop).map_err(|error| error.kind());
    assert_eq!(open("a", OpenMode::Read), Err(ErrorKind::NotFound));
    assert_eq!(open("a", OpenMode::ReadWrite), Err(ErrorKind::NotFound));
    assert_eq!(open("missing/a", OpenMode::Create), Err(ErrorKind::NotFound));
    assert_eq!(open("a", OpenMode::CreateNew), Ok(()));
    assert_eq!(open("a", OpenMode::CreateNew), Err(ErrorKind::AlreadyExists));
    assert_eq!(open("a", OpenMode::Create), Ok(()));
    assert_eq!(open("a/below", OpenMode::Create), Err(ErrorKind::NotADirectory));
    for mode in [OpenMode::Read, OpenMode::ReadWrite, OpenMode::Create] {
        assert_eq!(open("", mode), Err(ErrorKind::IsADirectory), "{mode:?}");
    }
}

fn slices_land_one_after_the_other(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"0123456789").expect("write");
    file.write_all_at(2, &[IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")]).expect("write");
    let mut bytes = [0; 10];
    file.read_exact_at(0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"01abcde789");
    file.write_all_at(0, &[]).expect("nothing to write");
    assert_eq!(file.len().expect("len"), 10);
}

fn the_length_of_a_file_is_known_by_its_name(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    for len in [0, 7] {
        file.set_len(len).expect("grown");
        assert_eq!(place.disk.file_len(&place.path("a")).expect("there"), len);
    }
    let kind = |name: &str| place.disk.file_len(&place.path(name)).map_err(|error| error.kind());
    assert_eq!(kind("missing"), Err(ErrorKind::NotFound));
    assert_eq!(kind(""), Err(ErrorKind::IsADirectory));
}

fn a_hole_reads_as_zeros(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(5000, b"x").expect("write");
    assert_eq!(file.len().expect("len"), 5001);
    let mut bytes = [7; 8];
    file.read_exact_at(4990, &mut bytes).expect("read");
    assert_eq!(bytes, [0; 8]);
}

fn a_read_at_the_end_is_short_and_past_it_empty(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"abcdef").expect("write");
    let mut bytes = [0; 4];
    assert_eq!(file.read_at(4, &mut bytes).expect("read"), 2);
    assert_eq!(file.read_at(6, &mut bytes).expect("read"), 0);
    assert_eq!(file.read_at(600, &mut bytes).expect("read"), 0);
}

fn a_read_that_may_not_wait_gives_what_is_there(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"abcdef").expect("write");
    let mut bytes = [0; 4];
    // Just written, so in the cache; whether a kernel evicts it within the same microsecond is not asked.
    match file.read_at_nowait(1, &mut bytes) {
        Ok(read) => assert_eq!((read, &bytes), (4, b"bcde")),
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    assert_eq!(file.read_at_nowait(600, &mut bytes).expect("past the end"), 0);
}

fn an_exact_read_past_the_end_is_unexpected_eof(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"abcdef").expect("write");
    let error = file.read_exact_at(4, &mut [0; 4]).expect_err("too few bytes");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

fn set_len_cuts_and_grows_with_zeros(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"abcdef").expect("write");
    file.set_len(2).expect("cut");
    file.set_len(4).expect("grow");
    let mut bytes = [9; 4];
    file.read_exact_at(0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"ab\0\0");
}

fn preallocation_does_not_show_in_the_length(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"ab").expect("write");
    match file.preallocate(0, 1 << 16) {
        Ok(()) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
    }
    file.preallocate(0, 0).expect("nothing to reserve");
    assert_eq!(file.len().expect("len"), 2);
}

fn handles_of_one_file_see_each_others_writes(place: &Place) {
    let one = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    let two = place.disk.open(&place.path("a"), OpenMode::Read).expect("open");
    one.write_at(0, b"abc").expect("write");
    let mut bytes = [0; 3];
    two.read_exact_at(0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"abc");
}

fn a_reading_handle_cannot_write(place: &Place) {
    put(place.disk.as_ref(), &place.path("a"), b"abc");
    let file = place.disk.open(&place.path("a"), OpenMode::Read).expect("open");
    assert!(file.write_at(0, b"x").is_err());
    assert!(file.set_len(0).is_err());
    assert_eq!(file.len().expect("len"), 3);
}

fn the_descriptor_reads_the_same_bytes(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"abcdef").expect("write");
    let mut bytes = [0; 3];
    FileExt::read_exact_at(file.file().as_ref(), &mut bytes, 3).expect("read");
    assert_eq!(&bytes, b"def");
    assert_eq!(file.file().metadata().expect("metadata").len(), 6);
}

fn syncs_and_writeback_succeed(place: &Place) {
    let file = place.disk.open(&place.path("a"), OpenMode::Create).expect("create");
    file.write_at(0, b"abcdef").expect("write");
    file.start_writeback(0, 6).expect("writeback");
    file.sync_data().expect("sync data");
    file.sync_all().expect("sync all");
    place.disk.sync_dir(&place.root).expect("sync dir");
}

fn a_removed_file_stays_readable_through_its_handle(place: &Place) {
    put(place.disk.as_ref(), &place.path("a"), b"abc");
    let file = place.disk.open(&place.path("a"), OpenMode::ReadWrite).expect("open");
    place.disk.remove_file(&place.path("a")).expect("remove");
    assert!(!place.disk.exists(&place.path("a")).expect("exists"));
    file.sync_data().expect("sync");
    let mut bytes = [0; 3];
    file.read_exact_at(0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"abc");
}
