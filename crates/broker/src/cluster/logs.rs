//! From a topic's record to its open logs and back to nothing.

use std::{ops::Range, path::Path, sync::Arc};

use futures_util::future::join_all;
use pagewire_log::{CreateError, LogDir, LogDirs, PartitionSettings, ToMake};
use pagewire_metadata::model::{PartitionRecord, TopicRecord};
use pagewire_wire::ErrorCode;
use pagewire_zcopy::PoolFull;
use uuid::Uuid;

use super::{Change, Cluster, PartitionEntry, Refused, image::NO_LEADER};
use crate::{
    clock::now_ms,
    config::TopicConfig,
    lanes::{Lane, Lanes},
    partition::Partition,
};

/// Logs that are made in one job of a directory's threads: a disk that takes its time for thousands answers now and then.
const LOGS_PER_JOB_MAX: usize = 500;

/// How the logs of a topic are opened.
pub(super) fn settings(topic_id: Uuid, resolved: &TopicConfig) -> PartitionSettings {
    PartitionSettings {
        topic_id,
        leader_epoch: 0,
        log: resolved.log_config(),
        flush_ms: resolved.flush_every_ms(),
        behind: Vec::new(),
    }
}

/// Opens or makes the logs of a range of partitions, but for those in `failed`, to be led by `least_epoch` or a later
/// one. Blocks, until all disks have answered that are asked.
///
/// A partition without a log is in the answer too, without a leader; the first error says why there is one. None takes a record
/// before [`LogDirs::name_made`] was called.
pub(super) fn host(
    (log_dirs, lanes): (&LogDirs, &Lanes),
    record: &TopicRecord,
    resolved: &Arc<TopicConfig>,
    range: Range<usize>,
    failed: &[i32],
    least_epoch: i32,
) -> (Vec<PartitionEntry>, Option<CreateError>) {
    let mut wanted = placed(record, &range);
    wanted.retain(|(index, _)| !failed.contains(index));
    let made = log_dirs.make_all(&record.name, &wanted, &settings(record.topic_id, resolved), now_ms());
    (hosted((log_dirs, lanes), record, resolved, range, least_epoch), made.err())
}

/// Partitions and the directories that they are to be in.
fn placed(record: &TopicRecord, range: &Range<usize>) -> Vec<(i32, Option<Uuid>)> {
    let placed = range.clone().zip(record.partitions.iter().skip(range.start));
    placed.map_while(|(index, placed)| Some((i32::try_from(index).ok()?, placed.directory))).collect()
}

/// Partitions with the logs that they have.
fn hosted(
    (log_dirs, lanes): (&LogDirs, &Lanes),
    record: &TopicRecord,
    resolved: &Arc<TopicConfig>,
    range: Range<usize>,
    least_epoch: i32,
) -> Vec<PartitionEntry> {
    let name: Arc<str> = record.name.as_str().into();
    let log_of = |index: i32| {
        let ours = log_dirs.topic_id(&name, index) == Some(record.topic_id);
        log_dirs.get(&name, index).filter(|_| ours)
    };
    let one = |(index, placed): (usize, &PartitionRecord)| {
        let leader_epoch = placed.leader_epoch.max(least_epoch);
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        let hosted = log_of(index).map(|log| {
            let (name, config) = (Arc::clone(&name), Arc::clone(resolved));
            let lane = Arc::clone(lanes.of_log(&log));
            Arc::new(Partition::new(name, index, log, lane, leader_epoch, config))
        });
        PartitionEntry {
            leader: if hosted.is_some() { placed.leader } else { NO_LEADER },
            leader_epoch,
            replicas: placed.replicas.clone(),
            hosted,
        }
    };
    record.partitions.iter().enumerate().skip(range.start).take(range.len()).map(one).collect()
}

/// What kept new logs from being named, by their directories.
pub(super) struct Unnamed(Vec<(Arc<Lane>, Refused)>);

impl Unnamed {
    /// Whether these have their names. Else the error is why.
    pub(super) fn refuse(&self, partitions: &[PartitionEntry]) -> Result<(), Refused> {
        let mut hosted = partitions.iter().filter_map(|entry| entry.hosted.as_ref());
        let Some(unnamed) = hosted.find(|partition| partition.log.is_unnamed()) else { return Ok(()) };
        let why = self.0.iter().find(|(lane, _)| unnamed.is_in(lane)).map(|(_, why)| why.clone());
        Err(why.unwrap_or_else(|| Refused::new(ErrorCode::KafkaStorageError, UNNAMED)))
    }
}

const UNNAMED: &str = "new logs cannot be written down";

fn storage(name: &str, error: &CreateError) -> Refused {
    Refused::new(
        ErrorCode::KafkaStorageError,
        format!("the logs of topic '{name}' cannot be made: {}", words(error)),
    )
}

fn unnamed(error: &CreateError) -> Refused {
    Refused::new(ErrorCode::KafkaStorageError, format!("{UNNAMED}: {}", words(error)))
}

fn words(error: &CreateError) -> String {
    if error.is_full_disk() { "the broker's disk is full".to_owned() } else { error.to_string() }
}

fn busy(_full: PoolFull) -> Refused {
    Refused::new(ErrorCode::RequestTimedOut, "the broker is busy; try again")
}

impl Change {
    /// Makes the logs of a range of partitions, all or an error. They take records when they are [named](Self::name_logs). Others
    /// have the turn meanwhile.
    pub(super) async fn make_logs(
        &self,
        record: &TopicRecord,
        resolved: &Arc<TopicConfig>,
        range: Range<usize>,
    ) -> Result<Vec<PartitionEntry>, Refused> {
        let mut made = self.try_make_logs(record, resolved, range.clone()).await?;
        if matches!(made.1, Some(CreateError::OtherTopic { .. })) {
            // A deleted namesake's, which could not be taken away then.
            self.aside(self.cluster().remove_logs(&record.name, range.clone())).await;
            made = self.try_make_logs(record, resolved, range).await?;
        }
        match made {
            (partitions, None) => Ok(partitions),
            (_, Some(error)) => Err(storage(&record.name, &error)),
        }
    }

    async fn try_make_logs(
        &self,
        record: &TopicRecord,
        resolved: &Arc<TopicConfig>,
        range: Range<usize>,
    ) -> Result<(Vec<PartitionEntry>, Option<CreateError>), Refused> {
        let cluster = self.cluster();
        let dirs = (&*cluster.log_dirs, &*cluster.lanes);
        let settings = settings(record.topic_id, resolved);
        let to_make = cluster.log_dirs.to_make(&record.name, &placed(record, &range), record.topic_id);
        let (all, mut first_error) = to_make.unwrap_or_else(|error| (Vec::new(), Some(error)));
        let made = all.iter().map(|one| make(cluster.lanes.of(one.dir.path()), one, &record.name, &settings));
        for made in self.aside(join_all(made)).await {
            let made = made.map_err(busy)?;
            first_error = first_error.or(made.err());
        }
        let least_epoch = cluster.identity().leader_epoch;
        Ok((hosted(dirs, record, resolved, range, least_epoch), first_error))
    }

    /// Names logs that were made, all of a directory at once. Others have the turn meanwhile.
    pub(super) async fn name_logs(&self, partitions: impl Iterator<Item = &PartitionEntry>) -> Unnamed {
        let cluster = self.cluster();
        let mut lanes: Vec<Arc<Lane>> = Vec::new();
        let unnamed = partitions.filter_map(|entry| entry.hosted.as_ref());
        for partition in unnamed.filter(|partition| partition.log.is_unnamed()) {
            if !lanes.iter().any(|lane| partition.is_in(lane)) {
                lanes.push(Arc::clone(partition.lane()));
            }
        }
        let named = lanes.into_iter().map(|lane| async {
            let dir = cluster.log_dirs.here().find(|dir| dir.path() == lane.path())?;
            let why = name(&lane, dir).await.err()?;
            Some((lane, why))
        });
        Unnamed(self.aside(join_all(named)).await.into_iter().flatten().collect())
    }

    /// New settings for the logs of a topic. What has to be written down for that is, while others have the turn.
    pub(super) async fn set_settings(&self, name: &str, settings: &PartitionSettings) {
        let cluster = self.cluster();
        let dirs = cluster.log_dirs.here().filter(|dir| dir.has_topic(name));
        if !settings.log.cleanup_compact {
            return dirs.for_each(|dir| dir.set_settings(name, settings));
        }
        let set = dirs.map(|dir| {
            let (lane, name, settings) =
                (Arc::clone(cluster.lanes.of(dir.path())), name.to_owned(), settings.clone());
            let again = (Arc::clone(&dir), name.clone(), settings.clone());
            async move {
                if lane.run(move || dir.set_settings(&name, &settings)).await.is_err() {
                    // Nothing else may wait for it, and it must not be left out.
                    let (dir, name, settings) = again;
                    let _ = tokio::task::spawn_blocking(move || dir.set_settings(&name, &settings)).await;
                }
            }
        });
        self.aside(join_all(set)).await;
    }
}

/// Makes what is to be in one directory.
async fn make(
    lane: &Lane,
    ToMake { dir, partitions }: &ToMake,
    name: &str,
    settings: &PartitionSettings,
) -> Result<Result<(), CreateError>, PoolFull> {
    let mut first_error = None;
    for some in partitions.chunks(LOGS_PER_JOB_MAX) {
        let (dir, some) = (Arc::clone(dir), some.to_vec());
        let (name, settings) = (name.to_owned(), settings.clone());
        let made = lane.run(move || dir.make_all(&name, &some, &settings, now_ms())).await?;
        first_error = first_error.or(made.err());
    }
    Ok(first_error.map_or(Ok(()), Err))
}

async fn name(lane: &Lane, dir: Arc<LogDir>) -> Result<(), Refused> {
    let named = lane.run(move || {
        dir.name_made().map_err(|error| CreateError::Io { path: dir.path().to_path_buf(), error })
    });
    named.await.map_err(busy)?.map_err(|error| unnamed(&error))
}

impl Cluster {
    /// Deletes the logs of a range of partitions; says whether none of their directories has its name any more. What
    /// cannot be renamed now, or is in a log directory that is not here, is found at a later start, where no topic
    /// claims it.
    pub(super) async fn remove_logs(&self, name: &str, partitions: Range<usize>) -> bool {
        let numbers: Arc<[i32]> = partitions.map_while(|number| i32::try_from(number).ok()).collect();
        // Nobody waits for a disk that does not answer to say that it has nothing of them.
        let (asked, passed): (Vec<_>, Vec<_>) = self
            .log_dirs
            .here()
            .partition(|dir| dir.knows_any(name, &numbers) || !self.is_silent(dir.path()));
        let removed = asked.into_iter().map(|dir| {
            let (lane, name, numbers) = (self.lanes.of(dir.path()), name.to_owned(), Arc::clone(&numbers));
            lane.run(move || dir.take_away(&name, &numbers, now_ms()))
        });
        let mut all_gone = passed.is_empty() && self.log_dirs.away().is_empty();
        for removed in join_all(removed).await {
            all_gone &= match removed {
                Ok(Ok(gone)) => gone,
                Ok(Err(error)) => {
                    tracing::error!(%error, "a deleted topic's directory could not be renamed");
                    false
                }
                Err(error) => {
                    tracing::error!(%error, "a deleted topic's directories were left for the next start");
                    false
                }
            };
        }
        all_gone
    }

    /// Whether the disk of a directory answers nothing at the moment.
    pub(super) fn is_silent(&self, dir: &Path) -> bool {
        self.lanes.of(dir).is_silent()
    }
}
