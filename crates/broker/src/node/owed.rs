//! A start after a crash that finds the disk full: the raised leader epoch cannot be stored.
//!
//! The broker serves under the raised epoch all the same, and takes no writes until it is stored. Should it die before
//! that, its next life raises the stored epoch to the same number. That is one epoch in two lives, and harmless, for
//! the first of them wrote nothing, and gave out only what it had made stable before it served: what a client read from
//! it is there in the second, and whatever the second writes comes after it. A log of which that sync failed is not in
//! danger of being written either, and is told.

use std::{sync::Arc, time::Duration};

use pagewire_log::LogDirs;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::{broker::Broker, clock::now_ms, cluster::change};

/// Between two looks for room.
const RETRY: Duration = Duration::from_secs(2);

const WHY: &str =
    "the disk was full when the broker started after a crash: nothing is written until there is room";

/// Makes stable what is there, and lets nothing be written. Blocks.
pub(super) fn hold(log_dirs: &LogDirs) {
    for dir in log_dirs.here() {
        for (path, error) in dir.close_files(now_ms()).failed {
            error!(path = %path.display(), %error, "not synced: what is read of it may be gone after a power cut");
        }
        dir.hold(WHY);
    }
}

/// Stores the epoch as soon as there is room, and lets writes begin.
pub(super) async fn pay(broker: Arc<Broker>, stop: CancellationToken) {
    let epoch = broker.cluster().identity().leader_epoch;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
        match broker.cluster().catalog().raise_leader_epoch_to(epoch).await {
            Ok(_) => break,
            Err(error) => debug!(%error, "the leader epoch still cannot be raised"),
        }
    }
    broker.cluster().log_dirs().here().for_each(|dir| dir.release());
    info!(leader_epoch = epoch, "there is room on the disk: the broker takes writes");
    // What could not be made or opened without room.
    if let Err(refused) = change(&broker, |change| async move { change.show_missing().await }).await {
        error!(error = refused.message, "partitions that could not be opened wait for the next start");
    }
}
