//! Facts about the format and the lookups.

use pagewire_disk::{Call, FailingDisk, MemoryDisk};

use super::*;
use crate::handles::Handles;
use crate::home::Home;
use crate::segment::End;

fn aborted(first_offset: i64, last_offset: i64, last_stable_offset: i64) -> AbortedTxn {
    AbortedTxn { producer_id: first_offset % 7, first_offset, last_offset, last_stable_offset }
}

/// Transactions of three records and a marker, one after the other.
fn many(count: i64) -> Vec<AbortedTxn> {
    (0..count).map(|n| aborted(n * 4, n * 4 + 3, n * 4 + 4)).collect()
}

fn segment(entries: &[AbortedTxn]) -> Segment {
    segment_on(Arc::new(MemoryDisk::new()), entries)
}

fn segment_on(disk: Arc<dyn Disk>, entries: &[AbortedTxn]) -> Segment {
    disk.create_dir_all(Path::new("/t-0")).expect("dir");
    let home = Arc::new(Home::new(disk, "/t-0".into(), Handles::new(8)));
    let segment = Segment::existing(home, 0, End { next_offset: 1 << 20, size: 0 }, 0, false);
    for entry in entries {
        segment.write_aborted(*entry).expect("write");
        segment.publish_aborted();
    }
    segment
}

fn found(segment: &Segment, from: i64, upto: i64) -> (Vec<i64>, bool) {
    let mut found = Vec::new();
    let last = segment.aborted(from, upto, Patience::Endless, &mut found).expect("read");
    (found.iter().map(|entry| entry.first_offset).collect(), last)
}

#[test]
fn an_entry_is_thirty_four_bytes_in_kafkas_order() {
    let entry =
        AbortedTxn { producer_id: 1, first_offset: 2, last_offset: 3, last_stable_offset: 0x0102_0304 };
    let bytes = entry.to_bytes();
    assert_eq!((bytes.len(), &bytes[..2], bytes[9], bytes[17], bytes[25]), (34, &[0, 0][..], 1, 2, 3));
    assert_eq!(bytes[30..], [1, 2, 3, 4]);
    assert_eq!(AbortedTxn::parse(&bytes), Some(entry));
    let mut other = bytes;
    other[1] = 1;
    assert_eq!(AbortedTxn::parse(&other), None);
}

#[test]
fn what_cannot_be_an_index_is_refused() {
    let bytes =
        |entries: &[AbortedTxn]| entries.iter().flat_map(|entry| entry.to_bytes()).collect::<Vec<_>>();
    let good = bytes(&many(3));
    assert_eq!(decode_txn_index(&good), Ok(many(3)));
    assert!(decode_txn_index(&good[..100]).is_err(), "cut");
    assert!(decode_txn_index(&[0; 34]).is_err(), "zeros");
    assert!(decode_txn_index(&[0xAB; 68]).is_err(), "garbage");
    assert!(decode_txn_index(&bytes(&[aborted(4, 7, 8), aborted(0, 3, 8)])).is_err(), "markers fall");
    assert!(decode_txn_index(&bytes(&[aborted(0, 3, 4), aborted(4, 7, 2)])).is_err(), "stable offsets fall");
    assert!(decode_txn_index(&bytes(&[aborted(4, 3, 4)])).is_err(), "ends before it begins");
    assert!(decode_txn_index(&bytes(&[aborted(0, 3, 5)])).is_err(), "stable past the marker");
    assert_eq!(check(&many(3), 0, 12), Ok(()));
    assert!(check(&many(3), 4, 12).is_err() && check(&many(3), 0, 11).is_err(), "another segment's");
}

#[test]
fn a_file_is_written_whole_and_removed_when_it_has_no_entry() {
    let (disk, path) = (MemoryDisk::new(), Path::new("/x"));
    write(&disk, path, &many(3)).expect("write");
    write(&disk, path, &many(2)).expect("write");
    assert_eq!(read(&disk, path).expect("read"), many(2));
    write(&disk, path, &[]).expect("write");
    assert!(!disk.exists(path).expect("exists"));
    assert_eq!(read(&disk, path).expect("read"), []);
    write(&disk, path, &[]).expect("nothing to remove");
}

#[test]
fn a_lookup_finds_what_touches_the_range_in_every_page() {
    let segment = segment(&many(500));
    assert_eq!(found(&segment, 0, 4), (vec![0], true));
    assert_eq!(found(&segment, 0, 5), (vec![0, 4], true));
    assert_eq!(found(&segment, 3, 4), (vec![0], true), "the marker itself");
    for n in [1, 119, 120, 121, 240, 498] {
        assert_eq!(found(&segment, n * 4 + 1, n * 4 + 5), (vec![n * 4, n * 4 + 4], true), "{n}");
    }
    assert_eq!(found(&segment, 499 * 4, 1 << 20), (vec![499 * 4], false), "a later segment may have more");
    assert_eq!(found(&segment, 2000, 1 << 20), (vec![], false));
    assert_eq!(found(&segment, 0, 1 << 20).0.len(), 500);
}

#[test]
fn a_lookup_reads_a_page_and_a_few_entries() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let segment = segment_on(Arc::new(disk.clone()), &many(1000));
    for n in 0..1000 {
        let before = disk.calls(Call::Read);
        assert_eq!(found(&segment, n * 4, n * 4 + 4), (vec![n * 4], true), "{n}");
        // Of 1,000 entries four halvings leave less than a page, which may be the last but one.
        assert!(disk.calls(Call::Read) - before <= 6, "{n}");
    }
}

#[test]
fn a_long_transaction_is_found_behind_short_ones() {
    let entries = [aborted(10, 12, 3), aborted(20, 22, 3), aborted(3, 30, 31), aborted(40, 42, 43)];
    let segment = segment(&entries);
    assert_eq!(found(&segment, 13, 15), (vec![3], true), "its marker lies far behind");
    assert_eq!(found(&segment, 0, 11), (vec![10, 3], true));
}

#[test]
fn entries_have_one_sum_however_they_came() {
    let appended = segment(&many(3));
    appended.write_aborted(aborted(100, 103, 104)).expect("write");
    let (set, none) = (segment(&[]), segment(&[]));
    set.txns.set(&many(3), true);
    assert_eq!((appended.txns.sum(0), set.txns.sum(0)), (sum(0, &many(3)), sum(0, &many(3))));
    assert!(sum(0, &many(3)) != sum(0, &many(2)) && sum(0, &many(3)) != sum(1, &many(3)));
    assert_eq!((none.txns.sum(0), sum(0, &[])), (0, 0));
}

#[test]
fn an_entry_whose_marker_failed_is_seen_by_nobody_and_gives_way() {
    let segment = segment(&many(2));
    segment.write_aborted(aborted(100, 103, 104)).expect("write");
    assert_eq!(found(&segment, 0, 1 << 20).0.len(), 2);
    segment.trim_aborted().expect("trim");
    segment.write_aborted(aborted(8, 11, 12)).expect("write");
    segment.publish_aborted();
    assert_eq!(found(&segment, 0, 1 << 20).0, [0, 4, 8]);
}

#[test]
fn a_file_with_entries_that_nobody_synced_stays_open() {
    let disk = Arc::new(MemoryDisk::new());
    disk.create_dir_all(Path::new("/t-0")).expect("dir");
    let handles = Handles::new(1);
    let home = Arc::new(Home::new(disk, "/t-0".into(), Arc::clone(&handles)));
    let end = End { next_offset: 1 << 20, size: 0 };
    let both = [0, 1 << 20].map(|base| Segment::existing(Arc::clone(&home), base, end, 0, false));
    let open = || {
        handles.shrink();
        handles.open_files()
    };
    let write = || both.iter().for_each(|segment| segment.write_aborted(aborted(0, 3, 4)).expect("write"));
    write();
    both.iter().for_each(Segment::publish_aborted);
    assert_eq!(open(), 2, "an error of writing one back must reach the sync");
    for segment in &both {
        assert!(segment.sync_aborted().is_ok());
    }
    assert_eq!(open(), 1);
    write();
    assert_eq!(open(), 2);
    for segment in &both {
        segment.trim_aborted().expect("trim");
    }
    assert_eq!(open(), 1, "what is left was synced");
}

#[test]
fn a_lookup_without_patience_does_not_open_a_file() {
    let segment = segment(&[]);
    assert_eq!(found(&segment, 0, 10), (vec![], false), "nothing to open");
    let path = segment.home.path(0, names::TXN_INDEX);
    write(&*segment.home.disk, &path, &many(3)).expect("write");
    segment.txns.set(&many(3), true);
    let mut entries = Vec::new();
    let refused = segment.aborted(0, 10, Patience::None, &mut entries);
    assert_eq!(refused.expect_err("not open").kind(), ErrorKind::WouldBlock);
    assert!(segment.aborted(0, 10, Patience::Endless, &mut entries).expect("read"));
    assert!(segment.aborted(0, 10, Patience::None, &mut entries).is_ok(), "open and in the page cache");
}
