//! SyncGroup: the leader brings the assignment, everyone takes theirs.

use bytes::Bytes;
use pagewire_coordinate::{Answer, Error, Input, Sync, code_of};
use pagewire_wire::messages::{sync_group_request::SyncGroupRequest, sync_group_response::SyncGroupResponse};

use crate::{coordinators::shared, request::Context};

/// From here on a request must say which protocol it was told (KIP-559).
const NAMES_PROTOCOL: i16 = 5;

pub(crate) async fn handle(ctx: Context, request: SyncGroupRequest) -> SyncGroupResponse {
    if ctx.version >= NAMES_PROTOCOL && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return refused(Error::InconsistentGroupProtocol);
    }
    let group_id = request.group_id.to_string();
    let answer = ctx
        .broker
        .coordinators()
        .groups()
        .ask(&ctx.broker, &group_id, |token| {
            let assigned = request.assignments.iter();
            Input::Sync(Sync {
                token,
                group_id: group_id.clone(),
                generation: request.generation_id,
                member_id: request.member_id.to_string(),
                instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
                protocol_type: request.protocol_type.as_ref().map(ToString::to_string),
                protocol: request.protocol_name.as_ref().map(ToString::to_string),
                // Assignments live as long as the generation: they must not keep the whole frame.
                assignments: assigned
                    .map(|one| (one.member_id.to_string(), Bytes::copy_from_slice(&one.assignment)))
                    .collect(),
            })
        })
        .await;
    match answer {
        Ok(Answer::Sync(sync)) => SyncGroupResponse {
            error_code: code_of(sync.error),
            protocol_type: sync.protocol_type.as_ref().map(shared),
            protocol_name: sync.protocol.as_ref().map(shared),
            assignment: sync.assignment,
            ..Default::default()
        },
        Ok(_) => refused(Error::UnknownServerError),
        // Kafka's answer while groups are loaded: join again, which is answered when they are.
        Err(Error::CoordinatorLoadInProgress) => refused(Error::RebalanceInProgress),
        Err(error) => refused(error),
    }
}

fn refused(error: Error) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.code(), ..Default::default() }
}
