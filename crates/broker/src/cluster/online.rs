//! A log directory that was away at the start is served from now on.

use std::{path::PathBuf, sync::Arc};

use pagewire_log::{LoadReport, LockedDir, LogDirOptions};
use pagewire_metadata::model::TopicRecord;
use pagewire_wire::ErrorCode;

use super::{Change, Known, PartitionEntry, Refused, TopicEntry, disk};
use crate::{clock::now_ms, net, partition::Partition};

/// What came of it.
pub(crate) struct TakenIn {
    /// Partitions that are served again.
    pub(crate) partitions: usize,
    pub(crate) report: LoadReport,
}

impl Change {
    /// Loads the directory and shows its partitions.
    pub(crate) async fn take_in(&self, path: PathBuf) -> Result<TakenIn, Refused> {
        let (cluster, config) = (self.cluster(), self.config());
        let topics = cluster.catalog.topics().await?.0;
        let topics: Vec<TopicRecord> = topics.into_iter().map(|(record, _)| record).collect();
        let known = Known::of(&topics, &config);
        let options = LogDirOptions {
            cluster_id: cluster.identity.cluster_id.clone(),
            node_id: cluster.identity.node_id,
            threads: config.recovery_threads,
            handles: pagewire_log::Handles::new(net::open_files_max(&config)),
            now_ms: now_ms(),
        };
        let log_dirs = Arc::clone(&cluster.log_dirs);
        let taken = self.broker.io().run(move || {
            let lock = |path: &std::path::Path| (path.to_path_buf(), LockedDir::lock(disk(), path));
            log_dirs.take_in(&path, lock, options, &|topic, partition| known.settings(topic, partition))
        });
        let report = taken
            .await
            .map_err(|_| Refused::new(ErrorCode::RequestTimedOut, "the broker is busy; try again"))?
            .map_err(|error| Refused::new(ErrorCode::KafkaStorageError, error.to_string()))?;
        let mut least_epoch = cluster.identity.leader_epoch;
        if !report.clean && !report.loaded.is_empty() {
            // As after any stop that was not clean: clients are to look whether they have what is there.
            least_epoch = cluster.catalog.raise_leader_epoch().await?;
        }
        let partitions = topics.iter().map(|record| self.show(record, least_epoch)).sum();
        Ok(TakenIn { partitions, report })
    }

    /// Shows those of a topic's partitions that had no log and have one now; how many.
    fn show(&self, record: &TopicRecord, least_epoch: i32) -> usize {
        let cluster = self.cluster();
        let image = cluster.image();
        let Some(topic) = image.topic(&record.name).filter(|topic| topic.id == record.topic_id) else {
            return 0;
        };
        let mut shown = 0;
        let one = |(index, entry): (i32, &PartitionEntry)| {
            let found = cluster.log_dirs.get(&topic.name, index).filter(|_| entry.is_offline());
            let placed = usize::try_from(index).ok().and_then(|index| record.partitions.get(index));
            let (Some(log), Some(placed)) = (found, placed) else { return entry.clone() };
            shown += 1;
            let leader_epoch = placed.leader_epoch.max(least_epoch);
            let (name, config) = (Arc::clone(&topic.name), Arc::clone(&topic.config));
            let hosted = Some(Arc::new(Partition::new(name, index, log, leader_epoch, config)));
            PartitionEntry { leader: placed.leader, leader_epoch, replicas: placed.replicas.clone(), hosted }
        };
        let partitions: Vec<PartitionEntry> = (0..).zip(&topic.partitions).map(one).collect();
        if shown > 0 {
            cluster.publish(TopicEntry {
                name: Arc::clone(&topic.name),
                id: topic.id,
                internal: topic.internal,
                own_configs: topic.own_configs.clone(),
                config: Arc::clone(&topic.config),
                partitions,
            });
        }
        shown
    }
}
