//! From a topic's record to its open logs and back to nothing.

use std::{ops::Range, sync::Arc};

use pagewire_log::{CreateError, LogDirs, PartitionSettings};
use pagewire_metadata::model::{PartitionRecord, TopicRecord};
use pagewire_wire::ErrorCode;
use pagewire_zcopy::IoPool;
use uuid::Uuid;

use super::{Change, PartitionEntry, Refused, image::NO_LEADER};
use crate::{clock::now_ms, config::TopicConfig, lanes::Lanes, partition::Partition};

/// How the logs of a topic are opened.
pub(super) fn settings(topic_id: Uuid, resolved: &TopicConfig) -> PartitionSettings {
    PartitionSettings {
        topic_id,
        leader_epoch: 0,
        log: resolved.log_config(),
        flush_ms: resolved.flush_every_ms(),
    }
}

/// Opens or makes the logs of a range of partitions, but for those in `failed`, to be led by `least_epoch` or a later
/// one. Blocks.
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
    let name: Arc<str> = record.name.as_str().into();
    let placed = range.clone().zip(record.partitions.iter().skip(range.start));
    let placed = placed.map_while(|(index, placed)| Some((i32::try_from(index).ok()?, placed.directory)));
    let wanted: Vec<_> = placed.filter(|(index, _)| !failed.contains(index)).collect();
    let made = log_dirs.make_all(&name, &wanted, &settings(record.topic_id, resolved), now_ms());
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
    let entries = record.partitions.iter().enumerate().skip(range.start).take(range.len()).map(one);
    (entries.collect(), made.err())
}

/// Whether these have their names. Else the error is why, which may be of another directory alone.
pub(super) fn takes_records(
    partitions: &[PartitionEntry],
    named: &Result<(), Refused>,
) -> Result<(), Refused> {
    let mut hosted = partitions.iter().filter_map(|entry| entry.hosted.as_ref());
    if hosted.any(|partition| partition.log.is_unnamed()) { named.clone() } else { Ok(()) }
}

fn storage(name: &str, error: &CreateError) -> Refused {
    Refused::new(
        ErrorCode::KafkaStorageError,
        format!("the logs of topic '{name}' cannot be made: {}", words(error)),
    )
}

fn unnamed(error: &CreateError) -> Refused {
    Refused::new(ErrorCode::KafkaStorageError, format!("new logs cannot be written down: {}", words(error)))
}

fn words(error: &CreateError) -> String {
    if error.is_full_disk() { "the broker's disk is full".to_owned() } else { error.to_string() }
}

impl Change {
    fn io(&self) -> &IoPool {
        self.broker.io()
    }

    /// Makes the logs of a range of partitions, all or an error. They take records when they are [named](Self::name_logs).
    pub(super) async fn make_logs(
        &self,
        record: &TopicRecord,
        resolved: &Arc<TopicConfig>,
        range: Range<usize>,
    ) -> Result<Vec<PartitionEntry>, Refused> {
        let mut made = self.try_make_logs(record, resolved, range.clone()).await?;
        if matches!(made.1, Some(CreateError::OtherTopic { .. })) {
            // A deleted namesake's, which could not be taken away then.
            self.remove_logs(&record.name, range.clone()).await;
            made = self.try_make_logs(record, resolved, range).await?;
        }
        match made {
            (partitions, None) => Ok(partitions),
            (_, Some(error)) => Err(storage(&record.name, &error)),
        }
    }

    /// Names the logs that were made since this was called last, all of a directory at once. [`takes_records`] says of whom the
    /// error is.
    pub(super) async fn name_logs(&self) -> Result<(), Refused> {
        let log_dirs = Arc::clone(self.cluster().log_dirs());
        let named = self.io().run(move || log_dirs.name_made()).await;
        let named =
            named.map_err(|_| Refused::new(ErrorCode::RequestTimedOut, "the broker is busy; try again"))?;
        named.map_err(|error| unnamed(&error))
    }

    async fn try_make_logs(
        &self,
        record: &TopicRecord,
        resolved: &Arc<TopicConfig>,
        range: Range<usize>,
    ) -> Result<(Vec<PartitionEntry>, Option<CreateError>), Refused> {
        let (log_dirs, lanes) = (Arc::clone(self.cluster().log_dirs()), Arc::clone(self.cluster().lanes()));
        let (wanted, config) = (record.clone(), Arc::clone(resolved));
        let least_epoch = self.cluster().identity().leader_epoch;
        let make = move || host((&log_dirs, &lanes), &wanted, &config, range, &[], least_epoch);
        let made = self.io().run(make).await;
        made.map_err(|_| Refused::new(ErrorCode::RequestTimedOut, "the broker is busy; try again"))
    }

    /// Deletes the logs of a range of partitions; says whether none of their directories has its name any more. What
    /// cannot be renamed now, or is in a log directory that is not here, is found at a later start, where no topic
    /// claims it.
    pub(super) async fn remove_logs(&self, name: &str, partitions: Range<usize>) -> bool {
        let (log_dirs, name) = (Arc::clone(self.cluster().log_dirs()), name.to_owned());
        let removed = move || {
            let numbers: Vec<i32> = partitions.map_while(|number| i32::try_from(number).ok()).collect();
            log_dirs.delete_all(&name, &numbers, now_ms())
        };
        match self.io().run(removed).await {
            Ok(Ok(all)) => return all,
            Ok(Err(error)) => tracing::error!(%error, "a deleted topic's directory could not be renamed"),
            Err(error) => {
                tracing::error!(%error, "a deleted topic's directories were left for the next start");
            }
        }
        false
    }
}
