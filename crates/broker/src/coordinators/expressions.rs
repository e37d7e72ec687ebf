//! Looks for the topics of groups' regular expressions: on the I/O pool, few at a time, while the shard that asked goes on.

use std::sync::Arc;

use pagewire_coordinate::Lookup;
use tokio::sync::Semaphore;

use super::{running::on_pool, shard::Shard, topics::ClusterTopics};
use crate::broker::Broker;

/// Looks at the same time, of all groups: they must not keep the pool from what reads and writes.
const AT_ONCE: usize = 2;

/// Looks under way.
pub(super) struct Looks {
    places: Semaphore,
}

impl Default for Looks {
    fn default() -> Self {
        Self { places: Semaphore::new(AT_ONCE) }
    }
}

/// Does what is asked, and hands it back unless the shard ends first.
pub(super) async fn look(shard: Arc<Shard>, broker: Arc<Broker>, lookup: Lookup) {
    let stop = shard.running.stop.clone();
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = find(&shard, &broker, lookup) => {}
    }
}

async fn find(shard: &Arc<Shard>, broker: &Arc<Broker>, lookup: Lookup) {
    let Ok(_place) = shard.looks.places.acquire().await else {
        return shard.found(broker, lookup.give_up());
    };
    let topics = Arc::new(ClusterTopics::of(broker));
    let found = on_pool(broker.io(), move || lookup.find(&*topics)).await;
    shard.found(broker, found);
}
