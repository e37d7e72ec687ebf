//! The list of aborted transactions is that of the log that is left, whatever became of its own files.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{ForgettingDisk, OpenMode};
use pagewire_log::{AppendContext, OpenOptions, Origin, ReadUpTo};
use pagewire_record::ControlType;

use super::{aborted, end, entries, inside, stable};
use crate::support::*;

/// Transactions that overlap, commit and abort, over many segments; some stay open.
fn busy(bench: &Bench) {
    let mut sequences = [0; 5];
    for n in 0..120_usize {
        let id = n * n % 5;
        bench.append(inside(id as i64, sequences[id], 1));
        sequences[id] += 1;
        if n % 3 == 0 {
            let kind = if n % 2 == 0 { ControlType::Abort } else { ControlType::Commit };
            end(bench, (n / 3 % 5) as i64, kind);
        }
    }
    bench.append(inside(3, sequences[3], 1));
}

/// The index files of a log, by base offset.
fn indexes(bench: &Bench) -> Vec<(i64, Vec<u8>)> {
    let bases = bench.log.segments().into_iter().map(|segment| segment.base_offset);
    let with = bases.filter(|base| bench.names().contains(&name(*base, "txnindex")));
    with.map(|base| (base, bench.bytes(&name(base, "txnindex")))).collect()
}

#[test]
fn indexes_and_producers_are_rebuilt_as_they_were_written() {
    let bench = Bench::new();
    busy(&bench);
    let (written, known, stable) = (indexes(&bench), bench.log.producers(), stable(&bench));
    assert!(written.len() > 3);
    let bench = bench.killed();
    assert_eq!(indexes(&bench), written);
    for name in bench.names() {
        if name.ends_with("index") || name.ends_with(".snapshot") || name.ends_with("checkpoint") {
            bench.disk.remove_file(&path(&name)).expect("remove");
        }
    }
    let bench = bench.killed();
    assert_eq!((indexes(&bench), bench.log.producers(), self::stable(&bench)), (written, known, stable));
}

#[test]
fn a_damaged_index_is_rebuilt_though_the_stop_was_clean() {
    for damage in 0..6 {
        let bench = Bench::new();
        busy(&bench);
        let (written, known) = (indexes(&bench), bench.log.producers());
        bench.log.close(0).expect("close");
        for (base, bytes) in &written {
            let file = bench.file(&name(*base, "txnindex"));
            match damage {
                0 => file.set_len(bytes.len() as u64 - 1).expect("cut"),
                1 => file.write_at(0, &[0xAB; 40]).expect("garbage"),
                2 => file.set_len(bytes.len() as u64 + 34).expect("zeros"),
                3 => file.write_at(0, &vec![0; bytes.len()]).expect("zeros"),
                // A producer that is not the marker's.
                4 => file.write_at(2, &99_i64.to_be_bytes()).expect("garbage"),
                // A marker past the segment's end.
                _ => file.write_at(18, &(1_i64 << 40).to_be_bytes()).expect("garbage"),
            }
        }
        let end = bench.log.marks().log_end;
        let bench = bench.reopened(OpenOptions { clean: true, recovery_point: end, ..options() });
        assert_eq!((indexes(&bench), bench.log.producers()), (written.clone(), known), "{damage}");
        let rebuilt = |base: &i64| bench.report.rebuilt.contains(&path(&name(*base, "txnindex")));
        assert!(written.iter().all(|(base, _)| rebuilt(base)), "{:?}", bench.report);
    }
}

/// What becomes of an index below the recovery point when the broker is killed.
fn unvouched(harm: impl Fn(&Bench, &str)) {
    let bench = Bench::new();
    busy(&bench);
    let recovery_point = bench.log.sync().expect("sync");
    let (written, known) = (indexes(&bench), bench.log.producers());
    assert!(bench.names().contains(&"pagewire-aborted".to_owned()));
    for (base, _) in &written {
        harm(&bench, &name(*base, "txnindex"));
    }
    let options = || OpenOptions { recovery_point, ..options() };
    let bench = bench.reopened(options());
    assert_eq!((indexes(&bench), bench.log.producers()), (written.clone(), known.clone()));
    let bench = bench.reopened(options());
    assert_eq!((indexes(&bench), bench.log.producers()), (written, known));
    assert!(bench.report.notes.is_empty(), "{:?}", bench.report);
}

#[test]
fn a_lost_index_is_rebuilt_though_all_of_it_was_stable_before_a_kill() {
    unvouched(|bench, name| bench.disk.remove_file(&path(name)).expect("remove"));
}

#[test]
fn an_index_that_was_cut_between_two_entries_is_rebuilt_after_a_kill() {
    unvouched(|bench, name| {
        let file = bench.file(name);
        file.set_len(file.len().expect("len").saturating_sub(34)).expect("cut");
    });
}

#[test]
fn an_index_that_is_written_to_is_known_by_all_that_was_stable_when_it_was_named() {
    for left in 0..4_u64 {
        let bench = Bench::new();
        for n in 0..3 {
            bench.append(inside(7, n, 1));
            end(&bench, 7, ControlType::Abort);
        }
        let recovery_point = bench.log.sync().expect("sync");
        assert_eq!(
            (bench.log.segments().len(), indexes(&bench)[0].1.len()),
            (1, 3 * 34),
            "it is the active one's"
        );
        let written = indexes(&bench);
        bench.file(&name(0, "txnindex")).set_len(left * 34).expect("cut");
        let options = || OpenOptions { recovery_point, ..options() };
        let bench = bench.reopened(options());
        let missing = bench.report.notes.iter().any(|note| note.contains("entries are missing"));
        assert_eq!((missing, indexes(&bench)), (left < 3, written), "{left}: {:?}", bench.report);
        let bench = bench.reopened(options());
        assert!(bench.report.notes.is_empty(), "{left}: {:?}", bench.report);
    }
}

#[test]
fn a_start_that_is_told_nothing_about_aborted_transactions_looks_at_the_whole_log() {
    unvouched(|bench, name| {
        bench.disk.remove_file(&path(name)).expect("remove");
        bench.file("pagewire-aborted").set_len(0).expect("emptied");
    });
}

#[test]
fn producers_that_only_a_snapshot_tells_of_outlive_a_damaged_index() {
    let bench = Bench::new();
    bench.append(sequenced(70, 0, 0, 1));
    bench.fill(10);
    busy(&bench);
    bench.log.sync().expect("sync");
    bench.log.delete_records_before(30).expect("delete");
    assert!(bench.log.apply_retention(0).expect("retention").segments > 0);
    let (written, known) = (indexes(&bench), bench.log.producers());
    assert!(known.iter().any(|producer| producer.producer_id == 70));
    bench.log.close(0).expect("close");
    bench.file(&name(written[1].0, "txnindex")).write_at(3, b"garbage").expect("write");
    let marks = bench.log.marks();
    let bench = bench.reopened(OpenOptions {
        clean: true,
        recovery_point: marks.log_end,
        log_start_offset: marks.log_start,
        ..options()
    });
    assert_eq!((indexes(&bench), bench.log.producers()), (written, known));
}

#[test]
fn an_entry_whose_marker_the_crash_took_is_cut() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 1));
    let keep = bench.log.size_bytes();
    end(&bench, 7, ControlType::Abort);
    for clean in [true, false] {
        let copy = Bench::new();
        copy.append(inside(7, 0, 1));
        end(&copy, 7, ControlType::Abort);
        copy.log.close(0).expect("close");
        copy.file(&name(0, "log")).set_len(keep).expect("cut");
        let copy = copy.reopened(OpenOptions { clean, ..options() });
        assert_eq!((stable(&copy), copy.log.marks().log_end, entries(&copy, 0)), (0, 1, vec![]), "{clean}");
        end(&copy, 7, ControlType::Commit);
        assert_eq!((stable(&copy), aborted(&copy, 0, 1000)), (2, vec![]));
    }
}

#[test]
fn after_a_power_cut_the_list_is_that_of_the_log_that_is_left() {
    let mut compared = 0;
    for seed in 0..60 {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()), options());
        let mut synced = 0;
        for n in 0..40 {
            bench.append(inside(n % 3, (n / 3) as i32, 1));
            if n % 2 == 1 {
                end(&bench, (n / 2) % 3, if n % 4 == 1 { ControlType::Abort } else { ControlType::Commit });
            }
            if n == seed % 40 {
                synced = bench.log.sync().expect("sync");
            }
        }
        let after = Arc::new(disk.crash(seed as u64).expect("crash"));
        let left = Bench::on(after, OpenOptions { recovery_point: synced, ..options() });
        let end = left.log.marks().log_end;
        assert!(end >= synced, "seed {seed}");
        if !left.log.damage().is_empty() {
            // The name of a newer segment is left, and the end of the one before it is not: that is refused.
            continue;
        }
        compared += 1;
        // The same records, appended once more.
        let again = Bench::new();
        let slice = |offset| bench.log.read(offset, 1, ReadUpTo::LogEnd, true).expect("read").range;
        while again.log.marks().log_end < end {
            let bytes = slice(again.log.marks().log_end).expect("records").read_to_vec().expect("range");
            let origin = AppendContext { origin: Origin::Coordinator, ..context() };
            again.log.append(bytes.into(), origin).expect("append");
        }
        assert_eq!(stable(&left), stable(&again), "seed {seed}");
        let all = |bench: &Bench| {
            let bases = bench.log.segments().into_iter().map(|segment| segment.base_offset);
            bases.flat_map(|base| entries(bench, base)).collect::<Vec<_>>()
        };
        assert_eq!(all(&left), all(&again), "seed {seed}");
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn an_index_of_a_segment_that_is_gone_goes_with_it() {
    let bench = Bench::new();
    busy(&bench);
    let first = indexes(&bench)[0].0;
    let upto = bench.log.segments().into_iter().map(|one| one.base_offset).find(|base| *base > first);
    bench.log.delete_records_before(upto.expect("a later one")).expect("delete");
    bench.log.apply_retention(0).expect("retention");
    assert!(bench.names().contains(&name(first, "txnindex.deleted")));
    bench.log.unlink_due(1 << 40).expect("unlink");
    assert!(!bench.names().iter().any(|name| name.ends_with(".deleted")));
    let stray = bench.disk.open(&path(&name(1 << 30, "txnindex")), OpenMode::Create).expect("create");
    stray.write_at(0, &[0; 34]).expect("write");
    let bench = bench.killed();
    assert!(!bench.disk.exists(Path::new(&path(&name(1 << 30, "txnindex")))).expect("exists"));
}

#[test]
fn what_a_killed_process_left_of_the_list_is_stable_before_the_recovery_point_passes_it() {
    let disk = ForgettingDisk::new();
    let bench = Bench::on(Arc::new(disk.clone()), options());
    bench.append(inside(7, 0, 2));
    end(&bench, 7, ControlType::Abort);
    let next = disk.killed();
    let recovered = Bench::on(Arc::new(next.clone()), options());
    assert!(!recovered.report.rebuilt.iter().any(|path| path.ends_with(name(0, "txnindex"))));
    let recovery_point = recovered.log.sync().expect("sync");
    let after = Arc::new(next.crash(0).expect("crash"));
    let left = Bench::on(after, OpenOptions { recovery_point, ..options() });
    assert_eq!(left.log.marks().log_end, recovery_point);
    assert_eq!(aborted(&left, 0, 10_000), [(0, 2)], "aborted records would be read as committed");
}
