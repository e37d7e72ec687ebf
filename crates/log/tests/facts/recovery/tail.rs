//! Where a log ends that was not closed in order: past the recovery point nothing is believed that was not checked.

use std::sync::Arc;

use pagewire_disk::OpenMode;
use pagewire_log::{GoodBatches, Log, OpenOptions, ReadError, ReadUpTo};
use pagewire_record::BatchHeader;

use super::{stable_log, with_recovery_point};
use crate::support::*;

#[test]
fn a_tail_cut_at_any_byte_loses_only_the_torn_batch() {
    for clean in [false, true] {
        let bench = Bench::new();
        bench.fill(2);
        let keep = bench.log.size_bytes();
        bench.fill(1);
        let whole = bench.bytes(&name(0, "log"));
        for len in keep..whole.len() as u64 {
            let copy = Bench::new();
            copy.fill(3);
            if clean {
                copy.log.close(0).expect("close");
            }
            copy.file(&name(0, "log")).set_len(len).expect("cut");
            let copy = copy.reopened(with_recovery_point(0, clean));
            assert_eq!((copy.log.marks().log_end, copy.log.size_bytes()), (6, keep), "cut at {len}");
            assert_eq!(copy.read_all(0).len(), 2);
            if len > keep {
                let [cut] = copy.report.cuts.as_slice() else { panic!("{:?}", copy.report) };
                assert_eq!((cut.offset, cut.position, cut.bytes), (6, keep, len - keep));
                assert!(cut.file.ends_with(name(0, "log")) && !cut.reason.is_empty(), "{cut}");
            }
            assert_eq!(copy.append(batch(1, 5)).base_offset, 6);
        }
    }
}

#[test]
fn garbage_and_zeros_after_the_last_batch_are_cut() {
    for (clean, tail) in [(true, [0; 200]), (false, [0; 200]), (true, [0xAB; 200]), (false, [0xAB; 200])] {
        let bench = Bench::new();
        bench.fill(3);
        if clean {
            bench.log.close(0).expect("close");
        }
        let size = bench.log.size_bytes();
        bench.file(&name(0, "log")).write_at(size, &tail).expect("write");
        let bench = bench.reopened(with_recovery_point(9, clean));
        assert_eq!((bench.log.marks().log_end, bench.report.cuts.len()), (9, 1), "{:?}", bench.report);
        assert_eq!(bench.report.cuts[0].bytes, 200);
        bench.fill(3);
        assert_eq!(bench.read_all(0).len(), 6);
    }
}

#[test]
fn a_flipped_bit_past_the_recovery_point_ends_the_log_there() {
    let bench = Bench::new();
    bench.fill(30);
    let segments = bench.log.segments();
    let (second, third) = (segments[1], segments[2]);
    let file = bench.file(&name(second.base_offset, "log"));
    let mut byte = [0];
    file.read_exact_at(second.size_bytes - 1, &mut byte).expect("read");
    file.write_at(second.size_bytes - 1, &[byte[0] ^ 1]).expect("write");
    let bench = bench.killed();
    let end = bench.log.marks().log_end;
    assert!(second.base_offset < end && end < third.base_offset);
    assert_eq!(bench.log.segments().len(), 2);
    assert_eq!(bench.report.cuts.len(), segments.len() - 1, "the torn batch and every later segment");
    assert_eq!(bench.read_all(0).last().map(BatchHeader::next_offset), Some(end));
    bench.fill(30);
    assert_eq!(bench.read_all(0).len() as i64, bench.log.marks().log_end / 3);
}

#[test]
fn a_damaged_base_offset_which_no_crc_covers_is_noticed() {
    let bench = Bench::new();
    bench.fill(5);
    let position = bench.log.size_bytes() / 5 * 3;
    bench.log.close(0).expect("close");
    bench.file(&name(0, "log")).write_at(position, &[0, 0, 1]).expect("write");
    let bench = bench.reopened(with_recovery_point(0, false));
    assert_eq!((bench.log.marks().log_end, bench.report.cuts.len()), (9, 1), "{:?}", bench.report);

    let bench = Bench::new();
    bench.fill(30);
    bench.log.close(0).expect("close");
    bench.file(&name(0, "log")).write_at(0, &[0, 0, 1]).expect("write");
    let bench = bench.reopened(with_recovery_point(90, true));
    let read = bench.log.read(0, 100, ReadUpTo::LogEnd, true);
    assert!(matches!(read, Err(ReadError::Damaged { position: 0, next_offset: 3, .. })), "closed: {read:?}");
    assert_eq!(bench.read(3, 100, true).first().map(|header| header.base_offset), Some(3));
}

/// A power cut may leave a batch whole but for its first bytes, which lie in the sector of the one before.
#[test]
fn a_base_offset_that_went_back_harms_the_batch_before_it_not() {
    let without_its_offset = |fill: i64| {
        let bench = Bench::new();
        bench.fill(fill);
        let position = bench.log.size_bytes() / fill as u64;
        bench.log.close(0).expect("close");
        bench.file(&name(0, "log")).write_at(position, &[0; 8]).expect("write");
        bench
    };
    let bench = without_its_offset(2).reopened(with_recovery_point(3, false));
    let report = &bench.report;
    assert!(
        report.damage.is_empty() && report.cuts.len() == 1 && bench.log.marks().log_end == 3,
        "{report:?}"
    );
    assert_eq!(bench.read_all(0).len(), 1);
    // All of it but that may be what somebody was promised.
    let cut = &report.cuts[0];
    assert_eq!(
        (cut.good, cut.set_aside.as_deref()),
        (Some(GoodBatches::Unplaced), Some(path(&name(3, "cut")).as_path()))
    );
    assert_eq!(bench.bytes(&name(3, "cut")).len() as u64, cut.bytes);
    assert!(cut.to_string().contains("nobody knows of which offsets"), "{cut}");

    let bench = without_its_offset(5).reopened(with_recovery_point(15, false));
    let read = bench.log.read(3, 100, ReadUpTo::LogEnd, true);
    assert!(matches!(read, Err(ReadError::Damaged { offset: 3, next_offset: 6, .. })), "{read:?}");
    assert_eq!(bench.read(0, 100, true).first().map(|header| header.base_offset), Some(0));
}

#[test]
fn good_batches_behind_a_bad_one_past_the_recovery_point_are_told_and_set_aside() {
    let (bench, options) = stable_log(false);
    let size = bench.log.size_bytes();
    let position = size / 128 * 120;
    let whole = bench.bytes(&name(0, "log"));
    bench.file(&name(0, "log")).write_at(position + 70, b"\xff\xff\xff").expect("write");
    let bench = bench.reopened(OpenOptions { recovery_point: 300, ..options });
    let [cut] = bench.report.cuts.as_slice() else { panic!("{:?}", bench.report) };
    assert_eq!(
        (cut.offset, cut.bytes, cut.good),
        (360, size - position, Some(GoodBatches::Offsets { first: 363, next: 384 }))
    );
    assert!(cut.to_string().contains("363 to 383"), "{cut}");
    let aside = bench.bytes(&name(360, "cut"));
    assert_eq!(cut.set_aside.as_deref(), Some(path(&name(360, "cut")).as_path()));
    let second = (size / 128) as usize;
    assert_eq!(aside[second..], whole[position as usize + second..]);
    assert_eq!(bench.append(batch(1, 5)).base_offset, 360);
}

/// A whole segment takes no more room than it did by its other name.
#[test]
fn only_what_was_copied_counts_for_how_much_is_set_aside() {
    for (taken, is_kept) in [("log.cut", true), ("log.2.cut", true), ("cut", false), ("2.cut", false)] {
        let (bench, options) = stable_log(false);
        let disk = Arc::clone(&bench.disk);
        let file = disk.open(&path(&name(7, taken)), OpenMode::Create).expect("made");
        file.set_len(1 << 30).expect("long");
        bench
            .file(&name(0, "log"))
            .write_at(bench.log.size_bytes() / 128 * 120 + 70, b"\xff")
            .expect("write");
        let bench = bench.reopened(OpenOptions { recovery_point: 300, ..options });
        let [cut] = bench.report.cuts.as_slice() else { panic!("{:?}", bench.report) };
        assert_eq!((cut.good.is_some(), cut.set_aside.is_some()), (true, is_kept), "{taken}");
    }
}

#[test]
fn a_bad_batch_ends_a_log_in_front_of_whole_segments_which_are_set_aside() {
    let bench = Bench::new();
    bench.fill(90);
    let second = bench.log.segments()[1];
    let later = bench.log.segments().len() - 2;
    bench.file(&name(second.base_offset, "log")).write_at(second.size_bytes - 1, b"\xff").expect("write");
    let bench = bench.killed();
    let aside =
        |bench: &Bench| bench.names().iter().filter(|name| name.strip_suffix(".log.cut").is_some()).count();
    assert!(later > 8);
    let kept = aside(&bench);
    assert_eq!(kept, later, "{:?}", bench.report);
    assert!(bench.report.cuts.iter().all(|cut| cut.good.is_some() == cut.set_aside.is_some()));
    let again = bench.killed();
    assert_eq!(aside(&again), kept, "they stay");
}

/// As a backup leaves them that links closed segments.
#[test]
fn a_file_with_a_second_name_elsewhere_is_neither_cut_nor_appended_to() {
    let root = tempfile::tempdir().expect("a directory");
    let (dir, elsewhere) = (root.path().join("t-0"), root.path().join("elsewhere"));
    std::fs::create_dir(&elsewhere).expect("a directory");
    let open = || {
        let disk = Arc::new(pagewire_disk::OsDisk::new());
        Log::open(disk, &dir, "t", 0, OpenOptions { clean: false, ..options() }).expect("open").0
    };
    let log = open();
    for n in 0..40 {
        log.append(batch(1, n), context()).expect("append");
    }
    let segments = log.segments();
    drop(log);
    let (first, newest) = (segments[0], segments[segments.len() - 1]);
    assert!(segments.len() > 2 && newest.size_bytes > 0);
    let name = |base: i64| format!("{base:020}.log");
    let path = dir.join(name(first.base_offset));
    let mut damaged = std::fs::read(&path).expect("a segment");
    let at = damaged.len() - 1;
    damaged[at] ^= 1;
    std::fs::write(&path, &damaged).expect("damage");
    for segment in &segments {
        let name = name(segment.base_offset);
        std::fs::hard_link(dir.join(&name), elsewhere.join(&name)).expect("a link");
    }
    let linked =
        || segments.iter().map(|one| std::fs::read(elsewhere.join(name(one.base_offset))).expect("there"));
    let before: Vec<_> = linked().collect();
    let log = open();
    assert!(log.marks().log_end < first.next_offset, "the damaged batch and what follows it are cut");
    log.append(batch(1, 99), context()).expect("append");
    assert!(linked().eq(before));
}
