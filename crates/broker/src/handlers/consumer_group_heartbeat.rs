//! ConsumerGroupHeartbeat: all that a member of a consumer group says, and is told (KIP-848).

use pagewire_coordinate::{
    Answer, ConsumerHeartbeat, ConsumerHeartbeatAnswer, Error, Input, TopicPartitions, code_of,
};
use pagewire_wire::{
    Str, Uuid as WireId,
    messages::{
        consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
        consumer_group_heartbeat_response::{
            Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions as WirePartitions,
        },
    },
};
use uuid::Uuid;

use crate::{
    coordinators::{host_of, shared},
    request::Context,
};

/// Members choose their ids themselves.
const NAMES_ITSELF: i16 = 1;

pub(crate) async fn handle(
    ctx: Context,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    match beat(&ctx, request).await {
        Ok(answer) => told(answer),
        Err(error) => ConsumerGroupHeartbeatResponse { error_code: error.code(), ..Default::default() },
    }
}

async fn beat(
    ctx: &Context,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerHeartbeatAnswer, Error> {
    if !ctx.broker.serves_consumer_groups() {
        return Err(Error::UnsupportedVersion);
    }
    let group_id = request.group_id.to_string();
    let groups = ctx.broker.coordinators().groups();
    let text = |text: Option<Str>| text.map(|text| text.to_string());
    let topics = request.subscribed_topic_names;
    let owned = request.topic_partitions.map(|topics| {
        let topic = |topic: pagewire_wire::messages::consumer_group_heartbeat_request::TopicPartitions| {
            TopicPartitions { topic_id: topic.topic_id.0, partitions: topic.partitions }
        };
        topics.into_iter().map(topic).collect()
    });
    let answer = groups.ask(&ctx.broker, &group_id, |token| {
        Input::ConsumerHeartbeat(Box::new(ConsumerHeartbeat {
            token,
            group_id: group_id.clone(),
            member_id: request.member_id.to_string(),
            member_epoch: request.member_epoch,
            instance_id: text(request.instance_id),
            rack_id: text(request.rack_id),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            topics: topics.map(|topics| topics.iter().map(ToString::to_string).collect()),
            regex: text(request.subscribed_topic_regex),
            assignor: text(request.server_assignor),
            owned,
            client_id: ctx.client_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            client_host: host_of(&ctx.peer),
            names_itself: ctx.version >= NAMES_ITSELF,
            fresh_id: Uuid::new_v4().to_string(),
            timing: ctx.broker.group_timing(&group_id),
        }))
    });
    match answer.await? {
        Answer::ConsumerHeartbeat(answer) => Ok(answer),
        _ => Err(Error::UnknownServerError),
    }
}

fn told(answer: ConsumerHeartbeatAnswer) -> ConsumerGroupHeartbeatResponse {
    let topic = |topic: TopicPartitions| WirePartitions {
        topic_id: WireId(topic.topic_id),
        partitions: topic.partitions,
        ..Default::default()
    };
    let assignment = answer.assignment.map(|topics| Assignment {
        topic_partitions: topics.into_iter().map(topic).collect(),
        ..Default::default()
    });
    ConsumerGroupHeartbeatResponse {
        error_code: code_of(answer.error),
        error_message: answer.message.map(Into::into),
        member_id: answer.member_id.as_ref().map(shared),
        member_epoch: answer.member_epoch,
        heartbeat_interval_ms: answer.heartbeat_interval_ms,
        assignment,
        ..Default::default()
    }
}
