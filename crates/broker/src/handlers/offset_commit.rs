//! OffsetCommit, by topic name until version 9, by topic id from 10 on. Topics and partitions that do not exist are
//! answered one by one; the rest goes to the group as one commit.

use std::sync::Arc;

use pagewire_coordinate::{
    Answer, Commit, CommitPartition, CommitTopic, CommittedTopic, Error, Input, TopicId, code_of,
};
use pagewire_wire::{
    ErrorCode, Uuid as WireId,
    messages::{
        offset_commit_request::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
        },
        offset_commit_response::{
            OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
        },
    },
};
use uuid::Uuid;

use crate::{
    cluster::{Image, TopicEntry},
    request::Context,
};

const TOPIC_IDS: i16 = 10;
/// Members of consumer groups use no earlier one.
const MEMBER_EPOCHS: i16 = 9;

pub(crate) async fn handle(ctx: Context, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let mut image = ctx.broker.image();
    let nothing = existing(&image, &request, ctx.version).is_empty();
    let outcome = if nothing { Ok(Vec::new()) } else { commit(&ctx, &request, &mut image).await };
    let mut committed = outcome.as_ref().map(Vec::as_slice).unwrap_or_default().iter();
    let refused = outcome.as_ref().err().copied();
    let answers = request.topics.iter().map(|topic| {
        let found = find(&image, topic, ctx.version);
        let unknown = if ctx.version >= TOPIC_IDS {
            ErrorCode::UnknownTopicId
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        let known = found.is_some_and(|entry| topic.partitions.iter().any(|one| exists(entry, one)));
        // Answers of the machine come in the order in which it was asked.
        let mut verdicts = if known { committed.next() } else { None }.map(|topic| topic.partitions.iter());
        let partitions = topic.partitions.iter().map(|one| {
            let error_code = match found {
                None => unknown.code(),
                Some(entry) if !exists(entry, one) => ErrorCode::UnknownTopicOrPartition.code(),
                Some(_) => match refused {
                    Some(error) => error.code(),
                    None => verdicts
                        .as_mut()
                        .and_then(Iterator::next)
                        .map_or(-1, |(_, verdict)| code_of(*verdict)),
                },
            };
            OffsetCommitResponsePartition {
                partition_index: one.partition_index,
                error_code,
                ..Default::default()
            }
        });
        let partitions = partitions.collect();
        let topic_id = if ctx.version >= TOPIC_IDS { topic.topic_id } else { WireId::NIL };
        OffsetCommitResponseTopic { name: topic.name.clone(), topic_id, partitions, ..Default::default() }
    });
    OffsetCommitResponse { topics: answers.collect(), ..Default::default() }
}

/// Commits what exists in `image`, which becomes the one that this goes by.
async fn commit(
    ctx: &Context,
    request: &OffsetCommitRequest,
    image: &mut Arc<Image>,
) -> Result<Vec<CommittedTopic>, Error> {
    let group_id = request.group_id.to_string();
    let groups = ctx.broker.coordinators().groups();
    let answer = groups.ask(&ctx.broker, &group_id, |token| {
        // Looked at again in the shard's lock: offsets of topics that go later are forgotten after this.
        *image = ctx.broker.image();
        let topics = existing(image, request, ctx.version);
        Input::Commit(Commit {
            token,
            group_id: group_id.clone(),
            member_id: request.member_id.to_string(),
            instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
            generation: request.generation_id_or_member_epoch,
            retention_ms: Some(request.retention_time_ms).filter(|retention_ms| *retention_ms != -1),
            knows_member_epochs: ctx.version >= MEMBER_EPOCHS,
            in_txn: None,
            topics,
        })
    });
    match answer.await? {
        Answer::Commit(answer) => Ok(answer.topics),
        _ => Err(Error::UnknownServerError),
    }
}

/// What of the request exists, in its order; topics of which nothing exists are left out.
fn existing(image: &Image, request: &OffsetCommitRequest, version: i16) -> Vec<CommitTopic> {
    let topic = |asked: &OffsetCommitRequestTopic| {
        let entry = find(image, asked, version)?;
        let id: TopicId = entry.id.into_bytes();
        let there = asked.partitions.iter().filter(|one| exists(entry, one));
        let partitions: Vec<CommitPartition> = there.map(partition).collect();
        (!partitions.is_empty()).then(|| CommitTopic { name: Arc::clone(&entry.name), id, partitions })
    };
    request.topics.iter().filter_map(topic).collect()
}

fn find<'a>(image: &'a Image, topic: &OffsetCommitRequestTopic, version: i16) -> Option<&'a Arc<TopicEntry>> {
    if version >= TOPIC_IDS {
        image.topic_by_id(Uuid::from_bytes(topic.topic_id.0))
    } else {
        image.topic(&topic.name)
    }
}

fn exists(entry: &TopicEntry, one: &OffsetCommitRequestPartition) -> bool {
    entry.partition(one.partition_index).is_some()
}

fn partition(one: &OffsetCommitRequestPartition) -> CommitPartition {
    CommitPartition {
        partition: one.partition_index,
        offset: one.committed_offset,
        leader_epoch: one.committed_leader_epoch,
        metadata: one.committed_metadata.as_ref().map(ToString::to_string),
    }
}
