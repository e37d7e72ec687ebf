//! Partitions whose logs could not be made or opened at the start for want of room or of file handles: they come when there is
//! some again, without a restart.
//!
//! The directory says when there is room. An attempt that fails leaves everything as it was, and the next one waits longer.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::{
    broker::Broker,
    cluster::{change, take_in},
};

/// Before the first attempt.
const RETRY: Duration = Duration::from_secs(2);
/// Between two attempts at most: each recovers what cannot be opened.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// Tries again until nothing wants anything.
pub(super) async fn wait(broker: Arc<Broker>, stop: CancellationToken) {
    let mut pause = RETRY;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let is_short = broker.cluster().log_dirs().here().any(|dir| dir.is_full() || dir.is_held());
        if is_short {
            continue;
        }
        if attempt(&broker).await {
            return;
        }
        pause = RETRY_MAX.min(pause * 2);
    }
}

/// Opens and makes what is missing; whether nothing waits any more.
pub(crate) async fn attempt(broker: &Arc<Broker>) -> bool {
    let log_dirs = Arc::clone(broker.cluster().log_dirs());
    for dir in log_dirs.here() {
        if log_dirs.closed_in(dir.path()) > 0
            && let Err(refused) = take_in(broker, dir.path().to_path_buf(), false, |_| {}).await
        {
            debug!(error = refused.message, "logs that could not be opened wait for the next attempt");
        }
    }
    let made = change(broker, |change| async move { change.make_missing().await }).await;
    match made {
        Ok((partitions, wants)) => {
            if partitions > 0 {
                info!(partitions, "made now: there was no room for their logs when the broker started");
            }
            !wants && log_dirs.here().all(|dir| log_dirs.closed_in(dir.path()) == 0)
        }
        Err(refused) => {
            debug!(error = refused.message, "logs that could not be made wait for the next attempt");
            false
        }
    }
}
