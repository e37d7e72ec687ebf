//! What a broker is given to know: topics, settings, records, offsets, a producer.

use anyhow::{Result, ensure};
use pagewire_wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use pagewire_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use pagewire_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use pagewire_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::{AGAIN, KEPT, SIMPLE, TOPIC_RESOURCE, retriable};
use crate::harness::raw::{self, Producer, Raw, text};
use crate::harness::until;

/// Topics with settings and records, one made again, offsets, a moved log start, an idempotent producer's three
/// batches.
pub(super) fn fill(client: &mut Raw) -> Result<Producer> {
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
