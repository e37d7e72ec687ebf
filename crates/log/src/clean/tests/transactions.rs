//! Transactions in a compacted log.

use pagewire_record::ControlType::{Abort, Commit};
use pagewire_record::{BatchBuilder, Codec};

use super::*;

fn txn(producer_id: i64, sequence: i32, key: &str, value: &str) -> Bytes {
    let builder = BatchBuilder::new(Codec::None).producer(producer_id, 0, sequence).transactional();
    fill(builder, &[(Some(key), Some(value))])
}

fn aborted(bench: &Bench) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    for segment in bench.log.segments.load().iter() {
        let end = bench.log.marks().log_end;
        segment.aborted(0, end, crate::patience::Patience::Endless, &mut found).expect("entries");
    }
    found.iter().map(|txn| (txn.producer_id, txn.last_offset)).collect()
}

fn controls(bench: &Bench) -> Vec<(i64, Option<i64>)> {
    let batches = bench.batches();
    let controls = batches.iter().filter(|(header, records)| header.is_control() && !records.is_empty());
    controls.map(|(header, _)| (header.base_offset, header.delete_horizon_ms())).collect()
}

#[test]
fn aborted_records_go_and_do_not_hide_others() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1"))]);
    bench.append(txn(7, 0, "a", "2"));
    bench.roll();
    bench.append(marker(Abort, 7));
    bench.append(txn(7, 1, "b", "1"));
    bench.append(marker(Commit, 7));
    bench.roll_and_clean(0);
    assert_eq!(bench.text(), "a1 b1");
}

#[test]
fn a_marker_stays_while_a_record_of_its_transaction_does() {
    let mut bench = Bench::new();
    bench.append(txn(7, 0, "a", "1"));
    bench.append(marker(Commit, 7));
    bench.roll_and_clean(0);
    assert_eq!(controls(&bench), [(1, None)]);
    bench.put(&[("a", Some("2"))]);
    bench.append(txn(7, 1, "b", "1"));
    bench.append(marker(Commit, 7));
    bench.roll_and_clean(100);
    assert_eq!(controls(&bench), [(1, Some(100 + RETENTION_MS)), (4, None)], "nothing of the first is left");
    bench.roll_and_clean(100 + RETENTION_MS);
    assert_eq!((controls(&bench), bench.text().as_str()), (vec![(4, None)], "a2 b1"));
}

#[test]
fn an_entry_of_an_aborted_transaction_goes_with_the_last_of_its_batches() {
    let mut bench = Bench::new();
    bench.append(txn(7, 0, "a", "1"));
    bench.append(marker(Abort, 7));
    bench.roll_and_clean(0);
    // Its header is what the producer's sequence hangs on.
    assert_eq!((bench.text().as_str(), bench.batches().len()), ("", 2));
    assert_eq!((controls(&bench), aborted(&bench)), (vec![(1, None)], vec![(7, 1)]));
    bench.append(txn(7, 1, "b", "1"));
    bench.append(marker(Commit, 7));
    bench.roll_and_clean(100);
    assert_eq!(controls(&bench), [(1, Some(100 + RETENTION_MS)), (3, None)]);
    assert_eq!(aborted(&bench), []);
    bench.roll_and_clean(100 + RETENTION_MS);
    assert_eq!((controls(&bench), bench.text().as_str()), (vec![(3, None)], "b1"));
}

#[test]
fn the_last_marker_of_a_producer_without_batches_keeps_its_epoch() {
    let mut bench = Bench::new();
    bench.append(marker(Abort, 7));
    bench.put(&[("a", Some("1"))]);
    bench.roll_and_clean(0);
    bench.roll_and_clean(RETENTION_MS);
    let batches = bench.batches();
    assert_eq!(controls(&bench), []);
    assert!(batches[0].0.is_control() && batches[0].0.records_count == 0, "a bare header");
    bench.roll_and_clean(3 * RETENTION_MS);
    assert_eq!(bench.batches(), batches);
}

#[test]
fn markers_of_several_producers_are_told_apart_across_segments() {
    let mut bench = Bench::new();
    for producer in 0..8 {
        bench.append(txn(producer, 0, &format!("k{producer}"), "1"));
        bench.append(txn(producer, 1, "shared", &producer.to_string()));
        if producer % 3 == 0 {
            bench.roll();
        }
    }
    for producer in 0..8 {
        if producer % 2 == 0 {
            bench.append(marker(Commit, producer));
        } else {
            bench.append(marker(Abort, producer));
        }
    }
    bench.roll_and_clean(0);
    assert_eq!(bench.text(), "k01 k21 k41 k61 shared6");
}

/// The second clean begins behind the marker of an aborted transaction whose entry is still there.
#[test]
fn what_a_producer_writes_after_an_abort_counts_wherever_a_clean_begins() {
    let mut bench = Bench::new();
    bench.put(&[("k", Some("1"))]);
    bench.append(txn(7, 0, "x", "1"));
    bench.append(marker(Abort, 7));
    bench.append(txn(8, 0, "q", "1"));
    bench.roll_and_clean(0);
    assert_eq!((bench.text().as_str(), aborted(&bench)), ("k1 q1", vec![(7, 2)]), "up to what is open");
    bench.append(marker(Commit, 8));
    let builder = BatchBuilder::new(Codec::None).producer(7, 0, 1).transactional();
    bench.append(fill(builder, &[(Some("k"), None)]));
    bench.append(marker(Commit, 7));
    bench.roll_and_clean(100);
    bench.roll_and_clean(100 + RETENTION_MS);
    bench.roll_and_clean(200 + 2 * RETENTION_MS);
    assert_eq!(bench.text(), "q1");
}

#[test]
fn a_key_that_a_transaction_deleted_stays_deleted_and_an_aborted_deletion_deletes_nothing() {
    let tombstone = |producer_id: i64, key: &str| {
        let builder = BatchBuilder::new(Codec::None).producer(producer_id, 0, 0).transactional();
        fill(builder, &[(Some(key), None)])
    };
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("b", Some("1"))]);
    for (producer_id, key, end) in [(7, "a", Commit), (8, "b", Abort)] {
        bench.append(tombstone(producer_id, key));
        bench.append(marker(end, producer_id));
    }
    bench.put(&[("c", Some("1"))]);
    for now_ms in [0, RETENTION_MS, 2 * RETENTION_MS, 3 * RETENTION_MS] {
        bench.roll_and_clean(now_ms);
        bench = bench.killed();
        assert!(bench.report.cuts.is_empty(), "{:?}", bench.report);
        let expected = if now_ms < RETENTION_MS { "b1 a- c1" } else { "b1 c1" };
        assert_eq!(bench.text(), expected, "{now_ms}");
    }
}

/// The log start that a request moved is written later; a kill before that brings it back.
#[test]
fn a_commit_stays_for_data_below_a_log_start_that_may_go_back() {
    let mut bench = Bench::new();
    bench.append(txn(7, 0, "a", "1"));
    bench.roll();
    bench.append(marker(Commit, 7));
    bench.put(&[("b", Some("1"))]);
    bench.roll();
    bench.log.delete_records_before(1).expect("deleted");
    for now_ms in [0, RETENTION_MS, 3 * RETENTION_MS] {
        bench.put(&[("c", Some("1"))]);
        bench.roll_and_clean(now_ms);
    }
    assert_eq!(controls(&bench), [(1, None)]);
    let recovery_point = bench.log.marks().recovery_point;
    let (disk, config) = (Arc::clone(&bench.disk), (*bench.log.config()).clone());
    drop(bench.log);
    let mut bench = Bench::on(disk, OpenOptions { recovery_point, ..options(config) });
    let marks = bench.log.marks();
    assert_eq!((marks.log_start, marks.last_stable), (0, marks.log_end), "no transaction is open");
    assert_eq!(bench.text(), "a1 b1 c1");
    bench.log.delete_records_before(1).expect("deleted");
    bench.log.apply_retention(0).expect("retained");
    for now_ms in [4, 6, 8] {
        bench.put(&[("c", Some("1"))]);
        bench.roll_and_clean(now_ms * RETENTION_MS);
    }
    assert_eq!(controls(&bench), [], "its data is gone for good");
}
