//! Transactions over the log's life: what is stable, what was aborted, and what a restart makes of it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{Call, Errno, FailingDisk, Fault, ForgettingDisk, MemoryDisk, OpenMode, When};
use pagewire_log::{
    AbortedTxn, AppendContext, AppendError, Appended, LogConfig, OpenOptions, Origin, ReadUpTo, TryRead,
    decode_txn_index,
};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, control_batch};

use crate::support::*;

/// A batch in a transaction.
fn inside(id: i64, sequence: i32, records: i64) -> Bytes {
    fill(BatchBuilder::new(Codec::None).producer(id, 0, sequence).transactional(), records, 1000)
}

fn marker(id: i64, control_type: ControlType, coordinator_epoch: i32) -> Bytes {
    control_batch(EndTxnMarker { control_type, coordinator_epoch }, id, 0, 2000).expect("marker")
}

fn try_end(bench: &Bench, id: i64, control_type: ControlType) -> Result<Appended, AppendError> {
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    bench.log.append(marker(id, control_type, 0), context)
}

fn end(bench: &Bench, id: i64, control_type: ControlType) -> i64 {
    try_end(bench, id, control_type).expect("marker").base_offset
}

fn stable(bench: &Bench) -> i64 {
    bench.log.marks().last_stable
}

/// The aborted transactions of a read of committed records, by first offset and marker.
fn aborted(bench: &Bench, offset: i64, max_bytes: u32) -> Vec<(i64, i64)> {
    let slice = bench.log.read(offset, max_bytes, ReadUpTo::LastStable, true).expect("read");
    slice.aborted.iter().map(|txn| (txn.first_offset, txn.last_offset)).collect()
}

fn entries(bench: &Bench, base: i64) -> Vec<AbortedTxn> {
    let name = name(base, "txnindex");
    if bench.names().contains(&name) {
        decode_txn_index(&bench.bytes(&name)).expect("index")
    } else {
        Vec::new()
    }
}

#[test]
fn committed_records_end_before_the_earliest_open_transaction() {
    let bench = Bench::new();
    bench.fill(1);
    assert_eq!(stable(&bench), 3);
    bench.append(inside(7, 0, 2));
    bench.append(inside(8, 0, 1));
    bench.fill(1);
    assert_eq!((stable(&bench), bench.log.marks().high_watermark), (3, 9));
    let slice = bench.log.read(0, 10_000, ReadUpTo::LastStable, true).expect("read");
    assert_eq!(slice.range.expect("records").len(), bench.read(0, 1, true)[0].size_in_bytes());
    assert!(bench.log.read(3, 10_000, ReadUpTo::LastStable, true).expect("read").range.is_none());
    end(&bench, 8, ControlType::Commit);
    assert_eq!(stable(&bench), 3, "the earlier one is open");
    end(&bench, 7, ControlType::Abort);
    assert_eq!(stable(&bench), 11);
}

#[test]
fn an_aborted_transaction_has_an_entry_and_a_committed_or_empty_one_none() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 2));
    bench.append(inside(8, 0, 1));
    bench.append(inside(7, 2, 1));
    end(&bench, 7, ControlType::Abort);
    end(&bench, 8, ControlType::Commit);
    end(&bench, 9, ControlType::Abort);
    let first = AbortedTxn { producer_id: 7, first_offset: 0, last_offset: 4, last_stable_offset: 2 };
    assert_eq!(entries(&bench, 0), [first]);
    assert_eq!(bench.bytes(&name(0, "txnindex")).len(), 34);
    let known = bench.log.producers();
    let epochs =
        known.iter().map(|one| (one.producer_id, one.coordinator_epoch, one.current_txn_start_offset));
    assert_eq!(epochs.collect::<Vec<_>>(), [(7, 0, -1), (8, 0, -1), (9, 0, -1)]);
    assert_eq!(aborted(&bench, 0, 10_000), [(0, 4)]);
    let others = bench.log.read(0, 10_000, ReadUpTo::HighWatermark, true).expect("read");
    assert!(others.aborted.is_empty(), "nobody asked");
}

#[test]
fn the_entry_stands_in_the_segment_of_its_marker_and_is_found_from_that_of_its_records() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 1));
    bench.fill(30);
    let at = end(&bench, 7, ControlType::Abort);
    bench.fill(30);
    let segments = bench.log.segments();
    let of_marker = segments.iter().find(|segment| (segment.base_offset..segment.next_offset).contains(&at));
    let with_entries: Vec<i64> = segments
        .iter()
        .map(|one| one.base_offset)
        .filter(|base| !entries(&bench, *base).is_empty())
        .collect();
    assert_eq!(with_entries, [of_marker.expect("segment").base_offset]);
    assert!(with_entries[0] > 0);
    for offset in [0, 1, 20, at] {
        assert_eq!(aborted(&bench, offset, 100), [(0, at)], "from {offset}");
    }
    assert_eq!(aborted(&bench, at + 1, 100), []);
}

#[test]
fn a_read_names_few_transactions_that_begin_behind_it() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    for n in 0..500 {
        bench.append(inside(7, n, 1));
        end(&bench, 7, ControlType::Abort);
    }
    for n in [0, 1, 250, 499] {
        let found = aborted(&bench, n * 2, 100);
        assert_eq!(found[0], (n * 2, n * 2 + 1), "{n}");
        assert!(found.len() <= 4, "{n}: {}", found.len());
    }
    let all = aborted(&bench, 0, 1 << 20);
    assert_eq!(all.len(), 500);
}

#[test]
fn a_read_that_may_not_wait_says_so_or_gives_the_same_list() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 1));
    end(&bench, 7, ControlType::Abort);
    let bench = bench.restarted();
    let look = || bench.log.try_read(0, 100, ReadUpTo::LastStable, true).expect("read");
    assert!(matches!(look(), TryRead::WouldBlock));
    assert_eq!(aborted(&bench, 0, 100), [(0, 1)]);
    let TryRead::Slice(slice) = look() else { panic!("its files are open now") };
    assert_eq!(slice.aborted.len(), 1);
}

#[test]
fn an_open_transaction_stays_open_over_any_stop() {
    let mut bench = Bench::new();
    bench.fill(2);
    bench.append(inside(7, 0, 2));
    bench.append(inside(8, 0, 2));
    end(&bench, 8, ControlType::Abort);
    for n in 0..6 {
        bench.fill(10);
        bench = if n % 2 == 0 { bench.killed() } else { bench.restarted() };
        assert_eq!((stable(&bench), &bench.report.cuts), (6, &Vec::new()));
        assert_eq!(bench.log.producers()[0].current_txn_start_offset, 6);
        let outside = bench.try_append(sequenced(7, 0, 2, 1));
        assert!(matches!(outside, Err(AppendError::InvalidTxnState { producer_id: 7 })));
    }
    let at = end(&bench, 7, ControlType::Abort);
    assert_eq!(stable(&bench), at + 1);
    let bench = bench.killed().restarted();
    assert_eq!(stable(&bench), at + 1);
    assert_eq!(aborted(&bench, 6, 100), [(8, 10), (6, at)]);
}

#[test]
fn what_the_coordinator_wrote_before_the_stop_fences_an_older_one_after_it() {
    let bench = Bench::new();
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    bench.append(inside(7, 0, 1));
    bench.log.append(marker(7, ControlType::Commit, 5), context).expect("marker");
    let bench = bench.restarted().killed();
    let refused = bench.log.append(marker(7, ControlType::Abort, 4), context);
    assert!(matches!(refused, Err(AppendError::CoordinatorFenced { got: 4, current: 5, .. })), "{refused:?}");
}

#[test]
fn records_the_broker_wrote_in_a_transaction_count_though_they_have_no_sequence() {
    let bench = Bench::new();
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    bench.log.append(inside(7, -1, 2), context).expect("offsets");
    let bench = bench.restarted();
    assert_eq!(stable(&bench), 0);
    assert_eq!(bench.log.producers()[0].last_sequence, -1);
    end(&bench, 7, ControlType::Commit);
    assert_eq!(stable(&bench), 3);
}

#[test]
fn a_marker_is_appended_alone() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 1));
    let two = [marker(7, ControlType::Abort, 0), marker(8, ControlType::Abort, 0)].concat();
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    assert!(matches!(bench.log.append(two.into(), context), Err(AppendError::Malformed(_))));
    assert_eq!(bench.log.marks().log_end, 1);
}

#[test]
fn a_log_start_past_an_open_transaction_leaves_it_behind() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 2));
    bench.fill(1);
    assert_eq!(stable(&bench), 0);
    bench.log.delete_records_before(2).expect("delete");
    assert_eq!(stable(&bench), 2);
    bench.fill(1);
    assert_eq!(stable(&bench), 2, "its marker is still to come");
    let bench = bench.restarted();
    assert_eq!((bench.log.marks().log_start, stable(&bench)), (2, 2));
    end(&bench, 7, ControlType::Abort);
    assert_eq!(stable(&bench), 9);
}

#[test]
fn a_marker_whose_entry_cannot_be_written_is_not_appended() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(disk.clone()), options());
    bench.append(inside(7, 0, 1));
    disk.fail_on(".txnindex", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(matches!(try_end(&bench, 7, ControlType::Abort), Err(AppendError::Write(_))));
    assert_eq!((stable(&bench), bench.log.marks().log_end), (0, 1));
    disk.heal();
    disk.fail_on(".log", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(matches!(try_end(&bench, 7, ControlType::Abort), Err(AppendError::Write(_))));
    disk.heal();
    assert_eq!(entries(&bench, 0), [], "the marker is not there");
    bench.fill(1);
    end(&bench, 7, ControlType::Abort);
    assert_eq!(aborted(&bench, 0, 1000), [(0, 4)]);
    assert_eq!(entries(&bench, 0).len(), 1);
}

#[test]
fn a_torn_entry_of_an_aborted_transaction_is_cut_off_at_once() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(disk.clone()), options());
    for (id, keep) in [(7, 30), (8, 1), (9, 33)] {
        bench.append(inside(id, 0, 1));
        disk.fail_on(".txnindex", Call::Write, When::Nth(1), Fault::Torn { errno: Errno::NOSPC, keep });
        let whole = entries(&bench, 0);
        assert!(matches!(try_end(&bench, id, ControlType::Abort), Err(AppendError::Write(_))));
        disk.heal();
        assert_eq!(entries(&bench, 0), whole, "{keep} bytes of the next");
        if id < 9 {
            end(&bench, id, ControlType::Abort);
        }
    }
    end(&bench, 9, ControlType::Commit);
    let bench = bench.restarted();
    assert!(bench.report.rebuilt.is_empty() && bench.report.notes.is_empty(), "{:?}", bench.report);
    assert_eq!(entries(&bench, 0).len(), 2);
}

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

#[test]
fn a_producer_whose_last_word_was_a_marker_keeps_its_last_batches_over_a_restart() {
    let bench = Bench::new();
    let sent: Vec<Bytes> = (0..4).map(|n| inside(7, n * 2, 2)).collect();
    let bases: Vec<i64> = sent.iter().map(|batch| bench.append(batch.clone()).base_offset).collect();
    end(&bench, 7, ControlType::Commit);
    let again = bench.restarted();
    for (batch, base) in sent.iter().zip(bases) {
        let appended = again.append(batch.clone());
        assert!(appended.duplicate && appended.base_offset == base, "{base}: {appended:?}");
    }
}
