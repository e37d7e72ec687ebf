//! Transactions that nobody had ended when Kafka stopped.

use bytes::Bytes;
use pagewire_log::{Log, ReadUpTo};
use pagewire_record::{BatchBuilder, Codec, ControlType, DecompressLimits, EndTxnMarker, control_batch};
use pagewire_takeover::{Depth, OpenTransaction, Options, Outcome};

use crate::kafka::{Kafka, contents};
use crate::support::{made, opened, options, run};

/// One record of a producer, within a transaction.
fn data(producer_id: i64, epoch: i16, sequence: i32) -> Bytes {
    let mut batch = BatchBuilder::new(Codec::None).producer(producer_id, epoch, sequence).transactional();
    batch.append(1000, Some(b"key"), Some(b"value"), &[]).unwrap();
    batch.build().unwrap()
}

fn end(producer_id: i64, control_type: ControlType) -> Bytes {
    control_batch(EndTxnMarker { control_type, coordinator_epoch: 6 }, producer_id, 0, 1000).unwrap()
}

/// What the coordinator says of `id` in version 0: its producer, its status, and partition 0 of `orders` takes part.
fn said(id: &str, producer_id: i64, status: u8) -> Bytes {
    let short = |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let key = [&[0, 0][..], &short(id)].concat();
    let (one, zero) = (1i32.to_be_bytes(), 0i32.to_be_bytes());
    let partitions = [&one[..], &short("orders"), &one, &zero].concat();
    let fields: [&[u8]; 8] = [
        &[0, 0],
        &producer_id.to_be_bytes(),
        &[0, 0],
        &60_000i32.to_be_bytes(),
        &[status],
        &partitions,
        &1000i64.to_be_bytes(),
        &1000i64.to_be_bytes(),
    ];
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(1000, Some(&key), Some(&fields.concat()), &[]).unwrap();
    batch.build().unwrap()
}

/// Producers 7 (`going`, undecided), 8 (`promised`, to be committed) and 9 (nobody knows it) have transactions open in
/// `orders-0`, at offsets 2, 3 and 4; before that one is over.
fn stopped() -> Kafka {
    let mut kafka = Kafka::new(1);
    let (orders, state) = (kafka.topic("orders", 1), kafka.topic("__transaction_state", 1));
    let batches = [
        data(8, 0, 0),
        end(8, ControlType::Commit),
        data(7, 0, 0),
        data(8, 0, 1),
        data(9, 0, 0),
        data(7, 0, 1),
    ];
    kafka.write("orders", orders, 0, batches);
    kafka.write("__transaction_state", state, 0, [said("going", 7, 1), said("promised", 8, 2)]);
    kafka.stop();
    kafka
}

/// Producer, first offset, transactional id, how it ends, and where.
type Told<'o> = (i64, i64, Option<&'o str>, Option<Outcome>, Option<i64>);

fn told(open: &[OpenTransaction]) -> Vec<Told<'_>> {
    assert!(open.iter().all(|open| (open.topic.as_str(), open.partition) == ("orders", 0)));
    open.iter()
        .map(|open| {
            let id = open.transactional_id.as_deref();
            (open.producer_id, open.first_offset, id, open.outcome, open.marker)
        })
        .collect()
}

fn epoch_of(log: &Log, producer_id: i64) -> i16 {
    let all = log.producers();
    all.iter().find(|producer| producer.producer_id == producer_id).unwrap().producer_epoch
}

#[test]
fn open_transactions_are_named_and_stay_open_unless_their_end_is_wanted() {
    let kafka = stopped();
    let named = [
        (7, 2, Some("going"), Some(Outcome::Abort), None),
        (8, 3, Some("promised"), Some(Outcome::Commit), None),
        (9, 4, None, Some(Outcome::Abort), None),
    ];
    let dry = run(&Options { dry_run: true, end_transactions: true, ..options(&kafka) }).unwrap();
    assert_eq!(told(&dry.open_transactions), named);
    let report = run(&options(&kafka)).unwrap();
    assert_eq!(told(&report.open_transactions), named);
    let (logs, _) = opened(&kafka.to(), 1);
    let marks = logs.get("orders", 0).unwrap().marks();
    assert_eq!((marks.last_stable, marks.log_end), (2, 6));
}

#[test]
fn a_producer_id_that_only_the_coordinator_names_is_not_given_out_again() {
    let mut kafka = Kafka::new(1);
    let state = kafka.topic("__transaction_state", 1);
    // It was told its id and wrote nothing, or nothing that is left; Kafka's metadata ends before the id was given out.
    kafka.write("__transaction_state", state, 0, [said("idle", 5_000, 0)]);
    kafka.stop();
    let report = run(&options(&kafka)).unwrap();
    assert_eq!((report.next_producer_id, made(&kafka.to()).next_producer_id), (5_001, 5_001));
}

#[test]
fn transactions_end_as_was_decided_and_kafkas_files_stay_as_they_were() {
    let kafka = stopped();
    let before = contents(&kafka.dir());
    let report = run(&Options { end_transactions: true, ..options(&kafka) }).unwrap();
    let ended = [
        (7, 2, Some("going"), Some(Outcome::Abort), Some(6)),
        (8, 3, Some("promised"), Some(Outcome::Commit), Some(7)),
        (9, 4, None, Some(Outcome::Abort), Some(8)),
    ];
    assert_eq!(told(&report.open_transactions), ended);
    assert_eq!(contents(&kafka.dir()), before);
    let (logs, opening) = opened(&kafka.to(), 1);
    assert!(opening.loaded.iter().all(|log| log.report.rebuilt.is_empty() && log.report.cuts.is_empty()));
    let orders = logs.get("orders", 0).unwrap();
    let marks = orders.marks();
    assert_eq!((marks.last_stable, marks.log_end), (9, 9), "readers of committed records pass");
    let read = orders.read(0, 1000, ReadUpTo::LastStable, true).unwrap();
    let aborted: Vec<_> =
        read.aborted.iter().map(|txn| (txn.producer_id, txn.first_offset, txn.last_offset)).collect();
    assert_eq!(aborted, [(7, 2, 6), (9, 4, 8)], "and 8 is committed");
    assert_eq!(
        [7, 8, 9].map(|id| epoch_of(&orders, id)),
        [1, 0, 0],
        "the undecided one's producer is fenced"
    );
}

#[test]
fn the_coordinators_last_word_is_that_nothing_is_open() {
    let kafka = stopped();
    run(&Options { end_transactions: true, ..options(&kafka) }).unwrap();
    let (logs, _) = opened(&kafka.to(), 1);
    let state = logs.get("__transaction_state", 0).unwrap();
    assert_eq!(state.marks().log_end, 4, "a last word on each");
    drop(logs);
    let words = contents(&kafka.to().join("__transaction_state-0"));
    let log = words.iter().find(|(path, _)| path.extension().is_some_and(|kind| kind == "log")).unwrap();
    let statuses: Vec<u8> = pagewire_record::batches(&log.1)
        .skip(2)
        .map(|batch| {
            let batch = batch.unwrap();
            let record = batch.records(&DecompressLimits::default()).unwrap().next().unwrap().unwrap();
            record.value.unwrap()[16]
        })
        .collect();
    assert_eq!(statuses, [5, 4], "going is aborted, promised is committed");
}

#[test]
fn what_is_not_known_to_be_undecided_is_left_open() {
    let kafka = stopped();
    let leave = vec!["__transaction_state".to_owned()];
    let report = run(&Options { end_transactions: true, exclude: leave, ..options(&kafka) }).unwrap();
    assert!(report.open_transactions.iter().all(|open| open.outcome.is_none() && open.marker.is_none()));
    let (logs, _) = opened(&kafka.to(), 1);
    assert_eq!(logs.get("orders", 0).unwrap().marks().last_stable, 2);
}

#[test]
fn transactions_are_ended_however_little_was_looked_at() {
    for verify in [Depth::Headers, Depth::None] {
        let kafka = stopped();
        let report = run(&Options { end_transactions: true, verify, ..options(&kafka) }).unwrap();
        assert_eq!(report.open_transactions.iter().filter(|open| open.marker.is_some()).count(), 3);
    }
}
