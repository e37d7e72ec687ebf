use std::path::Path;

use pagewire_disk::{Disk, MemoryDisk, OpenMode};

use super::*;

fn file() -> Arc<dyn DiskFile> {
    MemoryDisk::new().open(Path::new("/i"), OpenMode::Create).expect("memory")
}

fn filled(entries: u32, file: &Arc<dyn DiskFile>) -> OffsetIndex {
    let index = OffsetIndex::default();
    index.start_empty();
    for n in 1..=entries {
        if index.push(Entry { relative: n * 10, position: n * 100 }) {
            index.write(&**file).expect("write");
        }
    }
    index
}

fn floor(index: &OffsetIndex, relative: u32, file: &Arc<dyn DiskFile>) -> Option<u32> {
    index.floor(relative, Patience::None, || Ok(Arc::clone(file))).expect("read").map(|entry| entry.position)
}

#[test]
fn the_floor_is_found_in_memory_and_in_every_page() {
    let file = file();
    let index = filled(1500, &file);
    assert_eq!(floor(&index, 9, &file), None);
    for n in 1..=1500 {
        assert_eq!(floor(&index, n * 10, &file), Some(n * 100));
        assert_eq!(floor(&index, n * 10 + 9, &file), Some(n * 100));
    }
}

#[test]
fn the_ceiling_is_found_in_memory_and_in_every_page() {
    let file = file();
    let index = filled(1500, &file);
    let ceiling = |position| {
        let found = index.ceiling_position(position, Patience::None, || Ok(Arc::clone(&file)));
        found.expect("read").map(|entry| entry.position)
    };
    for n in 1..=1500 {
        assert_eq!(ceiling(u64::from(n) * 100), Some(n * 100));
        assert_eq!(ceiling(u64::from(n) * 100 - 99), Some(n * 100));
    }
    assert_eq!(ceiling(150_001), None);
}

#[test]
fn a_closed_index_reads_back_from_its_file() {
    let file = file();
    let index = filled(1100, &file);
    index.write(&*file).expect("write");
    index.close();
    assert_eq!(file.len().expect("len"), 1100 * 8);
    let again = OffsetIndex::default();
    assert!(again.load(&*file, 1_000_000).expect("read"));
    assert_eq!((again.len(), index.len()), (1100, 1100));
    for n in [1, 511, 512, 513, 1024, 1025, 1100] {
        assert_eq!(floor(&again, n * 10 + 3, &file), Some(n * 100));
        assert_eq!(floor(&index, n * 10 + 3, &file), Some(n * 100));
    }
}

#[test]
fn entries_that_do_not_rise_or_leave_the_segment_are_refused() {
    let file = file();
    let index = filled(70, &file);
    index.write(&*file).expect("write");
    let again = OffsetIndex::default();
    assert!(!again.load(&*file, 7000).expect("read"), "the last entry points at the end");
    file.write_at(8 * 33, &[0; 8]).expect("write");
    assert!(!again.load(&*file, 1_000_000).expect("read"));
    file.set_len(65).expect("cut");
    assert!(!again.load(&*file, 1_000_000).expect("read"), "not whole entries");
    assert!(!again.is_loaded());
}

#[test]
fn entries_above_an_offset_can_be_cut() {
    for (relative, left) in [(6005, 600), (5120, 512), (5119, 511), (5, 0), (i32::MAX as u32, 600)] {
        let file = file();
        filled(600, &file).write(&*file).expect("write");
        let index = OffsetIndex::default();
        assert!(index.load(&*file, 1_000_000).expect("read"));
        assert!(index.cut_after(&*file, relative, 1_000_000).expect("cut"));
        assert_eq!((index.len(), file.len().expect("len")), (left, u64::from(left) * 8), "{relative}");
    }
}

#[test]
fn a_full_piece_that_cannot_be_written_stays_and_is_written_later() {
    let file = file();
    let index = filled(63, &file);
    let due: Vec<bool> =
        (64..=100).map(|n| index.push(Entry { relative: n * 10, position: n * 100 })).collect();
    assert!(due.iter().all(|due| *due), "every one asks again");
    assert_eq!((index.len(), floor(&index, 999, &file)), (64, Some(6400)));
    index.write(&*file).expect("write");
    assert!(!index.push(Entry { relative: 1010, position: 10_100 }));
    index.write(&*file).expect("write");
    let again = OffsetIndex::default();
    assert!(again.load(&*file, 1_000_000).expect("read"));
    assert_eq!(
        (again.len(), floor(&again, 1010, &file), floor(&again, 999, &file)),
        (65, Some(10_100), Some(6400))
    );
}

#[test]
fn adding_goes_on_where_a_loaded_file_ends() {
    let file = file();
    filled(64, &file);
    let index = OffsetIndex::default();
    assert!(index.load(&*file, 1_000_000).expect("read"));
    index.push(Entry { relative: 700, position: 7000 });
    index.write(&*file).expect("write");
    assert_eq!((index.len(), file.len().expect("len")), (65, 65 * 8));
    assert_eq!(floor(&index, 640, &file), Some(6400));
    assert_eq!(floor(&index, 700, &file), Some(7000));
}

#[test]
fn a_page_is_read_once_until_the_index_is_another() {
    let (file, reads) = (file(), std::cell::Cell::new(0));
    let index = filled(1500, &file);
    let floor = |index: &OffsetIndex, relative| {
        let counted = || {
            reads.set(reads.get() + 1);
            Ok(Arc::clone(&file))
        };
        index.floor(relative, Patience::None, counted).expect("read").map(|entry| entry.position)
    };
    for relative in [10, 5000, 5119, 10] {
        assert_eq!(floor(&index, relative), Some(relative / 10 * 100));
    }
    assert_eq!(reads.get(), 1);
    assert_eq!(floor(&index, 5130), Some(51_300));
    assert_eq!(reads.get(), 2, "another page");
    assert!(index.cut_after(&*file, 4000, 1_000_000).expect("cut"));
    assert_eq!(floor(&index, 5000), Some(40_000));
    assert_eq!(reads.get(), 3, "the file has changed");
}

#[test]
fn the_entry_behind_the_floor_may_begin_where_that_ends() {
    let file = file();
    let index = filled(3, &file);
    let may_begin = |relative| {
        let near = index.near(relative, Patience::None, || Ok(Arc::clone(&file))).expect("read");
        near.and_then(|near| near.may_begin(relative))
    };
    assert_eq!([11, 12, 21, 31].map(may_begin), [Some(200), None, Some(300), None]);
}
