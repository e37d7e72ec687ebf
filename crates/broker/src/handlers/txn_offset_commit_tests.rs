//! Offsets within transactions, from the request to the marker, over restarts.

use std::sync::Arc;

use pagewire_disk::MemoryDisk;
use pagewire_wire::{
    ApiKey, ErrorCode,
    messages::{
        list_groups_request::ListGroupsRequest,
        offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic},
        txn_offset_commit_request::{
            TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
        },
        write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    coordinators::{OFFSETS_TOPIC, fake::Fake},
    partition::Marker,
    testing::Bench,
};

/// What runs besides the requests.
struct Running {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    /// The broker as a start after a kill finds the disk.
    async fn killed_and_started_on(self, bench: Bench, disk: &MemoryDisk) -> (Bench, Arc<Fake>, Self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let bench = bench.killed_and_started_on(Arc::new(disk.clone())).await;
        let (fake, running) = load(&bench).await;
        (bench, fake, running)
    }
}

async fn served(disk: &MemoryDisk) -> (Bench, Arc<Fake>, Running) {
    let bench = Bench::on(Arc::new(disk.clone()));
    bench.topic("t", 2, &[]).await;
    bench.topic(OFFSETS_TOPIC, 1, &[]).await;
    let (fake, running) = load(&bench).await;
    (bench, fake, running)
}

async fn load(bench: &Bench) -> (Arc<Fake>, Running) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.broker.coordinators().start(&bench.broker, &tasks, &stop);
    while bench.ask(&ListGroupsRequest::default(), 5).await.expect("an answer").error_code != 0 {
        tokio::task::yield_now().await;
    }
    (Fake::of(&bench.broker), Running { tasks, stop })
}

fn request(producer_epoch: i16, committed_offset: i64) -> TxnOffsetCommitRequest {
    let partition = |partition_index| TxnOffsetCommitRequestPartition {
        partition_index,
        committed_offset,
        committed_leader_epoch: -1,
        committed_metadata: Some("note".into()),
        ..Default::default()
    };
    let topic = |name: &'static str, partitions: &[i32]| TxnOffsetCommitRequestTopic {
        name: name.into(),
        partitions: partitions.iter().map(|index| partition(*index)).collect(),
        ..Default::default()
    };
    TxnOffsetCommitRequest {
        transactional_id: "tx".into(),
        group_id: "g".into(),
        producer_id: 7,
        producer_epoch,
        generation_id: -1,
        topics: vec![topic("nosuch", &[0]), topic("t", &[0, 5])],
        ..Default::default()
    }
}

/// The error codes, of partition 0 of a topic that is not there, and of 0 and 5 of one that has two.
async fn commit(bench: &Bench, request: TxnOffsetCommitRequest, version: i16) -> Vec<i16> {
    let context = bench.context(ApiKey::TxnOffsetCommit, version);
    let response = super::handle(context, request).await;
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|one| one.error_code).collect()
}

/// Error code and offset of partition 0 for a client that wants what lasts, or takes what there is.
async fn fetched(bench: &Bench, require_stable: bool) -> (i16, i64) {
    let topic =
        OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
    let topics = Some(vec![topic]);
    let request = OffsetFetchRequest { group_id: "g".into(), topics, require_stable, ..Default::default() };
    let response = bench.ask(&request, 7).await.expect("an answer");
    let one = &response.topics[0].partitions[0];
    (one.error_code, one.committed_offset)
}

async fn end(bench: &Bench, producer_epoch: i16, committed: bool, version: i8) -> i16 {
    let topic = WritableTxnMarkerTopic {
        name: OFFSETS_TOPIC.into(),
        partition_indexes: vec![0],
        ..Default::default()
    };
    let marker = WritableTxnMarker {
        producer_id: 7,
        producer_epoch,
        transaction_result: committed,
        topics: vec![topic],
        transaction_version: version,
        ..Default::default()
    };
    let request = WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() };
    let response = bench.ask(&request, 2).await.expect("an answer");
    response.markers[0].topics[0].partitions[0].error_code
}

/// UNKNOWN_TOPIC_OR_PARTITION.
const UNKNOWN: i16 = 3;

#[tokio::test]
async fn offsets_of_a_transaction_count_when_it_is_committed_and_go_when_it_is_aborted() {
    let (bench, fake, _running) = served(&MemoryDisk::new()).await;
    let unstable = ErrorCode::UnstableOffsetCommit.code();
    for (epoch, committed, before, after) in [(0, false, -1, -1), (1, true, -1, 5), (2, false, 5, 5)] {
        assert_eq!(commit(&bench, request(epoch, 5 + i64::from(epoch / 2)), 5).await, [UNKNOWN, 0, UNKNOWN]);
        assert_eq!(fetched(&bench, true).await, (unstable, -1));
        assert_eq!(fetched(&bench, false).await, (0, before));
        assert_eq!(end(&bench, epoch, committed, 0).await, 0);
        assert_eq!(fetched(&bench, true).await, (0, after));
    }
    assert_eq!(fake.times(), 3);
    let asked = fake.asked.lock();
    assert_eq!(asked[0].partitions, [(Arc::from(OFFSETS_TOPIC), 0)]);
    assert!(asked.iter().all(|question| question.add && &*question.transactional_id == "tx"));
}

#[tokio::test]
async fn what_waits_for_a_transaction_waits_after_a_restart_too() {
    for (committed, expected) in [(true, 6), (false, -1)] {
        let disk = MemoryDisk::new();
        let (bench, _, running) = served(&disk).await;
        assert_eq!(commit(&bench, request(0, 5), 3).await[1], 0);
        let (bench, fake, running) = running.killed_and_started_on(bench, &disk).await;
        assert_eq!(fetched(&bench, true).await, (ErrorCode::UnstableOffsetCommit.code(), -1));
        assert_eq!(commit(&bench, request(0, 6), 3).await[1], 0);
        assert_eq!(fake.times(), 0, "the transaction is open in the log");
        assert_eq!(end(&bench, 0, committed, 0).await, 0);
        assert_eq!(fetched(&bench, true).await, (0, expected));
        let (bench, ..) = running.killed_and_started_on(bench, &disk).await;
        assert_eq!(fetched(&bench, true).await, (0, expected));
    }
}

#[tokio::test]
async fn whoever_is_not_in_the_transaction_commits_nothing() {
    let (bench, fake, _running) = served(&MemoryDisk::new()).await;
    let cases = [
        (ErrorCode::InvalidTxnState, 3, ErrorCode::InvalidTxnState),
        (ErrorCode::TransactionAbortable, 3, ErrorCode::InvalidTxnState),
        (ErrorCode::TransactionAbortable, 4, ErrorCode::TransactionAbortable),
        (ErrorCode::ProducerFenced, 4, ErrorCode::InvalidProducerEpoch),
        (ErrorCode::InvalidProducerIdMapping, 5, ErrorCode::InvalidProducerIdMapping),
        (ErrorCode::ConcurrentTransactions, 5, ErrorCode::ConcurrentTransactions),
        (ErrorCode::NetworkException, 5, ErrorCode::CoordinatorLoadInProgress),
    ];
    for (answer, version, expected) in cases {
        fake.answer(OFFSETS_TOPIC, 0, answer);
        let told = commit(&bench, request(0, 5), version).await;
        assert_eq!(told, [UNKNOWN, expected.code(), UNKNOWN], "{answer:?}");
    }
    assert!(!fake.asked.lock()[0].add && fake.asked.lock()[4].add);
    assert_eq!(fetched(&bench, true).await, (0, -1));
    // What is not there at all needs no coordinator.
    let mut nothing = request(0, 5);
    nothing.topics.truncate(1);
    let asked = fake.times();
    assert_eq!(commit(&bench, nothing, 5).await, [UNKNOWN]);
    assert_eq!(fake.times(), asked);
    let nobody = TxnOffsetCommitRequest { group_id: "".into(), ..request(0, 5) };
    assert_eq!(commit(&bench, nobody, 5).await[1], ErrorCode::InvalidGroupId.code());
}

/// INVALID_TXN_STATE is the end of a Java producer here.
#[tokio::test]
async fn whose_answer_is_out_of_date_is_asked_again() {
    let (bench, fake, _running) = served(&MemoryDisk::new()).await;
    let offsets =
        bench.broker.image().topic(OFFSETS_TOPIC).expect("there").served(0).expect("served").clone();
    let broker = Arc::clone(&bench.broker);
    *fake.meanwhile.lock() = Some(Box::new(move || {
        let marker = Marker {
            producer_id: 7,
            producer_epoch: 0,
            committed: false,
            coordinator_epoch: 0,
            transaction_version: 0,
        };
        offsets.end_transaction(marker, 0, broker.io()).expect("ended");
    }));
    let again = ErrorCode::CoordinatorLoadInProgress.code();
    assert_eq!(commit(&bench, request(0, 5), 5).await[1], again);
    assert_eq!(commit(&bench, request(0, 5), 5).await[1], 0);
    assert_eq!(fake.times(), 2);
}

#[tokio::test]
async fn a_zombie_commits_no_offsets() {
    let (bench, ..) = served(&MemoryDisk::new()).await;
    assert_eq!(commit(&bench, request(3, 5), 5).await[1], 0);
    assert_eq!(end(&bench, 4, true, 2).await, 0);
    assert_eq!(commit(&bench, request(3, 9), 5).await[1], ErrorCode::InvalidProducerEpoch.code());
    assert_eq!(fetched(&bench, true).await, (0, 5));
    // A marker that comes late ends nothing of the next transaction.
    assert_eq!(commit(&bench, request(4, 6), 5).await[1], 0);
    assert_eq!(end(&bench, 4, true, 2).await, ErrorCode::InvalidProducerEpoch.code());
    assert_eq!(fetched(&bench, false).await, (0, 5));
    assert_eq!(end(&bench, 5, true, 2).await, 0);
    assert_eq!(fetched(&bench, true).await, (0, 6));
}

#[tokio::test]
async fn a_marker_for_groups_that_are_not_loaded_is_to_be_sent_again() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    bench.topic(OFFSETS_TOPIC, 1, &[]).await;
    assert_eq!(end(&bench, 0, true, 0).await, ErrorCode::NotLeaderOrFollower.code());
}
