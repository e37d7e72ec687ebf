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
    cluster::{
        NewTopic, PARTITIONS_PER_REQUEST_MAX, Refused, change, check_replication, misplaced, replication,
    },
    config::{self, BrokerConfig},
    coordinators::settings_of_internal,
    request::Context,
};

/// Topics of one request that are created in one turn: their logs are written down at once. Whoever else changes something waits for
/// so many at most.
const TOPICS_PER_TURN_MAX: usize = 500;

pub(crate) async fn handle(ctx: Context, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut response = CreateTopicsResponse::default();
    let twice = repeated(request.topics.iter().map(|topic| topic.name.as_str()));
    let once = request.topics.iter().filter(|topic| !twice.contains(topic.name.as_str()));
    let too_many =
        partitions_in_all(once, default_partitions(&ctx.broker.config())) > PARTITIONS_PER_REQUEST_MAX;
    let (mut answered, mut due) = (HashSet::new(), Vec::new());
    for topic in &request.topics {
        consume_budget().await;
        // A name that stands twice is answered once.
        if !answered.insert(topic.name.as_str()) {
            continue;
        }
        let checked = if too_many {
            Err(Refused::new(
                ErrorCode::PolicyViolation,
                "Excessively large number of partitions per request.",
            ))
        } else if twice.contains(topic.name.as_str()) {
            Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else {
            check(&ctx, topic)
        };
        match checked {
            // Kafka names an id here too, though nothing will ever have it.
            Ok((_, result)) if request.validate_only => {
                let topic_id = WireId(ids::random().into_bytes());
                response.topics.push(CreatableTopicResult { topic_id, ..result });
            }
            Ok((new, result)) => {
                due.push((new, response.topics.len()));
                response.topics.push(result);
            }
            Err(refused) => response.topics.push(refusal(topic.name.clone(), refused)),
        }
    }
    create(&ctx, due, &mut response.topics).await;
    response
}

/// Creates topics, each with the place of its answer.
async fn create(ctx: &Context, due: Vec<(NewTopic, usize)>, answers: &mut [CreatableTopicResult]) {
    let mut due = due.into_iter().peekable();
    while due.peek().is_some() {
        let (some, places): (Vec<NewTopic>, Vec<usize>) = due.by_ref().take(TOPICS_PER_TURN_MAX).unzip();
        let created = change(&ctx.broker, |change| async move { Ok(change.create_topics(some).await) }).await;
        let created = match created {
            Ok(created) => created,
            Err(refused) => places.iter().map(|_| Err(refused.clone())).collect(),
        };
        for (created, place) in created.into_iter().zip(places) {
            let Some(answer) = answers.get_mut(place) else { continue };
            match created {
                Ok(entry) => answer.topic_id = WireId(entry.id.into_bytes()),
                Err(refused) => *answer = refusal(answer.name.clone(), refused),
            }
        }
    }
}

fn default_partitions(config: &BrokerConfig) -> usize {
    config.num_partitions.unsigned_abs() as usize
}

/// What a request asks for in all, before anything else is looked at.
fn partitions_in_all<'a>(topics: impl Iterator<Item = &'a CreatableTopic>, default: usize) -> usize {
    let of = |topic: &CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => default,
        (0, count) => usize::try_from(count).unwrap_or(0),
        (assigned, _) => assigned,
    };
    topics.map(of).fold(0, usize::saturating_add)
}

fn refusal(name: Str, refused: Refused) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: refused.code.code(),
        error_message: Some(refused.message.into()),
        ..Default::default()
    }
}

/// Checks in Kafka's order: name, settings, then where the partitions are to be.
fn check(ctx: &Context, topic: &CreatableTopic) -> Result<(NewTopic, CreatableTopicResult), Refused> {
    if let Some(refused) = ctx.broker.cluster().refuse_name(&topic.name) {
        return Err(refused);
    }
    let config = ctx.broker.config();
    let mut configs = settings_of_internal(&topic.name, &config);
    configs.extend(own_configs(topic, &config)?);
    let new = NewTopic {
        name: topic.name.to_string(),
        partitions: partitions(topic, &config, ctx.broker.cluster().identity().node_id)?,
        configs,
    };
    let result = CreatableTopicResult {
        name: topic.name.clone(),
        error_message: None,
        num_partitions: i32::try_from(new.partitions).unwrap_or(i32::MAX),
        replication_factor: 1,
        configs: Some(described(&config::describe_topic(&new.configs, &config))),
        ..Default::default()
    };
    Ok((new, result))
}

/// How many partitions, after all the ways to say so.
fn partitions(topic: &CreatableTopic, config: &BrokerConfig, node_id: i32) -> Result<usize, Refused> {
    if !topic.assignments.is_empty() {
        return assigned(topic, node_id);
    }
    let factor = replication(topic.replication_factor, config.default_replication_factor)?;
    let partitions = match topic.num_partitions {
        -1 => default_partitions(config),
        count if count < 1 => {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refused::new(ErrorCode::InvalidPartitions, message));
        }
        count => count.unsigned_abs() as usize,
    };
    check_replication(factor)?;
    Ok(partitions)
}

/// A manual assignment: partitions 0 to n, each on this node.
fn assigned(topic: &CreatableTopic, node_id: i32) -> Result<usize, Refused> {
    let invalid = |message: String| Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
    let beside = |what: &str| {
        let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(Refused::new(ErrorCode::InvalidRequest, message))
    };
    if topic.replication_factor != -1 {
        return beside("replication factor");
    }
    if topic.num_partitions != -1 {
        return beside("numPartitions");
    }
    let mut indexes: Vec<i32> =
        topic.assignments.iter().map(|assignment| assignment.partition_index).collect();
    indexes.sort_unstable();
    if let Some(index) = indexes.array_windows().find_map(|[one, next]| (one == next).then_some(one)) {
        return invalid(format!("Found multiple manual partition assignments for partition {index}"));
    }
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
    let nulls: Vec<&str> =
        topic.configs.iter().filter(|entry| entry.value.is_none()).map(|entry| entry.name.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(Refused::new(ErrorCode::InvalidConfig, message));
    }
    let valued = topic.configs.iter().filter_map(|entry| Some((&entry.name, entry.value.as_ref()?)));
    let configs = valued.map(|(name, value)| (name.to_string(), value.to_string())).collect();
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
