//! Markers by request: what they end, what is refused, and how long they last.

use std::sync::Arc;

use pagewire_disk::{Call, FailingDisk, MemoryDisk};
use pagewire_log::Origin;
use pagewire_wire::{
    ErrorCode, Records,
    messages::{
        fetch_request::FetchRequest,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest},
    },
};

use crate::{
    net::Reply,
    partition::Partition,
    testing::{Bench, FETCH, batch, batch_in_txn, fetch, finish},
};

const COMMIT: bool = true;
const ABORT: bool = false;

async fn served(partitions: usize) -> (Bench, Vec<Arc<Partition>>) {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let topic = bench.topic("t", partitions, &[]).await;
    (bench, topic)
}

/// Opens a transaction of the producer.
fn begin(bench: &Bench, partition: &Partition, producer_id: i64, producer_epoch: i16) {
    let batch = batch_in_txn(producer_id, producer_epoch, 0);
    partition.append(batch, Origin::Client, 0, bench.broker.io()).expect("appended");
}

fn marker(producer_id: i64, producer_epoch: i16, committed: bool, partitions: &[i32]) -> WritableTxnMarker {
    let topic = WritableTxnMarkerTopic {
        name: "t".into(),
        partition_indexes: partitions.to_vec(),
        ..WritableTxnMarkerTopic::default()
    };
    WritableTxnMarker {
        producer_id,
        producer_epoch,
        transaction_result: committed,
        topics: vec![topic],
        coordinator_epoch: 5,
        ..WritableTxnMarker::default()
    }
}

/// Producer, partition and error code of each answer.
async fn write(bench: &Bench, markers: Vec<WritableTxnMarker>, version: i16) -> Vec<(i64, i32, i16)> {
    let request = WriteTxnMarkersRequest { markers, ..WriteTxnMarkersRequest::default() };
    let response = bench.ask(&request, version).await.expect("an answer");
    let mut told = Vec::new();
    for marker in &response.markers {
        for topic in &marker.topics {
            let partitions = topic.partitions.iter();
            told.extend(partitions.map(|one| (marker.producer_id, one.partition_index, one.error_code)));
        }
    }
    told
}

/// What a reader of committed records gets of partition 0: bytes of records, and the aborted transactions.
async fn committed(reply: Reply) -> (usize, Vec<(i64, i64)>) {
    let response = finish::<FetchRequest>(reply, FETCH).await.expect("an answer");
    let partition = &response.responses[0].partitions[0];
    let len = match &partition.records {
        Records::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    let aborted = partition.aborted_transactions.iter().flatten();
    (len, aborted.map(|txn| (txn.producer_id, txn.first_offset)).collect())
}

fn read_committed(max_wait_ms: i32) -> FetchRequest {
    FetchRequest { isolation_level: 1, ..fetch("t", 1, 0, max_wait_ms) }
}

/// Where a reader of committed records, or of all, finds the end; and the first record from this time on.
async fn offset(bench: &Bench, isolation_level: i8, timestamp: i64) -> i64 {
    let asked = ListOffsetsPartition { timestamp, current_leader_epoch: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked], ..Default::default() };
    let request = ListOffsetsRequest { isolation_level, topics: vec![topic], ..Default::default() };
    bench.ask(&request, 7).await.expect("an answer").topics[0].partitions[0].offset
}

#[tokio::test]
async fn a_marker_lets_readers_of_committed_records_on_and_names_what_was_aborted() {
    for (committed_txn, named) in [(COMMIT, vec![]), (ABORT, vec![(7, 0)])] {
        let (bench, topic) = served(1).await;
        begin(&bench, &topic[0], 7, 0);
        topic[0].append(batch(), Origin::Client, 0, bench.broker.io()).expect("appended");
        assert_eq!(committed(bench.start(&read_committed(0), FETCH)).await, (0, vec![]));
        assert_eq!((offset(&bench, 0, -1).await, offset(&bench, 1, -1).await), (2, 0));
        // The record is there, but not for everybody yet.
        assert_eq!((offset(&bench, 0, 1000).await, offset(&bench, 1, 1000).await), (0, -1));
        let told = write(&bench, vec![marker(7, 0, committed_txn, &[0])], 1).await;
        assert_eq!(told, [(7, 0, 0)]);
        let (len, aborted) = committed(bench.start(&read_committed(0), FETCH)).await;
        assert_eq!((len, aborted), (batch().len() + batch_in_txn(7, 0, 0).len(), named));
        assert_eq!((offset(&bench, 0, -1).await, offset(&bench, 1, -1).await), (3, 3));
        assert_eq!(offset(&bench, 1, 1000).await, 0);
    }
}

#[tokio::test]
async fn a_reader_of_committed_records_that_waits_goes_on_when_the_transaction_ends() {
    let (bench, topic) = served(1).await;
    begin(&bench, &topic[0], 7, 0);
    let Reply::Later(waiting) = bench.start(&read_committed(600_000), FETCH) else { panic!("it waits") };
    let waiting = tokio::spawn(async { committed(Reply::Later(waiting)).await });
    while bench.count(|metrics| &metrics.fetch_parked) == 0 {
        tokio::task::yield_now().await;
    }
    // More of an open transaction is nothing to it.
    begin(&bench, &topic[0], 8, 0);
    assert_eq!(write(&bench, vec![marker(8, 0, COMMIT, &[0])], 1).await, [(8, 0, 0)]);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(write(&bench, vec![marker(7, 0, ABORT, &[0])], 1).await, [(7, 0, 0)]);
    let (len, aborted) = waiting.await.expect("no panic");
    assert_eq!((len, aborted), (2 * batch_in_txn(7, 0, 0).len(), vec![(7, 0)]));
}

#[tokio::test]
async fn whoever_is_too_late_is_refused() {
    let (bench, topic) = served(1).await;
    begin(&bench, &topic[0], 7, 3);
    let code = |code: ErrorCode| code.code();
    let old = write(&bench, vec![marker(7, 2, ABORT, &[0])], 1).await;
    assert_eq!(old, [(7, 0, code(ErrorCode::InvalidProducerEpoch))]);
    // By transaction version 2 the marker of a transaction is of a later epoch than its records.
    let late = WritableTxnMarker { transaction_version: 2, ..marker(7, 3, ABORT, &[0]) };
    assert_eq!(write(&bench, vec![late.clone()], 2).await, [(7, 0, code(ErrorCode::InvalidProducerEpoch))]);
    assert_eq!(write(&bench, vec![late], 1).await, [(7, 0, 0)], "version 1 cannot say so");
    let fenced = WritableTxnMarker { coordinator_epoch: 4, ..marker(7, 3, ABORT, &[0]) };
    let told = write(&bench, vec![fenced], 1).await;
    assert_eq!(told, [(7, 0, code(ErrorCode::TransactionCoordinatorFenced))]);
    let next = WritableTxnMarker { transaction_version: 2, ..marker(7, 4, COMMIT, &[0]) };
    for _ in 0..2 {
        assert_eq!(write(&bench, vec![next.clone()], 2).await, [(7, 0, 0)], "again does no harm");
    }
}

#[tokio::test]
async fn the_answer_has_each_producer_and_partition_once() {
    let (bench, topic) = served(3).await;
    for partition in &topic {
        begin(&bench, partition, 7, 0);
        begin(&bench, partition, 8, 0);
    }
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let markers =
        vec![marker(8, 0, COMMIT, &[2]), marker(7, 0, ABORT, &[1, 0, 9]), marker(8, 0, COMMIT, &[2, 0])];
    let told = write(&bench, markers, 1).await;
    assert_eq!(told, [(7, 0, 0), (7, 1, 0), (7, 9, unknown), (8, 0, 0), (8, 2, 0)]);
    assert_eq!(topic.iter().map(|one| one.log.open_transactions().len()).collect::<Vec<_>>(), [0, 1, 1]);
    assert!(write(&bench, Vec::new(), 1).await.is_empty());
}

#[tokio::test]
async fn a_marker_is_on_stable_storage_before_it_is_answered() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(disk.clone()));
    let topic = bench.topic("t", 1, &[]).await;
    begin(&bench, &topic[0], 7, 0);
    assert_eq!(topic[0].log.marks().recovery_point, 0);
    let before = disk.calls(Call::SyncData);
    assert_eq!(write(&bench, vec![marker(7, 0, COMMIT, &[0])], 1).await, [(7, 0, 0)]);
    assert!(disk.calls(Call::SyncData) > before);
    assert_eq!(topic[0].log.marks().recovery_point, 2);
    disk.fail(Call::SyncData, pagewire_disk::When::Always, pagewire_disk::Errno::IO);
    let told = write(&bench, vec![marker(7, 0, COMMIT, &[0])], 1).await;
    assert_eq!(told, [(7, 0, ErrorCode::KafkaStorageError.code())]);
}

#[tokio::test]
async fn a_marker_of_nobody_ends_nothing_and_is_not_written() {
    let (bench, topic) = served(1).await;
    let good = || marker(7, 0, COMMIT, &[0]);
    for (wrong, expected) in [
        (WritableTxnMarker { producer_id: -1, ..good() }, ErrorCode::InvalidProducerIdMapping),
        (WritableTxnMarker { producer_epoch: -1, ..good() }, ErrorCode::InvalidProducerEpoch),
        (WritableTxnMarker { coordinator_epoch: -5, ..good() }, ErrorCode::TransactionCoordinatorFenced),
        (WritableTxnMarker { transaction_version: -1, ..good() }, ErrorCode::InvalidRequest),
    ] {
        let told = write(&bench, vec![wrong], 2).await;
        assert_eq!(told.iter().map(|told| told.2).collect::<Vec<_>>(), [expected.code()], "{expected:?}");
    }
    assert_eq!(topic[0].log.marks().log_end, 0);
}
