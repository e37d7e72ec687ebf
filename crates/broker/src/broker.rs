//! What every connection and handler shares. Built once by `node`, read by all; nothing here decides anything.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use pagewire_coordinate::GroupTiming;
use pagewire_zcopy::{BufferPool, IoPool, Transfer};
use tokio::sync::Notify;

use crate::{
    cleaner::Cleaners,
    clock::now_ms,
    cluster::{Cluster, Image},
    config::BrokerConfig,
    coordinators::Coordinators,
    described::Descriptions,
    handlers::{fetch::FetchSessions, produce},
    loggers::Loggers,
    memory::{Budget, Load},
    metrics::Metrics,
    moves::Moves,
    net,
    ticks::Ticks,
};

/// The running broker's shared parts.
pub(crate) struct Broker {
    config: ArcSwap<BrokerConfig>,
    cluster: Cluster,
    coordinators: Coordinators,
    sessions: FetchSessions,
    produce_pipelines: produce::Pipelines,
    transfer: Transfer,
    buffers: BufferPool,
    memory: Arc<Budget>,
    io: IoPool,
    metrics: Metrics,
    loggers: Loggers,
    cleaners: Cleaners,
    descriptions: Descriptions,
    moves: Moves,
    settings_changed: Notify,
    ticks: Ticks,
}

/// The parts, by name, for the one place that assembles them.
pub(crate) struct Parts {
    pub(crate) config: BrokerConfig,
    pub(crate) cluster: Cluster,
    pub(crate) coordinators: Coordinators,
    pub(crate) transfer: Transfer,
    pub(crate) buffers: BufferPool,
    pub(crate) io: IoPool,
    pub(crate) loggers: Loggers,
}

impl Broker {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            sessions: FetchSessions::new(parts.config.max_incremental_fetch_session_cache_slots),
            produce_pipelines: produce::Pipelines::default(),
            memory: Arc::new(Budget::new(Load {
                bytes: parts.config.request_memory_bytes,
                files: net::answer_files_max(),
            })),
            cleaners: Cleaners::new(&parts.config.cleaner),
            config: ArcSwap::from_pointee(parts.config),
            cluster: parts.cluster,
            coordinators: parts.coordinators,
            transfer: parts.transfer,
            buffers: parts.buffers,
            io: parts.io,
            loggers: parts.loggers,
            metrics: Metrics::default(),
            descriptions: Descriptions::default(),
            moves: Moves::default(),
            settings_changed: Notify::new(),
            ticks: Ticks::default(),
        }
    }

    /// The settings in force now. Dynamic ones change between two calls.
    pub(crate) fn config(&self) -> Arc<BrokerConfig> {
        self.config.load_full()
    }

    pub(crate) fn set_config(&self, config: BrokerConfig) {
        self.config.store(Arc::new(config));
    }

    /// Topics' settings, or the broker's that they fall back to, are other than they were: what acts on them by the
    /// clock looks again now.
    pub(crate) fn tell_settings_changed(&self) {
        self.settings_changed.notify_one();
        self.cleaners.settings_changed(&self.config().cleaner);
    }

    /// Told when that was said, for retention.
    pub(crate) fn settings_changed(&self) -> &Notify {
        &self.settings_changed
    }

    /// Told by whoever waits with a limit.
    pub(crate) fn ticks(&self) -> &Ticks {
        &self.ticks
    }

    /// The threads that compact.
    pub(crate) fn cleaners(&self) -> &Cleaners {
        &self.cleaners
    }

    /// Partitions on their way to other log directories.
    pub(crate) fn moves(&self) -> &Moves {
        &self.moves
    }

    /// Topics, nodes and the metadata store behind them.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Whether groups of the newer protocol are served: the settings and the feature must both say so.
    pub(crate) fn serves_consumer_groups(&self) -> bool {
        self.config().consumer_groups_served && self.cluster.features().serves_consumer_groups()
    }

    /// What is set for a group, should it be one of consumers.
    pub(crate) fn group_timing(&self, group_id: &str) -> GroupTiming {
        self.config().consumer_groups.timing_of(self.cluster.group_settings().of(group_id))
    }

    /// The cluster as it is known now: a snapshot, cheap to take.
    pub(crate) fn image(&self) -> Arc<Image> {
        self.cluster.image()
    }

    pub(crate) fn coordinators(&self) -> &Coordinators {
        &self.coordinators
    }

    pub(crate) fn sessions(&self) -> &FetchSessions {
        &self.sessions
    }

    /// The order of produce requests that have to wait for a check.
    pub(crate) fn produce_pipelines(&self) -> &produce::Pipelines {
        &self.produce_pipelines
    }

    pub(crate) fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    pub(crate) fn buffers(&self) -> &BufferPool {
        &self.buffers
    }

    /// What decoded requests and unread answers may take.
    pub(crate) fn memory(&self) -> &Arc<Budget> {
        &self.memory
    }

    /// Threads for what may stall: syncs, cold reads, deletions.
    pub(crate) fn io(&self) -> &IoPool {
        &self.io
    }

    /// Looks which log directories are offline, in memory alone.
    pub(crate) fn note_offline_dirs(&self) {
        let (dirs, now_ms) = (self.cluster.log_dirs(), now_ms());
        let before =
            |ago: Duration| now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX));
        let refusing = dirs.here().filter_map(|dir| {
            let since = dir.sick_for().map_or(now_ms, before);
            dir.offline().is_some().then(|| (dir.path().to_path_buf(), since))
        });
        let away = dirs.away().into_iter().map(|(path, _)| (path.to_path_buf(), now_ms)).collect::<Vec<_>>();
        self.metrics.offline_since.note(refusing.chain(away));
    }

    /// What is logged at which level.
    pub(crate) fn loggers(&self) -> &Loggers {
        &self.loggers
    }

    /// What is known of the log directories where their disks do not answer.
    pub(crate) fn descriptions(&self) -> &Descriptions {
        &self.descriptions
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}
