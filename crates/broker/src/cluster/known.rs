//! What the metadata knows of partitions, for whoever loads a log directory.

use std::{collections::HashMap, path::Path, sync::Arc};

use pagewire_disk::{Disk, OsDisk};
use pagewire_log::PartitionSettings;
use pagewire_metadata::model::TopicRecord;

use super::Cluster;
use crate::config::BrokerConfig;

/// For each topic: how many partitions it has, and how their logs are opened.
pub(crate) struct Known(HashMap<String, (i32, PartitionSettings)>);

impl Known {
    pub(crate) fn of(topics: &[TopicRecord], config: &BrokerConfig) -> Self {
        let settings = |topic: &TopicRecord| {
            let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            (topic.name.clone(), (partitions, Cluster::partition_settings(topic, config)))
        };
        Self(topics.iter().map(settings).collect())
    }

    /// How the log of a partition is opened; none if there is no such partition.
    pub(crate) fn settings(&self, topic: &str, partition: i32) -> Option<PartitionSettings> {
        let known = self.0.get(topic).filter(|(partitions, _)| partition < *partitions);
        known.map(|(_, settings)| settings.clone())
    }
}

/// The disk that log directories are on.
pub(crate) fn disk() -> Arc<dyn Disk> {
    Arc::new(OsDisk::with_writeback(pagewire_zcopy::start_writeback))
}

/// The name under which the metadata knows a log directory: where it is, whatever the directory the broker was started in.
pub(crate) fn known_path(dir: &Path) -> String {
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf()).to_string_lossy().into_owned()
}
