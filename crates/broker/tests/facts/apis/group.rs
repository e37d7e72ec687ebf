//! Questions about groups: first while there is none and no coordinator was ever asked for, then with one.

use bytes::Bytes;
use pagewire_wire::{
    Str,
    messages::{
        consumer_group_describe_request::ConsumerGroupDescribeRequest,
        consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
        delete_groups_request::DeleteGroupsRequest,
        describe_groups_request::DescribeGroupsRequest,
        find_coordinator_request::FindCoordinatorRequest,
        heartbeat_request::HeartbeatRequest,
        join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
        leave_group_request::{LeaveGroupRequest, MemberIdentity},
        list_groups_request::ListGroupsRequest,
        offset_commit_request::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
        },
        offset_delete_request::{
            OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
        },
        offset_fetch_request::{
            OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
        sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment},
    },
};

use super::{NO_ID, Probe};

/// Members of a consumer group that nobody has.
fn consumers(probe: &mut Probe) {
    for (group, member) in [("", ""), ("nobody", "m")] {
        let (group_id, member_id) = (Str::from(group), Str::from(member));
        let group_ids = vec![group_id.clone()];
        probe.ask_all(&ConsumerGroupDescribeRequest { group_ids, ..Default::default() });
        probe.ask_all(&ConsumerGroupHeartbeatRequest {
            group_id,
            member_id,
            member_epoch: 1,
            ..Default::default()
        });
    }
}

/// The first round meets no coordinator, the second one that runs, the third a group that has an offset.
pub(super) fn ask(probe: &mut Probe) {
    for round in 0..3 {
        members(probe);
        consumers(probe);
        offsets(probe);
        admin(probe);
        if round == 0 {
            coordinator(probe);
        }
    }
}

fn coordinator(probe: &mut Probe) {
    for key_type in [0, 1, 2, 9] {
        probe.ask(&FindCoordinatorRequest { key: "g".into(), key_type, ..Default::default() });
        let coordinator_keys = vec!["g".into(), "h".into()];
        probe.ask(&FindCoordinatorRequest { coordinator_keys, key_type, ..Default::default() });
    }
    probe.ask_all(&FindCoordinatorRequest::default());
}

fn members(probe: &mut Probe) {
    probe.ask_all(&JoinGroupRequest::default());
    probe.ask_all(&SyncGroupRequest::default());
    probe.ask_all(&HeartbeatRequest::default());
    probe.ask_all(&LeaveGroupRequest::default());
    // Each version a group of its own, so that nobody waits for the member of the version before.
    for (group, session_timeout_ms, member) in
        [("short", 1, ""), ("stranger", 10_000, "who"), ("", 10_000, "")]
    {
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"m"),
            ..Default::default()
        };
        let request = JoinGroupRequest {
            group_id: group.into(),
            session_timeout_ms,
            rebalance_timeout_ms: 10_000,
            member_id: member.into(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        probe.ask_all(&request);
        probe.ask(&JoinGroupRequest { group_instance_id: Some("i".into()), ..request });
    }
    for (group, instance) in [("g", None), ("", None), ("g", Some(Str::from("i")))] {
        let assignment = SyncGroupRequestAssignment { member_id: "m".into(), ..Default::default() };
        let sync = SyncGroupRequest {
            group_id: group.into(),
            generation_id: 1,
            member_id: "m".into(),
            group_instance_id: instance.clone(),
            assignments: vec![assignment],
            ..Default::default()
        };
        probe.ask(&sync);
        let protocol = Some(Str::from("range"));
        probe.ask(&SyncGroupRequest {
            protocol_type: Some("consumer".into()),
            protocol_name: protocol,
            ..sync
        });
        probe.ask(&HeartbeatRequest {
            group_id: group.into(),
            generation_id: 1,
            member_id: "m".into(),
            group_instance_id: instance.clone(),
            ..Default::default()
        });
        probe.ask(&LeaveGroupRequest { group_id: group.into(), member_id: "m".into(), ..Default::default() });
        let member =
            MemberIdentity { member_id: "m".into(), group_instance_id: instance, ..Default::default() };
        let members = vec![member.clone(), member];
        probe.ask(&LeaveGroupRequest { group_id: group.into(), members, ..Default::default() });
    }
}

fn offsets(probe: &mut Probe) {
    probe.ask_all(&OffsetCommitRequest::default());
    probe.ask(&OffsetFetchRequest::default());
    for (group, generation, member) in [("g", -1, ""), ("g", 3, "who"), ("", -1, ""), ("h", 1, "")] {
        for (name, topic_id) in [("here", probe.here), ("nowhere", NO_ID)] {
            let at = |partition_index, committed_metadata| OffsetCommitRequestPartition {
                partition_index,
                committed_offset: 1,
                committed_metadata,
                ..Default::default()
            };
            let partitions = vec![
                at(0, None),
                at(1, Some("note".into())),
                at(0, Some("x".repeat(5000).into())),
                at(9, None),
            ];
            let topic =
                OffsetCommitRequestTopic { name: name.into(), topic_id, partitions, ..Default::default() };
            probe.ask(&OffsetCommitRequest {
                group_id: group.into(),
                generation_id_or_member_epoch: generation,
                member_id: member.into(),
                topics: vec![topic.clone(), topic],
                ..Default::default()
            });
        }
        fetches(probe, group);
    }
}

fn fetches(probe: &mut Probe, group: &'static str) {
    let group_id = Str::from(group);
    probe.ask(&OffsetFetchRequest { group_id: group_id.clone(), topics: None, ..Default::default() });
    let every = OffsetFetchRequestGroup { group_id: group_id.clone(), topics: None, ..Default::default() };
    probe.ask(&OffsetFetchRequest { groups: vec![every], require_stable: true, ..Default::default() });
    for (name, topic_id) in [("here", probe.here), ("nowhere", NO_ID)] {
        let partition_indexes = vec![0, 1, 9, -1];
        let topic = OffsetFetchRequestTopic {
            name: name.into(),
            partition_indexes: partition_indexes.clone(),
            ..Default::default()
        };
        let topics = Some(vec![topic]);
        probe.ask(&OffsetFetchRequest { group_id: group_id.clone(), topics, ..Default::default() });
        let topic =
            OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes, ..Default::default() };
        let one = OffsetFetchRequestGroup {
            group_id: group_id.clone(),
            topics: Some(vec![topic]),
            ..Default::default()
        };
        let strange = OffsetFetchRequestGroup { member_epoch: 7, member_id: Some("m".into()), ..one.clone() };
        probe.ask(&OffsetFetchRequest { groups: vec![one, strange], ..Default::default() });
    }
}

fn admin(probe: &mut Probe) {
    probe.ask_all(&ListGroupsRequest::default());
    let states_filter = vec!["Empty".into(), "Nonsense".into()];
    probe.ask(&ListGroupsRequest { states_filter, ..Default::default() });
    probe.ask(&ListGroupsRequest { types_filter: vec!["classic".into(), "x".into()], ..Default::default() });
    let groups = vec![Str::from("g"), Str::from("nobody"), Str::from("")];
    probe.ask_all(&DescribeGroupsRequest::default());
    probe.ask_all(&DescribeGroupsRequest { groups: groups.clone(), ..Default::default() });
    probe.ask(&DescribeGroupsRequest {
        groups: groups.clone(),
        include_authorized_operations: true,
        ..Default::default()
    });
    probe.ask_all(&OffsetDeleteRequest::default());
    for group_id in ["g", "nobody", ""] {
        let topic = |name: &'static str| OffsetDeleteRequestTopic {
            name: name.into(),
            partitions: [0, 9]
                .map(|partition_index| OffsetDeleteRequestPartition { partition_index, ..Default::default() })
                .into(),
            ..Default::default()
        };
        let topics = vec![topic("here"), topic("nowhere")];
        probe.ask_all(&OffsetDeleteRequest { group_id: group_id.into(), topics, ..Default::default() });
    }
    probe.ask_all(&DeleteGroupsRequest::default());
    let groups_names = vec!["nobody".into(), "".into(), "h".into()];
    probe.ask_all(&DeleteGroupsRequest { groups_names, ..Default::default() });
}
