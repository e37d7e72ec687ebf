//! What a producer in a transaction is let write, and what its coordinator is asked before.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::MemoryDisk;
use pagewire_wire::{
    ErrorCode,
    messages::produce_request::{PartitionProduceData, ProduceRequest},
};

use crate::{
    coordinators::fake::Fake,
    net::Reply,
    partition::{Marker, Partition},
    testing::{Bench, batch_in_txn, finish, produce_batch},
};

/// Whose clients tell the coordinator of partitions themselves, and whose do not.
const TELLS: i16 = 11;
const LEAVES_IT: i16 = 12;

async fn served(partitions: usize) -> (Bench, Vec<Arc<Partition>>, Arc<Fake>) {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let topic = bench.topic("t", partitions, &[]).await;
    let fake = Fake::of(&bench.broker);
    (bench, topic, fake)
}

fn request(index: i32, batch: Bytes) -> ProduceRequest {
    ProduceRequest { transactional_id: Some("tx".into()), ..produce_batch("t", index, -1, batch) }
}

/// Error code and base offset of each partition.
async fn told(bench: &Bench, request: &ProduceRequest, version: i16) -> Vec<(i16, i64)> {
    told_by(bench.start(request, version), version).await
}

async fn told_by(reply: Reply, version: i16) -> Vec<(i16, i64)> {
    let response = finish::<ProduceRequest>(reply, version).await.expect("an answer");
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|one| (one.error_code, one.base_offset)).collect()
}

fn end(partition: &Partition, bench: &Bench, producer_epoch: i16) {
    let marker = Marker {
        producer_id: 7,
        producer_epoch,
        committed: false,
        coordinator_epoch: 0,
        transaction_version: 0,
    };
    partition.end_transaction(marker, 0, bench.broker.io()).expect("ended");
}

#[tokio::test]
async fn the_first_batch_of_a_transaction_asks_its_coordinator_and_the_next_ones_do_not() {
    for version in [TELLS, LEAVES_IT] {
        let (bench, topic, fake) = served(2).await;
        for sequence in 0..3 {
            let answer = told(&bench, &request(1, batch_in_txn(7, 0, sequence)), version).await;
            assert_eq!(answer, [(0, i64::from(sequence))]);
        }
        {
            let asked = fake.asked.lock();
            let question = &asked[0];
            assert_eq!((asked.len(), question.add), (1, version == LEAVES_IT));
            assert_eq!((&*question.transactional_id, question.producer_id), ("tx", 7));
            assert_eq!(question.producer_epoch, 0);
            assert_eq!(question.partitions, [(Arc::from("t"), 1)]);
        }
        assert_eq!(topic[1].log.marks().last_stable, 0, "v{version}");
        end(&topic[1], &bench, 0);
        assert_eq!(told(&bench, &request(1, batch_in_txn(7, 0, 3)), version).await, [(0, 4)]);
        assert_eq!(fake.times(), 2, "another transaction");
    }
}

#[tokio::test]
async fn what_the_coordinator_does_not_confirm_is_not_appended() {
    let retried = ErrorCode::NotEnoughReplicas;
    let cases = [
        (ErrorCode::InvalidTxnState, [ErrorCode::InvalidTxnState; 3]),
        (ErrorCode::ProducerFenced, [ErrorCode::InvalidProducerEpoch; 3]),
        (ErrorCode::InvalidProducerIdMapping, [ErrorCode::InvalidProducerIdMapping; 3]),
        (ErrorCode::NotCoordinator, [retried; 3]),
        (ErrorCode::CoordinatorLoadInProgress, [retried; 3]),
        (ErrorCode::CoordinatorNotAvailable, [retried; 3]),
        (ErrorCode::NetworkException, [retried; 3]),
        (
            ErrorCode::TransactionAbortable,
            [ErrorCode::InvalidTxnState, ErrorCode::TransactionAbortable, ErrorCode::TransactionAbortable],
        ),
    ];
    for (answer, expected) in cases {
        let (bench, topic, fake) = served(1).await;
        for (version, expected) in [10, TELLS, LEAVES_IT].into_iter().zip(expected) {
            fake.answer("t", 0, answer);
            let answers = told(&bench, &request(0, batch_in_txn(7, 0, 0)), version).await;
            assert_eq!(answers, [(expected.code(), -1)], "{answer:?} in v{version}");
        }
        assert_eq!(topic[0].log.marks().log_end, 0);
    }
}

#[tokio::test]
async fn of_one_request_the_partitions_that_are_confirmed_are_appended() {
    let (bench, _, fake) = served(3).await;
    fake.answer("t", 1, ErrorCode::InvalidTxnState);
    let mut both = request(0, batch_in_txn(7, 0, 0));
    for index in [1, 2, 9] {
        let records = pagewire_wire::Records::Bytes(batch_in_txn(7, 0, 0));
        both.topic_data[0].partition_data.push(PartitionProduceData {
            index,
            records,
            ..PartitionProduceData::default()
        });
    }
    let (unknown, refused) = (ErrorCode::UnknownTopicOrPartition, ErrorCode::InvalidTxnState);
    let answers = told(&bench, &both, TELLS).await;
    assert_eq!(answers, [(0, 0), (refused.code(), -1), (0, 0), (unknown.code(), -1)]);
    assert_eq!(fake.times(), 1);
    assert_eq!(fake.asked.lock()[0].partitions.len(), 3, "those that are there");
}

#[tokio::test]
async fn a_transaction_that_ends_before_the_append_is_not_begun_again() {
    let (bench, topic, fake) = served(1).await;
    let (partition, broker) = (Arc::clone(&topic[0]), Arc::clone(&bench.broker));
    *fake.meanwhile.lock() = Some(Box::new(move || {
        let marker = Marker {
            producer_id: 7,
            producer_epoch: 0,
            committed: false,
            coordinator_epoch: 0,
            transaction_version: 0,
        };
        partition.end_transaction(marker, 0, broker.io()).expect("ended");
    }));
    let late = told(&bench, &request(0, batch_in_txn(7, 0, 0)), TELLS).await;
    assert_eq!(late, [(ErrorCode::InvalidTxnState.code(), -1)]);
    assert_eq!(topic[0].log.marks().log_end, 1, "the marker");
    assert!(topic[0].log.open_transactions().is_empty());
}

#[tokio::test]
async fn requests_of_a_connection_append_in_order_though_the_first_has_to_ask() {
    let (bench, _, fake) = served(1).await;
    let replies: Vec<Reply> =
        (0..4).map(|sequence| bench.start(&request(0, batch_in_txn(7, 0, sequence)), TELLS)).collect();
    let all = futures_util::future::join_all(replies.into_iter().map(|reply| told_by(reply, TELLS))).await;
    assert_eq!(all, [[(0, 0)], [(0, 1)], [(0, 2)], [(0, 3)]]);
    assert_eq!(fake.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_ask_itself_is_spared_an_answer_that_is_too_early() {
    let (bench, topic, fake) = served(1).await;
    // No disk is waited for: time stands still until nothing else is left to do.
    let soon = |sequence| ProduceRequest { acks: 1, ..request(0, batch_in_txn(7, 0, sequence)) };
    for _ in 0..3 {
        fake.answer("t", 0, ErrorCode::ConcurrentTransactions);
    }
    assert_eq!(told(&bench, &soon(0), LEAVES_IT).await, [(0, 0)]);
    assert_eq!(fake.times(), 4);
    end(&topic[0], &bench, 0);
    for _ in 0..9 {
        fake.answer("t", 0, ErrorCode::ConcurrentTransactions);
    }
    let refused = [(ErrorCode::NotEnoughReplicas.code(), -1)];
    assert_eq!(told(&bench, &soon(1), LEAVES_IT).await, refused);
    assert_eq!(fake.times(), 9, "not for ever");
    assert_eq!(told(&bench, &soon(1), TELLS).await, refused);
    assert_eq!(fake.times(), 10, "others ask the coordinator themselves");
}

#[tokio::test]
async fn without_verification_only_what_has_to_be_added_is_asked_about() {
    let (bench, _, fake) = served(1).await;
    bench.set("transaction.partition.verification.enable", "false");
    fake.answer("t", 0, ErrorCode::InvalidTxnState);
    assert_eq!(told(&bench, &request(0, batch_in_txn(7, 0, 0)), TELLS).await, [(0, 0)]);
    assert_eq!(fake.times(), 0);
    let refused = [(ErrorCode::InvalidTxnState.code(), -1)];
    assert_eq!(told(&bench, &request(0, batch_in_txn(8, 0, 0)), LEAVES_IT).await, refused);
}

#[tokio::test]
async fn a_request_belongs_to_one_producer_and_names_its_transaction() {
    let (bench, topic, fake) = served(2).await;
    let mut two = request(0, batch_in_txn(7, 0, 0));
    two.topic_data.extend(request(1, batch_in_txn(8, 0, 0)).topic_data);
    let refused = ErrorCode::InvalidProducerIdMapping.code();
    assert_eq!(told(&bench, &two, TELLS).await, [(refused, -1), (refused, -1)]);
    let nameless = produce_batch("t", 0, -1, batch_in_txn(7, 0, 0));
    let refused = ErrorCode::TransactionalIdAuthorizationFailed.code();
    assert_eq!(told(&bench, &nameless, TELLS).await, [(refused, -1)]);
    assert_eq!((fake.times(), topic[0].log.marks().log_end), (0, 0));
    // A name without a transactional batch means nothing, as in Kafka.
    let plain = request(0, crate::testing::batch());
    assert_eq!(told(&bench, &plain, TELLS).await, [(0, 0)]);
}
