//! The internal topic of the group coordinator: made on first use, with Kafka's settings for it.

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
        names::TRANSACTIONS => &[("cleanup.policy", "compact"), ("compression.type", "uncompressed")],
        names::SHARE_GROUPS => &[("cleanup.policy", "delete"), ("retention.ms", "-1")],
        _ => &[],
    };
    settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The topic; created if it is not there yet. When this returns it takes records.
pub(super) async fn ensure(broker: &Arc<Broker>) -> Result<Arc<TopicEntry>, Refused> {
    if let Some(topic) = broker.image().topic(OFFSETS_TOPIC) {
        return Ok(Arc::clone(topic));
    }
    let config = broker.config();
    let new = NewTopic {
        name: OFFSETS_TOPIC.to_owned(),
        partitions: usize::try_from(config.offsets_topic_num_partitions).unwrap_or(1).max(1),
        configs: settings_of_internal(OFFSETS_TOPIC, &config),
    };
    match change(broker, |change| async move { change.create_topic(new).await }).await {
        Ok(topic) => {
            info!(topic = OFFSETS_TOPIC, partitions = topic.partitions.len(), "created on first use");
            Ok(topic)
        }
        // Somebody else was faster.
        Err(refused) if refused.code == ErrorCode::TopicAlreadyExists => {
            broker.image().topic(OFFSETS_TOPIC).cloned().ok_or(refused)
        }
        Err(refused) => Err(refused),
    }
}
