//! A backup of a broker that does not run: its directories, of which the metadata knows those that were not named, are locked
//! and their logs are opened as by a start, which recovers what needs it, then copied, then closed as by a stop.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use pagewire_log::backup::note;
use pagewire_metadata::{CatalogError, StoreError};
use pagewire_zcopy::IoPool;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::error;

use super::{IO_QUEUE_MAX, Opened, Opening, StartError, logs};
use crate::{
    backup::{AtOnce, BackupFailed, BackupOptions, BackupSummary, Limits, Progress, Source, take},
    config::BrokerConfig,
    loaded,
};

/// Makes a backup of the data that a broker with these settings would serve. Must run inside a multi-thread runtime.
pub async fn back_up_stopped(
    config: BrokerConfig,
    options: BackupOptions,
    limits: Limits,
    tell: impl Fn(&Progress) + Send + 'static,
) -> Result<BackupSummary, BackupFailed> {
    let home = config.log_dirs.first().map_or(Path::new(""), PathBuf::as_path);
    if !logs::has_metadata(home) {
        return Err(without_metadata(home, &config.log_dirs));
    }
    let io = IoPool::new(config.io_threads, IO_QUEUE_MAX);
    let opened = Opening::begin(config, &io).await?.complete(&io, &options).await?.load(&io).await?;
    let Opened { catalog, identity, log_dirs, report, .. } = opened;
    if opened.epoch_is_owed {
        // The next start would find a clean mark and not know that the epoch is to rise.
        return Err(CatalogError::Store(StoreError::Full).into());
    }
    loaded::report(&report, &[]);
    let log_dirs = Arc::new(log_dirs);
    let (done, taken) = oneshot::channel();
    let (runtime, on_thread, store) = (Handle::current(), Arc::clone(&log_dirs), Arc::clone(catalog.store()));
    let job = move || {
        let list = || Ok(runtime.block_on(store.list(""))?);
        let here = on_thread.here().collect::<Vec<_>>();
        // Nobody appends.
        let try_note = |patience| {
            let noted = match note(here.iter().map(Arc::as_ref), patience) {
                Ok(noted) => noted,
                Err(busy) => return Ok(Err(busy)),
            };
            Ok(Ok(AtOnce { noted, metadata: list()? }))
        };
        let source = Source {
            log_dirs: &here,
            cluster_id: identity.cluster_id,
            node_id: identity.node_id,
            note: &try_note,
            list: &list,
            // What is missing was found out before.
            away: &|_| None,
            runtime: runtime.clone(),
        };
        // Whoever waited is gone only with the process.
        let _ = done.send(take(&source, &options, &limits, &tell));
    };
    std::thread::Builder::new().name("pagewire-backup".to_owned()).spawn(job).map_err(StartError::System)?;
    let taken = taken.await.unwrap_or(Err(BackupFailed::Stopped));
    for (path, error) in &logs::close(&log_dirs).await.failed {
        error!(path = %path.display(), %error, "not closed cleanly; the next start will check it");
    }
    taken
}

/// Why there is nothing to copy, in view of what is there instead.
fn without_metadata(home: &Path, dirs: &[PathBuf]) -> BackupFailed {
    if home.exists() && !home.is_dir() {
        return BackupFailed::NoData(home.to_path_buf());
    }
    match logs::may_begin_in(home, dirs.get(1..).unwrap_or_default()) {
        Ok(()) => BackupFailed::NoData(home.to_path_buf()),
        Err(StartError::NoMetadata(home)) => BackupFailed::NoMetadata(home),
        Err(StartError::Foreign(home)) => BackupFailed::Foreign(home),
        Err(error) => error.into(),
    }
}
