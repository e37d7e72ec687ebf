//! Whatever came over a log, by seeds: damage to any file, power cuts at any moment.

use std::sync::Arc;

use pagewire_disk::{Disk, ForgettingDisk};
use pagewire_log::ReadUpTo;

use super::with_recovery_point;
use crate::support::*;

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
