//! What is left after a crash, and what opening says about it.

use std::sync::Arc;

use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, ForgettingDisk, MemoryDisk, When};
use pagewire_log::{Log, LogConfig, OpenOptions, ReadError, ReadUpTo};
use pagewire_record::BatchHeader;

use crate::support::*;

fn with_recovery_point(recovery_point: i64, clean: bool) -> OpenOptions {
    OpenOptions { recovery_point, clean, ..options() }
}

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

    let bench = without_its_offset(5).reopened(with_recovery_point(15, false));
    let read = bench.log.read(3, 100, ReadUpTo::LogEnd, true);
    assert!(matches!(read, Err(ReadError::Damaged { offset: 3, next_offset: 6, .. })), "{read:?}");
    assert_eq!(bench.read(0, 100, true).first().map(|header| header.base_offset), Some(0));
}

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

/// The entry for the largest time is in memory when the entries after it, for offsets alone, have long been written.
#[test]
fn the_largest_time_survives_a_kill_whatever_came_after_it() {
    for (falling, missing) in [(0, false), (70, false), (70, true), (200, false), (333, true)] {
        let config = LogConfig { segment_bytes: 1 << 20, index_interval_bytes: 1, ..config() };
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config: config.clone(), ..options() });
        // The first batch gets no entry.
        for n in 0..65 {
            bench.append(batch(1, n * 10));
        }
        if missing {
            disk.fail_on(".timeindex", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
        }
        bench.append(batch(1, 5000));
        for _ in 0..falling {
            bench.append(batch(1, 200));
        }
        let synced = bench.log.sync().expect("sync");
        disk.heal();
        let bench = bench.reopened(OpenOptions { config, ..with_recovery_point(synced, false) });
        let largest =
            || bench.log.max_timestamp_offset().expect("lookup").map(|found| (found.timestamp, found.offset));
        assert_eq!(largest(), Some((5000, 65)), "{falling} after it, {missing}");
        let since = bench.log.offset_for_time(1000).expect("lookup").map(|found| found.offset);
        assert_eq!(since, Some(65), "{falling} after it");
        bench.fill(200);
        assert_eq!(largest(), Some((5000, 65)));
        assert_eq!(bench.report.rebuilt.is_empty(), !missing, "{:?}", bench.report);
    }
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

/// SplitMix64.
fn chance(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % below
}

#[test]
fn any_damage_to_any_file_opens_and_what_was_checked_is_good() {
    for seed in 0..300 {
        let mut state = seed;
        let bench = Bench::new();
        for n in 0..30 {
            bench.append(sequenced(5, 0, n * 2, 2));
        }
        let clean = seed % 2 == 0;
        if clean {
            bench.log.close(0).expect("close");
        }
        for _ in 0..=chance(&mut state, 3) {
            let names = bench.names();
            let file = bench.file(&names[chance(&mut state, names.len() as u64) as usize]);
            let len = file.len().expect("len");
            let (at, garbage) = (chance(&mut state, len + 1), chance(&mut state, u64::MAX).to_be_bytes());
            match chance(&mut state, 4) {
                0 => file.set_len(at).expect("cut"),
                1 => file.set_len(len + 1 + at).expect("zeros"),
                2 => file.write_at(at, &garbage).expect("garbage"),
                _ => file.write_at(at.saturating_sub(1), &garbage[..1]).expect("a byte"),
            }
        }
        let bench = bench.reopened(with_recovery_point(if clean { 60 } else { 0 }, clean));
        let marks = bench.log.marks();
        if !clean {
            // Everything was checked: what is left is a prefix.
            assert!(
                marks.log_end <= 60,
                "seed {seed}: {marks:?} {:#?} {:?}",
                bench.report,
                bench.log.segments()
            );
            let found = bench.read_all(0);
            assert!(found.iter().zip(0..).all(|(header, n)| header.base_offset == n * 2), "seed {seed}");
        }
        // Closed segments are believed after a clean stop, but never to the point of giving up or looping.
        for offset in marks.log_start..=marks.log_end {
            let _ = bench.log.read(offset, 500, ReadUpTo::LogEnd, true);
            let _ = bench.log.offset_for_time(1000 + offset);
        }
        let _ = bench.log.max_timestamp_offset();
        assert_eq!(bench.append(batch(1, 1)).base_offset, marks.log_end, "seed {seed}");
        assert_eq!(bench.log.sync().expect("sync"), marks.log_end + 1);
    }
}

/// A single file of 128 batches of 3 records, in each of the two ways a log is left behind.
fn stable_log(clean: bool) -> (Bench, OpenOptions) {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    bench.fill(128);
    if clean {
        bench.log.close(0).expect("close");
    } else {
        bench.log.sync().expect("sync");
    }
    let options = OpenOptions { config: (*bench.log.config()).clone(), ..with_recovery_point(384, clean) };
    (bench, options)
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
fn good_batches_behind_a_bad_one_past_the_recovery_point_are_told_and_set_aside() {
    let (bench, options) = stable_log(false);
    let size = bench.log.size_bytes();
    let position = size / 128 * 120;
    let whole = bench.bytes(&name(0, "log"));
    bench.file(&name(0, "log")).write_at(position + 70, b"\xff\xff\xff").expect("write");
    let bench = bench.reopened(OpenOptions { recovery_point: 300, ..options });
    let [cut] = bench.report.cuts.as_slice() else { panic!("{:?}", bench.report) };
    assert_eq!((cut.offset, cut.bytes, cut.good), (360, size - position, Some((363, 384))));
    assert!(cut.to_string().contains("363 to 383"), "{cut}");
    let aside = bench.bytes(&name(360, "cut"));
    assert_eq!(cut.set_aside.as_deref(), Some(path(&name(360, "cut")).as_path()));
    let second = (size / 128) as usize;
    assert_eq!(aside[second..], whole[position as usize + second..]);
    assert_eq!(bench.append(batch(1, 5)).base_offset, 360);
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
        |bench: &Bench| bench.names().iter().filter(|name| name.strip_suffix(".cut").is_some()).count();
    assert!(later > 8);
    let kept = aside(&bench);
    assert_eq!(kept, later, "{:?}", bench.report);
    assert!(bench.report.cuts.iter().all(|cut| cut.good.is_some() == cut.set_aside.is_some()));
    let again = bench.killed();
    assert_eq!(aside(&again), kept, "they stay");
}

#[test]
fn an_empty_closed_segment_is_noticed_and_its_offsets_are_refused() {
    let bench = Bench::new();
    bench.fill(30);
    let second = bench.log.segments()[1];
    bench.log.close(0).expect("close");
    bench.file(&name(second.base_offset, "log")).set_len(0).expect("cut");
    let bench = bench.reopened(with_recovery_point(90, true));
    let [hole] = bench.report.holes.as_slice() else { panic!("{:?}", bench.report) };
    assert_eq!((hole.from, hole.upto), (second.base_offset, second.next_offset));
    assert!(hole.file.ends_with(name(second.base_offset, "log")), "{hole}");
    assert_eq!(refused(&bench, second.base_offset), (0, second.next_offset));
    let found = bench.read(second.next_offset, 100, true);
    assert_eq!(found.first().map(|header| header.base_offset), Some(second.next_offset));
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

#[test]
fn after_a_power_cut_everything_synced_is_there_and_the_rest_is_a_prefix() {
    for seed in 0..40 {
        let disk = ForgettingDisk::new();
        disk.create_dir_all(std::path::Path::new("/data")).expect("dir");
        disk.sync_dir(std::path::Path::new("/")).expect("sync");
        let bench = Bench::on(Arc::new(disk.clone()), options());
        bench.fill(20 + seed);
        let synced = bench.log.sync().expect("sync");
        bench.fill(7);
        let written = bench.log.marks().log_end;
        let after: Arc<dyn Disk> = Arc::new(disk.crash(seed as u64).expect("crash"));
        let bench = Bench::on(after, with_recovery_point(synced, false));
        let end = bench.log.marks().log_end;
        assert!(
            (synced..=written).contains(&end),
            "seed {seed}: {synced} <= {end} <= {written}: {:?}",
            bench.report
        );
        assert_eq!(bench.read_all(0).len() as i64, end / 3, "seed {seed}");
        bench.fill(10);
        assert_eq!(bench.read_all(0).len() as i64, end / 3 + 10);
    }
}

#[test]
fn a_log_closed_in_order_survives_a_power_cut_whole() {
    for seed in 0..5 {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()), options());
        for n in 0..30 {
            bench.append(sequenced(5, 0, n, 1));
        }
        bench.log.close(0).expect("close");
        let after: Arc<dyn Disk> = Arc::new(disk.crash(seed).expect("crash"));
        let bench = Bench::on(after, with_recovery_point(30, true));
        let report = &bench.report;
        assert_eq!(
            (bench.log.marks().log_end, report.cuts.len(), report.rebuilt.len()),
            (30, 0, 0),
            "{report:?}"
        );
        assert!(bench.append(sequenced(5, 0, 29, 1)).duplicate);
    }
}

#[test]
fn epochs_are_rebuilt_from_the_batches() {
    let bench = Bench::new();
    for n in 0..40_i64 {
        let context = pagewire_log::AppendContext { leader_epoch: (n / 15) as i32, ..context() };
        bench.log.append(batch(3, n), context).expect("append");
    }
    let epochs =
        |bench: &Bench| (0..3).map(|epoch| bench.log.end_offset_for_epoch(epoch)).collect::<Vec<_>>();
    let expected = [Some((0, 45)), Some((1, 90)), Some((2, 120))];
    assert_eq!(epochs(&bench), expected);
    bench.log.close(0).expect("close");
    let checkpoint = path("leader-epoch-checkpoint");
    let good = bench.bytes("leader-epoch-checkpoint");
    for damage in [None, Some(vec![0; 20]), Some(b"0\n7\nx".to_vec())] {
        bench.disk.remove_file(&checkpoint).expect("remove");
        if let Some(bytes) = damage {
            let file = bench.disk.open(&checkpoint, pagewire_disk::OpenMode::Create).expect("create");
            file.write_at(0, &bytes).expect("write");
        }
        let options = OpenOptions { leader_epoch: 2, ..with_recovery_point(120, true) };
        let again = Bench::on(Arc::clone(&bench.disk), options);
        assert_eq!(epochs(&again), expected);
        assert_eq!(again.bytes("leader-epoch-checkpoint"), good);
    }
}

#[test]
fn a_new_leadership_is_on_disk_before_its_first_batch() {
    let bench = Bench::new();
    bench.fill(1);
    let bench = bench.reopened(OpenOptions { leader_epoch: 4, ..options() });
    assert_eq!(String::from_utf8(bench.bytes("leader-epoch-checkpoint")).expect("text"), "0\n2\n0 0\n4 3\n");
    assert_eq!(bench.log.end_offset_for_epoch(4), Some((4, 3)));
    assert_eq!(bench.log.end_offset_for_epoch(5), None);
}

#[test]
fn leftovers_are_removed_and_unknown_files_are_not() {
    let bench = Bench::new();
    bench.fill(3);
    let left = [name(0, "log.deleted"), name(0, "log.cleaned"), name(77, "index"), "x.tmp".to_owned()];
    for name in left.iter().chain([&"notes.txt".to_owned()]) {
        bench.disk.open(&path(name), pagewire_disk::OpenMode::Create).expect("create");
    }
    let bench = bench.killed();
    for name in &left {
        assert!(!bench.names().contains(name), "{name}");
    }
    assert!(bench.names().contains(&"notes.txt".to_owned()));
    assert_eq!(bench.read_all(0).len(), 3);
}

#[test]
fn a_log_start_above_everything_starts_the_log_again_there() {
    let bench = Bench::new();
    bench.fill(30);
    let bench = bench.reopened(OpenOptions { log_start_offset: 500, ..options() });
    let marks = bench.log.marks();
    assert_eq!((marks.log_start, marks.log_end, bench.log.segments().len()), (500, 500, 1));
    assert_eq!(bench.append(batch(1, 1)).base_offset, 500);
}

#[test]
fn a_range_outlives_the_restart_of_its_log() {
    let bench = Bench::new();
    bench.fill(3);
    let range = bench.log.read(0, 10_000, ReadUpTo::LogEnd, true).expect("read").range.expect("records");
    let before = range.read_to_vec().expect("range");
    let bench = bench.restarted();
    assert_eq!(range.read_to_vec().expect("range"), before);
    assert_eq!(bench.log.marks().log_end, 9);
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
