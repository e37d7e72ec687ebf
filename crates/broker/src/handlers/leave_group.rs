//! LeaveGroup: one member until version 2, several from 3 on (KIP-345).

use pagewire_coordinate::{Answer, Error, Input, Leave, LeaveAnswer, Leaver, code_of};
use pagewire_wire::{
    Str,
    messages::{
        leave_group_request::LeaveGroupRequest,
        leave_group_response::{LeaveGroupResponse, MemberResponse},
    },
};

use crate::request::Context;

const BATCHED: i16 = 3;

pub(crate) async fn handle(ctx: Context, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let group_id = request.group_id.to_string();
    let answer = ctx
        .broker
        .coordinators()
        .groups()
        .ask(&ctx.broker, &group_id, |token| {
            let members = if ctx.version >= BATCHED {
                request
                    .members
                    .iter()
                    .map(|member| Leaver {
                        member_id: member.member_id.to_string(),
                        instance_id: member.group_instance_id.as_ref().map(ToString::to_string),
                        reason: member.reason.as_ref().map(ToString::to_string),
                    })
                    .collect()
            } else {
                vec![Leaver { member_id: request.member_id.to_string(), instance_id: None, reason: None }]
            };
            Input::Leave(Leave { token, group_id: group_id.clone(), members })
        })
        .await;
    match answer {
        Ok(Answer::Leave(answer)) => left(answer, ctx.version),
        Ok(_) => refused(Error::UnknownServerError),
        Err(error) => refused(error),
    }
}

fn left(answer: LeaveAnswer, version: i16) -> LeaveGroupResponse {
    if version < BATCHED {
        let of_member = answer.members.first().and_then(|member| member.error);
        return LeaveGroupResponse { error_code: code_of(answer.error.or(of_member)), ..Default::default() };
    }
    let members = answer.members.into_iter().map(|member| MemberResponse {
        member_id: member.member_id.into(),
        group_instance_id: member.instance_id.map(Str::from),
        error_code: code_of(member.error),
        ..Default::default()
    });
    LeaveGroupResponse { error_code: code_of(answer.error), members: members.collect(), ..Default::default() }
}

fn refused(error: Error) -> LeaveGroupResponse {
    LeaveGroupResponse { error_code: error.code(), ..Default::default() }
}
