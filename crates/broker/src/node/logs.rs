//! The log directories of a node: locked first, loaded and reported at the start, closed at the end.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use pagewire_log::{
    CloseReport, Damaged, FailedLog, LoadReport, Locked, LockedDir, LogDirOptions, LogDirs, LogError, Notice,
};
use pagewire_metadata::model::{LogDirsRecord, TopicRecord};
use pagewire_zcopy::IoPool;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::traces::{self, Served};
use super::{StartError, blocking, progress, unnamed::Unnamed};
use crate::{
    backup,
    clock::now_ms,
    cluster::{Identity, Image, Known, disk, known_id},
    config::BrokerConfig,
    net,
    plural::{counted, counted_are},
};

/// Partitions that are gone, told one by one for each directory.
const GONE_TOLD_MAX: usize = 8;

/// Locks home, where the metadata is or will be; says whether that is all there is in it. Says first what keeps any of the
/// directories from being served; a new cluster may not be wanted.
pub(super) fn lock_home(
    dirs: &[PathBuf],
    new_cluster_allowed: bool,
) -> Result<(LockedDir, bool), StartError> {
    let (home, others) = dirs.split_first().ok_or_else(|| io::Error::other("log.dirs names no directory"))?;
    for dir in dirs {
        if backup::holds_a_backup(dir) {
            return Err(StartError::Backup(dir.clone()));
        }
        if dir.join(backup::RESTORE_UNFINISHED).exists() {
            return Err(StartError::Unfinished(dir.clone()));
        }
    }
    if has_metadata(home) {
        let home = LockedDir::lock(disk(), home)?;
        let is_bare = home.is_bare()?;
        return Ok((home, is_bare));
    }
    may_begin_in(home, others)?;
    if !new_cluster_allowed {
        return Err(StartError::NoCluster(home.clone()));
    }
    // A mount point is always there, and so is what somebody made for the first start.
    let was_there = home.exists();
    let locked = LockedDir::lock(disk(), home)?;
    if was_there {
        warn!(
            path = %home.display(),
            "it has nothing in it: a new cluster is made. If a disk should have been mounted there, stop; \
             pagewire.new.cluster.allowed=false refuses such a start"
        );
    }
    let is_bare = locked.is_bare()?;
    Ok((locked, is_bare))
}

/// An error where home has no metadata, but there are traces of a cluster.
fn may_begin_in(home: &Path, others: &[PathBuf]) -> Result<(), StartError> {
    if let Some(elsewhere) = others.iter().find(|dir| has_metadata(dir)) {
        return Err(StartError::Elsewhere { first: home.to_path_buf(), metadata: elsewhere.clone() });
    }
    let looked =
        |dir: &Path| traces::of(dir).map_err(|error| StartError::Unknown { path: dir.to_path_buf(), error });
    match looked(home)? {
        Some(Served::ByUs) => return Err(StartError::NoMetadata(home.to_path_buf())),
        Some(Served::ByKafka) => return Err(StartError::Foreign(home.to_path_buf())),
        None => {}
    }
    for other in others {
        if looked(other)?.is_some() {
            return Err(StartError::NoHome { first: home.to_path_buf(), other: other.clone() });
        }
    }
    Ok(())
}

fn has_metadata(dir: &Path) -> bool {
    dir.join(pagewire_metadata::FILE_NAME).exists()
}

/// Locks those of the others that can be; `served` tells which of them are none of the new ones.
pub(super) fn lock_others(dirs: &[PathBuf], served: &LogDirsRecord) -> Vec<Locked> {
    let lock = |dir: &PathBuf| match known_id(served, dir) {
        Some(id) => LockedDir::lock_known(disk(), dir, id),
        None => LockedDir::lock(disk(), dir),
    };
    dirs.iter().skip(1).map(|dir| (dir.clone(), lock(dir))).collect()
}

/// Loads every log, recovering what needs it.
pub(super) async fn load(
    locked: Vec<Locked>,
    config: &BrokerConfig,
    identity: &Identity,
    topics: &[TopicRecord],
    io: &IoPool,
) -> Result<(LogDirs, LoadReport), StartError> {
    let options = LogDirOptions {
        cluster_id: identity.cluster_id.clone(),
        node_id: identity.node_id,
        threads: config.recovery_threads,
        handles: pagewire_log::Handles::new(net::open_files_max(config)),
        now_ms: now_ms(),
    };
    let known = Known::of(topics, config);
    let readable = locked.iter().filter_map(|(_, locked)| locked.as_ref().ok());
    let meters: Vec<_> = readable.map(|dir| Arc::clone(dir.meter())).collect();
    let loaded = blocking(io, move || {
        let settings = |topic: &str, partition| known.settings(topic, partition);
        LogDirs::load(locked, &options, &settings, &|_| {})
    });
    Ok(progress::told(&meters, loaded).await??)
}

/// Tells people of directories that cannot be read, and how much is not served for that or another reason.
pub(super) fn report_away(log_dirs: &LogDirs, image: &Image, unnamed: &[Unnamed]) {
    for (path, why) in log_dirs.away() {
        error!(path = %path.display(), %why, "log directory is offline: nothing in it is served until it is there (pagewire log online)");
    }
    for one in unnamed {
        error!("{one}");
    }
    let offline = image.offline_partitions();
    if offline > 0 {
        error!(
            "{} not served, for the reasons above: clients find no leader",
            counted_are(offline as u64, "partition")
        );
    }
}

/// Tells people what a start found: what was cut first of all. Directories in `removed` were left of deleted topics.
pub(crate) fn report(report: &LoadReport, removed: &[PathBuf]) {
    let is_leftover = |notice: &&Notice| matches!(notice, Notice::Leftover { .. });
    for notice in report.notices.iter().filter(|notice| !is_about(notice, removed) && !is_leftover(notice)) {
        warn!("{notice}");
    }
    if let Some(first) = report.notices.iter().find(is_leftover) {
        match report.notices.iter().filter(is_leftover).count() {
            1 => info!("{first}"),
            more => info!("{first}; so it is with {}", counted(more as u64 - 1, "other directory")),
        }
    }
    if let Some(first) = removed.first() {
        let what = counted_are(removed.len() as u64, "directory of a deleted topic");
        info!(first = %first.display(), "{what} removed");
    }
    for log in &report.loaded {
        for cut in &log.report.cuts {
            warn!("{cut}");
        }
        for hole in &log.report.holes {
            error!("{hole}: they are lost");
        }
        for damage in Damaged::told(&log.report.damage) {
            error!("{damage}: reads of them are refused, what lies around them is served");
        }
        for note in &log.report.notes {
            info!("{}-{}: {note}", log.topic, log.partition);
        }
    }
    report_gone(&report.failed);
    for log in report.failed.iter().filter(|log| gone_from(log).is_none()) {
        error!("{}-{} cannot be opened and is not served: {}", log.topic, log.partition, log.error);
    }
}

/// Partitions that are gone are told one by one as long as there are few of them.
fn report_gone(failed: &[FailedLog]) {
    let mut by_dir: BTreeMap<&Path, Vec<&FailedLog>> = BTreeMap::new();
    for (dir, log) in failed.iter().filter_map(|log| Some((gone_from(log)?, log))) {
        by_dir.entry(dir).or_default().push(log);
    }
    for (dir, gone) in by_dir {
        for log in gone.iter().take(GONE_TOLD_MAX) {
            error!("{}-{} is not served: {}", log.topic, log.partition, log.error);
        }
        if gone.len() > GONE_TOLD_MAX {
            error!(dir = %dir.display(), partitions = gone.len(), "so many are gone from the directory and not served, of which the above are some");
        }
    }
}

/// The log directory that a partition is gone from, if it is.
fn gone_from(log: &FailedLog) -> Option<&Path> {
    let LogError::Gone { path } = &log.error else { return None };
    path.parent()
}

fn is_about(notice: &Notice, paths: &[PathBuf]) -> bool {
    let (Notice::UnknownTopic { path } | Notice::SetAside { path } | Notice::Stray { path, .. }) = notice
    else {
        return false;
    };
    paths.contains(path)
}

/// Closes the logs on a thread of its own: the I/O pool may be waiting for the disk for a long time.
pub(super) async fn close(log_dirs: &Arc<LogDirs>) -> CloseReport {
    let (done, closed) = oneshot::channel();
    let on_thread = Arc::clone(log_dirs);
    let job = move || {
        // Whoever stops the broker waits, or does not care.
        let _ = done.send(on_thread.close_clean(now_ms()));
    };
    match thread::Builder::new().name("pagewire-close".to_owned()).spawn(job) {
        Err(_) => log_dirs.close_clean(now_ms()),
        Ok(_) => closed.await.unwrap_or_else(|_| CloseReport {
            clean: false,
            failed: log_dirs
                .here()
                .map(|dir| (dir.path().to_path_buf(), io::Error::other("closing panicked")))
                .collect(),
        }),
    }
}
