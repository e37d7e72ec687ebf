//! Consumer groups over the wire's messages: what a member is told, what others see, and what it is refused.

use std::sync::Arc;

use pagewire_coordinate::Error;
use pagewire_disk::{Call, Errno, FailingDisk, Fault, MemoryDisk, When};
use pagewire_wire::messages::{
    consumer_group_describe_request::ConsumerGroupDescribeRequest,
    consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
    consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse,
    incremental_alter_configs_request::{
        AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    },
    list_groups_request::ListGroupsRequest,
    offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup},
};
use tokio::task::yield_now;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::OFFSETS_TOPIC;
use crate::testing::Bench;

const GROUP_RESOURCE: i8 = 32;

async fn served_from_memory() -> Bench {
    served(Bench::on(Arc::new(MemoryDisk::new()))).await
}

/// The broker once it serves groups, and a topic.
pub(super) async fn served(bench: Bench) -> Bench {
    bench.topic("t", 4, &[]).await;
    bench.topic(OFFSETS_TOPIC, 1, &[]).await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.broker.coordinators().start(&bench.broker, &tasks, &stop);
    while bench.ask(&ListGroupsRequest::default(), 5).await.expect("an answer").error_code != 0 {
        yield_now().await;
    }
    bench
}

pub(super) fn joining(member_id: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member_id.to_owned().into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

pub(super) async fn join(bench: &Bench, member_id: &str) -> ConsumerGroupHeartbeatResponse {
    bench.ask(&joining(member_id), 1).await.expect("an answer")
}

/// Gives the group another heartbeat interval; the error.
pub(super) async fn set_heartbeat_interval(bench: &Bench, interval_ms: &'static str) -> i16 {
    let config = AlterableConfig {
        name: "consumer.heartbeat.interval.ms".into(),
        value: Some(interval_ms.into()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: GROUP_RESOURCE,
        resource_name: "g".into(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    bench.ask(&request, 1).await.expect("an answer").responses[0].error_code
}

#[tokio::test]
async fn a_member_is_given_all_partitions_and_described_with_them() {
    let bench = served_from_memory().await;
    let joined = join(&bench, "m").await;
    assert_eq!((joined.error_code, joined.member_epoch, joined.heartbeat_interval_ms), (0, 2, 5_000));
    let assigned = joined.assignment.expect("an assignment").topic_partitions;
    assert_eq!(assigned[0].partitions, [0, 1, 2, 3]);

    let request =
        ConsumerGroupDescribeRequest { group_ids: vec!["g".into(), "nobody".into()], ..Default::default() };
    let described = bench.ask(&request, 1).await.expect("an answer").groups;
    assert_eq!((described[0].error_code, described[0].group_state.as_str()), (0, "Stable"));
    let member = &described[0].members[0];
    assert_eq!((member.member_id.as_str(), member.member_type), ("m", 1));
    assert_eq!(member.assignment.topic_partitions[0].topic_name.as_str(), "t");
    assert_eq!(described[1].error_code, Error::GroupIdNotFound.code());

    let listed = bench.ask(&ListGroupsRequest::default(), 5).await.expect("an answer").groups;
    assert_eq!((listed[0].group_type.as_str(), listed[0].group_state.as_str()), ("consumer", "Stable"));
}

#[tokio::test]
async fn partitions_are_not_given_out_while_it_is_not_stable_whose_they_are() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = served(Bench::on(Arc::new(disk.clone()))).await;
    disk.fail_on(OFFSETS_TOPIC, Call::SyncData, When::Always, Fault::Error(Errno::IO));
    for attempt in 1..=2 {
        // The second time nothing is written for it any more.
        let joined = join(&bench, "m").await;
        assert_eq!((joined.error_code, joined.assignment), (Error::NotCoordinator.code(), None), "{attempt}");
    }
}

#[tokio::test]
async fn a_groups_own_settings_are_told_to_its_members() {
    let bench = served_from_memory().await;
    assert_eq!(set_heartbeat_interval(&bench, "6000").await, 0);
    assert_eq!(join(&bench, "m").await.heartbeat_interval_ms, 6_000);
}

#[tokio::test]
async fn topics_of_an_expression_are_looked_for_aside_and_given_to_its_member() {
    let bench = served_from_memory().await;
    let mut request = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_regex: Some("t.*".into()),
        subscribed_topic_names: Some(Vec::new()),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let mut answer = bench.ask(&request, 1).await.expect("an answer");
    while answer.assignment.as_ref().is_none_or(|all| all.topic_partitions.is_empty()) {
        assert_eq!(answer.error_code, 0);
        yield_now().await;
        request.member_epoch = answer.member_epoch;
        answer = bench.ask(&request, 1).await.expect("an answer");
    }
    assert_eq!(answer.assignment.expect("given").topic_partitions[0].partitions, [0, 1, 2, 3]);
}

#[tokio::test]
async fn offsets_are_told_to_members_at_their_own_epoch() {
    let bench = served_from_memory().await;
    let epoch = join(&bench, "m").await.member_epoch;
    let mut told = Vec::new();
    for (member_id, member_epoch) in [(Some("m"), epoch), (Some("m"), epoch - 1), (Some("x"), 1), (None, -1)]
    {
        let group = OffsetFetchRequestGroup {
            group_id: "g".into(),
            member_id: member_id.map(Into::into),
            member_epoch,
            ..Default::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        told.push(bench.ask(&request, 9).await.expect("an answer").groups[0].error_code);
    }
    let refused = [Error::StaleMemberEpoch.code(), Error::UnknownMemberId.code()];
    assert_eq!(told, [0, refused[0], refused[1], 0]);
}
