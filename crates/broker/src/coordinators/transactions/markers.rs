//! Writes the markers that end a transaction into its partitions, once the decision is stable, and hands back what became of
//! them. One task per transaction, and one for its markers in each log directory, so many of them at the same time: a
//! transaction that waits for a slow disk holds no other up, and a directory that hangs none of the markers in another one.
//! A marker that waits for its disk is not written a second time meanwhile: the later one might end the producer's next
//! transaction. What markers wait for, syncs, is shared by all who wait in a partition, and bounded where it is done; so are
//! those that wait to be appended.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::join_all;
use pagewire_coordinate::txn::{self, Marked};
use pagewire_wire::ErrorCode;
use tokio::{task::JoinSet, time::sleep};
use tracing::{debug, error, warn};

use super::{
    super::markers::write_marker,
    shard::{Shard, Verdict},
};
use crate::{broker::Broker, partition::Marker};

/// Markers of one transaction that are written at the same time in a directory.
const AT_ONCE: usize = 256;
/// A shard that waits for its disk, and for which as many wait already as may, is looked at again after this.
const AGAIN: Duration = Duration::from_millis(100);

/// Writes what is due. The shard hears of it unless it ends first: whoever takes its place reads the decision and begins again.
pub(super) async fn write(
    shard: Arc<Shard>,
    broker: Arc<Broker>,
    markers: txn::Markers,
    written_to: Option<i64>,
) {
    let stop = shard.running.stop.clone();
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = write_all(&shard, &broker, &markers, written_to) => {}
    }
}

async fn write_all(
    shard: &Arc<Shard>,
    broker: &Arc<Broker>,
    markers: &txn::Markers,
    written_to: Option<i64>,
) {
    // Before it is stable a power failure could undo the decision, but not the markers.
    if let Err(error) = shard.stable(broker, written_to).await {
        return tell(shard, broker, markers, Err(error)).await;
    }
    let (mut writing, tasks) = (JoinSet::new(), &shard.running.tasks);
    for its in by_directory(broker, markers).into_values() {
        writing.spawn(tasks.track_future(write_some(Arc::clone(broker), markers.clone(), its)));
    }
    let mut marked = Vec::new();
    while let Some(some) = writing.join_next().await {
        // What a task that broke off had to write is written again.
        marked.extend(some.unwrap_or_default());
    }
    tell(shard, broker, markers, Ok(&marked)).await;
}

/// The shard may wait for its own disk, and with it any number of transactions: they take turns to wait on a thread.
async fn tell(
    shard: &Arc<Shard>,
    broker: &Arc<Broker>,
    markers: &txn::Markers,
    marked: Result<&[Verdict], txn::Error>,
) {
    while !shard.marked(broker, &markers.of, marked) {
        sleep(AGAIN).await;
    }
}

/// Partitions that get a marker, by the log directories that they are in.
fn by_directory(broker: &Broker, markers: &txn::Markers) -> HashMap<Option<PathBuf>, Vec<(Arc<str>, i32)>> {
    let image = broker.image();
    let directory = |topic: &str, partition| {
        let partition = image.topic(topic)?.served(partition).ok()?;
        Some(partition.lane().path().to_path_buf())
    };
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    for (topic, partitions) in &markers.topics {
        for &partition in partitions {
            all.entry(directory(topic, partition)).or_default().push((Arc::clone(topic), partition));
        }
    }
    all
}

async fn write_some(broker: Arc<Broker>, markers: txn::Markers, all: Vec<(Arc<str>, i32)>) -> Vec<Verdict> {
    let mut marked = Vec::with_capacity(all.len());
    for some in all.chunks(AT_ONCE) {
        let each = some.iter().map(|(topic, partition)| write_one(&broker, &markers, topic, *partition));
        marked.extend(join_all(each).await);
    }
    marked
}

async fn write_one(
    broker: &Arc<Broker>,
    markers: &txn::Markers,
    topic: &Arc<str>,
    partition: i32,
) -> Verdict {
    let mut marker = marker(markers);
    let mut written = write_marker(broker, topic, partition, marker).await;
    if written == Err(ErrorCode::TransactionCoordinatorFenced)
        && let Some(epoch) = coordinator_epoch_at(broker, topic, partition, marker.producer_id)
    {
        // No other coordinator is there: the epoch is that of a tool, or of the cluster that the log was taken over from.
        marker.coordinator_epoch = epoch;
        written = write_marker(broker, topic, partition, marker).await;
    }
    let is_open = || is_open_at(broker, topic, partition, marker.producer_id);
    (Arc::clone(topic), partition, what_became(&markers.of, topic, partition, written, is_open))
}

fn marker(markers: &txn::Markers) -> Marker {
    Marker {
        producer_id: markers.of.producer_id,
        producer_epoch: markers.of.producer_epoch,
        committed: markers.outcome == txn::Outcome::Commit,
        coordinator_epoch: markers.coordinator_epoch,
        transaction_version: markers.version,
    }
}

fn coordinator_epoch_at(broker: &Broker, topic: &str, partition: i32, producer_id: i64) -> Option<i32> {
    let image = broker.image();
    let partition = image.topic(topic)?.served(partition).ok()?;
    let producers = partition.lane().write(0, || partition.log.producers()).ok()?;
    let producer = producers.iter().find(|producer| producer.producer_id == producer_id);
    producer.map(|producer| producer.coordinator_epoch)
}

/// Whether a transaction of the producer is open there, of whatever epoch.
fn is_open_at(broker: &Broker, topic: &str, partition: i32, producer_id: i64) -> bool {
    let image = broker.image();
    let Some(partition) = image.topic(topic).and_then(|topic| topic.served(partition).ok()) else {
        return true;
    };
    // Where that cannot be told now, the marker is sent again.
    let open = partition.lane().write(0, || partition.log.open_transactions());
    open.map_or(true, |open| open.iter().any(|open| open.producer_id == producer_id))
}

fn what_became(
    of: &txn::MarkersOf,
    topic: &str,
    partition: i32,
    written: Result<(), ErrorCode>,
    is_open: impl Fn() -> bool,
) -> Marked {
    let (transactional_id, producer_id) = (&*of.transactional_id, of.producer_id);
    match written {
        Ok(()) => Marked::Written,
        Err(ErrorCode::UnknownTopicOrPartition) => {
            debug!(transactional_id, topic, partition, "took part in a transaction and is gone");
            Marked::Gone
        }
        Err(ErrorCode::InvalidProducerEpoch) if is_open() => {
            let epoch = of.producer_epoch;
            error!(
                transactional_id,
                topic,
                partition,
                producer_id,
                epoch,
                "knows a later epoch and has an open transaction of it that this coordinator did not begin: its readers \
                 of committed records stand still until it is ended (pagewire txn abort)"
            );
            Marked::Failed
        }
        Err(ErrorCode::InvalidProducerEpoch) => {
            let epoch = of.producer_epoch;
            warn!(
                transactional_id,
                topic,
                partition,
                producer_id,
                epoch,
                "knows a later epoch: its transaction was ended there by another"
            );
            Marked::Gone
        }
        Err(error) => {
            debug!(transactional_id, topic, partition, error = error.name(), "has no marker yet");
            Marked::Failed
        }
    }
}
