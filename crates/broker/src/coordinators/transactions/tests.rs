//! Transactions through the handlers, over a disk that fails: what clients hear, and what is in the logs.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use pagewire_coordinate::txn::{Filter, TxnRecord, TxnState, TxnTopic, TxnValue};
use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, MemoryDisk, OpenMode, When};
use pagewire_log::Origin;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::{
    ErrorCode,
    messages::{
        add_partitions_to_txn_request::{
            AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
        },
        describe_transactions_request::DescribeTransactionsRequest,
        describe_transactions_response::TransactionState,
        end_txn_request::EndTxnRequest,
        find_coordinator_request::FindCoordinatorRequest,
        init_producer_id_request::InitProducerIdRequest,
        list_transactions_request::ListTransactionsRequest,
    },
};
use pagewire_zcopy::IoPool;
use tokio::task::yield_now;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{NotListed, TRANSACTIONS_TOPIC};
use crate::{
    partition::{Marker, Partition},
    testing::{Bench, ROOT},
};

pub(super) const CLASSIC_END: i16 = 4;
pub(super) const RAISING_END: i16 = 5;

fn disk() -> FailingDisk {
    FailingDisk::new(Arc::new(MemoryDisk::new()))
}

/// A broker on which topic `t` has two partitions.
async fn served(disk: &FailingDisk) -> (Bench, Vec<Arc<Partition>>) {
    let bench = Bench::on(Arc::new(disk.clone()));
    let partitions = bench.topic("t", 2, &[]).await;
    bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await;
    start(&bench).await;
    (bench, partitions)
}

pub(super) async fn start(bench: &Bench) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.broker.coordinators().start(&bench.broker, &tasks, &stop);
    while bench.ask(&ListTransactionsRequest::default(), 0).await.expect("an answer").error_code != 0 {
        yield_now().await;
    }
}

pub(super) async fn init(bench: &Bench, id: &str) -> (i16, i64, i16) {
    let request = InitProducerIdRequest {
        transactional_id: Some(id.to_owned().into()),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let answer = bench.ask(&request, 4).await.expect("an answer");
    (answer.error_code, answer.producer_id, answer.producer_epoch)
}

fn topics(partitions: &[i32]) -> Vec<AddPartitionsToTxnTopic> {
    topics_named("t", partitions)
}

fn topics_named(topic: &str, partitions: &[i32]) -> Vec<AddPartitionsToTxnTopic> {
    let (name, partitions) = (topic.to_owned().into(), partitions.to_vec());
    vec![AddPartitionsToTxnTopic { name, partitions, ..Default::default() }]
}

/// The error codes by partition.
pub(super) async fn add(bench: &Bench, id: &str, producer: (i64, i16), partitions: &[i32]) -> Vec<i16> {
    add_to(bench, "t", id, producer, partitions).await
}

async fn add_to(bench: &Bench, topic: &str, id: &str, producer: (i64, i16), partitions: &[i32]) -> Vec<i16> {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: id.to_owned().into(),
        v3_and_below_producer_id: producer.0,
        v3_and_below_producer_epoch: producer.1,
        v3_and_below_topics: topics_named(topic, partitions),
        ..Default::default()
    };
    let answer = bench.ask(&request, 3).await.expect("an answer");
    let results =
        answer.results_by_topic_v3_and_below.into_iter().flat_map(|topic| topic.results_by_partition);
    results.map(|partition| partition.partition_error_code).collect()
}

pub(super) async fn end(
    bench: &Bench,
    id: &str,
    producer: (i64, i16),
    committed: bool,
    version: i16,
) -> (i16, i64, i16) {
    let request = EndTxnRequest {
        transactional_id: id.to_owned().into(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        committed,
        ..Default::default()
    };
    let answer = bench.ask(&request, version).await.expect("an answer");
    (answer.error_code, answer.producer_id, answer.producer_epoch)
}

async fn describe(bench: &Bench, id: &str) -> TransactionState {
    let request =
        DescribeTransactionsRequest { transactional_ids: vec![id.to_owned().into()], ..Default::default() };
    bench.ask(&request, 0).await.expect("an answer").transaction_states.remove(0)
}

async fn comes_to(bench: &Bench, id: &str, state: &str) {
    while &*describe(bench, id).await.transaction_state != state {
        yield_now().await;
    }
}

/// One record of a transaction, as a client's check let it pass.
fn append(bench: &Bench, partition: &Arc<Partition>, (id, epoch): (i64, i16)) {
    let mut batch = BatchBuilder::new(Codec::None).producer(id, epoch, 0).transactional();
    batch.append(0, None, Some(b"x"), &[]).expect("a record");
    let batch: Bytes = batch.build().expect("a batch");
    partition.append(batch, Origin::Coordinator, 0, bench.broker.io()).expect("appended");
}

fn has_open(partition: &Partition) -> bool {
    !partition.log.open_transactions().is_empty()
}

#[tokio::test]
async fn a_transaction_is_committed_in_all_its_partitions_before_its_producer_hears_of_it() {
    let (bench, partitions) = served(&disk()).await;
    let (code, id, epoch) = init(&bench, "app").await;
    assert_eq!((code, epoch), (0, 0));
    assert_eq!(add(&bench, "app", (id, 0), &[0, 1]).await, [0, 0]);
    for partition in &partitions {
        append(&bench, partition, (id, 0));
        assert!(has_open(partition));
    }
    assert_eq!(end(&bench, "app", (id, 0), true, CLASSIC_END).await.0, 0);
    for partition in &partitions {
        assert!(!has_open(partition));
        assert_eq!(partition.log.marks().log_end, 2, "the record and its marker");
    }
    let described = describe(&bench, "app").await;
    assert_eq!((&*described.transaction_state, described.topics.len()), ("CompleteCommit", 0));
}

#[tokio::test]
async fn an_end_of_version_5_says_with_which_epoch_the_producer_goes_on() {
    let (bench, partitions) = served(&disk()).await;
    let (_, id, _) = init(&bench, "app").await;
    let transaction = AddPartitionsToTxnTransaction {
        transactional_id: "app".into(),
        producer_id: id,
        producer_epoch: 0,
        topics: topics(&[0]),
        ..Default::default()
    };
    let ask = |verify_only| {
        let transaction = AddPartitionsToTxnTransaction { verify_only, ..transaction.clone() };
        AddPartitionsToTxnRequest { transactions: vec![transaction], ..Default::default() }
    };
    let code =
        |answer: pagewire_wire::messages::add_partitions_to_txn_response::AddPartitionsToTxnResponse| {
            answer.results_by_transaction[0].topic_results[0].results_by_partition[0].partition_error_code
        };
    let unknown = code(bench.ask(&ask(true), 5).await.expect("an answer"));
    assert_eq!(unknown, ErrorCode::TransactionAbortable.code());
    assert_eq!(code(bench.ask(&ask(false), 5).await.expect("an answer")), 0);
    assert_eq!(code(bench.ask(&ask(true), 5).await.expect("an answer")), 0);
    append(&bench, &partitions[0], (id, 0));
    assert_eq!(end(&bench, "app", (id, 0), false, RAISING_END).await, (0, id, 1));
    assert!(!has_open(&partitions[0]));
    assert_eq!(end(&bench, "app", (id, 0), false, RAISING_END).await, (0, id, 1), "it was asked twice");
    assert_eq!(end(&bench, "app", (id, 1), true, RAISING_END).await, (48, -1, -1));
}

#[tokio::test]
async fn partitions_are_added_together_or_not_at_all() {
    let (bench, _) = served(&disk()).await;
    let (_, id, _) = init(&bench, "app").await;
    let (unknown, not_tried) = (ErrorCode::UnknownTopicOrPartition, ErrorCode::OperationNotAttempted);
    assert_eq!(
        add(&bench, "app", (id, 0), &[0, 7, 1, 0]).await,
        [not_tried.code(), unknown.code(), not_tried.code()]
    );
    assert_eq!(&*describe(&bench, "app").await.transaction_state, "Empty");
}

#[tokio::test]
async fn a_decision_that_is_not_stable_is_followed_by_no_marker() {
    let disk = disk();
    let (bench, partitions) = served(&disk).await;
    let (_, id, _) = init(&bench, "app").await;
    assert_eq!(add(&bench, "app", (id, 0), &[0]).await, [0]);
    append(&bench, &partitions[0], (id, 0));
    disk.fail(Call::SyncData, When::Always, Errno::IO);
    let (code, ..) = end(&bench, "app", (id, 0), true, RAISING_END).await;
    assert_ne!(code, 0);
    assert!(has_open(&partitions[0]));
    assert_eq!(partitions[0].log.marks().log_end, 1);
}

/// What a coordinator wrote before it was killed.
fn decided(bench: &Bench, log: &Arc<Partition>, id: i64, topic: &str) {
    write(bench, log, &in_state(TxnState::PrepareCommit, id, topic));
}

pub(super) fn in_state(state: TxnState, id: i64, topic: &str) -> TxnValue {
    TxnValue {
        version: 1,
        producer_id: id,
        previous_producer_id: id,
        next_producer_id: -1,
        producer_epoch: 1,
        next_producer_epoch: -1,
        timeout_ms: 60_000,
        state,
        topics: Some(vec![TxnTopic { topic: topic.into(), partitions: vec![0, 1] }]),
        updated_ms: 0,
        started_ms: 0,
        client_version: 2,
    }
}

pub(super) fn write(bench: &Bench, log: &Arc<Partition>, value: &TxnValue) {
    write_bytes(bench, log, &value.encode().expect("a value"));
}

/// A value of transactional id `app`.
fn write_bytes(bench: &Bench, log: &Arc<Partition>, value: &[u8]) {
    let key = TxnRecord { transactional_id: "app".into(), value: None }.encode_key().expect("a key");
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(0, Some(&key), Some(value), &[]).expect("a record");
    let batch = batch.build().expect("a batch");
    log.append(batch, Origin::Coordinator, 0, bench.broker.io()).expect("appended");
}

#[tokio::test]
async fn what_was_decided_before_a_kill_is_done_after_it() {
    let bench = Bench::on(Arc::new(disk()));
    let partitions = bench.topic("t", 2, &[]).await;
    let log = bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await.remove(0);
    append(&bench, &partitions[0], (500, 0));
    append(&bench, &partitions[1], (500, 0));
    decided(&bench, &log, 500, "t");
    start(&bench).await;
    comes_to(&bench, "app", "CompleteCommit").await;
    assert!(!partitions.iter().any(|partition| has_open(partition)));
}

#[tokio::test]
async fn a_transaction_ends_though_a_topic_of_it_is_gone() {
    let bench = Bench::on(Arc::new(disk()));
    let log = bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await.remove(0);
    decided(&bench, &log, 500, "gone");
    start(&bench).await;
    comes_to(&bench, "app", "CompleteCommit").await;
}

#[tokio::test]
async fn the_first_question_for_a_coordinator_makes_its_topic() {
    let bench = Bench::on(Arc::new(disk()));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.broker.coordinators().start(&bench.broker, &tasks, &stop);
    assert_eq!(init(&bench, "app").await.0, ErrorCode::NotCoordinator.code());
    let find =
        FindCoordinatorRequest { key_type: 1, coordinator_keys: vec!["app".into()], ..Default::default() };
    let found = bench.ask(&find, 6).await.expect("an answer");
    assert_eq!(found.coordinators[0].error_code, 0);
    let topic = bench.broker.image().topic(TRANSACTIONS_TOPIC).cloned().expect("made");
    assert_eq!((topic.partitions.len(), topic.internal), (50, true));
    let loading = ErrorCode::CoordinatorLoadInProgress.code();
    let mut answer = init(&bench, "app").await;
    while answer.0 == loading {
        yield_now().await;
        answer = init(&bench, "app").await;
    }
    assert_eq!((answer.0, answer.2), (0, 0));
}

#[tokio::test]
async fn transactional_ids_are_listed_by_state_and_name() {
    let (bench, _) = served(&disk()).await;
    let (_, first, _) = init(&bench, "app-1").await;
    init(&bench, "app-2").await;
    init(&bench, "other").await;
    assert_eq!(add(&bench, "app-1", (first, 0), &[0]).await, [0]);
    let list = async |request: &ListTransactionsRequest| {
        let answer = bench.ask(request, 2).await.expect("an answer");
        let ids = answer.transaction_states.iter().map(|state| state.transactional_id.to_string());
        (answer.error_code, ids.collect::<Vec<_>>(), answer.unknown_state_filters.len())
    };
    let all = ListTransactionsRequest { duration_filter: -1, ..Default::default() };
    let named = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(list(&all).await, (0, named(&["app-1", "app-2", "other"]), 0));
    let states = vec!["Ongoing".into(), "Nonsense".into()];
    let open = ListTransactionsRequest { state_filters: states, ..all.clone() };
    assert_eq!(list(&open).await, (0, named(&["app-1"]), 1));
    let apps = ListTransactionsRequest { transactional_id_pattern: Some("app-.".into()), ..all.clone() };
    assert_eq!(list(&apps).await, (0, named(&["app-1", "app-2"]), 0));
    let wrong = ListTransactionsRequest { transactional_id_pattern: Some("(".into()), ..all };
    assert_eq!(list(&wrong).await, (ErrorCode::InvalidRegularExpression.code(), named(&[]), 0));
}

#[tokio::test]
async fn more_transactional_ids_than_fit_into_an_answer_are_not_put_together() {
    let (bench, _) = served(&disk()).await;
    for id in ["app-1", "app-2"] {
        init(&bench, id).await;
    }
    let all = Filter { longer_than_ms: -1, ..Filter::default() };
    let coordinator = bench.broker.coordinators().transaction_coordinator();
    let listed = async |bytes_max| coordinator.list(&bench.broker, &all, None, 0, bytes_max).await;
    assert_eq!(listed(200).await.map(|all| all.len()), Ok(2));
    assert_eq!(listed(100).await, Err(NotListed::TooMuch));
}

#[tokio::test]
async fn a_partition_that_takes_part_already_is_told_so_once_that_is_stable() {
    let disk = disk();
    let (bench, _) = served(&disk).await;
    let (_, id, _) = init(&bench, "app").await;
    disk.fail_on(TRANSACTIONS_TOPIC, Call::SyncData, When::Always, Fault::Error(Errno::IO));
    assert_ne!(add(&bench, "app", (id, 0), &[0]).await, [0]);
    assert_eq!(&*describe(&bench, "app").await.transaction_state, "", "nothing is told that may be undone");
    assert_ne!(add(&bench, "app", (id, 0), &[0]).await, [0], "it is written, and not stable");
}

/// A value whose state nobody knows.
fn of_unknown_state() -> Vec<u8> {
    let mut bytes = in_state(TxnState::PrepareCommit, 500, "t").encode().expect("a value").to_vec();
    // Behind the version, the producer id and epoch, and the timeout.
    bytes[2 + 8 + 2 + 4] = 99;
    bytes
}

fn not_loaded(bench: &Bench) -> u64 {
    bench.broker.metrics().transactions_not_loaded.load(Relaxed)
}

#[tokio::test]
async fn a_decision_that_cannot_be_read_is_not_made_anew() {
    let bench = Bench::on(Arc::new(disk()));
    let partitions = bench.topic("t", 2, &[]).await;
    let log = bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await.remove(0);
    append(&bench, &partitions[0], (500, 0));
    write(&bench, &log, &in_state(TxnState::Ongoing, 500, "t"));
    write_bytes(&bench, &log, &of_unknown_state());
    start(&bench).await;
    assert_eq!(init(&bench, "app").await.0, ErrorCode::NotCoordinator.code());
    assert_eq!(not_loaded(&bench), 1);
    assert!(has_open(&partitions[0]));
    assert_eq!(log.log.marks().log_end, 2);
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_does_no_harm_once_there_is_a_later_one() {
    let bench = Bench::on(Arc::new(disk()));
    bench.topic("t", 2, &[]).await;
    let log = bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await.remove(0);
    write_bytes(&bench, &log, &of_unknown_state());
    decided(&bench, &log, 500, "t");
    start(&bench).await;
    comes_to(&bench, "app", "CompleteCommit").await;
    assert_eq!(not_loaded(&bench), 0);
}

#[tokio::test]
async fn transactions_behind_damage_are_not_taken_for_the_last_word() {
    let disk = Arc::new(MemoryDisk::new());
    let bench = Bench::on(Arc::clone(&disk) as Arc<dyn Disk>);
    bench.topic("t", 2, &[]).await;
    let log = bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await.remove(0);
    decided(&bench, &log, 500, "t");
    let first_bytes = log.log.size_bytes();
    decided(&bench, &log, 500, "t");
    let segment = Path::new(ROOT).join(format!("{TRANSACTIONS_TOPIC}-0")).join(format!("{:020}.log", 0));
    let file = disk.open(&segment, OpenMode::ReadWrite).expect("a segment");
    file.write_at(first_bytes - 1, &[0xff]).expect("written");
    start(&bench).await;
    assert_eq!((init(&bench, "app").await.0, not_loaded(&bench)), (ErrorCode::NotCoordinator.code(), 1));
}

#[tokio::test]
async fn a_marker_that_a_later_epoch_refuses_is_not_given_up_while_its_transaction_is_open() {
    let bench = Bench::on(Arc::new(disk()));
    let partitions = bench.topic("t", 2, &[]).await;
    let log = bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await.remove(0);
    append(&bench, &partitions[0], (500, 5));
    decided(&bench, &log, 500, "t");
    start(&bench).await;
    let mut described = describe(&bench, "app").await;
    while described.topics.first().is_some_and(|topic| topic.partitions.len() > 1) {
        yield_now().await;
        described = describe(&bench, "app").await;
    }
    assert_eq!(&*described.transaction_state, "PrepareCommit");
    assert_eq!(described.topics[0].partitions, [0]);
    let marker = Marker {
        producer_id: 500,
        producer_epoch: 6,
        committed: false,
        coordinator_epoch: 0,
        transaction_version: 2,
    };
    partitions[0].end_transaction(marker, 0, bench.broker.io()).expect("written");
    comes_to(&bench, "app", "CompleteCommit").await;
}

/// More markers than one transaction writes at once, all of which wait for a disk.
const SLOW: usize = 300;

#[tokio::test]
async fn a_transaction_that_waits_for_a_slow_disk_holds_no_other_up() {
    let disk = disk();
    let bench = Bench::with(Arc::new(disk.clone()), IoPool::new(400, 4_000));
    let slow_ones = bench.topic("slow", SLOW, &[]).await;
    bench.topic("t", 2, &[]).await;
    bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await;
    start(&bench).await;
    let (_, slow, _) = init(&bench, "slow").await;
    let (_, quick, _) = init(&bench, "quick").await;
    let all: Vec<i32> = (0..).take(SLOW).collect();
    assert!(add_to(&bench, "slow", "slow", (slow, 0), &all).await.iter().all(|code| *code == 0));
    assert_eq!(add(&bench, "quick", (quick, 0), &[0]).await, [0]);
    let mut held: Vec<_> = (0..SLOW).map(|_| disk.hold("/slow-", Call::SyncData)).collect();
    let ended = AtomicBool::new(false);
    let slowly = async {
        let answer = end(&bench, "slow", (slow, 0), true, CLASSIC_END).await;
        ended.store(true, Relaxed);
        answer
    };
    let quickly = async {
        let waits = |partition: &&Arc<Partition>| partition.log.marks().log_end > 0;
        while slow_ones.iter().filter(waits).count() < 256 {
            yield_now().await;
        }
        let answer = end(&bench, "quick", (quick, 0), true, CLASSIC_END).await;
        assert!(!ended.load(Relaxed));
        assert!(held[0].is_reached());
        held.clear();
        answer
    };
    let (slowly, quickly) = tokio::join!(slowly, quickly);
    assert_eq!((slowly.0, quickly.0), (0, 0));
}
