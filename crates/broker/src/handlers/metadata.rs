//! Metadata: which topics there are, who leads their partitions, where the brokers are.
//!
//! A named topic that does not exist is created on the way if the request and `auto.create.topics.enable` allow it; as
//! in Kafka, only here, never by Produce or Fetch, and the answer to the request that created it still says that it is
//! unknown. Clients ask again, and there it is. Where the disk has no room for it they are told that
//! (KAFKA_STORAGE_ERROR): Kafka says "unknown" there too, and its people look for a topic where they should look for
//! space.

use std::{collections::HashSet, sync::Arc};

use pagewire_wire::{
    ErrorCode, Str, Uuid as WireId,
    messages::{
        metadata_request::{MetadataRequest, MetadataRequestTopic},
        metadata_response::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
};
use tokio::task::consume_budget;
use uuid::Uuid;

use super::operations;
use crate::{
    cluster::{
        NewTopic, Node, PARTITIONS_PER_REQUEST_MAX, PartitionEntry, TopicEntry, change, check_replication,
        names,
    },
    coordinators::OFFSETS_TOPIC,
    request::Context,
};

/// From here on a topic may be asked for by its id.
const IDS_FROM: i16 = 12;

pub(crate) async fn handle(ctx: Context, request: MetadataRequest) -> MetadataResponse {
    let identity = ctx.broker.cluster().identity();
    let mut response = MetadataResponse {
        brokers: ctx.broker.cluster().nodes(&ctx.peer).into_iter().map(broker).collect(),
        cluster_id: Some(identity.cluster_id.clone().into()),
        controller_id: identity.node_id,
        cluster_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = operations::OF_THE_CLUSTER;
    }
    // Version 0 has no null: an empty list asks for everything.
    let everything = match &request.topics {
        None => true,
        Some(topics) => ctx.version == 0 && topics.is_empty(),
    };
    let may = if request.include_topic_authorized_operations {
        operations::OF_TOPICS
    } else {
        operations::NOT_ASKED
    };
    if everything {
        response.topics = ctx.broker.image().topics().map(|entry| topic(entry, may)).collect();
        return response;
    }
    let topics = request.topics.unwrap_or_default();
    if ctx.version < IDS_FROM && topics.iter().any(|asked| asked.name.is_none() || !asked.topic_id.is_nil()) {
        return MetadataResponse {
            topics: topics.into_iter().map(not_by_id).collect(),
            ..Default::default()
        };
    }
    let allowed = (ctx.version < 4 || request.allow_auto_topic_creation)
        && ctx.broker.config().auto_create_topics_enable;
    let mut auto = AutoCreation { allowed, partitions_left: PARTITIONS_PER_REQUEST_MAX };
    let mut answered = HashSet::new();
    for asked in topics {
        consume_budget().await;
        // Named again, it would only be answered again.
        if answered.insert(Asked::of(&asked)) {
            response.topics.push(one(&ctx, &asked, &mut auto, may).await);
        }
    }
    response
}

/// Versions 10 and 11 have the field of the id, but nothing is found by it; the answer cannot say a null name.
fn not_by_id(asked: MetadataRequestTopic) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(asked.name.unwrap_or_default()),
        topic_id: asked.topic_id,
        ..Default::default()
    }
}

/// What a client names a topic by.
#[derive(PartialEq, Eq, Hash)]
enum Asked {
    Name(Str),
    Id(Uuid),
}

impl Asked {
    /// An id wins over a name: Java sends an empty name along.
    fn of(topic: &MetadataRequestTopic) -> Self {
        match &topic.name {
            Some(name) if topic.topic_id.is_nil() => Self::Name(name.clone()),
            _ => Self::Id(Uuid::from_bytes(topic.topic_id.0)),
        }
    }
}

/// Whether this request may create topics, and how much of them: what is over that is created by the next one.
struct AutoCreation {
    allowed: bool,
    partitions_left: usize,
}

impl AutoCreation {
    /// Takes the partitions of one more topic, if it may have them.
    fn take(&mut self, partitions: usize) -> bool {
        let left = self.partitions_left.checked_sub(partitions).filter(|_| self.allowed);
        self.partitions_left = left.unwrap_or(self.partitions_left);
        left.is_some()
    }
}

async fn one(
    ctx: &Context,
    asked: &MetadataRequestTopic,
    auto: &mut AutoCreation,
    may: i32,
) -> MetadataResponseTopic {
    let image = ctx.broker.image();
    let unknown = |code: ErrorCode| MetadataResponseTopic {
        error_code: code.code(),
        name: asked.name.clone(),
        topic_id: asked.topic_id,
        is_internal: asked.name.as_deref().is_some_and(names::is_internal),
        topic_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    };
    let name = match Asked::of(asked) {
        Asked::Name(name) => name,
        Asked::Id(id) => {
            let found = image.topic_by_id(id);
            return found.map_or_else(|| unknown(ErrorCode::UnknownTopicId), |found| topic(found, may));
        }
    };
    if let Some(entry) = image.topic(&name) {
        return topic(entry, may);
    }
    if !names::may_be_auto_created(&name) {
        return unknown(ErrorCode::UnknownTopicOrPartition);
    }
    if names::refusal(&name).is_some() {
        return unknown(ErrorCode::InvalidTopicException);
    }
    let storage = auto_create(ctx, &name, auto).await.is_err_and(|code| code == ErrorCode::KafkaStorageError);
    unknown(if storage { ErrorCode::KafkaStorageError } else { ErrorCode::UnknownTopicOrPartition })
}

/// Creates the topic a client asked about, if it may.
async fn auto_create(ctx: &Context, name: &str, auto: &mut AutoCreation) -> Result<(), ErrorCode> {
    let config = ctx.broker.config();
    let partitions = config.num_partitions.unsigned_abs() as usize;
    if !auto.take(partitions) {
        return Ok(());
    }
    if name == OFFSETS_TOPIC {
        let ensured = ctx.broker.coordinators().groups().ensure(&ctx.broker).await;
        return ensured.map_err(|refused| refused.code);
    }
    let new = NewTopic { name: name.to_owned(), partitions, configs: std::collections::BTreeMap::new() };
    let default_factor = config.default_replication_factor;
    let created = change(&ctx.broker, move |change| async move {
        check_replication(default_factor)?;
        change.create_topic(new).await
    });
    match created.await {
        Ok(entry) => {
            tracing::info!(topic = name, partitions = entry.partitions.len(), "created on first use");
        }
        // Somebody else was faster.
        Err(refused) if refused.code == ErrorCode::TopicAlreadyExists => {}
        Err(refused) => {
            // A client that asks again and again hears it each time; the log has the state of the disk already.
            tracing::debug!(topic = name, %refused, "not created on first use");
            return Err(refused.code);
        }
    }
    Ok(())
}

fn broker(node: Node) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: node.id,
        host: node.host.into(),
        port: i32::from(node.port),
        rack: node.rack.map(Into::into),
        ..Default::default()
    }
}

fn topic(entry: &Arc<TopicEntry>, may: i32) -> MetadataResponseTopic {
    MetadataResponseTopic {
        name: Some(Str::from(entry.name.to_string())),
        topic_id: WireId(entry.id.into_bytes()),
        is_internal: entry.internal,
        partitions: entry
            .partitions
            .iter()
            .zip(0..)
            .map(|(placed, index)| partition(placed, index))
            .collect(),
        topic_authorized_operations: may,
        ..Default::default()
    }
}

fn partition(placed: &PartitionEntry, index: i32) -> MetadataResponsePartition {
    MetadataResponsePartition {
        error_code: if placed.is_offline() { ErrorCode::LeaderNotAvailable } else { ErrorCode::None }.code(),
        partition_index: index,
        leader_id: placed.leader,
        leader_epoch: placed.leader_epoch,
        replica_nodes: placed.replicas.clone(),
        isr_nodes: placed.isr(),
        offline_replicas: placed.offline_replicas(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_creates_so_many_partitions_and_no_more() {
        let mut auto = AutoCreation { allowed: true, partitions_left: 10 };
        assert_eq!([4, 4, 4, 2, 1].map(|partitions| auto.take(partitions)), [true, true, false, true, false]);
        let mut forbidden = AutoCreation { allowed: false, partitions_left: 10 };
        assert!(!forbidden.take(1));
    }
}
