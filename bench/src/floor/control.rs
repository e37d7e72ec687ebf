//! What is asked beside records: which versions there are, topics made, found and removed, the only setting. Nobody measures
//! that, so it goes through the messages of the protocol.

use std::io::Write;
use std::net::TcpStream;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use pagewire_wire::messages::{
    api_versions_response::{ApiVersion, ApiVersionsResponse},
    create_topics_request::CreateTopicsRequest,
    create_topics_response::{CreatableTopicResult, CreateTopicsResponse},
    delete_topics_request::DeleteTopicsRequest,
    delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse},
    incremental_alter_configs_request::{AlterableConfig, IncrementalAlterConfigsRequest},
    incremental_alter_configs_response::{AlterConfigsResourceResponse, IncrementalAlterConfigsResponse},
    metadata_request::MetadataRequest,
    metadata_response::{
        MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    },
};
use pagewire_wire::{ApiKey, ErrorCode, Message, Reader, RequestHeader, Response, Str, encode_response};

use super::log::Topics;
use crate::change::{self, DELETE, FLUSH_MESSAGES, SET};
use crate::client::{FETCH_VERSION, PRODUCE_VERSION};

/// The only node.
const NODE: i32 = 1;
/// One version of each.
const VERSIONS: &[(ApiKey, i16)] = &[
    (ApiKey::Produce, PRODUCE_VERSION),
    (ApiKey::Fetch, FETCH_VERSION),
    (ApiKey::Metadata, 12),
    (ApiKey::ApiVersions, 3),
    (ApiKey::CreateTopics, 7),
    (ApiKey::DeleteTopics, 6),
    (ApiKey::IncrementalAlterConfigs, change::VERSION),
];

/// Answers such a request.
pub(super) fn answer(topics: &Topics, frame: &[u8], stream: &mut TcpStream) -> Result<()> {
    let mut r = Reader::new(Bytes::copy_from_slice(frame));
    let header = RequestHeader::decode(&mut r)?;
    let version = header.api_version;
    let mut send = |bytes: Bytes| Ok(stream.write_all(&bytes)?);
    match header.api_key {
        ApiKey::ApiVersions => {
            let (version, error) = match VERSIONS.iter().find(|(key, _)| *key == ApiKey::ApiVersions) {
                Some((_, newest)) if version > *newest => (0, ErrorCode::UnsupportedVersion.code()),
                _ => (version, 0),
            };
            send(encoded(&versions(error), version, &header)?)
        }
        ApiKey::Metadata => {
            let request = MetadataRequest::decode(&mut r, version)?;
            send(encoded(&metadata(topics, &request), version, &header)?)
        }
        ApiKey::CreateTopics => {
            let request = CreateTopicsRequest::decode(&mut r, version)?;
            send(encoded(&create(topics, &request)?, version, &header)?)
        }
        ApiKey::DeleteTopics => {
            let request = DeleteTopicsRequest::decode(&mut r, version)?;
            send(encoded(&delete(topics, &request), version, &header)?)
        }
        ApiKey::IncrementalAlterConfigs => {
            let request = IncrementalAlterConfigsRequest::decode(&mut r, version)?;
            send(encoded(&alter(topics, &request), version, &header)?)
        }
        other => bail!("{} is not served", other.name()),
    }
}

fn encoded<R: Response>(body: &R, version: i16, header: &RequestHeader) -> Result<Bytes> {
    encode_response(body, version, header.correlation_id)?.into_bytes().context("a frame with holes")
}

fn versions(error_code: i16) -> ApiVersionsResponse {
    let offered = |(key, version): &(ApiKey, i16)| ApiVersion {
        api_key: key.code(),
        min_version: if *key == ApiKey::ApiVersions { 0 } else { *version },
        max_version: *version,
        ..ApiVersion::default()
    };
    let api_keys = VERSIONS.iter().map(offered).collect();
    ApiVersionsResponse { error_code, api_keys, ..ApiVersionsResponse::default() }
}

fn metadata(topics: &Topics, request: &MetadataRequest) -> MetadataResponse {
    let broker = MetadataResponseBroker {
        node_id: NODE,
        host: Str::from(topics.address.ip().to_string()),
        port: i32::from(topics.address.port()),
        ..MetadataResponseBroker::default()
    };
    let names = match &request.topics {
        None => topics.names(),
        Some(some) => {
            some.iter().filter_map(|topic| Some(topic.name.as_ref()?.as_str().to_owned())).collect()
        }
    };
    let partition = |index: usize| MetadataResponsePartition {
        partition_index: index as i32,
        leader_id: NODE,
        replica_nodes: vec![NODE],
        isr_nodes: vec![NODE],
        ..MetadataResponsePartition::default()
    };
    let topic = |name: String| {
        let there = topics.partitions(&name);
        MetadataResponseTopic {
            error_code: if there.is_some() { 0 } else { ErrorCode::UnknownTopicOrPartition.code() },
            name: Some(Str::from(name)),
            partitions: (0..there.unwrap_or_default()).map(partition).collect(),
            ..MetadataResponseTopic::default()
        }
    };
    MetadataResponse {
        brokers: vec![broker],
        cluster_id: Some(Str::from_static("floor")),
        controller_id: NODE,
        topics: names.into_iter().map(topic).collect(),
        ..MetadataResponse::default()
    }
}

fn create(topics: &Topics, request: &CreateTopicsRequest) -> Result<CreateTopicsResponse> {
    let mut made = Vec::new();
    for topic in &request.topics {
        let is_new = topics.create(topic.name.as_str(), usize::try_from(topic.num_partitions)?)?;
        made.push(CreatableTopicResult {
            name: topic.name.clone(),
            error_code: if is_new { 0 } else { ErrorCode::TopicAlreadyExists.code() },
            ..CreatableTopicResult::default()
        });
    }
    Ok(CreateTopicsResponse { topics: made, ..CreateTopicsResponse::default() })
}

fn delete(topics: &Topics, request: &DeleteTopicsRequest) -> DeleteTopicsResponse {
    let one = |name: &Str| DeletableTopicResult {
        name: Some(name.clone()),
        error_code: if topics.delete(name.as_str()) { 0 } else { ErrorCode::UnknownTopicOrPartition.code() },
        ..DeletableTopicResult::default()
    };
    let names = request.topics.iter().filter_map(|topic| topic.name.as_ref());
    DeleteTopicsResponse { responses: names.map(one).collect(), ..DeleteTopicsResponse::default() }
}

/// Of whatever it is asked for.
fn alter(topics: &Topics, request: &IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let mut responses = Vec::new();
    for resource in &request.resources {
        let is_known = resource.configs.iter().all(|config| set(topics, config));
        responses.push(AlterConfigsResourceResponse {
            error_code: if is_known { 0 } else { ErrorCode::InvalidConfig.code() },
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..AlterConfigsResourceResponse::default()
        });
    }
    IncrementalAlterConfigsResponse { responses, ..IncrementalAlterConfigsResponse::default() }
}

/// Each batch is flushed, or none by itself; whether that was asked for.
fn set(topics: &Topics, config: &AlterableConfig) -> bool {
    let value = config.value.as_ref().map(Str::as_str);
    let is_flushed = match (config.name.as_str(), config.config_operation, value) {
        (FLUSH_MESSAGES, SET, Some("1")) => true,
        (FLUSH_MESSAGES, DELETE, _) => false,
        _ => return false,
    };
    topics.flush(is_flushed);
    true
}
