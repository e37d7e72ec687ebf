//! Groups from end to end, in the oldest and in the newest versions of their APIs.

mod members;
mod offsets;
mod settings;

use bytes::Bytes;
use pagewire_wire::{
    Str,
    messages::{
        describe_groups_request::DescribeGroupsRequest,
        find_coordinator_request::FindCoordinatorRequest,
        heartbeat_request::HeartbeatRequest,
        join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
        join_group_response::JoinGroupResponse,
        leave_group_request::{LeaveGroupRequest, MemberIdentity},
        sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment},
    },
};

use crate::harness::Client;

const MEMBER_ID_REQUIRED: i16 = 79;

/// Finds the coordinator, which makes what groups are kept in.
pub(super) fn coordinator(client: &mut Client) {
    let found = client.call(&FindCoordinatorRequest { key: "g".into(), ..Default::default() }, 0);
    assert_eq!(found.error_code, 0);
}

/// Asks until the coordinator has loaded what it knows.
pub(super) fn once_loaded<T>(mut ask: impl FnMut() -> (i16, T)) -> T {
    for _ in 0..100_000 {
        match ask() {
            (14, _) => std::thread::yield_now(),
            (0, answer) => return answer,
            (error, _) => panic!("error {error}"),
        }
    }
    panic!("the coordinator never loaded")
}

pub(super) fn join_request(member_id: &Str, instance: Option<&'static str>) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol {
        name: "range".into(),
        metadata: Bytes::from_static(b"topics"),
        ..Default::default()
    };
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.clone(),
        group_instance_id: instance.map(Str::from),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    }
}

/// Joins as the only member or as the last that is waited for; dances for a member id where it has to.
pub(super) fn join(
    client: &mut Client,
    member_id: &Str,
    instance: Option<&'static str>,
    version: i16,
) -> JoinGroupResponse {
    let joined = client.call(&join_request(member_id, instance), version);
    if joined.error_code == MEMBER_ID_REQUIRED {
        assert!(version >= 4 && instance.is_none() && !joined.member_id.is_empty());
        return join(client, &joined.member_id, instance, version);
    }
    joined
}

pub(super) fn sync(
    client: &mut Client,
    joined: &JoinGroupResponse,
    assignments: &[(&Str, &'static [u8])],
    version: i16,
) -> (i16, Bytes) {
    let assignment = |(member_id, assignment): &(&Str, &'static [u8])| SyncGroupRequestAssignment {
        member_id: (*member_id).clone(),
        assignment: Bytes::from_static(assignment),
        ..Default::default()
    };
    let named = version >= 5;
    let request = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        protocol_type: named.then(|| "consumer".into()),
        protocol_name: named.then(|| "range".into()),
        assignments: assignments.iter().map(assignment).collect(),
        ..Default::default()
    };
    let answer = client.call(&request, version);
    (answer.error_code, answer.assignment)
}

pub(super) fn heartbeat(client: &mut Client, generation_id: i32, member_id: &Str, version: i16) -> i16 {
    let request = HeartbeatRequest {
        group_id: "g".into(),
        generation_id,
        member_id: member_id.clone(),
        ..Default::default()
    };
    client.call(&request, version).error_code
}

pub(super) fn leave(client: &mut Client, member_id: &Str, version: i16) -> i16 {
    let mut request = LeaveGroupRequest { group_id: "g".into(), ..Default::default() };
    if version < 3 {
        request.member_id = member_id.clone();
        return client.call(&request, version).error_code;
    }
    request.members = vec![MemberIdentity { member_id: member_id.clone(), ..Default::default() }];
    let answer = client.call(&request, version);
    assert_eq!(answer.error_code, 0);
    answer.members[0].error_code
}

/// State and number of members.
pub(super) fn describe(client: &mut Client) -> (String, usize) {
    let request = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    let group = client.call(&request, 5).groups.remove(0);
    (group.group_state.to_string(), group.members.len())
}
