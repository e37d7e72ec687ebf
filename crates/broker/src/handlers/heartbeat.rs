//! Heartbeat: a member says that it lives, and hears whether the group rebalances.

use pagewire_coordinate::{Answer, Error, Heartbeat, Input, code_of};
use pagewire_wire::messages::{heartbeat_request::HeartbeatRequest, heartbeat_response::HeartbeatResponse};

use crate::request::Context;

pub(crate) async fn handle(ctx: Context, request: HeartbeatRequest) -> HeartbeatResponse {
    let group_id = request.group_id.to_string();
    let answer = ctx
        .broker
        .coordinators()
        .groups()
        .ask(&ctx.broker, &group_id, |token| {
            Input::Heartbeat(Heartbeat {
                token,
                group_id: group_id.clone(),
                generation: request.generation_id,
                member_id: request.member_id.to_string(),
                instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
            })
        })
        .await;
    let error_code = match answer {
        Ok(Answer::Heartbeat(verdict)) => code_of(verdict),
        Ok(_) => Error::UnknownServerError.code(),
        // While groups are loaded nobody's session runs, so all is well.
        Err(Error::CoordinatorLoadInProgress) => 0,
        Err(error) => error.code(),
    };
    HeartbeatResponse { error_code, ..Default::default() }
}
