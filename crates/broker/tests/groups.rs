//! Consumer groups through the protocol: what a restart must keep, what waits for what, and that every version of every
//! group API is answered.

mod support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use pagewire_wire::messages::{
    create_topics_request::{CreatableTopic, CreateTopicsRequest},
    delete_groups_request::DeleteGroupsRequest,
    delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
    describe_groups_request::DescribeGroupsRequest,
    find_coordinator_request::FindCoordinatorRequest,
    heartbeat_request::HeartbeatRequest,
    join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
    join_group_response::JoinGroupResponse,
    leave_group_request::{LeaveGroupRequest, MemberIdentity},
    list_groups_request::ListGroupsRequest,
    metadata_request::{MetadataRequest, MetadataRequestTopic},
    offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete_request::OffsetDeleteRequest,
    offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics},
    sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment},
};
use pagewire_wire::{ErrorCode, Request, Uuid};
use support::{Broker, Client};

const SETTINGS: &[(&str, &str)] =
    &[("offsets.topic.num.partitions", "3"), ("group.initial.rebalance.delay.ms", "0")];
/// Longer than any wait that is meant to end.
const PATIENCE: Duration = Duration::from_secs(30);

async fn broker(dir: &Path) -> (Broker, Client) {
    let broker = Broker::start(dir, SETTINGS).await;
    let client = broker.client().await;
    (broker, client)
}

/// Asks for the coordinator, which makes the topic of the groups, until the groups are loaded.
async fn find(client: &mut Client) {
    let request = FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() };
    let found = client.call(&request, 6).await.coordinators.remove(0);
    assert_eq!((found.error_code, found.node_id), (0, 1));
    let loaded = async {
        while client.call(&ListGroupsRequest::default(), 5).await.error_code != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, loaded).await.expect("in time");
}

async fn create(client: &mut Client, name: &'static str) -> Uuid {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 1_000, validate_only: false };
    let made = client.call(&request, 7).await.topics.remove(0);
    assert_eq!(made.error_code, 0);
    made.topic_id
}

fn join_request(member_id: &str, instance_id: Option<&'static str>) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.to_owned().into(),
        group_instance_id: instance_id.map(Into::into),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"),
        }],
        ..Default::default()
    }
}

/// Joins as clients do: without an id first, then with the one that is given.
async fn join(client: &mut Client) -> JoinGroupResponse {
    let refused = client.call(&join_request("", None), 9).await;
    assert_eq!(refused.error_code, ErrorCode::MemberIdRequired.code());
    let request = join_request(&refused.member_id, None);
    let joined = tokio::time::timeout(PATIENCE, client.call(&request, 9)).await.expect("in time");
    assert_eq!(joined.error_code, 0);
    joined
}

fn sync_request(joined: &JoinGroupResponse, assignments: &[(&str, &'static [u8])]) -> SyncGroupRequest {
    let assigned = assignments.iter().map(|(member_id, assignment)| SyncGroupRequestAssignment {
        member_id: (*member_id).to_owned().into(),
        assignment: Bytes::from_static(assignment),
    });
    SyncGroupRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: assigned.collect(),
        ..Default::default()
    }
}

fn commit_request(joined: Option<&JoinGroupResponse>, topic_id: Uuid, offset: i64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: joined.map_or(-1, |joined| joined.generation_id),
        member_id: joined.map(|joined| joined.member_id.clone()).unwrap_or_default(),
        topics: vec![OffsetCommitRequestTopic {
            topic_id,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 1,
                committed_offset: offset,
                committed_leader_epoch: 0,
                committed_metadata: Some("note".into()),
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

async fn commit(client: &mut Client, request: &OffsetCommitRequest) -> i16 {
    client.call(request, 10).await.topics[0].partitions[0].error_code
}

/// Offset, epoch, metadata and error of partition 1.
async fn fetch(client: &mut Client, topic_id: Uuid) -> (i64, i32, String, i16) {
    let topic = OffsetFetchRequestTopics { topic_id, partition_indexes: vec![1], ..Default::default() };
    let group =
        OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
    let mut response = client.call(&request, 10).await;
    let group = response.groups.remove(0);
    assert_eq!(group.error_code, 0);
    let one = &group.topics[0].partitions[0];
    let metadata = one.metadata.as_ref().map(ToString::to_string).unwrap_or_default();
    (one.committed_offset, one.committed_leader_epoch, metadata, one.error_code)
}

async fn heartbeat(client: &mut Client, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..Default::default()
    };
    client.call(&request, 4).await.error_code
}

/// Beats until the group wants its members to join again.
async fn until_rebalance(client: &mut Client, joined: &JoinGroupResponse) {
    let told = async {
        while heartbeat(client, joined).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_and_its_offsets_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path()).await;
    find(&mut client).await;
    let topic_id = create(&mut client, "t").await;
    let joined = join(&mut client).await;
    let member_id = joined.member_id.to_string();
    let synced = client.call(&sync_request(&joined, &[(&member_id, b"all")]), 5).await;
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]));
    assert_eq!(commit(&mut client, &commit_request(Some(&joined), topic_id, 42)).await, 0);
    broker.stop().await;

    let (broker, mut client) = self::broker(dir.path()).await;
    find(&mut client).await;
    assert_eq!(fetch(&mut client, topic_id).await, (42, 0, "note".to_owned(), 0));
    assert_eq!(heartbeat(&mut client, &joined).await, 0);
    let described =
        client.call(&DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() }, 6).await;
    let group = &described.groups[0];
    assert_eq!((&*group.group_state, &*group.protocol_data), ("Stable", "range"));
    assert_eq!(&*group.members[0].member_id, &*member_id);
    assert_eq!(&group.members[0].member_assignment[..], b"all");
    assert_eq!(&*group.members[0].client_host, "/127.0.0.1");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_wait_for_each_other_and_followers_for_the_leader() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut first) = broker(dir.path()).await;
    let mut second = broker.client().await;
    find(&mut first).await;
    let alone = join(&mut first).await;
    let leader = alone.member_id.to_string();
    first.call(&sync_request(&alone, &[(&leader, b"all")]), 5).await;

    // The second one's join waits until the first one, told by a heartbeat, has joined again.
    let newcomer = tokio::spawn(async move {
        let joined = join(&mut second).await;
        (joined, second)
    });
    until_rebalance(&mut first, &alone).await;
    let again = first.call(&join_request(&leader, None), 9).await;
    let (joined, mut second) = newcomer.await.expect("in time");
    let follower = joined.member_id.to_string();
    assert_eq!((again.generation_id, joined.generation_id), (2, 2));
    assert_eq!((again.members.len(), joined.members.len()), (2, 0));
    assert_eq!(&*joined.leader, &*leader);

    // The follower's sync waits for the leader's.
    let waits = sync_request(&joined, &[]);
    let assignment = tokio::spawn(async move { second.call(&waits, 5).await });
    let synced = first.call(&sync_request(&again, &[(&leader, b"one"), (&follower, b"two")]), 5).await;
    assert_eq!(&synced.assignment[..], b"one");
    assert_eq!(&assignment.await.unwrap().assignment[..], b"two");

    // Once both have left, the group can be deleted.
    let leave = |member: &str| LeaveGroupRequest {
        group_id: "g".into(),
        members: vec![MemberIdentity { member_id: member.to_owned().into(), ..Default::default() }],
        ..Default::default()
    };
    let delete = DeleteGroupsRequest { groups_names: vec!["g".into()] };
    assert_eq!(first.call(&delete, 2).await.results[0].error_code, ErrorCode::NonEmptyGroup.code());
    for member in [&leader, &follower] {
        assert_eq!(first.call(&leave(member), 5).await.members[0].error_code, 0);
    }
    assert_eq!(first.call(&delete, 2).await.results[0].error_code, 0);
    assert_eq!(first.call(&delete, 2).await.results[0].error_code, ErrorCode::GroupIdNotFound.code());
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_in_a_join_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path()).await;
    find(&mut client).await;
    let joined = join(&mut client).await;
    let leader = joined.member_id.to_string();
    client.call(&sync_request(&joined, &[(&leader, b"all")]), 5).await;
    let mut ghost = broker.client().await;
    // Its answer is never read: the connection is gone before the group is complete.
    let given = ghost.call(&join_request("", None), 9).await;
    let gone = tokio::spawn(async move { ghost.call(&join_request(&given.member_id, None), 9).await });
    until_rebalance(&mut client, &joined).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let again = client.call(&join_request(&leader, None), 9).await;
    assert_eq!((again.error_code, again.generation_id, again.members.len()), (0, 2, 2));
    assert_eq!(heartbeat(&mut client, &again).await, 0);
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_broker_does_not_wait_for_those_who_join() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path(), &[("group.initial.rebalance.delay.ms", "3600000")]).await;
    let mut client = broker.client().await;
    find(&mut client).await;
    let waiting = tokio::spawn(async move {
        let given = client.call(&join_request("", None), 9).await;
        client.call(&join_request(&given.member_id, None), 9).await
    });
    let mut other = broker.client().await;
    let all = ListGroupsRequest { states_filter: vec!["preparingrebalance".into()], ..Default::default() };
    let seen = async {
        while other.call(&all, 5).await.groups.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("in time");
    tokio::time::timeout(PATIENCE, broker.stop()).await.expect("in time");
    assert!(waiting.await.is_err(), "the connection ended without an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_go_with_their_topic_and_a_namesake_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path()).await;
    find(&mut client).await;
    let before = create(&mut client, "t").await;
    assert_eq!(commit(&mut client, &commit_request(None, before, 7)).await, 0);
    assert_eq!(fetch(&mut client, before).await.0, 7);
    let topic = DeleteTopicState { name: Some("t".into()), ..Default::default() };
    let delete = DeleteTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..Default::default() };
    assert_eq!(client.call(&delete, 6).await.responses[0].error_code, 0);
    assert_eq!(fetch(&mut client, before).await.3, ErrorCode::UnknownTopicId.code());
    assert_eq!(commit(&mut client, &commit_request(None, before, 8)).await, ErrorCode::UnknownTopicId.code());
    let after = create(&mut client, "t").await;
    assert_ne!(before, after);
    assert_eq!(fetch(&mut client, after).await.0, -1);
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_to_ask_for_a_coordinator_makes_its_topic() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path()).await;
    let early = client.call(&join_request("", None), 9).await;
    assert_eq!(early.error_code, ErrorCode::NotCoordinator.code());
    assert!(client.call(&ListGroupsRequest::default(), 5).await.groups.is_empty());
    find(&mut client).await;
    let topic = MetadataRequestTopic { name: Some("__consumer_offsets".into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let told = client.call(&request, 12).await;
    assert!(told.topics[0].is_internal);
    assert_eq!(told.topics[0].partitions.len(), 3);
    broker.stop().await;
}

/// Asks in every version from `min` to the newest; each answer must decode.
async fn in_every_version<R: Request>(client: &mut Client, request: &R, min: i16) {
    for version in min..=*R::KEY.valid_versions().end() {
        let answer = tokio::time::timeout(PATIENCE, client.call(request, version)).await;
        assert!(answer.is_ok(), "{} v{version} is not answered", R::KEY.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_every_group_api_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path()).await;
    let c = &mut client;
    find(c).await;
    in_every_version(c, &FindCoordinatorRequest::default(), 0).await;
    in_every_version(c, &JoinGroupRequest::default(), 0).await;
    in_every_version(c, &SyncGroupRequest::default(), 0).await;
    in_every_version(c, &HeartbeatRequest::default(), 0).await;
    in_every_version(c, &LeaveGroupRequest::default(), 0).await;
    in_every_version(c, &OffsetCommitRequest::default(), 2).await;
    in_every_version(c, &OffsetFetchRequest::default(), 1).await;
    in_every_version(c, &OffsetDeleteRequest::default(), 0).await;
    in_every_version(c, &DescribeGroupsRequest::default(), 0).await;
    in_every_version(c, &ListGroupsRequest::default(), 0).await;
    in_every_version(c, &DeleteGroupsRequest::default(), 0).await;
    broker.stop().await;
}
