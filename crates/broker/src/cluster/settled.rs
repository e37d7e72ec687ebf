//! Who appends to a partition while it moves to another log directory waits until it is known where it is.

use std::sync::Arc;

use pagewire_wire::ErrorCode;
use uuid::Uuid;

use super::Cluster;
use crate::broker::Broker;
use crate::partition::{Partition, Waker};

impl Cluster {
    /// The partition whose log takes appends in the place of this one, or again this one; or why there is none. Waits for as long
    /// as the last round of a move and the switch after it take.
    pub(crate) async fn settled(
        &self,
        topic_id: Uuid,
        partition: &Arc<Partition>,
    ) -> Result<Arc<Partition>, ErrorCode> {
        let waker = Arc::new(Waker::default());
        let _watched = partition.watch(&waker);
        loop {
            let image = self.image();
            let topic = image.topic_by_id(topic_id).ok_or(ErrorCode::UnknownTopicOrPartition)?;
            let now = topic.served(partition.index)?;
            // One that has left its directory stays in the image for a moment.
            if !Arc::ptr_eq(now, partition) || !partition.log.is_halted() {
                return Ok(Arc::clone(now));
            }
            waker.woken().await;
        }
    }
}

/// Those who wait for a last round of this partition. Dropped, it tells them to look again, however the round has ended.
pub(super) struct Waiting {
    broker: Arc<Broker>,
    topic_id: Uuid,
    index: i32,
}

impl Waiting {
    pub(super) fn of(broker: &Arc<Broker>, topic_id: Uuid, index: i32) -> Self {
        Self { broker: Arc::clone(broker), topic_id, index }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let image = self.broker.cluster().image();
        if let Some(partition) = image.topic_by_id(self.topic_id).and_then(|topic| topic.hosted(self.index)) {
            partition.wake_all();
        }
    }
}
