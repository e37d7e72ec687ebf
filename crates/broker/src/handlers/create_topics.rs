//! CreateTopics. A topic takes records before its creation is answered (Kafka answers first: kafka clients with two
//! batches in flight can then lose their order).
//!
//! -1 partitions or replicas mean the broker's defaults (KIP-464). One node hosts everything, so a replication factor
//! above 1 is refused, and an assignment may name this node only.

use std::collections::{BTreeMap, HashSet};

use pagewire_metadata::model::ids;
use pagewire_wire::{
    ErrorCode, Str, Uuid as WireId,
    messages::{
        create_topics_request::{CreatableTopic, CreateTopicsRequest},
        create_topics_response::{CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse},
    },
};
use tokio::task::consume_budget;

use super::repeated::repeated;
use crate::{
    cluster::{NewTopic, PARTITIONS_PER_REQUEST_MAX, Refused, change, misplaced},
    config::{self, BrokerConfig},
    dispatch::Context,
};

pub(crate) async fn handle(ctx: Context, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut response = CreateTopicsResponse::default();
    let mut partitions_left = PARTITIONS_PER_REQUEST_MAX;
    let twice = repeated(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut answered = HashSet::new();
    for topic in &request.topics {
        consume_budget().await;
        // A name that stands twice is answered once.
        if !answered.insert(topic.name.as_str()) {
            continue;
        }
        let created = if twice.contains(topic.name.as_str()) {
            Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else {
            create(&ctx, topic, request.validate_only, &mut partitions_left).await
        };
        response.topics.push(created.unwrap_or_else(|refused| refusal(topic.name.clone(), refused)));
    }
    response
}

fn refusal(name: Str, refused: Refused) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: refused.code.code(),
        error_message: Some(refused.message.into()),
        ..Default::default()
    }
}

async fn create(
    ctx: &Context,
    topic: &CreatableTopic,
    validate_only: bool,
    partitions_left: &mut usize,
) -> Result<CreatableTopicResult, Refused> {
    let config = ctx.broker.config();
    let new = NewTopic {
        name: topic.name.to_string(),
        partitions: partitions(
            topic,
            config.num_partitions.unsigned_abs() as usize,
            ctx.broker.cluster().identity().node_id,
        )?,
        configs: own_configs(topic, &config)?,
        internal: false,
    };
    *partitions_left = partitions_left.checked_sub(new.partitions).ok_or_else(|| {
        Refused::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request.")
    })?;
    let mut result = CreatableTopicResult {
        name: topic.name.clone(),
        error_message: None,
        num_partitions: i32::try_from(new.partitions).unwrap_or(i32::MAX),
        replication_factor: 1,
        configs: Some(described(&config::describe_topic(&new.configs, &config))),
        ..Default::default()
    };
    if validate_only {
        return match ctx.broker.cluster().refuse_new(&new) {
            Some(refused) => Err(refused),
            // Kafka names an id here too, though nothing will ever have it.
            None => Ok(CreatableTopicResult { topic_id: WireId(ids::random().into_bytes()), ..result }),
        };
    }
    let entry = change(&ctx.broker, |change| async move { change.create_topic(new).await }).await?;
    result.topic_id = WireId(entry.id.into_bytes());
    Ok(result)
}

/// How many partitions, after all the ways to say so.
fn partitions(topic: &CreatableTopic, default: usize, node_id: i32) -> Result<usize, Refused> {
    if !topic.assignments.is_empty() {
        return assigned(topic, node_id);
    }
    if !matches!(topic.replication_factor, -1 | 1) {
        let message = match topic.replication_factor {
            factor if factor < 1 => {
                "Replication factor must be larger than 0, or -1 to use the default value.".into()
            }
            factor => format!(
                "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only 1 broker(s) are registered."
            ),
        };
        return Err(Refused::new(ErrorCode::InvalidReplicationFactor, message));
    }
    match topic.num_partitions {
        -1 => Ok(default),
        count if count < 1 => Err(Refused::new(
            ErrorCode::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        )),
        count => Ok(count.unsigned_abs() as usize),
    }
}

/// A manual assignment: partitions 0 to n, each on this node.
fn assigned(topic: &CreatableTopic, node_id: i32) -> Result<usize, Refused> {
    let invalid = |message: String| Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let message = "A manual partition assignment was specified, but numPartitions or replicationFactor was not set to -1.";
        return Err(Refused::new(ErrorCode::InvalidRequest, message));
    }
    let mut indexes: Vec<i32> =
        topic.assignments.iter().map(|assignment| assignment.partition_index).collect();
    indexes.sort_unstable();
    if indexes.iter().zip(0..).any(|(index, at)| *index != at) {
        return invalid("partitions should be a consecutive 0-based integer sequence".into());
    }
    for assignment in &topic.assignments {
        if let Some(message) = misplaced(&assignment.broker_ids, node_id) {
            return invalid(message);
        }
    }
    Ok(indexes.len())
}

/// The settings the request carries, if all of them are settings and have fitting values.
fn own_configs(topic: &CreatableTopic, broker: &BrokerConfig) -> Result<BTreeMap<String, String>, Refused> {
    let mut configs = BTreeMap::new();
    for entry in &topic.configs {
        let Some(value) = &entry.value else {
            let message = format!("Null value not supported for topic configs: {}", entry.name.as_str());
            return Err(Refused::new(ErrorCode::InvalidConfig, message));
        };
        configs.insert(entry.name.to_string(), value.to_string());
    }
    config::validate_topic(&configs, broker)
        .map_err(|message| Refused::new(ErrorCode::InvalidConfig, message))?;
    Ok(configs)
}

fn described(entries: &[config::Described]) -> Vec<CreatableTopicConfigs> {
    let one = |entry: &config::Described| CreatableTopicConfigs {
        name: Str::from(entry.name.to_owned()),
        value: entry.value.clone().map(Str::from),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.sensitive,
        ..Default::default()
    };
    entries.iter().map(one).collect()
}
