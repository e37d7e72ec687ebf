//! The first steps of a start, which a backup of a stopped broker takes as well.
//!
//! ```text
//!   begin   lock home ─ open the metadata ─ lock the other directories, which it knows by their paths
//!   load    the logs, recovering what needs it ─ remember where partitions and directories were found ─ miss those that are
//!           gone ─ raise the epoch
//! ```
//!
//! Between the two nothing is changed yet: whoever cannot go on leaves a clean directory clean.

use std::{collections::HashSet, path::PathBuf, time::Instant};

use pagewire_log::{FutureLog, LoadReport, Locked, LogDirs};
use pagewire_metadata::{
    Catalog, CatalogError, Revision, StoreError,
    model::{DeletedTopicRecord, LogDirsRecord, TopicRecord},
};
use pagewire_zcopy::IoPool;
use tracing::{error, warn};
use uuid::Uuid;

use super::{
    StartError,
    awaited::Awaited,
    blocking,
    complete::complete,
    found,
    in_order::InOrder,
    logs, open_catalog, saved,
    story::{self, Epochs},
};
use crate::{
    backup::{BackupFailed, BackupOptions},
    clock::now_ms,
    cluster::{GroupSettings, Identity, Levels, look_for_missing, pass_over_away, unmade, with_stored},
    config::BrokerConfig,
};

/// Locked, and nothing changed.
pub(super) struct Opening {
    /// With what is stored of the settings.
    pub(super) config: BrokerConfig,
    catalog: Catalog,
    locked: Vec<Locked>,
    served: (LogDirsRecord, Revision),
    /// The first directory has nothing but the metadata.
    bare: bool,
}

/// Loaded.
pub(super) struct Opened {
    pub(super) config: BrokerConfig,
    pub(super) catalog: Catalog,
    pub(super) identity: Identity,
    pub(super) topics: Vec<TopicRecord>,
    pub(super) features: Levels,
    pub(super) group_settings: GroupSettings,
    pub(super) deleted: Vec<DeletedTopicRecord>,
    /// Log directories that were served, now or earlier.
    pub(super) served: LogDirsRecord,
    pub(super) log_dirs: LogDirs,
    pub(super) report: LoadReport,
    /// What is to move to which directory.
    pub(super) moving: Vec<(PathBuf, FutureLog)>,
    /// Topics whose logs a stop may have kept from being made.
    pub(super) unmade: HashSet<Uuid>,
    /// Partitions that are found elsewhere than before, which could not be stored.
    pub(super) hidden: HashSet<(String, i32)>,
    /// The leader epoch is to be raised to the identity's, and there was no room for that.
    pub(super) epoch_is_owed: bool,
}

impl Opening {
    pub(super) async fn begin(config: BrokerConfig, io: &IoPool) -> Result<Self, StartError> {
        let awaited = Awaited::default();
        let (dirs, may_be_new, on_pool) =
            (config.log_dirs.clone(), config.new_cluster_allowed, awaited.clone());
        let locked = blocking(io, move || logs::lock_home(&dirs, may_be_new, &on_pool));
        let (home, bare) = awaited.told(locked).await??;
        let (catalog, config, served) = awaited
            .told(async {
                let _until_done = awaited.look(config.data_dir());
                let catalog = open_catalog(&config, io).await?;
                let config = with_stored(&catalog, config.clone()).await?;
                let served = catalog.log_dirs(config.node_id).await?;
                Ok::<_, StartError>((catalog, config, served))
            })
            .await?;
        let (dirs, record, on_pool) = (config.log_dirs.clone(), served.0.clone(), awaited.clone());
        let locked = blocking(io, move || logs::lock_others(&dirs, &record, &on_pool));
        let others = awaited.told(locked).await?;
        let locked = [(config.data_dir().to_path_buf(), Ok(home))].into_iter().chain(others).collect();
        Ok(Self { config, catalog, locked, served, bare })
    }

    /// The same with all directories that partitions are in, also those that were not named; of some topics, and as far
    /// as they can be read, if that is enough.
    pub(super) async fn complete(
        mut self,
        io: &IoPool,
        options: &BackupOptions,
    ) -> Result<Self, BackupFailed> {
        let all = self.catalog.topics().await?.0.into_iter().map(|(topic, _)| topic);
        let topics: Vec<_> = all.filter(|topic| !options.exclude.contains(&topic.name)).collect();
        let (served, mut locked, allow_missing) = (self.served.0.clone(), self.locked, options.allow_missing);
        let completed =
            blocking(io, move || complete(&mut locked, &topics, &served, allow_missing).map(|()| locked));
        self.locked = completed.await.map_err(StartError::System)??;
        Ok(self)
    }

    /// Those of its directories that can be opened and that the last stop left in order.
    pub(super) fn left_in_order(&self) -> InOrder {
        let readable = self.locked.iter().filter(|(_, locked)| locked.is_ok());
        InOrder::among(readable.map(|(path, _)| path.clone()))
    }

    pub(super) async fn load(self, io: &IoPool) -> Result<Opened, StartError> {
        let Self { config, catalog, locked, served: (mut served, served_version), bare } = self;
        let mut cluster = catalog.cluster(now_ms()).await?;
        let (versions, mut topics): (Vec<Revision>, Vec<TopicRecord>) =
            catalog.topics().await?.0.into_iter().map(|(record, version)| (version, record)).unzip();
        let features = Levels::new(catalog.features().await?);
        let group_settings = GroupSettings::stored(&catalog, &config).await?;
        let deleted = catalog.deleted_topics().await?;
        let unmade = unmade(&catalog).await?;
        if bare && !topics.is_empty() && saved::is_of(&locked, &cluster) {
            cluster = saved::put_back(&catalog, config.data_dir()).await?;
        }
        let mut identity = Identity {
            node_id: config.node_id,
            cluster_id: cluster.cluster_id,
            rack: config.rack.clone(),
            leader_epoch: cluster.leader_epoch,
            advertised: config.advertised.clone(),
        };
        let locked = logs::compare(locked, &served, &identity);
        let began = Instant::now();
        let (log_dirs, mut report, moving) = logs::load(locked, &config, &identity, &topics, io).await?;
        let took = began.elapsed();
        let hidden = found::remember(&catalog, &log_dirs, &mut topics, &versions).await;
        found::remember_dirs(&catalog, config.node_id, &log_dirs, &mut served, served_version).await;
        pass_over_away(&log_dirs, &topics, &mut report.failed);
        let missing = look_for_missing(&log_dirs, &topics, &unmade);
        report.failed.extend(missing.gone);
        if missing.unmade > 0 {
            warn!(partitions = missing.unmade, "made now: the process ended before it had made their logs");
        }
        let next_producer_id = catalog.next_producer_id().await?;
        let (logs, threads) = (saved::of_transactions(&log_dirs, &topics), config.recovery_threads);
        let named = blocking(io, move || saved::highest_named(&logs, threads)).await?;
        let (epoch, next) = (identity.leader_epoch, next_producer_id);
        if let Some(ahead) = saved::ahead(&log_dirs, &topics, epoch, next, named) {
            identity.leader_epoch = saved::catch_up(&catalog, ahead).await?.leader_epoch;
        }
        let mut epoch_is_owed = false;
        if !report.clean && !report.loaded.is_empty() || missing.unmade > 0 {
            // Records that clients have seen may be gone, without a trace: they are to look (KIP-320).
            identity.leader_epoch = match catalog.raise_leader_epoch().await {
                Ok(epoch) => epoch,
                Err(CatalogError::Store(StoreError::Full)) => {
                    error!(
                        dir = %config.data_dir().display(),
                        "the disk is full: after that stop the leader epoch has to be raised, which cannot be stored. What is \
                         there is read, nothing is written; make room, and writes begin by themselves"
                    );
                    epoch_is_owed = true;
                    identity.leader_epoch.saturating_add(1)
                }
                Err(error) => return Err(error.into()),
            };
        }
        story::tell(&report, took, Epochs { before: cluster.leader_epoch, now: identity.leader_epoch });
        Ok(Opened {
            config,
            catalog,
            identity,
            topics,
            features,
            group_settings,
            deleted,
            served,
            log_dirs,
            report,
            moving,
            unmade,
            hidden,
            epoch_is_owed,
        })
    }
}
