//! Metadata that somebody saved and put back: it is older than the logs, and what was given out since must not be given out a
//! second time. As after a restore, leader epochs and producer ids are skipped that nobody can have come to meanwhile.
//!
//! It is recognised by a first directory that has nothing else, or by a log with a leader epoch or a producer id that the
//! metadata has not come to. A producer that has written nothing lately, or nothing yet, is in no log but that of the coordinator
//! of transactions, whose records name it: so that one is read.

use std::{
    iter,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pagewire_log::{Locked, Log, LogDirs, OnlineCommand};
use pagewire_metadata::{
    Catalog,
    model::{ClusterRecord, TopicRecord},
};
use tracing::{error, info, warn};

use super::StartError;
use crate::{
    backup,
    clock::now_ms,
    coordinators::{TRANSACTIONS_TOPIC, highest_producer_id},
};

/// An epoch further ahead is a bit that flipped: no checksum covers it. A producer id that is as far ahead as what is skipped is
/// one that a client made up.
const EPOCHS_AHEAD_MAX: i32 = 1 << 16;

/// Whether every directory that can be read and says whose it is says the same as the metadata.
pub(super) fn is_of(locked: &[Locked], cluster: &ClusterRecord) -> bool {
    let mut metas = locked.iter().filter_map(|(_, dir)| dir.as_ref().ok()?.meta());
    metas.all(|meta| meta.cluster_id == cluster.cluster_id)
}

/// The first directory has nothing but the metadata.
pub(super) async fn put_back(catalog: &Catalog, home: &Path) -> Result<ClusterRecord, StartError> {
    error!(
        path = %home.display(),
        "it has nothing but the metadata: the partitions that were in it are not served until their directories are put back, or \
         {} makes them anew; those of other directories are served",
        OnlineCommand { dir: home, home, empty: true }
    );
    skip(catalog).await
}

/// What logs have that the metadata has not come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// The newest epoch, at least the one that the metadata knows.
    epoch: i32,
    /// A producer id, where nothing but that is ahead: a client may have made it up.
    producer_id: Option<i64>,
}

/// Compares the logs with the metadata, which is at this leader epoch and has not given out this producer id. `named` is the
/// highest one that the log of transactions speaks of.
pub(super) fn ahead(
    log_dirs: &LogDirs,
    topics: &[TopicRecord],
    least_epoch: i32,
    next_producer_id: i64,
    named: Option<i64>,
) -> Option<Ahead> {
    let given_out = next_producer_id..next_producer_id.saturating_add(backup::PRODUCER_IDS);
    let (mut newest, mut producer_id) = (least_epoch, named.filter(|id| given_out.contains(id)));
    for topic in topics {
        for (index, placed) in (0..).zip(&topic.partitions) {
            let Some(log) = log_dirs.get(&topic.name, index) else { continue };
            let led = placed.leader_epoch.max(least_epoch);
            let epoch = log.leader_epoch().unwrap_or(-1);
            if led < epoch && epoch <= led.saturating_add(EPOCHS_AHEAD_MAX) {
                newest = newest.max(epoch);
            }
            producer_id = producer_id.max(log.highest_producer_id().filter(|id| given_out.contains(id)));
        }
    }
    if newest > least_epoch {
        return Some(Ahead { epoch: newest, producer_id: None });
    }
    producer_id.map(|id| Ahead { epoch: newest, producer_id: Some(id) })
}

/// The logs that say what is known of transactions.
pub(super) fn of_transactions(log_dirs: &LogDirs, topics: &[TopicRecord]) -> Vec<Arc<Log>> {
    let theirs = topics.iter().filter(|topic| topic.name == TRANSACTIONS_TOPIC);
    let partitions = theirs.flat_map(|topic| (0..).zip(&topic.partitions));
    partitions.filter_map(|(index, _)| log_dirs.get(TRANSACTIONS_TOPIC, index)).collect()
}

/// The highest producer id that they speak of: of one that is idle for long nothing else does. Reads them all, on so many
/// threads; blocks.
pub(super) fn highest_named(logs: &[Arc<Log>], threads: usize) -> Option<i64> {
    let (began, next) = (Instant::now(), AtomicUsize::new(0));
    let read = || {
        let of_next = || logs.get(next.fetch_add(1, Ordering::Relaxed));
        iter::from_fn(of_next).filter_map(|log| highest_producer_id(log)).max()
    };
    let highest = thread::scope(|scope| {
        let readers: Vec<_> = (0..threads.clamp(1, logs.len().max(1))).map(|_| scope.spawn(read)).collect();
        readers.into_iter().filter_map(|reader| reader.join().ok().flatten()).max()
    });
    if began.elapsed() >= TOLD_FROM {
        let bytes: u64 = logs.iter().map(|log| log.size_bytes()).sum();
        let seconds = began.elapsed().as_secs_f64();
        info!("{TRANSACTIONS_TOPIC}: looked for producer ids in {bytes} bytes in {seconds:.1} s");
    }
    highest
}

/// A look that takes longer than this is told.
const TOLD_FROM: Duration = Duration::from_secs(1);

/// Goes past what the logs have.
pub(super) async fn catch_up(catalog: &Catalog, ahead: Ahead) -> Result<ClusterRecord, StartError> {
    match ahead.producer_id {
        None => warn!(
            "logs were written to under leader epochs that the metadata does not know: it is an older copy, most likely. Topics, \
             settings and partitions that were made since are not in it"
        ),
        Some(producer_id) => warn!(
            producer_id,
            "a log has a producer id that was not given out: a client made it up, or the metadata is an older copy, and topics, \
             settings and partitions that were made since are not in it. Ids and leader epochs go on past it"
        ),
    }
    catalog.raise_leader_epoch_to(ahead.epoch).await?;
    skip(catalog).await
}

async fn skip(catalog: &Catalog) -> Result<ClusterRecord, StartError> {
    catalog.leap(backup::LEADER_EPOCHS, backup::PRODUCER_IDS).await?;
    Ok(catalog.cluster(now_ms()).await?)
}
