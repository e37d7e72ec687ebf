//! What the producer of a tale asks the broker for.

use pagewire_wire::{
    ErrorCode,
    messages::{
        add_offsets_to_txn_request::AddOffsetsToTxnRequest,
        produce_request::ProduceRequest,
        txn_offset_commit_request::{
            TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
        },
    },
};
use tokio::task::yield_now;

use super::{
    super::tests::{CLASSIC_END, RAISING_END, add, end, init},
    Ends, Flow, GROUP, ID, OFFSET, Tale,
    life::Life,
};
use crate::testing::{Bench, PRODUCE, batch_in_txn, produce_batch};

/// The last version of Produce by which clients add partitions to transactions themselves.
const PRODUCE_CLASSIC: i16 = 11;

/// All transactions of a tale, as far as they come. How many were told to have ended.
pub(super) async fn transactions(life: &Life, tale: Tale) -> usize {
    let (code, mut id, mut epoch) = init(&life.bench, ID).await;
    let mut sequence = 0;
    for told in 0..tale.times {
        if code != 0 || !filled(life, tale.flow, (id, epoch), sequence, OFFSET + told as i64).await {
            return told;
        }
        let version = if tale.flow == Flow::Classic { CLASSIC_END } else { RAISING_END };
        if tale.ends == Ends::Successor {
            life.succeed().await;
            // Whoever was fenced off goes on no more.
            return told + usize::from(!life.disk.is_dead());
        }
        let ended = end(&life.bench, ID, (id, epoch), tale.ends == Ends::Commit, version).await;
        if ended.0 != 0 {
            return told;
        }
        match tale.flow {
            Flow::Raising => (id, epoch) = (ended.1, ended.2),
            Flow::Classic => sequence += 1,
        }
    }
    tale.times
}

/// A transaction but for its end.
async fn filled(life: &Life, flow: Flow, producer: (i64, i16), sequence: i32, offset: i64) -> bool {
    if flow == Flow::Classic && !added(life, producer).await {
        return false;
    }
    for index in [0, 1] {
        let request = ProduceRequest {
            transactional_id: Some(ID.into()),
            ..produce_batch("t", index, -1, batch_in_txn(producer.0, producer.1, sequence))
        };
        let version = if flow == Flow::Classic { PRODUCE_CLASSIC } else { PRODUCE };
        let answer = life.bench.ask(&request, version).await.expect("an answer");
        if answer.responses[0].partition_responses[0].error_code != 0 {
            return false;
        }
    }
    offsets(&life.bench, flow, producer, offset).await
}

/// Both partitions take part. One whose last transaction is still being ended waits, as clients do.
async fn added(life: &Life, producer: (i64, i16)) -> bool {
    loop {
        let codes = add(&life.bench, ID, producer, &[0, 1]).await;
        if codes != [ErrorCode::ConcurrentTransactions.code(); 2] || life.disk.is_dead() {
            return codes == [0, 0];
        }
        yield_now().await;
    }
}

async fn offsets(
    bench: &Bench,
    flow: Flow,
    (producer_id, producer_epoch): (i64, i16),
    committed_offset: i64,
) -> bool {
    if flow == Flow::Classic {
        let request = AddOffsetsToTxnRequest {
            transactional_id: ID.into(),
            producer_id,
            producer_epoch,
            group_id: GROUP.into(),
            ..Default::default()
        };
        if bench.ask(&request, 3).await.expect("an answer").error_code != 0 {
            return false;
        }
    }
    let partition = TxnOffsetCommitRequestPartition {
        committed_offset,
        committed_leader_epoch: -1,
        ..Default::default()
    };
    let topic =
        TxnOffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = TxnOffsetCommitRequest {
        transactional_id: ID.into(),
        group_id: GROUP.into(),
        producer_id,
        producer_epoch,
        generation_id: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let version = if flow == Flow::Classic { 3 } else { 5 };
    let answer = bench.ask(&request, version).await.expect("an answer");
    answer.topics[0].partitions[0].error_code == 0
}
