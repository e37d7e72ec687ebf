//! Changing topics' settings: stored, written down by the logs that need it, and then in force.

use std::sync::Arc;

use pagewire_wire::ErrorCode;

use super::{Change, OwnConfigs, Refused, TopicEntry, logs::settings};
use crate::config::{BrokerConfig, TopicConfig};

impl Change {
    /// Replaces a topic's own settings by what `wish` makes of them, says when that is `stored`, and puts them in force.
    pub(crate) async fn topic_configs(
        &self,
        name: &str,
        wish: impl FnOnce(&OwnConfigs, &BrokerConfig) -> Result<OwnConfigs, Refused>,
        stored: impl FnOnce(),
    ) -> Result<(), Refused> {
        let _claim = self.claim([name]).await?;
        let (cluster, config, unknown) = (self.cluster(), self.config(), || Refused::unknown_topic(name));
        let (mut record, version) = cluster.catalog.topic(name).await?.ok_or_else(unknown)?;
        let topic = cluster.image().topic(name).cloned().ok_or_else(unknown)?;
        record.configs = wish(&record.configs, &config)?;
        let replaced = cluster.catalog.replace_topic(&record, version).await;
        replaced.map_err(|error| Refused::from(error).if_too_large(ErrorCode::InvalidConfig))?;
        stored();
        let resolved = Arc::new(TopicConfig::resolve(&record.configs, &config));
        let topic = TopicEntry { own_configs: record.configs, ..TopicEntry::clone(&topic) };
        self.put_in_force(&topic, resolved).await;
        self.broker.tell_settings_changed();
        Ok(())
    }

    /// Resolves all topics' settings again: a broker default changed.
    pub(super) async fn refresh_topics(&self) {
        let cluster = self.cluster();
        // One that is being made is shown as it has to be by then.
        let names: Vec<_> = cluster.image().topics().map(|topic| Arc::clone(&topic.name)).collect();
        for name in names {
            // Whoever had the turn meanwhile may have changed its own settings.
            let _claim = self.claim_at_last(&name).await;
            if let Some(topic) = cluster.image().topic(&name).cloned() {
                let resolved = Arc::new(TopicConfig::resolve(&topic.own_configs, &self.config()));
                self.put_in_force(&topic, resolved).await;
            }
            tokio::task::consume_budget().await;
        }
        self.broker.tell_settings_changed();
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
