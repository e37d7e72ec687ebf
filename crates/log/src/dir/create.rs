//! Making a partition's log, or finding it already made.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{CheckpointError, PartitionMetadata};
use uuid::Uuid;

use super::errors::CreateError;
use super::names::{is_legal, partition_dir};
use super::options::PartitionSettings;
use super::records::has_records;
use super::stray::set_aside;
use super::table::Entry;
use super::{LogDir, parallel};
use crate::home::Home;
use crate::{Log, LogError, Offline, OpenOptions};

/// Threads that make logs side by side: what they wait for is syncs, and the disk does several at once.
const THREADS: usize = 8;

impl LogDir {
    /// The log of a partition, made if there is none. When this returns, the log, its directory and the topic's id in
    /// it survive a power cut.
    ///
    /// One that is gone though it had records is not made anew. A directory of that name that is not this topic's (another id, or records without an id) is renamed to
    /// `…-stray` first. One of this topic's, left by an earlier attempt, is opened.
    pub fn create(
        &self,
        topic: &str,
        partition: i32,
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<Arc<Log>, CreateError> {
        self.create_all(topic, &[partition], settings, now_ms)?;
        self.get(topic, partition).ok_or_else(|| self.offline().unwrap_or_else(gone).into())
    }

    /// [`create`](Self::create) of several partitions of a topic, faster than one by one. After an error some may have
    /// been made; the next attempt finds them.
    pub fn create_all(
        &self,
        topic: &str,
        partitions: &[i32],
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<(), CreateError> {
        if let Some(&partition) = partitions.iter().find(|partition| !is_legal(topic, **partition)) {
            return Err(CreateError::Name { topic: topic.to_owned(), partition });
        }
        let _changing = self.changing.lock();
        let missing = self.missing(topic, partitions, settings.topic_id)?;
        if missing.is_empty() {
            return Ok(());
        }
        if let Some(offline) = self.offline() {
            return Err(offline.into());
        }
        let made = parallel::map(&missing, THREADS, |&partition| {
            let dir = self.path.join(partition_dir(topic, partition));
            let was_there = self.disk.exists(&dir).unwrap_or(true);
            self.make(topic, partition, &dir, settings, now_ms).inspect_err(|error| {
                if let Some(error) = error.io() {
                    self.note(&dir, error);
                }
                if !was_there {
                    // Half a log, which nobody was told of. What cannot be removed holds no record either.
                    let _ = self.disk.remove_dir_all(&dir);
                }
            })
        });
        self.disk
            .sync_dir(&self.path)
            .inspect_err(|error| self.note(&self.path, error))
            .map_err(CreateError::at(&self.path))?;
        let mut first_error = None;
        let mut table = self.table.write();
        for (partition, log) in missing.into_iter().zip(made) {
            match log {
                Ok(log) => {
                    table.insert(topic, partition, Arc::new(Entry::new(Arc::new(log), settings, now_ms)));
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        drop(table);
        // Those whose directories came back.
        self.keep_gone(|topic, partition| self.get(topic, partition).is_none());
        if settings.log.cleanup_compact {
            // From its first record on a hole past the recovery point is known to be a loss. Where this cannot be written,
            // it is not known until the next checkpoint.
            let _ = self.write_checkpoints();
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Those of `partitions` that are not open, each once.
    fn missing(&self, topic: &str, partitions: &[i32], topic_id: Uuid) -> Result<Vec<i32>, CreateError> {
        let table = self.table.read();
        let mut missing = BTreeSet::new();
        for &partition in partitions {
            match table.get(topic, partition) {
                None => missing.extend([partition]),
                Some(entry) if entry.topic_id == topic_id => {}
                Some(entry) => return Err(CreateError::OtherTopic { found: entry.topic_id }),
            }
        }
        Ok(missing.into_iter().collect())
    }

    /// Makes one log; its name in the log directory is not durable yet.
    fn make(
        &self,
        topic: &str,
        partition: i32,
        dir: &Path,
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<Log, CreateError> {
        let disk = self.disk.as_ref();
        let (mut recovery_point, mut log_start_offset, mut known) = (0, 0, true);
        if self.clear_the_way(topic, partition, dir, settings.topic_id)? {
            let carried = self.carried.lock();
            let carried_point = carried.recovery.get(topic, partition);
            (recovery_point, known) = (carried_point.unwrap_or(0), carried_point.is_some());
            log_start_offset = carried.log_start.get(topic, partition).unwrap_or(0);
        } else if self.is_gone(topic, partition) {
            return Err(LogError::Gone { path: dir.to_path_buf() }.into());
        } else {
            self.forget(topic, partition)?;
            disk.create_dir_all(dir).map_err(CreateError::at(dir))?;
        }
        let file = dir.join(PARTITION_METADATA_FILE);
        let metadata = PartitionMetadata { topic_id: settings.topic_id };
        metadata.write(disk, &file).map_err(CreateError::at(&file))?;
        let options = OpenOptions {
            config: settings.log.clone(),
            recovery_point,
            log_start_offset,
            clean: false,
            leader_epoch: settings.leader_epoch,
            now_ms,
        };
        let home = Home::new(Arc::clone(&self.disk), dir.to_path_buf(), Arc::clone(&self.handles))
            .compacted(self.cleaning.lock().was_cleaned(topic, partition))
            .witnessed(known, None);
        let (log, report) =
            Log::open_at(home.within(&self.health, &self.producers), topic, partition, options)?;
        for cut in &report.cuts {
            tracing::warn!(%cut, "a partition made earlier was cut");
        }
        for damage in &report.damage {
            tracing::error!(%damage, "a partition made earlier is damaged");
        }
        Ok(log)
    }

    /// Sets a directory aside that stands where a new topic's goes. `true` if there is one that is this topic's, or
    /// that holds nothing: an earlier attempt.
    fn clear_the_way(
        &self,
        topic: &str,
        partition: i32,
        dir: &Path,
        topic_id: Uuid,
    ) -> Result<bool, CreateError> {
        let disk = self.disk.as_ref();
        if !disk.exists(dir).map_err(CreateError::at(dir))? {
            return Ok(false);
        }
        let (ours, found) = match PartitionMetadata::read(disk, &dir.join(PARTITION_METADATA_FILE)) {
            Ok(Some(found)) => (found.topic_id == topic_id, Some(found.topic_id)),
            Ok(None) | Err(CheckpointError::Damaged { .. }) => {
                (!has_records(disk, dir).map_err(CreateError::at(dir))?, None)
            }
            Err(CheckpointError::Io { path, error }) => return Err(CreateError::Io { path, error }),
        };
        if !ours {
            let to = set_aside(disk, dir, (topic, partition), found).map_err(CreateError::at(dir))?;
            disk.sync_dir(&self.path).map_err(CreateError::at(&self.path))?;
            tracing::warn!(from = %dir.display(), to = %to.display(), "data of an earlier topic was set aside");
        }
        Ok(ours)
    }

    /// Makes sure that no checkpoint speaks of an earlier partition of this name: its offsets would be taken for the
    /// new one's after a crash.
    fn forget(&self, topic: &str, partition: i32) -> Result<(), CreateError> {
        self.carried.lock().forget(topic, partition);
        self.forget_cleaning(topic, partition);
        if self.written.lock().mention(topic, partition) {
            self.write_checkpoints().map_err(CreateError::at(&self.path))?;
        }
        Ok(())
    }
}

/// A log that was deleted between its making and its answer.
fn gone() -> Offline {
    Offline { reason: "the partition was deleted".into(), kind: std::io::ErrorKind::NotFound }
}
