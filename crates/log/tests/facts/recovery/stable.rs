//! What was stable: it is not read again, keeps its offsets whatever became of it, and is what a kill leaves.

use std::sync::Arc;

use pagewire_disk::ForgettingDisk;
use pagewire_log::{Hole, LogConfig, OpenOptions, ReadError, ReadUpTo};

use super::{stable_log, with_recovery_point};
use crate::support::*;

#[test]
fn below_the_recovery_point_nothing_is_scanned() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    bench.fill(500);
    assert_eq!(bench.log.sync().expect("sync"), 1500);
    bench.fill(5);
    let options = OpenOptions { config: (*bench.log.config()).clone(), ..with_recovery_point(1500, false) };
    bench.log.pace().expect("pace");
    let size = bench.log.size_bytes();
    let bench = bench.reopened(options);
    assert_eq!(bench.log.marks().log_end, 1515);
    assert_eq!(bench.log.marks().recovery_point, 1500, "the rest still has to be synced");
    // Whole pieces of the index had been written; the walk begins at the last entry of them.
    assert!(bench.report.scanned_bytes < size / 2, "{} of {size}", bench.report.scanned_bytes);
    assert_eq!(bench.read_all(0).len(), 505);
    assert_eq!(bench.log.sync().expect("sync"), 1515);
}

#[test]
fn closed_segments_below_the_recovery_point_are_not_opened_again() {
    let bench = Bench::new();
    bench.fill(60);
    let synced = bench.log.sync().expect("sync");
    let active_size = bench.log.segments().last().expect("active").size_bytes;
    let bench = bench.reopened(with_recovery_point(synced, false));
    assert!(bench.report.scanned_bytes <= active_size);
    assert_eq!(bench.read_all(0).len(), 60);
}

#[test]
fn closed_segments_become_stable_without_a_sync() {
    let disk = ForgettingDisk::new();
    let bench = Bench::on(Arc::new(disk.clone()), options());
    bench.fill(60);
    bench.log.pace().expect("pace");
    let (stable, end) = (active(&bench.log), bench.log.marks().log_end);
    assert_eq!(bench.log.marks().recovery_point, stable);
    let bench = Bench::on(Arc::new(disk.crash(0).expect("crash")), with_recovery_point(stable, false));
    assert_eq!(bench.log.marks().log_end, stable, "all but the active segment, of which nothing was synced");
    assert!(stable < end);
}

fn refused(bench: &Bench, offset: i64) -> (u64, i64) {
    match bench.log.read(offset, 500, ReadUpTo::LogEnd, true) {
        Err(ReadError::Damaged { position, next_offset, .. }) => (position, next_offset),
        other => panic!("{offset}: {other:?}"),
    }
}

#[test]
fn a_segment_cut_below_the_recovery_point_keeps_its_bytes_and_the_log_goes_on_behind() {
    for (clean, more) in [(true, 5), (true, 0), (false, 5), (false, 0)] {
        let (bench, options) = stable_log(clean);
        let good = bench.log.size_bytes() * 3 / 4;
        bench.file(&name(0, "log")).set_len(good + more).expect("cut");
        let mut bench = bench.reopened(options.clone());
        for again in 0..2 {
            assert_eq!(bench.log.marks().log_end, 384, "no offset is given out twice");
            assert!(bench.report.cuts.is_empty(), "{:?}", bench.report);
            assert_eq!(bench.read(0, 1 << 20, true).len(), 96);
            assert_eq!(refused(&bench, 96 * 3), (good, 384));
            assert_eq!(bench.file(&name(0, "log")).len().expect("len"), good + more);
            let [damage] = bench.report.damage.as_slice() else { panic!("{again}: {:?}", bench.report) };
            assert_eq!((damage.from, damage.upto, damage.bytes), (288, 384, more));
            bench = bench.reopened(OpenOptions { clean: false, ..options.clone() });
        }
        assert_eq!(bench.append(batch(1, 5)).base_offset, 384);
        assert_eq!(bench.read(384, 100, true).len(), 1);
    }
}

#[test]
fn damage_below_the_recovery_point_is_refused_and_what_follows_is_served() {
    for clean in [true, false] {
        // Its records, its magic, its length, its base offset up and down.
        for (at, bits) in [(70, 1), (16, 1), (10, 1), (11, 0x7f), (6, 1), (7, 0x40)] {
            let (bench, options) = stable_log(clean);
            let position = bench.log.size_bytes() / 128 * 120;
            let file = bench.file(&name(0, "log"));
            let (mut byte, size) = ([0], bench.log.size_bytes());
            file.read_exact_at(position + at, &mut byte).expect("read");
            file.write_at(position + at, &[byte[0] ^ bits]).expect("write");
            let bench = bench.reopened(OpenOptions { clean: false, recovery_point: 384, ..options });
            let told = format!("{clean}, byte {at}: {:?}", bench.report);
            assert_eq!((bench.log.marks().log_end, bench.log.size_bytes()), (384, size), "{told}");
            assert!(bench.report.cuts.is_empty(), "{told}");
            assert_eq!(refused(&bench, 361), (position, 363), "{told}");
            let read = |offset| {
                bench.read(offset, 1 << 20, true).iter().map(|header| header.base_offset).collect::<Vec<_>>()
            };
            assert_eq!(read(351), [351, 354, 357], "{told}");
            assert_eq!(read(363).len(), 7, "{told}");
            assert_eq!(bench.append(batch(1, 5)).base_offset, 384);
        }
    }
}

#[test]
fn an_empty_closed_segment_is_noticed_and_its_offsets_are_refused() {
    let bench = Bench::new();
    bench.fill(30);
    let second = bench.log.segments()[1];
    bench.log.close(0).expect("close");
    bench.file(&name(second.base_offset, "log")).set_len(0).expect("cut");
    let bench = bench.reopened(with_recovery_point(90, true));
    let [hole] = &*bench.report.holes else { panic!("{:?}", bench.report) };
    assert_eq!((hole.from, hole.upto), (second.base_offset, second.next_offset));
    assert!(hole.file.ends_with(name(second.base_offset, "log")), "{hole}");
    assert_eq!(refused(&bench, second.base_offset), (0, second.next_offset));
    let found = bench.read(second.next_offset, 100, true);
    assert_eq!(found.first().map(|header| header.base_offset), Some(second.next_offset));
}

#[test]
fn of_many_segments_that_lost_the_same_a_start_names_some_and_counts_all() {
    let bench = Bench::new();
    bench.fill(1500);
    let segments = bench.log.segments();
    let closed = segments.len() - 1;
    assert!(closed > 100, "{closed}");
    bench.log.close(0).expect("close");
    for segment in &segments[..closed] {
        bench.file(&name(segment.base_offset, "log")).set_len(0).expect("cut");
    }
    let end = bench.log.marks().log_end;
    let bench = bench.reopened(with_recovery_point(end, true));
    let holes = &bench.report.holes;
    assert_eq!((holes.len(), holes.total()), (64, closed as u64));
    let lines: Vec<String> = Hole::told(holes).collect();
    let first = format!("no record has the offsets 0 to {}: they are lost", segments[0].next_offset - 1);
    assert!(lines[0].ends_with(&first), "{}", lines[0]);
    let more = format!("{} more such places of this log are not named", closed - 64);
    assert_eq!((lines.len(), lines.last()), (65, Some(&more)));
}

#[test]
fn of_many_files_that_a_start_made_anew_some_are_named_and_all_are_counted() {
    let bench = Bench::new();
    bench.fill(1500);
    let segments = bench.log.segments().len();
    bench.log.close(0).expect("close");
    for file in bench.names().iter().filter(|file| file.ends_with("index")) {
        bench.disk.remove_file(&path(file)).expect("remove");
    }
    let bench = bench.reopened(with_recovery_point(0, false));
    let rebuilt = &bench.report.rebuilt;
    assert_eq!(rebuilt.len(), 64);
    assert!(rebuilt.total() >= 2 * segments as u64, "{} of {segments} segments", rebuilt.total());
}

#[test]
fn a_segment_that_is_gone_costs_its_own_records_only() {
    let bench = Bench::new();
    bench.fill(30);
    let second = bench.log.segments()[1];
    bench.log.close(0).expect("close");
    for suffix in ["log", "index"] {
        bench.disk.remove_file(&path(&name(second.base_offset, suffix))).expect("remove");
    }
    for clean in [true, false] {
        let bench = Bench::on(Arc::clone(&bench.disk), with_recovery_point(90, clean));
        let left = name(second.base_offset, "timeindex");
        assert!(!bench.names().contains(&left), "what belonged to it goes");
        assert_eq!(bench.log.marks().log_end, 90);
        for offset in second.base_offset..second.next_offset {
            assert_eq!(refused(&bench, offset).1, second.next_offset, "never skipped in silence");
        }
        let found = bench.read(second.next_offset, 100, true);
        assert_eq!(found.first().map(|header| header.base_offset), Some(second.next_offset));
        bench.log.close(0).expect("close");
    }
}
