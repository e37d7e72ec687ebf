//! A member of a group that is there before and after.

use anyhow::{Context as _, Result, ensure};
use pagewire_wire::messages::heartbeat_request::HeartbeatRequest;
use pagewire_wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use pagewire_wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::{LIVE, retriable};
use crate::harness::raw::{Raw, text};
use crate::harness::until;

/// ConsumerProtocolSubscription version 0: the topic `kept`, no user data.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x04kept\xff\xff\xff\xff";
/// ConsumerProtocolAssignment version 0: nothing, no user data.
const ASSIGNMENT: &[u8] = b"\0\0\0\0\0\0\xff\xff\xff\xff";

/// A member of a group, known by its id and generation.
#[derive(Debug)]
pub(super) struct Member {
    id: String,
    generation: i32,
}

/// Joins a group alone and takes its work.
pub(super) fn join(client: &mut Raw) -> Result<Member> {
    let protocol =
        JoinGroupRequestProtocol { name: text("range"), metadata: bytes::Bytes::from_static(SUBSCRIPTION) };
    let request = JoinGroupRequest {
        group_id: text(LIVE),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: text("consumer"),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    };
    let mut joined = None;
    until("joining the group", || {
        let answer = client.call(&request, 3)?;
        let good = retriable(&[answer.error_code])?;
        joined = good.then_some(answer);
        Ok(good)
    })?;
    let joined = joined.context("never joined")?;
    let assignment = SyncGroupRequestAssignment {
        member_id: joined.member_id.clone(),
        assignment: bytes::Bytes::from_static(ASSIGNMENT),
    };
    let sync = SyncGroupRequest {
        group_id: text(LIVE),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..SyncGroupRequest::default()
    };
    let synced = client.call(&sync, 2)?;
    ensure!(synced.error_code == 0, "SyncGroup answered error {}", synced.error_code);
    Ok(Member { id: joined.member_id.as_str().to_owned(), generation: joined.generation_id })
}

impl Member {
    pub(super) fn still_belongs(&self, client: &mut Raw) -> Result<()> {
        let request = HeartbeatRequest {
            group_id: text(LIVE),
            generation_id: self.generation,
            member_id: text(&self.id),
            ..HeartbeatRequest::default()
        };
        until("the member's heartbeat taken", || retriable(&[client.call(&request, 2)?.error_code]))
    }
}
