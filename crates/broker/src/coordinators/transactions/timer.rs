//! The life of a shard: load it, let it act when something is due, close it at the end. One task per shard, asleep until
//! its next deadline.

use std::{sync::Arc, time::Duration};

use pagewire_coordinate::txn;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{
    super::{
        load::LoadError,
        timer::{BUSY_RETRY, SLEEP_MAX, pause_after},
    },
    load,
    shard::Shard,
};
use crate::{broker::Broker, clock::steady_ms};

pub(super) async fn run(
    shard: Arc<Shard>,
    broker: Arc<Broker>,
    settings: txn::Settings,
    stop: CancellationToken,
) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = live(&shard, &broker, settings) => {}
    }
    shard.close(txn::Error::NotCoordinator);
}

async fn live(shard: &Arc<Shard>, broker: &Arc<Broker>, settings: txn::Settings) {
    let mut failures = 0_u32;
    while let Err(reason) = load_into(shard, broker, settings.clone()).await {
        let (partition, retry) = (shard.log(), pause_after(failures));
        error!(
            topic = &*partition.topic,
            partition = partition.index,
            %reason,
            retry_s = retry.as_secs(),
            "transactions cannot be loaded"
        );
        shard.close(txn::Error::NotCoordinator);
        tokio::time::sleep(retry).await;
        failures = failures.saturating_add(1);
    }
    while let Some(deadline_ms) = shard.on_time(broker) {
        // A transaction whose time is up may need another producer id.
        shard.fetch_producer_id(broker).await;
        // More may be due already. The connections of this thread come first.
        tokio::task::yield_now().await;
        let left = Duration::from_millis(u64::try_from(deadline_ms.saturating_sub(steady_ms())).unwrap_or(0));
        tokio::select! {
            () = tokio::time::sleep(left.min(SLEEP_MAX)) => {}
            () = shard.earlier.notified() => {}
        }
    }
}

async fn load_into(shard: &Shard, broker: &Broker, settings: txn::Settings) -> Result<(), LoadError> {
    loop {
        let (partition, settings) = (Arc::clone(shard.log()), settings.clone());
        let epoch = partition.leader_epoch();
        match broker.io().run(move || load::load(&partition.log, settings, epoch)).await {
            Ok(loaded) => {
                shard.open(loaded?);
                return Ok(());
            }
            Err(_) => tokio::time::sleep(BUSY_RETRY).await,
        }
    }
}
