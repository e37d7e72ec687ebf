//! What a broker knows is the same after a clean stop and after a kill.

use anyhow::{Context as _, Result, ensure};
use pagewire_wire::ErrorCode;
use pagewire_wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use pagewire_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use pagewire_wire::messages::describe_cluster_request::DescribeClusterRequest;
use pagewire_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use pagewire_wire::messages::describe_configs_response::DescribeConfigsResult;
use pagewire_wire::messages::describe_groups_request::DescribeGroupsRequest;
use pagewire_wire::messages::describe_groups_response::DescribedGroup;
use pagewire_wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use pagewire_wire::messages::describe_producers_response::ProducerState;
use pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use pagewire_wire::messages::heartbeat_request::HeartbeatRequest;
use pagewire_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use pagewire_wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use pagewire_wire::messages::list_groups_request::ListGroupsRequest;
use pagewire_wire::messages::metadata_request::MetadataRequest;
use pagewire_wire::messages::metadata_response::MetadataResponseTopic;
use pagewire_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use pagewire_wire::messages::offset_fetch_request::OffsetFetchRequest;
use pagewire_wire::messages::offset_fetch_response::OffsetFetchResponseTopic;
use pagewire_wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::{Cases, Context};
use crate::harness::raw::{self, Producer, Raw, text};
use crate::harness::{Broker, until};

const KEPT: &str = "kept";
const AGAIN: &str = "made-again";
const SIMPLE: &str = "simple-group";
const LIVE: &str = "live-group";
const TOPIC_RESOURCE: i8 = 2;
/// ConsumerProtocolSubscription version 0: the topic `kept`, no user data.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x04kept\xff\xff\xff\xff";
/// ConsumerProtocolAssignment version 0: nothing, no user data.
const ASSIGNMENT: &[u8] = b"\0\0\0\0\0\0\xff\xff\xff\xff";

/// The part.
pub fn restart(context: &Context<'_>, cases: &Cases<'_>) {
    cases.run("a_topic_takes_records_when_its_creation_is_answered", || usable_at_once(context));
    cases.run("a_clean_stop_keeps_everything", || {
        keeps_everything(context, |broker| {
            let status = broker.stop()?;
            ensure!(status.success(), "SIGTERM ended it with {status}");
            broker.start_again()
        })
    });
    cases.run("a_kill_keeps_everything", || {
        keeps_everything(context, |broker| {
            broker.kill();
            broker.start_again()
        })
    });
    cases.run("five_batches_in_flight_are_known_after_a_stop", || {
        in_flight_across_a_roll(context, |broker| broker.stop().map(drop))
    });
    cases.run("five_batches_in_flight_are_known_after_a_kill", || {
        in_flight_across_a_roll(context, |broker| {
            broker.kill();
            Ok(())
        })
    });
    cases.run("a_producer_goes_on_after_any_number_of_batches", || goes_on_after(context));
    cases.run("ten_restarts_in_a_row_keep_everything", || {
        keeps_everything(context, |broker| {
            for round in 0..10 {
                if round % 2 == 0 {
                    broker.stop()?;
                } else {
                    broker.kill();
                }
                broker.start_again()?;
            }
            Ok(())
        })
    });
}

/// A producer with two batches in flight loses their order when the first is refused and the second is not.
fn usable_at_once(context: &Context<'_>) -> Result<()> {
    let broker = Broker::start(&context.binary, &[])?;
    let mut client = Raw::connect(broker.address())?;
    for round in 0..20 {
        let topic = format!("at-once-{round}");
        client.create_topic(&topic, 2, &[])?;
        let answer = client.produce(&topic, 1, raw::batch(&[b"first"], None)?, -1)?;
        ensure!(answer.error_code == 0, "round {round} answered error {}", answer.error_code);
    }
    Ok(())
}

/// A producer may have five batches unanswered when the broker goes, and sends them all again when it is back. They
/// must be known whatever happened in between; here the log rolls between the third and the fourth.
fn in_flight_across_a_roll(context: &Context<'_>, end: impl FnOnce(&mut Broker) -> Result<()>) -> Result<()> {
    let mut broker = Broker::start(&context.binary, &[])?;
    let mut client = Raw::connect(broker.address())?;
    client.create_topic(KEPT, 1, &[("segment.bytes", "1048576")])?;
    let producer = client.init_producer()?;
    let value = vec![b'v'; 300_000];
    for sequence in 0..5 {
        client.append(KEPT, 0, &raw::batch(&[&value], Some((producer, sequence)))?)?;
    }
    end(&mut broker)?;
    broker.start_again()?;
    let mut client = Raw::connect(broker.address())?;
    for sequence in 0..5 {
        let again = client.append(KEPT, 0, &raw::batch(&[&value], Some((producer, sequence)))?);
        let offset = again.with_context(|| format!("batch {sequence} again"))?;
        ensure!(offset == i64::from(sequence), "batch {sequence} again was answered with offset {offset}");
    }
    ensure!(client.offset(KEPT, 0, -1)? == 5, "a batch was appended twice");
    Ok(())
}

/// Kills after every batch, so that segments of one, two and three batches are what the broker starts from.
fn goes_on_after(context: &Context<'_>) -> Result<()> {
    let mut broker = Broker::start(&context.binary, &[])?;
    Raw::connect(broker.address())?.create_topic(KEPT, 1, &[("segment.bytes", "1048576")])?;
    let producer = Raw::connect(broker.address())?.init_producer()?;
    let value = vec![b'v'; 300_000];
    for sequence in 0..8 {
        let mut client = Raw::connect(broker.address())?;
        let appended = client.append(KEPT, 0, &raw::batch(&[&value], Some((producer, sequence)))?);
        let offset = appended.with_context(|| format!("batch {sequence}"))?;
        ensure!(offset == i64::from(sequence), "batch {sequence} went to offset {offset}");
        broker.kill();
        broker.start_again()?;
    }
    Ok(())
}

/// Everything that must not change, as the broker tells it.
#[derive(Debug, PartialEq)]
struct Known {
    cluster: (String, i32, Vec<i32>),
    topics: Vec<MetadataResponseTopic>,
    configs: Vec<DescribeConfigsResult>,
    ends: Vec<(i64, i64, i64)>,
    committed: Vec<OffsetFetchResponseTopic>,
    groups: Vec<(String, String)>,
    live: Vec<DescribedGroup>,
    producers: Vec<ProducerState>,
    bytes: Vec<bytes::Bytes>,
}

fn keeps_everything(context: &Context<'_>, restart: impl FnOnce(&mut Broker) -> Result<()>) -> Result<()> {
    let mut broker = Broker::start(&context.binary, &[])?;
    let mut client = Raw::connect(broker.address())?;
    let producer = fill(&mut client)?;
    let member = join(&mut client)?;
    let before = known(&mut client)?;

    restart(&mut broker)?;

    let mut client = Raw::connect(broker.address())?;
    member.still_belongs(&mut client)?;
    let after = known(&mut client)?;
    differences(&before, &after)?;
    producer_goes_on(&mut client, producer)
}

/// Topics with settings and records, one made again, offsets, a moved log start, an idempotent producer's three batches.
fn fill(client: &mut Raw) -> Result<Producer> {
    client.create_topic(KEPT, 3, &[("retention.ms", "86400000"), ("segment.bytes", "1048576")])?;
    client.create_topic(AGAIN, 1, &[])?;
    client.append(AGAIN, 0, &raw::batch(&[b"of the first life"], None)?)?;
    let doomed = DeleteTopicState { name: Some(text(AGAIN)), ..DeleteTopicState::default() };
    client.call(
        &DeleteTopicsRequest { topics: vec![doomed], timeout_ms: 10_000, ..DeleteTopicsRequest::default() },
        6,
    )?;
    until("the topic made again", || Ok(client.create_topic(AGAIN, 2, &[]).is_ok()))?;

    let change = AlterableConfig {
        name: text("max.message.bytes"),
        config_operation: 0,
        value: Some(text("2000000")),
    };
    let resource = AlterConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: text(KEPT),
        configs: vec![change],
    };
    let altered = client
        .call(&IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false }, 1)?;
    ensure!(
        altered.responses.iter().all(|response| response.error_code == 0),
        "altering settings: {altered:?}"
    );

    let big = vec![b'x'; 200_000];
    for _ in 0..20 {
        client.append(KEPT, 0, &raw::batch(&[&big, b"after"], None)?)?;
    }
    let producer = client.init_producer()?;
    for sequence in [0, 2, 4] {
        client.append(KEPT, 1, &raw::batch(&[b"one", b"two"], Some((producer, sequence)))?)?;
    }
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: 7 }];
    let topics = vec![DeleteRecordsTopic { name: text(KEPT), partitions }];
    let deleted = client.call(&DeleteRecordsRequest { topics, timeout_ms: 10_000 }, 2)?;
    let answers = deleted.topics.iter().flat_map(|topic| &topic.partitions);
    let low_watermarks: Vec<_> = answers.map(|p| (p.error_code, p.low_watermark)).collect();
    ensure!(low_watermarks == [(0, 7)], "DeleteRecords answered {low_watermarks:?}");
    let start = client.offset(KEPT, 0, -2)?;
    ensure!(start == 7, "the log starts at {start} after DeleteRecords up to 7");

    let partitions = (0..3)
        .map(|index| OffsetCommitRequestPartition {
            partition_index: index,
            committed_offset: 10 + i64::from(index),
            committed_metadata: Some(text("noted")),
            ..OffsetCommitRequestPartition::default()
        })
        .collect();
    let topics = vec![OffsetCommitRequestTopic {
        name: text(KEPT),
        partitions,
        ..OffsetCommitRequestTopic::default()
    }];
    let commit = OffsetCommitRequest {
        group_id: text(SIMPLE),
        generation_id_or_member_epoch: -1,
        topics,
        ..OffsetCommitRequest::default()
    };
    until("a coordinator", || {
        let request = FindCoordinatorRequest { key: text(SIMPLE), ..FindCoordinatorRequest::default() };
        retriable(&[client.call(&request, 3)?.error_code])
    })?;
    until("the commit taken", || {
        let answer = client.call(&commit, 7)?;
        let codes: Vec<i16> =
            answer.topics.iter().flat_map(|topic| &topic.partitions).map(|p| p.error_code).collect();
        retriable(&codes)
    })?;
    Ok(producer)
}

/// True when all is well, false when the coordinator is not there yet, else an error.
fn retriable(codes: &[i16]) -> Result<bool> {
    if codes.iter().all(|&code| code == 0) {
        return Ok(true);
    }
    let wait =
        [ErrorCode::CoordinatorLoadInProgress, ErrorCode::CoordinatorNotAvailable, ErrorCode::NotCoordinator];
    ensure!(codes.iter().all(|&code| code == 0 || wait.iter().any(|w| w.code() == code)), "errors {codes:?}");
    Ok(false)
}

/// A member of a group, known by its id and generation.
#[derive(Debug)]
struct Member {
    id: String,
    generation: i32,
}

/// Joins a group alone and takes its work.
fn join(client: &mut Raw) -> Result<Member> {
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
    fn still_belongs(&self, client: &mut Raw) -> Result<()> {
        let request = HeartbeatRequest {
            group_id: text(LIVE),
            generation_id: self.generation,
            member_id: text(&self.id),
            ..HeartbeatRequest::default()
        };
        until("the member's heartbeat taken", || retriable(&[client.call(&request, 2)?.error_code]))
    }
}

fn known(client: &mut Raw) -> Result<Known> {
    let cluster = client.call(&DescribeClusterRequest::default(), 0)?;
    let nodes = cluster.brokers.iter().map(|broker| broker.broker_id).collect();
    let mut topics = client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 12)?.topics;
    topics.sort_by_key(|topic| topic.name.as_ref().map(|name| name.as_str().to_owned()));
    for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        // A new leadership after a start is allowed to say so.
        partition.leader_epoch = 0;
    }
    let resources = [KEPT, AGAIN]
        .map(|name| DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: text(name),
            configuration_keys: None,
        })
        .to_vec();
    let configs = client
        .call(
            &DescribeConfigsRequest {
                resources,
                include_synonyms: true,
                ..DescribeConfigsRequest::default()
            },
            4,
        )?
        .results;

    let mut ends = Vec::new();
    let mut bytes = Vec::new();
    for (topic, partition) in [(KEPT, 0), (KEPT, 1), (KEPT, 2), (AGAIN, 0), (AGAIN, 1)] {
        ends.push((
            client.offset(topic, partition, -2)?,
            client.offset(topic, partition, -1)?,
            client.offset(topic, partition, -3)?,
        ));
        bytes.push(client.read_all(topic, partition)?);
    }
    let fetched = client.call(
        &OffsetFetchRequest { group_id: text(SIMPLE), topics: None, ..OffsetFetchRequest::default() },
        5,
    )?;
    let mut committed = fetched.topics;
    for topic in &mut committed {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
    }
    let listed = client.call(&ListGroupsRequest::default(), 4)?;
    let mut groups: Vec<_> = listed
        .groups
        .iter()
        .map(|g| (g.group_id.as_str().to_owned(), g.group_state.as_str().to_owned()))
        .collect();
    groups.sort();
    let live = client
        .call(
            &DescribeGroupsRequest {
                groups: vec![text(LIVE), text(SIMPLE)],
                ..DescribeGroupsRequest::default()
            },
            5,
        )?
        .groups;
    let topics_asked = vec![TopicRequest { name: text(KEPT), partition_indexes: vec![1] }];
    let producers = client.call(&DescribeProducersRequest { topics: topics_asked }, 0)?;
    let producers =
        producers.topics.into_iter().flat_map(|t| t.partitions).flat_map(|p| p.active_producers).collect();
    let id = cluster.cluster_id.as_str().to_owned();
    Ok(Known {
        cluster: (id, cluster.controller_id, nodes),
        topics,
        configs,
        ends,
        committed,
        groups,
        live,
        producers,
        bytes,
    })
}

fn differences(before: &Known, after: &Known) -> Result<()> {
    ensure!(before.producers.len() == 1, "one producer was active, {:?} are known", before.producers);
    ensure!(before.cluster == after.cluster, "cluster: {:?}, then {:?}", before.cluster, after.cluster);
    ensure!(before.topics == after.topics, "topics: {:?}, then {:?}", before.topics, after.topics);
    ensure!(before.configs == after.configs, "settings differ");
    ensure!(before.ends == after.ends, "start, end, largest: {:?}, then {:?}", before.ends, after.ends);
    ensure!(
        before.committed == after.committed,
        "committed: {:?}, then {:?}",
        before.committed,
        after.committed
    );
    ensure!(before.groups == after.groups, "groups: {:?}, then {:?}", before.groups, after.groups);
    ensure!(before.live == after.live, "members: {:?}, then {:?}", before.live, after.live);
    ensure!(
        before.producers == after.producers,
        "producers: {:?}, then {:?}",
        before.producers,
        after.producers
    );
    ensure!(before.bytes == after.bytes, "the records' bytes differ");
    Ok(())
}

/// The last batch again is answered with its old offset; the next one is taken; one out of order is not.
fn producer_goes_on(client: &mut Raw, producer: Producer) -> Result<()> {
    let end = client.offset(KEPT, 1, -1)?;
    let again = client.append(KEPT, 1, &raw::batch(&[b"one", b"two"], Some((producer, 4)))?)?;
    ensure!(again == 4, "the last batch again was answered with offset {again}, not 4");
    ensure!(client.offset(KEPT, 1, -1)? == end, "the last batch again was appended again");
    let gap = client.produce(KEPT, 1, raw::batch(&[b"later"], Some((producer, 50)))?, -1)?;
    ensure!(
        gap.error_code == ErrorCode::OutOfOrderSequenceNumber.code(),
        "a gap was answered with {}",
        gap.error_code
    );
    let next = client.append(KEPT, 1, &raw::batch(&[b"three"], Some((producer, 6)))?)?;
    ensure!(next == end, "the next batch went to offset {next}, not {end}");
    Ok(())
}
