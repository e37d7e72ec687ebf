//! The life of a shard: load it, let it act when something is due, close it at the end. One task per shard, asleep until
//! its next deadline.

use std::sync::Arc;

use pagewire_coordinate::{Error, Settings};
use tokio_util::sync::CancellationToken;

use super::{
    load::{self, LoadError},
    running::{Attempts, on_pool},
    shard::Shard,
};
use crate::{broker::Broker, clock::now_ms};

pub(super) async fn run(shard: Arc<Shard>, broker: Arc<Broker>, settings: Settings, stop: CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = live(&shard, &broker, settings) => {}
    }
    shard.close(Error::NotCoordinator);
}

async fn live(shard: &Arc<Shard>, broker: &Arc<Broker>, settings: Settings) {
    let mut attempts = Attempts::saying("groups cannot be loaded");
    while let Err(reason) = load_into(shard, broker, settings.clone()).await {
        // Not COORDINATOR_NOT_AVAILABLE: consumers of Kafka 3.8 and before end on that answer to OffsetFetch.
        shard.close(Error::NotCoordinator);
        attempts.failed(shard.partition(), &reason).await;
    }
    broker.coordinators().forget_deleted(broker).await;
    while shard.on_time(broker) {
        // More may be due already. The connections of this thread come first.
        tokio::task::yield_now().await;
        shard.alarm.sleep().await;
    }
}

async fn load_into(shard: &Shard, broker: &Broker, settings: Settings) -> Result<(), LoadError> {
    let log = Arc::clone(&shard.partition().log);
    let loaded =
        on_pool(shard.partition().io(), move || load::load(&log, settings.clone(), now_ms())).await?;
    shard.open(loaded, broker);
    Ok(())
}
