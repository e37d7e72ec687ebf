//! `{"verb":"backup","to":DIR}`, with the fields of [`BackupOptions`]: a copy of everything, while the broker serves.
//!
//! It has a thread of its own: it takes long, and the I/O pool has few.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pagewire_log::LogDir;
use pagewire_log::backup::{Busy, note};
use pagewire_metadata::model::known_path;
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Call, Work, fields};
use crate::aside::aside;
use crate::backup::{AtOnce, BackupFailed, BackupOptions, BackupSummary, Limits, Progress, Source, take};
use crate::broker::Broker;
use crate::cluster::change;

const UNNAMED: &str = "log.dirs does not name it: add it there and start the broker again";

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let options: BackupOptions = fields(request)?;
    if ![Some(&options.to), options.base.as_ref()].into_iter().flatten().all(|path| path.is_absolute()) {
        return Err("directories are named by absolute paths".to_owned());
    }
    let backups = Arc::clone(&call.shared.backups);
    let turn = backups.try_acquire_owned().map_err(|_| "a backup is being made already".to_owned())?;
    let runtime = Handle::current();
    Ok(Box::pin(async move {
        let (done, result) = oneshot::channel();
        let job = move || {
            let taken = on_thread(&call, &options, &runtime);
            drop(turn);
            // Whoever asked may be gone; then the work was ended.
            let _ = done.send(taken);
        };
        let thread = std::thread::Builder::new().name("pagewire-backup".to_owned()).spawn(job);
        thread.map_err(|error| format!("no thread for the backup: {error}"))?;
        let summary = result.await.map_err(|_| "the backup broke off".to_owned())?;
        let summary = summary.map_err(|error| error.to_string())?;
        serde_json::to_value(summary).map_err(|error| error.to_string())
    }))
}

fn on_thread(call: &Call, options: &BackupOptions, runtime: &Handle) -> Result<BackupSummary, BackupFailed> {
    let broker = &call.broker;
    let list = || runtime.block_on(list(broker));
    let identity = broker.cluster().identity();
    let log_dirs = broker.cluster().log_dirs().here().collect::<Vec<_>>();
    let source = Source {
        log_dirs: &log_dirs,
        cluster_id: identity.cluster_id.clone(),
        node_id: identity.node_id,
        note: &|patience| runtime.block_on(at_once(broker, log_dirs.clone(), patience)),
        list: &list,
        away: &|id| runtime.block_on(away(broker, id)),
        runtime: runtime.clone(),
    };
    let limits = Limits { rate_bytes_per_second: options.rate_bytes_per_second, ending: call.ending.clone() };
    let tell = |progress: &Progress| {
        // Numbers and a name always are JSON.
        let _ = call.progress.send(serde_json::to_value(progress).unwrap_or_default());
    };
    let to = options.to.display();
    info!(%to, "a backup begins");
    let taken = take(&source, options, &limits, &tell);
    match &taken {
        Ok(summary) => {
            info!(%to, bytes = summary.bytes, copied = summary.copied_bytes, "a backup is finished");
        }
        Err(error) => warn!(%to, %error, "a backup was not finished"),
    }
    taken
}

/// A directory that is not served: where it is, and why.
async fn away(broker: &Arc<Broker>, id: Uuid) -> Option<(PathBuf, String)> {
    let cluster = broker.cluster();
    let served = cluster.catalog().log_dirs(cluster.identity().node_id).await.ok()?.0;
    let paths: Vec<PathBuf> = served.paths_of(id).map(PathBuf::from).collect();
    let away = cluster.log_dirs().away();
    let listed = away.into_iter().find(|(path, _)| paths.contains(&PathBuf::from(known_path(path))));
    match listed {
        Some((path, offline)) => Some((path.to_path_buf(), offline.reason.to_string())),
        None => paths.into_iter().next().map(|path| (path, UNNAMED.to_owned())),
    }
}

/// All logs and the metadata at one moment, at which no topic is half made or half gone. An id that a log has was given out
/// before, of a block that the metadata have: so they come after the logs.
async fn at_once(
    broker: &Arc<Broker>,
    dirs: Vec<Arc<LogDir>>,
    patience: Duration,
) -> Result<Result<AtOnce, Busy>, BackupFailed> {
    let noted = change(broker, move |change| async move {
        let noted = match aside(true, || note(dirs.iter().map(Arc::as_ref), patience)) {
            Ok(noted) => noted,
            Err(busy) => return Ok(Ok(Err(busy))),
        };
        let metadata = change.metadata().await;
        Ok(metadata.map(|metadata| Ok(AtOnce { noted, metadata })))
    });
    Ok(noted.await.map_err(|_| BackupFailed::Stopped)??)
}

/// The metadata, while no topic is half made or half gone.
async fn list(broker: &Arc<Broker>) -> Result<pagewire_metadata::Listing, BackupFailed> {
    let listing = change(broker, |change| async move { Ok(change.metadata().await) }).await;
    Ok(listing.map_err(|_| BackupFailed::Stopped)??)
}
