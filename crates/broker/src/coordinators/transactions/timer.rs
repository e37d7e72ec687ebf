//! The life of a shard: load it, let it act when something is due, close it at the end. One task per shard, asleep until
//! its next deadline.

use std::sync::Arc;

use pagewire_coordinate::txn;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        load::LoadError,
        running::{Attempts, on_pool},
    },
    load,
    shard::Shard,
};
use crate::{broker::Broker, metrics::Counted};

/// What is said each time.
const NOT_LOADED: &str = "transactions cannot be loaded: those of this partition stand still, as one that is decided \
                          already could be decided anew. Put the partition's directory back from a backup while the \
                          broker is stopped. Or give up what it says: take the directory away, start the broker, have it \
                          made anew (pagewire log online --empty DIR --data-dir FIRST_DIR, DIR the log directory it was in), \
                          and end what is left open (pagewire txn find-hanging, pagewire txn abort)";

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
    let (mut attempts, mut standing) = (Attempts::saying(NOT_LOADED), None);
    while let Err(reason) = load_into(shard, settings.clone()).await {
        shard.close(txn::Error::NotCoordinator);
        standing.get_or_insert_with(|| Counted::more(&broker.metrics().transactions_not_loaded));
        attempts.failed(shard.log(), &reason).await;
    }
    drop(standing);
    while shard.on_time(broker) {
        // A transaction whose time is up may need another producer id.
        shard.fetch_producer_id(broker).await;
        // More may be due already. The connections of this thread come first.
        tokio::task::yield_now().await;
        shard.alarm.sleep().await;
    }
}

async fn load_into(shard: &Shard, settings: txn::Settings) -> Result<(), LoadError> {
    let partition = Arc::clone(shard.log());
    let epoch = partition.leader_epoch();
    let of = Arc::clone(&partition);
    let loaded = on_pool(of.io(), move || load::load(&partition.log, settings.clone(), epoch)).await?;
    shard.open(loaded);
    Ok(())
}
