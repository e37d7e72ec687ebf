//! The log directories of a node: locked first, loaded and reported at the start, closed at the end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use pagewire_log::{
    CloseReport, FutureLog, KnownIdentity, LoadReport, Locked, LockedDir, LogDirOptions, LogDirs, LogError,
};
use pagewire_metadata::model::{LogDirsRecord, TopicRecord};
use pagewire_zcopy::IoPool;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::traces::{self, Served};
use super::{StartError, awaited::Awaited, blocking, progress, unnamed::Unnamed};
use crate::{
    backup,
    clock::now_ms,
    cluster::{Identity, Image, Known, disk, known_id},
    config::BrokerConfig,
    net,
    plural::counted_are,
};

/// Locks home, where the metadata is or will be; says whether that is all there is in it. Says first what keeps any of the
/// directories from being served; a new cluster may not be wanted.
pub(super) fn lock_home(
    dirs: &[PathBuf],
    new_cluster_allowed: bool,
    awaited: &Awaited,
) -> Result<(LockedDir, bool), StartError> {
    let (home, others) = dirs.split_first().ok_or_else(|| io::Error::other("log.dirs names no directory"))?;
    for dir in dirs {
        let _until_done = awaited.look(dir);
        if backup::holds_a_backup(dir) {
            return Err(StartError::Backup(dir.clone()));
        }
        if dir.join(backup::RESTORE_UNFINISHED).exists() {
            return Err(StartError::Unfinished(dir.clone()));
        }
    }
    let _until_locked = awaited.look(home);
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
pub(super) fn may_begin_in(home: &Path, others: &[PathBuf]) -> Result<(), StartError> {
    if let Some(elsewhere) = others.iter().find(|dir| has_metadata(dir)) {
        return Err(StartError::Elsewhere { first: home.to_path_buf(), metadata: elsewhere.clone() });
    }
    let looked = |dir: &Path| {
        traces::of(dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory => StartError::NotADirectory(dir.to_path_buf()),
            _ => StartError::Unknown { path: dir.to_path_buf(), error },
        })
    };
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

pub(super) fn has_metadata(dir: &Path) -> bool {
    dir.join(pagewire_metadata::FILE_NAME).exists()
}

/// Locks those of the others that can be; `served` tells which of them are none of the new ones.
pub(super) fn lock_others(dirs: &[PathBuf], served: &LogDirsRecord, awaited: &Awaited) -> Vec<Locked> {
    let lock = |dir: &PathBuf| {
        let _until_done = awaited.look(dir);
        match known_id(served, dir) {
            Some(id) => LockedDir::lock_known(disk(), dir, id),
            None => LockedDir::lock(disk(), dir),
        }
    };
    let Some((home, others)) = dirs.split_first() else { return Vec::new() };
    others.iter().map(|dir| (dir.clone(), lock(dir).map_err(|error| error.beside(home)))).collect()
}

/// Compares whose the directories are with what the metadata says of those that it knows by their paths.
pub(super) fn compare(locked: Vec<Locked>, served: &LogDirsRecord, identity: &Identity) -> Vec<Locked> {
    let (cluster_id, node_id) = (&*identity.cluster_id, identity.node_id);
    let compared = |path: &Path, dir: LockedDir| match known_id(served, path) {
        Some(directory_id) => dir.known_as(&KnownIdentity { cluster_id, node_id, directory_id }),
        None => dir,
    };
    let with_path = |(path, dir): Locked| {
        let dir = dir.map(|dir| compared(&path, dir));
        (path, dir)
    };
    locked.into_iter().map(with_path).collect()
}

/// The directories, what loading them found, and what is to move to which of them.
pub(super) type Loaded = (LogDirs, LoadReport, Vec<(PathBuf, FutureLog)>);

/// Loads every log, recovering what needs it.
pub(super) async fn load(
    locked: Vec<Locked>,
    config: &BrokerConfig,
    identity: &Identity,
    topics: &[TopicRecord],
    io: &IoPool,
) -> Result<Loaded, StartError> {
    let options = LogDirOptions {
        cluster_id: identity.cluster_id.clone(),
        node_id: identity.node_id,
        threads: config.recovery_threads,
        handles: pagewire_log::Handles::new(net::open_files_max(config)),
        now_ms: now_ms(),
    };
    let (known, topics) = (Known::of(topics, config), topics.to_vec());
    let readable = locked.iter().filter_map(|(_, locked)| locked.as_ref().ok());
    let meters: Vec<_> = readable.map(|dir| Arc::clone(dir.meter())).collect();
    let loaded = blocking(io, move || {
        let settings = |topic: &str, partition| known.settings(topic, partition);
        let (log_dirs, mut report) = LogDirs::load(locked, &options, &settings, &|_| {})?;
        let moving = take_up_moves(&log_dirs, &mut report, &known, &topics);
        Ok::<_, StartError>((log_dirs, report, moving))
    });
    progress::told(&meters, loaded).await?
}

/// Logs that had moved to another directory but for their names take these; those that are to move are answered.
fn take_up_moves(
    log_dirs: &LogDirs,
    report: &mut LoadReport,
    known: &Known,
    topics: &[TopicRecord],
) -> Vec<(PathBuf, FutureLog)> {
    let (adopted, moving) = log_dirs.adopt_futures(&|future| known.placed(topics, future), now_ms());
    for one in adopted {
        let (topic, partition) = (one.future.topic, one.future.partition);
        report.failed.retain(|log| {
            let is_it = log.topic == topic && log.partition == partition;
            !(is_it && matches!(log.error, LogError::Gone { .. }))
        });
        match one.opened {
            Ok(opened) => report.loaded.extend(opened),
            Err(error) => {
                error!(topic, partition, %error, "has moved to another log directory and cannot be opened there");
            }
        }
    }
    moving
}

/// Tells people of directories that cannot be read, and how much is not served for that or another reason.
pub(super) fn report_away(log_dirs: &LogDirs, image: &Image, unnamed: &[Unnamed]) {
    for (path, why) in log_dirs.away() {
        error!(
            path = %path.display(),
            %why,
            "log directory is offline: nothing in it is served until it is there, and {} opens it",
            log_dirs.online(path)
        );
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
