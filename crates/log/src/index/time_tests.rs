//! Facts about entries, lookups, and the last word of an orderly stop.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, MemoryDisk, OpenMode};

use super::*;

fn file() -> Arc<dyn DiskFile> {
    MemoryDisk::new().open(Path::new("/t"), OpenMode::Create).expect("memory")
}

fn filled(entries: u32, file: &Arc<dyn DiskFile>) -> TimeIndex {
    let index = TimeIndex::default();
    index.start_empty();
    for n in 1..=entries {
        index.observe(TimeEntry { timestamp: i64::from(n) * 10, relative: n });
        if index.push() {
            index.write(&**file).expect("write");
        }
    }
    index.write(&**file).expect("write");
    index
}

#[test]
fn entries_strictly_rise_even_if_times_do_not() {
    let index = TimeIndex::default();
    index.start_empty();
    for (relative, timestamp) in [(1, 50), (2, 40), (3, 50), (4, 51)] {
        index.observe(TimeEntry { timestamp, relative });
        index.push();
    }
    assert_eq!(index.len(), 2);
    assert_eq!(index.max(), Ok(Some(TimeEntry { timestamp: 51, relative: 4 })));
    assert_eq!(index.floor_in_memory(50), Some(TimeEntry { timestamp: 50, relative: 1 }));
}

#[test]
fn the_floor_is_found_in_every_page() {
    let file = file();
    let index = filled(1000, &file);
    assert_eq!((index.len(), file.len().expect("len")), (1000, 12_000));
    assert_eq!(floor_in(&*file, 9).expect("read"), None);
    for n in [1, 340, 341, 342, 682, 683, 1000] {
        let entry = floor_in(&*file, i64::from(n) * 10 + 5).expect("read");
        assert_eq!(entry, Some(TimeEntry { timestamp: i64::from(n) * 10, relative: n }));
    }
    assert_eq!(last_in(&*file).expect("read"), Some(TimeEntry { timestamp: 10_000, relative: 1000 }));
}

#[test]
fn a_file_whose_times_fall_is_refused() {
    let file = file();
    filled(10, &file);
    assert!(load(&*file, u64::MAX).expect("read").is_some());
    file.write_at(12 * 5, &[0; 12]).expect("write");
    assert!(load(&*file, u64::MAX).expect("read").is_none());
}

#[test]
fn entries_above_an_offset_are_not_counted() {
    let file = file();
    filled(400, &file);
    let read = |upto| {
        let Loaded { entries, last, is_longer, behind } = load(&*file, upto).expect("read").expect("rising");
        let time = |entry: Option<TimeEntry>| entry.map(|entry| entry.timestamp);
        (entries, time(last), is_longer, time(behind))
    };
    assert_eq!(read(351), (350, Some(3500), true, None));
    assert_eq!(read(400), (399, Some(3990), true, Some(4000)));
    assert_eq!(read(0), (0, None, true, None));
    assert_eq!(read(u64::MAX), (400, Some(4000), false, None));
}

#[test]
fn what_an_orderly_stop_wrote_last_is_written_again_only_if_it_is_no_longer_the_last() {
    let (index, at) = (TimeIndex::default(), |relative| TimeEntry { timestamp: 50, relative });
    index.start_empty();
    index.observe(at(3));
    assert!(!index.closes_with(at(4)), "the log says another");
    assert!(index.closes_with(at(3)));
    index.push();
    assert!(!index.is_dirty());
    index.observe(TimeEntry { timestamp: 51, relative: 7 });
    index.push();
    assert!(index.is_dirty());
    let file = file();
    index.write(&*file).expect("write");
    assert_eq!(file.len().expect("len"), 24);
}

#[test]
fn an_entry_that_is_later_than_the_last_word_takes_its_place() {
    let (index, file) = (TimeIndex::default(), file());
    index.start_empty();
    index.observe(TimeEntry { timestamp: 50, relative: 3 });
    assert!(index.closes_with(TimeEntry { timestamp: 50, relative: 3 }));
    index.observe(TimeEntry { timestamp: 51, relative: 7 });
    index.push();
    index.write(&*file).expect("write");
    assert_eq!(last_in(&*file).expect("read"), Some(TimeEntry { timestamp: 51, relative: 7 }));
    assert_eq!((index.len(), file.len().expect("len")), (1, 12));
}

#[test]
fn a_last_word_gives_way_to_what_comes_if_the_segment_goes_on() {
    let (index, file) = (TimeIndex::default(), file());
    let at = |timestamp, relative| TimeEntry { timestamp, relative };
    index.start_empty();
    index.observe(at(50, 3));
    assert!(index.lacks_last());
    index.write_last(&*file).expect("write");
    assert_eq!((index.lacks_last(), index.len(), file.len().expect("len")), (false, 0, 12));
    index.observe(at(51, 7));
    index.push();
    index.observe(at(52, 8));
    index.write_last(&*file).expect("write");
    assert_eq!((index.lacks_last(), index.len(), file.len().expect("len")), (false, 1, 24));
    assert_eq!(floor_in(&*file, 51).expect("read"), Some(at(51, 7)));
    assert_eq!(last_in(&*file).expect("read"), Some(at(52, 8)));
}

#[test]
fn entries_that_cannot_be_written_do_not_pile_up() {
    let index = TimeIndex::default();
    index.start_empty();
    for n in 1..200 {
        index.observe(TimeEntry { timestamp: i64::from(n), relative: n });
        assert_eq!(index.push(), n >= PIECE as u32);
    }
    assert_eq!(index.len(), PIECE as u32);
    assert_eq!(index.max(), Ok(Some(TimeEntry { timestamp: 199, relative: 199 })));
}

#[test]
fn records_without_a_time_get_no_entry() {
    let index = TimeIndex::default();
    index.start_empty();
    index.observe(TimeEntry { timestamp: -1, relative: 0 });
    index.push();
    assert_eq!(index.len(), 0);
}
