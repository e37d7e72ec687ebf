//! ConsumerGroupDescribe: epochs, members, what they have and what they are to have (KIP-848). A group named twice is
//! described once.

use pagewire_coordinate::{DescribedConsumer, DescribedConsumerGroup, Error, NamedPartitions, Now};
use pagewire_wire::{
    ErrorCode, Str, Uuid as WireId,
    messages::{
        consumer_group_describe_request::ConsumerGroupDescribeRequest,
        consumer_group_describe_response::{
            Assignment, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
        },
    },
};
use tokio::task::consume_budget;

use super::describe_groups::{ALL_OPERATIONS, distinct};
use crate::{
    clock::{now_ms, steady_ms},
    coordinators::{shared, text},
    net::Close,
    request::{Context, RESPONSE_BYTES_MAX},
};

const MEMBER_TYPES: i16 = 1;
/// What a partition of an assignment takes.
const PARTITION_BYTES: usize = 4;
/// What a topic of an assignment takes besides its name.
const TOPIC_BYTES: usize = 32;

pub(crate) async fn handle(
    ctx: Context,
    request: ConsumerGroupDescribeRequest,
) -> Result<ConsumerGroupDescribeResponse, Close> {
    let mut response = ConsumerGroupDescribeResponse::default();
    let mut left = RESPONSE_BYTES_MAX;
    for group_id in distinct(request.group_ids)? {
        consume_budget().await;
        let mut group = describe(&ctx, group_id);
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = ALL_OPERATIONS;
        }
        left = left.checked_sub(weight(&group)).ok_or_else(|| Close::because("too much to describe"))?;
        response.groups.push(group);
    }
    Ok(response)
}

fn describe(ctx: &Context, group_id: Str) -> DescribedGroup {
    if !ctx.broker.serves_consumer_groups() {
        return refused(group_id, Error::UnsupportedVersion);
    }
    if group_id.is_empty() {
        return refused(group_id, Error::InvalidGroupId);
    }
    let now = Now { wall_ms: now_ms(), steady_ms: steady_ms() };
    let groups = ctx.broker.coordinators().groups();
    let described = groups.read(&ctx.broker, &group_id, |machine| {
        machine.describe_consumer_group(&group_id, now).ok_or_else(|| machine.describe(&group_id).is_some())
    });
    match described {
        Ok(Ok(group)) => found(group_id, group, ctx.version),
        Ok(Err(is_classic)) => {
            let what = if is_classic { "is not a consumer group" } else { "not found" };
            DescribedGroup {
                error_code: ErrorCode::GroupIdNotFound.code(),
                error_message: Some(format!("Group {} {what}.", &*group_id).into()),
                group_id,
                ..Default::default()
            }
        }
        Err(error) => refused(group_id, error),
    }
}

fn refused(group_id: Str, error: Error) -> DescribedGroup {
    DescribedGroup { group_id, error_code: error.code(), ..Default::default() }
}

fn found(group_id: Str, group: DescribedConsumerGroup, version: i16) -> DescribedGroup {
    DescribedGroup {
        group_id,
        group_state: text(group.state.name()),
        group_epoch: group.epoch,
        assignment_epoch: group.target_epoch,
        assignor_name: text(group.assignor),
        members: group.members.into_iter().map(|one| member(one, version)).collect(),
        ..Default::default()
    }
}

fn member(member: DescribedConsumer, version: i16) -> Member {
    Member {
        member_id: shared(&member.member_id),
        instance_id: member.instance_id.as_ref().map(shared),
        rack_id: member.rack_id.as_ref().map(shared),
        member_epoch: member.epoch,
        client_id: shared(&member.client_id),
        client_host: shared(&member.client_host),
        subscribed_topic_names: member.topics.iter().map(shared).collect(),
        subscribed_topic_regex: member.regex.as_ref().map(shared),
        assignment: assignment(member.assigned),
        target_assignment: assignment(member.target),
        member_type: if version >= MEMBER_TYPES { i8::from(!member.is_classic) } else { -1 },
        ..Default::default()
    }
}

fn assignment(topics: Vec<NamedPartitions>) -> Assignment {
    let topic = |(id, name, partitions): NamedPartitions| TopicPartitions {
        topic_id: WireId(id),
        topic_name: shared(&name),
        partitions,
        ..Default::default()
    };
    Assignment { topic_partitions: topics.into_iter().map(topic).collect(), ..Default::default() }
}

/// About the bytes of a description.
fn weight(group: &DescribedGroup) -> usize {
    let topics = |assignment: &Assignment| {
        let topics = assignment.topic_partitions.iter();
        topics.map(|t| TOPIC_BYTES + t.topic_name.len() + PARTITION_BYTES * t.partitions.len()).sum::<usize>()
    };
    let member = |member: &Member| {
        let names: usize = member.subscribed_topic_names.iter().map(Str::len).sum();
        let texts = member.member_id.len() + member.client_id.len() + names;
        texts + topics(&member.assignment) + topics(&member.target_assignment)
    };
    group.group_id.len() + group.members.iter().map(member).sum::<usize>()
}
