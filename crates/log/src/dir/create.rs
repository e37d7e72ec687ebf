//! Making a partition's log, or finding it already made.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{CheckpointError, PartitionMetadata};
use parking_lot::Mutex;
use uuid::Uuid;

use super::errors::CreateError;
use super::making::{Making, Wanted};
use super::names::is_legal;
use super::options::PartitionSettings;
use super::records::has_records;
use super::reopen::tell;
use super::stray::set_aside;
use super::{LoadedLog, LogDir};
use crate::scrub::Noted;
use crate::{Log, Offline};

impl LogDir {
    /// The log of a partition, made if there is none. When this returns, the log, its directory and the topic's id in
    /// it survive a power cut.
    ///
    /// One that is gone though it had records is not made anew. A directory of that name that is not this topic's (another
    /// id, or records without an id) is renamed to `…-stray` first. One of this topic's, left by an earlier attempt, is
    /// opened.
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
    /// been made; the next attempt finds them. One that could be made and not be named takes no record until it is.
    pub fn create_all(
        &self,
        topic: &str,
        partitions: &[i32],
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<(), CreateError> {
        let made = self.make_all(topic, partitions, settings, now_ms);
        made.and(self.name_made().map_err(CreateError::at(&self.path)))
    }

    /// The first half of [`create_all`](Self::create_all), for whoever makes many topics: the logs take records when
    /// [`name_made`](Self::name_made) was called after the last of them.
    pub fn make_all(
        &self,
        topic: &str,
        partitions: &[i32],
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<(), CreateError> {
        let (opened, made) = self.bring_up(topic, partitions, settings, now_ms, Wanted::Made);
        for log in &opened {
            tell(&log.report);
        }
        made
    }

    /// Opens the log of a partition that is there and was not opened so far, as a start would; what that found, `None` if it is
    /// open. One that is not there is gone.
    pub(crate) fn open_again(
        &self,
        topic: &str,
        partition: i32,
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<Option<LoadedLog>, CreateError> {
        self.open_damaged(topic, partition, settings, now_ms, &Noted::default())
    }

    /// The same of one that is known to be damaged there.
    pub(super) fn open_damaged(
        &self,
        topic: &str,
        partition: i32,
        settings: &PartitionSettings,
        now_ms: i64,
        noted: &Noted,
    ) -> Result<Option<LoadedLog>, CreateError> {
        let wanted = Wanted::There { noted };
        let (mut opened, done) = self.bring_up(topic, &[partition], settings, now_ms, wanted);
        let done = done.and(self.name_made().map_err(CreateError::at(&self.path)));
        done.map(|()| opened.pop())
    }

    /// Whether a log of this name is being opened again at the moment. Waits for nobody.
    pub(crate) fn is_being_opened(&self, topic: &str, partition: i32) -> bool {
        self.changing.is_being_opened(topic, partition)
    }

    /// Opens logs, or makes those that are not there. What opening them found, and the first error.
    fn bring_up(
        &self,
        topic: &str,
        partitions: &[i32],
        settings: &PartitionSettings,
        now_ms: i64,
        wanted: Wanted<'_>,
    ) -> (Vec<LoadedLog>, Result<(), CreateError>) {
        let making = Making { dir: self, topic, settings, now_ms, wanted, opened: Mutex::default() };
        let done = self.bring_up_with(&making, partitions);
        (making.opened.into_inner(), done)
    }

    fn bring_up_with(&self, making: &Making<'_>, partitions: &[i32]) -> Result<(), CreateError> {
        let Making { topic, settings, .. } = *making;
        if let Some(&partition) = partitions.iter().find(|partition| !is_legal(topic, **partition)) {
            return Err(CreateError::Name { topic: topic.to_owned(), partition });
        }
        let mut change = if making.wanted.is_made() {
            self.changing.of_free(topic, partitions).ok_or_else(|| CreateError::BeingOpened {
                topic: topic.to_owned(),
                partition: partitions.first().copied().unwrap_or_default(),
            })?
        } else {
            self.changing.of(topic, partitions)
        };
        let missing = self.missing(topic, partitions, settings.topic_id)?;
        if missing.is_empty() {
            return Ok(());
        }
        if let Some(offline) = self.offline() {
            return Err(offline.into());
        }
        let made = if making.wanted.is_made() {
            making.all(&missing)
        } else {
            change.while_opening(topic, &missing, || making.all(&missing))
        };
        self.disk
            .sync_dir(&self.path)
            .inspect_err(|error| self.note(&self.path, error))
            .map_err(CreateError::at(&self.path))?;
        let (mut first_error, mut damaged) = (None, false);
        self.await_names(made.iter().filter_map(|log| log.as_ref().ok()));
        let (mut table, mut come) = (self.table.write(), Vec::new());
        for (partition, log) in missing.into_iter().zip(made) {
            match log {
                Ok(entry) => {
                    damaged |= entry.log.known_damage() > 0;
                    come.push(Arc::clone(&entry.log));
                    table.insert(topic, partition, entry);
                    // From now on the log itself says it, which no checkpoint was without meanwhile.
                    self.carried.lock().forget(topic, partition);
                    self.no_longer_gone(topic, partition);
                    self.unopened.lock().remove(topic, partition);
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        drop(table);
        // Those that are not open are forgotten by whoever writes a note.
        for log in &come {
            log.tell_unnoted();
        }
        if damaged {
            self.note_damage();
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

    /// Sets a directory aside that stands where a new topic's goes, or that is behind. `true` if there is one that is this topic's,
    /// or that holds nothing: an earlier attempt.
    pub(super) fn clear_the_way(
        &self,
        topic: &str,
        partition: i32,
        dir: &Path,
        settings: &PartitionSettings,
    ) -> Result<bool, CreateError> {
        let disk = self.disk.as_ref();
        if !disk.exists(dir).map_err(CreateError::at(dir))? {
            return Ok(false);
        }
        let (ours, found) = match PartitionMetadata::read(disk, &dir.join(PARTITION_METADATA_FILE)) {
            Ok(Some(found)) => (found.topic_id == settings.topic_id, Some(found.topic_id)),
            Ok(None) | Err(CheckpointError::Damaged { .. }) => {
                (!has_records(disk, dir).map_err(CreateError::at(dir))?, None)
            }
            Err(CheckpointError::Io { path, error }) => return Err(CreateError::Io { path, error }),
        };
        let ours = ours && !settings.is_behind(self.directory_id());
        if !ours {
            self.forget_or_be_full(&[(topic, partition)]).map_err(CreateError::at(&self.path))?;
            let to = set_aside(disk, dir, (topic, partition), found).map_err(CreateError::at(dir))?;
            disk.sync_dir(&self.path).map_err(CreateError::at(&self.path))?;
            tracing::warn!(from = %dir.display(), to = %to.display(), "it is an earlier topic's or behind the log: set aside");
        }
        Ok(ours)
    }
}

/// A log that was deleted between its making and its answer.
fn gone() -> Offline {
    Offline { reason: "the partition was deleted".into(), kind: std::io::ErrorKind::NotFound }
}
