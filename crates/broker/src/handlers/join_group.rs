//! JoinGroup: waits until the group has its members. Versions differ in what a client may know (KIP-394 from 4, KIP-345
//! from 5, KIP-559 from 7, KIP-814 from 9); the machine is told by flags.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_coordinate::{Answer, Error, Input, Join, JoinAnswer, Protocol, code_of};
use pagewire_wire::{
    Str,
    messages::{
        join_group_request::JoinGroupRequest,
        join_group_response::{JoinGroupResponse, JoinGroupResponseMember},
    },
};
use uuid::Uuid;

use crate::{
    coordinators::{host_of, shared, text},
    request::Context,
};

/// From here on the rebalance timeout is its own; before it is the session timeout.
const REBALANCE_TIMEOUT: i16 = 1;
const KNOWN_MEMBER_ID: i16 = 4;
/// From here on a protocol name may be null.
const NULLABLE_PROTOCOL: i16 = 7;
const SKIP_ASSIGNMENT: i16 = 9;

pub(crate) async fn handle(ctx: Context, request: JoinGroupRequest) -> JoinGroupResponse {
    let version = ctx.version;
    let member_id = request.member_id.clone();
    let group_id = request.group_id.to_string();
    let groups = ctx.broker.coordinators().groups();
    let answer = groups
        .ask(&ctx.broker, &group_id, |token| {
            let rebalance_timeout_ms = if version >= REBALANCE_TIMEOUT {
                request.rebalance_timeout_ms
            } else {
                request.session_timeout_ms
            };
            Input::Join(Join {
                token,
                group_id: group_id.clone(),
                member_id: request.member_id.to_string(),
                instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
                client_id: ctx.client_id.as_ref().map(ToString::to_string).unwrap_or_default(),
                client_host: host_of(&ctx.peer),
                session_timeout_ms: request.session_timeout_ms,
                rebalance_timeout_ms,
                protocol_type: request.protocol_type.to_string(),
                protocols: request
                    .protocols
                    .iter()
                    .map(|offer| protocol(&offer.name, &offer.metadata))
                    .collect(),
                require_known_member_id: version >= KNOWN_MEMBER_ID,
                supports_skip_assignment: version >= SKIP_ASSIGNMENT,
                fresh_id: Uuid::new_v4().to_string(),
                reason: request.reason.as_ref().map(ToString::to_string),
                assignment_interval_ms: ctx.broker.group_timing(&group_id).assignment_interval_ms,
            })
        })
        .await;
    match answer {
        Ok(Answer::Join(join)) => joined(join, version),
        Ok(_) => refused(member_id, Error::UnknownServerError, version),
        Err(error) => refused(member_id, error, version),
    }
}

/// Metadata lives as long as the member: it is copied, or it would keep the whole frame.
fn protocol(name: &Str, metadata: &Bytes) -> Protocol {
    Protocol { name: Arc::from(&**name), metadata: Bytes::copy_from_slice(metadata) }
}

fn joined(join: JoinAnswer, version: i16) -> JoinGroupResponse {
    let members = join.members.into_iter().map(|member| JoinGroupResponseMember {
        member_id: shared(&member.member_id),
        group_instance_id: member.instance_id.as_ref().map(shared),
        metadata: member.metadata,
        ..Default::default()
    });
    JoinGroupResponse {
        error_code: code_of(join.error),
        generation_id: join.generation,
        protocol_type: join.protocol_type.as_ref().map(shared),
        protocol_name: protocol_name(join.protocol.as_ref().map(shared), version),
        leader: shared(&join.leader),
        skip_assignment: join.skip_assignment,
        member_id: shared(&join.member_id),
        members: members.collect(),
        ..Default::default()
    }
}

fn refused(member_id: Str, error: Error, version: i16) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.code(),
        generation_id: -1,
        protocol_name: protocol_name(None, version),
        member_id,
        ..Default::default()
    }
}

fn protocol_name(name: Option<Str>, version: i16) -> Option<Str> {
    if version < NULLABLE_PROTOCOL {
        Some(name.unwrap_or_else(|| text("")))
    } else {
        name.filter(|name| !name.is_empty())
    }
}
