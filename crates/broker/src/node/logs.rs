//! The log directory of a node: locked first, loaded and reported at the start, closed at the end.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use pagewire_disk::OsDisk;
use pagewire_log::{CloseReport, LoadReport, LockedDir, LogDir, LogDirOptions, Notice, PartitionSettings};
use pagewire_metadata::model::TopicRecord;
use pagewire_zcopy::IoPool;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::{StartError, blocking, progress};
use crate::{
    backup,
    clock::now_ms,
    cluster::{Cluster, Identity},
    config::BrokerConfig,
    net,
};

/// What only a directory that has been served has.
const TRACES: [&str; 2] = ["meta.properties", "__cluster_metadata-0"];

/// Locks a data directory of ours, or a new one.
pub(super) fn lock(dir: &Path) -> Result<LockedDir, StartError> {
    if backup::holds_a_backup(dir) {
        return Err(StartError::Backup(dir.to_path_buf()));
    }
    if dir.join(backup::RESTORE_UNFINISHED).exists() {
        return Err(StartError::Unfinished(dir.to_path_buf()));
    }
    let ours = dir.join(pagewire_metadata::FILE_NAME).exists();
    if !ours && TRACES.iter().any(|trace| dir.join(trace).exists()) {
        return Err(StartError::Foreign(dir.to_path_buf()));
    }
    Ok(LockedDir::lock(Arc::new(OsDisk::with_writeback(pagewire_zcopy::start_writeback)), dir)?)
}

/// Loads every log, recovering what needs it.
pub(super) async fn load(
    locked: LockedDir,
    config: &BrokerConfig,
    identity: &Identity,
    topics: &[TopicRecord],
    io: &IoPool,
) -> Result<(LogDir, LoadReport), StartError> {
    let options = LogDirOptions {
        cluster_id: identity.cluster_id.clone(),
        node_id: identity.node_id,
        threads: config.recovery_threads,
        handles: pagewire_log::Handles::new(net::open_files_max(config)),
        now_ms: now_ms(),
    };
    let known = settings_by_topic(topics, config);
    let meters = [Arc::clone(locked.meter())];
    let loaded = blocking(io, move || {
        locked.load(&options, &|topic, partition| settings_of(&known, topic, partition), &|_| {})
    });
    Ok(progress::told(&meters, loaded).await??)
}

/// Tells people what a start found: what was cut first of all. Directories in `removed` were left of deleted topics.
pub(super) fn report(report: &LoadReport, removed: &[PathBuf]) {
    for notice in report.notices.iter().filter(|notice| !is_about(notice, removed)) {
        warn!("{notice}");
    }
    for path in removed {
        info!(path = %path.display(), "what was left of a deleted topic is removed");
    }
    for log in &report.loaded {
        for cut in &log.report.cuts {
            warn!("{cut}");
        }
        for note in &log.report.notes {
            info!("{}-{}: {note}", log.topic, log.partition);
        }
    }
    for log in &report.failed {
        error!("{}-{} cannot be opened and is not served: {}", log.topic, log.partition, log.error);
    }
}

fn is_about(notice: &Notice, paths: &[PathBuf]) -> bool {
    let (Notice::UnknownTopic { path } | Notice::SetAside { path } | Notice::Stray { path, .. }) = notice
    else {
        return false;
    };
    paths.contains(path)
}

/// For each topic: how many partitions it has, and how their logs are opened.
type Known = HashMap<String, (i32, PartitionSettings)>;

fn settings_by_topic(topics: &[TopicRecord], config: &BrokerConfig) -> Known {
    let settings = |topic: &TopicRecord| {
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        (topic.name.clone(), (partitions, Cluster::partition_settings(topic, config)))
    };
    topics.iter().map(settings).collect()
}

fn settings_of(known: &Known, topic: &str, partition: i32) -> Option<PartitionSettings> {
    known.get(topic).filter(|(partitions, _)| partition < *partitions).map(|(_, settings)| settings.clone())
}

/// Closes the logs on a thread of its own: the I/O pool may be waiting for the disk for a long time.
pub(super) async fn close(log_dir: &Arc<LogDir>) -> CloseReport {
    let (done, closed) = oneshot::channel();
    let on_thread = Arc::clone(log_dir);
    let job = move || {
        // Whoever stops the broker waits, or does not care.
        let _ = done.send(on_thread.close_clean(now_ms()));
    };
    match thread::Builder::new().name("pagewire-close".to_owned()).spawn(job) {
        Err(_) => log_dir.close_clean(now_ms()),
        Ok(_) => closed.await.unwrap_or_else(|_| CloseReport {
            clean: false,
            failed: vec![(log_dir.path().to_path_buf(), io::Error::other("closing panicked"))],
        }),
    }
}
