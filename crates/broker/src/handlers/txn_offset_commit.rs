//! TxnOffsetCommit: offsets that count when the producer's transaction is committed (KIP-98, KIP-447). The transaction
//! must have the partition of `__consumer_offsets` that keeps the group: AddOffsetsToTxn has told the coordinator, or from
//! version 5 on it is told now (KIP-890).

use std::sync::Arc;

use pagewire_coordinate::{
    Answer, Commit, CommitPartition, CommitTopic, CommittedTopic, Error, Input, TxnProducer, code_of,
};
use pagewire_wire::{
    ErrorCode,
    messages::{
        txn_offset_commit_request::{
            TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
        },
        txn_offset_commit_response::{
            TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
        },
    },
};

use crate::{
    cluster::{Image, TopicEntry},
    coordinators::{TxnQuestion, verify},
    request::Context,
};

/// First version whose clients leave it to the broker to add the group to the transaction.
const ADDS_GROUP: i16 = 5;
/// First version whose clients know TRANSACTION_ABORTABLE.
const SAYS_ABORTABLE: i16 = 4;

pub(crate) async fn handle(ctx: Context, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let mut image = ctx.broker.image();
    let outcome = if existing(&image, &request).is_empty() {
        Ok(Vec::new())
    } else {
        commit(&ctx, &request, &mut image).await
    };
    let mut committed = outcome.as_ref().map(Vec::as_slice).unwrap_or_default().iter();
    let refused = outcome.as_ref().err().copied();
    let answers = request.topics.iter().map(|topic| {
        let found = image.topic(&topic.name);
        let known = found.is_some_and(|entry| topic.partitions.iter().any(|one| exists(entry, one)));
        // Answers of the machine come in the order in which it was asked.
        let mut verdicts = if known { committed.next() } else { None }.map(|topic| topic.partitions.iter());
        let partitions = topic.partitions.iter().map(|one| {
            let error_code = if !found.is_some_and(|entry| exists(entry, one)) {
                ErrorCode::UnknownTopicOrPartition.code()
            } else if let Some(code) = refused {
                code
            } else {
                let verdict = verdicts.as_mut().and_then(Iterator::next);
                verdict.map_or(ErrorCode::UnknownServerError.code(), |(_, verdict)| code_of(*verdict))
            };
            TxnOffsetCommitResponsePartition {
                partition_index: one.partition_index,
                error_code,
                ..Default::default()
            }
        });
        let partitions = partitions.collect();
        TxnOffsetCommitResponseTopic { name: topic.name.clone(), partitions, ..Default::default() }
    });
    TxnOffsetCommitResponse { topics: answers.collect(), ..Default::default() }
}

/// Commits what exists in `image`, which becomes the one that this goes by.
async fn commit(
    ctx: &Context,
    request: &TxnOffsetCommitRequest,
    image: &mut Arc<Image>,
) -> Result<Vec<CommittedTopic>, i16> {
    if request.group_id.is_empty() {
        return Err(Error::InvalidGroupId.code());
    }
    let group_id = request.group_id.to_string();
    let producer = TxnProducer { producer_id: request.producer_id, producer_epoch: request.producer_epoch };
    let groups = ctx.broker.coordinators().groups();
    let add = ctx.version >= ADDS_GROUP;
    let shard = groups.shard_in_txn(&ctx.broker, &group_id, producer, add).map_err(Error::code)?;
    if let Some(partition) = shard.unverified() {
        let question = TxnQuestion {
            transactional_id: request.transactional_id.to_string(),
            producer_id: producer.producer_id,
            producer_epoch: producer.producer_epoch,
            partitions: vec![partition],
            add,
        };
        let answers = verify(&ctx.broker, question, ctx.version >= SAYS_ABORTABLE).await;
        refuse(answers.first().copied().unwrap_or(ErrorCode::UnknownServerError))?;
    }
    let question = |token| {
        // Looked at again in the shard's lock: offsets of topics that go later are forgotten after this.
        *image = ctx.broker.image();
        Input::Commit(Commit {
            token,
            group_id: group_id.clone(),
            member_id: request.member_id.to_string(),
            instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
            generation: request.generation_id,
            retention_ms: None,
            knows_member_epochs: false,
            in_txn: Some(producer),
            topics: existing(image, request),
        })
    };
    match shard.ask(&ctx.broker, question).await.map_err(Error::code)? {
        Answer::Commit(answer) => Ok(answer.topics),
        _ => Err(Error::UnknownServerError.code()),
    }
}

/// What the coordinator's answer means to the client.
fn refuse(code: ErrorCode) -> Result<(), i16> {
    match code {
        ErrorCode::None => Ok(()),
        // Older clients do not expect it here, and ask again after this one without looking for another coordinator.
        ErrorCode::NetworkException => Err(ErrorCode::CoordinatorLoadInProgress.code()),
        code => Err(code.code()),
    }
}

/// What of the request exists, in its order; topics of which nothing exists are left out.
fn existing(image: &Image, request: &TxnOffsetCommitRequest) -> Vec<CommitTopic> {
    let topic = |asked: &TxnOffsetCommitRequestTopic| {
        let entry = image.topic(&asked.name)?;
        let there = asked.partitions.iter().filter(|one| exists(entry, one));
        let partitions: Vec<CommitPartition> = there.map(partition).collect();
        let id = entry.id.into_bytes();
        (!partitions.is_empty()).then(|| CommitTopic { name: Arc::clone(&entry.name), id, partitions })
    };
    request.topics.iter().filter_map(topic).collect()
}

fn exists(entry: &TopicEntry, one: &TxnOffsetCommitRequestPartition) -> bool {
    entry.partition(one.partition_index).is_some()
}

fn partition(one: &TxnOffsetCommitRequestPartition) -> CommitPartition {
    CommitPartition {
        partition: one.partition_index,
        offset: one.committed_offset,
        leader_epoch: one.committed_leader_epoch,
        metadata: one.committed_metadata.as_ref().map(ToString::to_string),
    }
}

#[cfg(test)]
#[path = "txn_offset_commit_tests.rs"]
mod tests;
