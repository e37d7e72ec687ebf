//! Changing topics' settings: stored, written down by the logs that need it, and then in force.

use std::sync::Arc;

use pagewire_wire::ErrorCode;

use super::{Change, OwnConfigs, Refused, TopicEntry, logs::settings};
use crate::config::{BrokerConfig, TopicConfig};

impl Change {
    /// Replaces a topic's own settings by what `wish` makes of them, and puts them in force.
    pub(crate) async fn topic_configs(
        &self,
        name: &str,
        wish: impl FnOnce(&OwnConfigs, &BrokerConfig) -> Result<OwnConfigs, Refused>,
    ) -> Result<(), Refused> {
        let _claim = self.claim([name]).await?;
        let (cluster, config, unknown) = (self.cluster(), self.config(), || Refused::unknown_topic(name));
        let (mut record, version) = cluster.catalog.topic(name).await?.ok_or_else(unknown)?;
        let topic = cluster.image().topic(name).cloned().ok_or_else(unknown)?;
        record.configs = wish(&record.configs, &config)?;
        let stored = cluster.catalog.replace_topic(&record, version).await;
        stored.map_err(|error| Refused::from(error).if_too_large(ErrorCode::InvalidConfig))?;
        let resolved = Arc::new(TopicConfig::resolve(&record.configs, &config));
        let topic = TopicEntry { own_configs: record.configs, ..TopicEntry::clone(&topic) };
        self.put_in_force(&topic, resolved).await;
        self.broker.tell_settings_changed();
        Ok(())
    }

    /// Resolves all topics' settings again: a broker default changed.
    pub(super) async fn refresh_topics(&self) -> Result<(), Refused> {
        let cluster = self.cluster();
        for (mut record, _) in cluster.catalog.topics().await?.0 {
            // One that is being made is shown as it has to be by then.
            if cluster.image().topic(&record.name).is_none() {
                continue;
            }
            let claim = self.claim_at_last(&record.name).await;
            if claim.waited {
                let Some((found, _)) = cluster.catalog.topic(&record.name).await? else { continue };
                record = found;
            }
            if let Some(topic) = cluster.image().topic(&record.name).cloned() {
                let resolved = Arc::new(TopicConfig::resolve(&record.configs, &self.config()));
                self.put_in_force(&topic, resolved).await;
            }
            tokio::task::consume_budget().await;
        }
        self.broker.tell_settings_changed();
        Ok(())
    }

    /// Of a topic that is claimed.
    pub(super) async fn put_in_force(&self, topic: &TopicEntry, resolved: Arc<TopicConfig>) {
        self.set_settings(&topic.name, &settings(topic.id, &resolved)).await;
        for partition in topic.partitions.iter().filter_map(|entry| entry.hosted.as_ref()) {
            partition.set_config(Arc::clone(&resolved));
        }
        self.cluster().publish(TopicEntry { config: resolved, ..topic.clone() });
    }
}
