//! What a broker knows, as it tells it.

use anyhow::{Result, ensure};
use pagewire_wire::messages::describe_cluster_request::DescribeClusterRequest;
use pagewire_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use pagewire_wire::messages::describe_configs_response::DescribeConfigsResult;
use pagewire_wire::messages::describe_groups_request::DescribeGroupsRequest;
use pagewire_wire::messages::describe_groups_response::DescribedGroup;
use pagewire_wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use pagewire_wire::messages::describe_producers_response::ProducerState;
use pagewire_wire::messages::list_groups_request::ListGroupsRequest;
use pagewire_wire::messages::metadata_request::MetadataRequest;
use pagewire_wire::messages::metadata_response::MetadataResponseTopic;
use pagewire_wire::messages::offset_fetch_request::OffsetFetchRequest;
use pagewire_wire::messages::offset_fetch_response::OffsetFetchResponseTopic;

use super::{AGAIN, KEPT, LIVE, SIMPLE, TOPIC_RESOURCE};
use crate::harness::raw::{Raw, text};

/// Everything that must not change, as the broker tells it.
#[derive(Debug, PartialEq)]
pub(super) struct Known {
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

/// Asks for all of it.
pub(super) fn known(client: &mut Raw) -> Result<Known> {
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

/// The first thing that is another is the failure.
pub(super) fn differences(before: &Known, after: &Known) -> Result<()> {
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
