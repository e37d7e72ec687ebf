//! The internal topics of the coordinators: made on first use, with Kafka's settings for them.

use std::{collections::BTreeMap, sync::Arc};

use pagewire_wire::ErrorCode;
use tracing::info;

use crate::{
    broker::Broker,
    cluster::{NewTopic, Refused, TopicEntry, change, names},
    config::BrokerConfig,
};

/// Groups and committed offsets.
pub(crate) const OFFSETS_TOPIC: &str = names::OFFSETS;

/// What an internal topic is set to where its creator says nothing else; nothing for any other topic.
pub(crate) fn settings_of_internal(name: &str, config: &BrokerConfig) -> BTreeMap<String, String> {
    let settings: &[(&str, &str)] = match name {
        OFFSETS_TOPIC => &[
            ("cleanup.policy", "compact"),
            ("compression.type", "producer"),
            ("segment.bytes", &config.offsets_topic_segment_bytes.to_string()),
        ],
        names::TRANSACTIONS => &[
            ("cleanup.policy", "compact"),
            ("compression.type", "uncompressed"),
            ("segment.bytes", &config.transaction_state_log_segment_bytes.to_string()),
        ],
        names::SHARE_GROUPS => &[("cleanup.policy", "delete"), ("retention.ms", "-1")],
        _ => &[],
    };
    settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The topic of groups; created if it is not there yet. When this returns it takes records.
pub(super) async fn ensure(broker: &Arc<Broker>) -> Result<Arc<TopicEntry>, Refused> {
    ensure_of(broker, OFFSETS_TOPIC, broker.config().offsets_topic_num_partitions).await
}

/// As [`ensure`], the topic of transactions.
pub(super) async fn ensure_transactions(broker: &Arc<Broker>) -> Result<Arc<TopicEntry>, Refused> {
    ensure_of(broker, names::TRANSACTIONS, broker.config().transaction_state_log_num_partitions).await
}

async fn ensure_of(
    broker: &Arc<Broker>,
    name: &'static str,
    partitions: i32,
) -> Result<Arc<TopicEntry>, Refused> {
    if let Some(topic) = broker.image().topic(name) {
        return Ok(Arc::clone(topic));
    }
    let new = NewTopic {
        name: name.to_owned(),
        partitions: usize::try_from(partitions).unwrap_or(1).max(1),
        configs: settings_of_internal(name, &broker.config()),
    };
    match change(broker, |change| async move { change.create_topic(new).await }).await {
        Ok(topic) => {
            info!(topic = name, partitions = topic.partitions.len(), "created on first use");
            Ok(topic)
        }
        // Somebody else was faster.
        Err(refused) if refused.code == ErrorCode::TopicAlreadyExists => {
            broker.image().topic(name).cloned().ok_or(refused)
        }
        Err(refused) => Err(refused),
    }
}
