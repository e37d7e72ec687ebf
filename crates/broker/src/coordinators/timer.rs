//! The life of a shard: load it, let it act when something is due, close it at the end. One task per shard, asleep until
//! its next deadline.

use std::{sync::Arc, time::Duration};

use pagewire_coordinate::{Error, Settings};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{load, shard::Shard};
use crate::{
    broker::Broker,
    clock::{now_ms, steady_ms},
};

/// Between two attempts to load a shard when the I/O pool is full.
pub(super) const BUSY_RETRY: Duration = Duration::from_millis(50);
/// Between the first failed attempt to load a shard and the next. Each failure doubles it.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest time between two attempts.
const RETRY_MAX: Duration = Duration::from_mins(1);
/// The longest sleep: some deadlines are as far away as never.
pub(super) const SLEEP_MAX: Duration = Duration::from_mins(1);

pub(super) async fn run(shard: Arc<Shard>, broker: Arc<Broker>, settings: Settings, stop: CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = live(&shard, &broker, settings) => {}
    }
    shard.close(Error::NotCoordinator);
}

async fn live(shard: &Shard, broker: &Broker, settings: Settings) {
    let mut failures = 0_u32;
    while let Err(reason) = load_into(shard, broker, settings.clone()).await {
        let (partition, retry) = (shard.partition(), pause_after(failures));
        error!(
            topic = &*partition.topic,
            partition = partition.index,
            %reason,
            retry_s = retry.as_secs(),
            "groups cannot be loaded"
        );
        // Not COORDINATOR_NOT_AVAILABLE: consumers of Kafka 3.8 and before end on that answer to OffsetFetch.
        shard.close(Error::NotCoordinator);
        tokio::time::sleep(retry).await;
        failures = failures.saturating_add(1);
    }
    broker.coordinators().forget_deleted(broker).await;
    while let Some(deadline_ms) = shard.on_time(broker) {
        // More may be due already. The connections of this thread come first.
        tokio::task::yield_now().await;
        let left = Duration::from_millis(u64::try_from(deadline_ms.saturating_sub(steady_ms())).unwrap_or(0));
        tokio::select! {
            () = tokio::time::sleep(left.min(SLEEP_MAX)) => {}
            () = shard.earlier.notified() => {}
        }
    }
}

/// How long to wait after so many failures before this one: what keeps a log from being read may pass.
pub(super) fn pause_after(failures: u32) -> Duration {
    RETRY_FIRST.saturating_mul(1 << failures.min(16)).min(RETRY_MAX)
}

async fn load_into(shard: &Shard, broker: &Broker, settings: Settings) -> Result<(), load::LoadError> {
    loop {
        let (log, settings) = (Arc::clone(&shard.partition().log), settings.clone());
        match broker.io().run(move || load::load(&log, settings, now_ms())).await {
            Ok(loaded) => {
                shard.open(loaded?, broker);
                return Ok(());
            }
            Err(_) => tokio::time::sleep(BUSY_RETRY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_be_read_is_tried_ever_more_rarely_for_ever() {
        let waits: Vec<u64> = (0..8).map(|failures| pause_after(failures).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause_after(u32::MAX), RETRY_MAX);
    }
}
