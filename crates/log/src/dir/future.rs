//! Logs that are to be served from this directory and are served from another one: Kafka's future replicas.
//!
//! ```text
//!   <topic>-<partition>.<topic id>-future   a copy that follows the log
//!                        │ complete: it holds what the log held when nothing was appended any more, and names its topic
//!                        ▼
//!   <topic>-<partition>                     the log, once the metadata place it here and it is in no other directory
//! ```
//!
//! The directory is also the note that somebody wishes this: after a restart the move begins anew.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::PartitionMetadata;
use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use uuid::Uuid;

use super::delete::Doomed;
use super::errors::CreateError;
use super::names::{DELETE, FUTURE, future_of, marked_dir, partition_dir};
use super::options::PartitionSettings;
use super::{LoadedLog, LogDir};
use crate::backup::Complete;
use crate::scrub::Noted;

/// A log that is wished to be in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FutureLog {
    /// The topic's name.
    pub topic: String,
    /// Its id.
    pub topic_id: Uuid,
    /// The partition's number.
    pub partition: i32,
}

impl FutureLog {
    /// The name of its directory; `None` where it would be too long for a file system.
    pub fn dir_name(&self) -> Option<String> {
        let name = marked_dir(&self.topic, self.partition, self.topic_id, FUTURE);
        // What is cut does not say whose it is.
        name.starts_with(&format!("{}.", partition_dir(&self.topic, self.partition))).then_some(name)
    }
}

impl LogDir {
    /// Those that are noted here.
    pub fn futures(&self) -> io::Result<Vec<FutureLog>> {
        let entries = self.disk.read_dir(&self.path)?;
        let future = |name: &str| {
            let (topic, partition, topic_id) = future_of(name)?;
            Some(FutureLog { topic: topic.to_owned(), topic_id, partition })
        };
        Ok(entries.iter().filter(|entry| entry.is_dir).filter_map(|entry| future(&entry.name)).collect())
    }

    /// Notes the wish, where there is no note of it yet; says whether there was none. Durable when this returns.
    pub fn note_future(&self, future: &FutureLog) -> io::Result<bool> {
        self.may_change()?;
        let dir = self.future_dir(future)?;
        let note = || {
            let is_new = match self.disk.create_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                made => made.map(|()| true)?,
            };
            // Whoever made the one that is there may still wait for that.
            self.disk.sync_dir(&self.path).map(|()| is_new)
        };
        note().inspect_err(|error| self.note(&self.path, error))
    }

    /// Notes the wish, with an empty copy in the place of one that may be there. Durable when this returns.
    pub(crate) fn begin_future(&self, future: &FutureLog) -> io::Result<PathBuf> {
        self.may_change()?;
        let dir = self.future_dir(future)?;
        let begun = || {
            if self.disk.exists(&dir)? {
                self.disk.remove_dir_all(&dir)?;
            }
            self.disk.create_dir(&dir)?;
            self.disk.sync_dir(&self.path)
        };
        self.await_copy_no_more(future);
        begun().inspect_err(|error| self.note(&self.path, error))?;
        Ok(dir)
    }

    /// The wish is no more: its directory loses its name for good, and is unlinked later.
    pub fn drop_future(&self, future: &FutureLog) -> io::Result<()> {
        self.may_change()?;
        let dir = self.future_dir(future)?;
        if !self.disk.exists(&dir)? {
            self.await_copy_no_more(future);
            return Ok(());
        }
        let path = self.path.join(marked_dir(&future.topic, future.partition, Uuid::new_v4(), DELETE));
        let renamed = self.disk.rename(&dir, &path).and_then(|()| self.disk.sync_dir(&self.path));
        renamed.inspect_err(|error| self.note(&self.path, error))?;
        self.await_copy_no_more(future);
        self.doomed.lock().push(Doomed { path, due_ms: i64::MIN });
        Ok(())
    }

    fn future_dir(&self, future: &FutureLog) -> io::Result<PathBuf> {
        let name = future.dir_name().ok_or(io::ErrorKind::InvalidFilename)?;
        Ok(self.path.join(name))
    }

    /// Whether the copy is complete.
    pub(crate) fn is_complete(&self, future: &FutureLog) -> io::Result<bool> {
        let file = self.future_dir(future)?.join(PARTITION_METADATA_FILE);
        let named = PartitionMetadata::read(&*self.disk, &file).map_err(io::Error::other)?;
        Ok(named.is_some_and(|named| named.topic_id == future.topic_id))
    }

    /// Notes in memory of a log that is to come how much of it is there and stable, and up to where it was cleaned.
    pub(crate) fn expect(&self, future: &FutureLog, copy: Complete, cleaned_to: Option<i64>) {
        let (topic, partition) = (future.topic.as_str(), future.partition);
        {
            let mut carried = self.carried.lock();
            carried.forget(topic, partition);
            carried.recovery.set(topic, partition, copy.end);
            carried.high_watermark.set(topic, partition, copy.end);
            if copy.log_start > copy.first_base {
                carried.log_start.set(topic, partition, copy.log_start);
            }
        }
        self.set_cleaned(topic, partition, cleaned_to);
    }

    /// Writes down what was [noted](Self::expect), by which whoever opens the log goes, also after a kill.
    pub(crate) fn write_expected(&self, cleaned_to: Option<i64>) -> io::Result<()> {
        if cleaned_to.is_some() {
            self.write_clean_offsets()?;
        }
        self.write_checkpoints().map(drop)
    }

    /// It does not come after all. What is known here of another topic's partition of its name, when its own was deleted, stays.
    pub(crate) fn expect_no_more(&self, future: &FutureLog) -> io::Result<()> {
        let _change = self.changing.of_others();
        let (topic, partition) = (future.topic.as_str(), future.partition);
        if self.knows_any(topic, &[partition]) {
            return Ok(());
        }
        self.forget(&[(topic, partition)])
    }

    /// The copy takes the name of the log and is opened. The log is in no other directory any more, and the metadata place it
    /// here. `damage`: where it is known to be damaged.
    pub(crate) fn adopt(
        &self,
        future: &FutureLog,
        damage: &Noted,
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<Option<LoadedLog>, CreateError> {
        let (topic, partition) = (future.topic.as_str(), future.partition);
        let from = self.future_dir(future).map_err(CreateError::at(&self.path))?;
        let to = self.path.join(partition_dir(topic, partition));
        {
            let _change = self.changing.of(topic, &[partition]);
            let is_there = self.clear_the_way(topic, partition, &to, settings)?;
            // An earlier attempt may have come as far as that.
            let has_name = is_there && !self.disk.exists(&from).map_err(CreateError::at(&from))?;
            let renamed = if has_name { Ok(()) } else { self.disk.rename(&from, &to) };
            let renamed = renamed.and_then(|()| self.disk.sync_dir(&self.path));
            renamed.inspect_err(|error| self.note(&self.path, error)).map_err(CreateError::at(&to))?;
            self.await_copy_no_more(future);
        }
        let opened = self.open_damaged(topic, partition, settings, now_ms, damage);
        // Whatever keeps it closed, it is here: the next attempt is that of `log online`, or of a start.
        let opened = opened.inspect_err(|_| self.unopened.lock().add(topic, partition, future.topic_id))?;
        if self.entry(topic, partition).is_some_and(|entry| entry.log.known_damage() > 0) {
            self.note_damage();
        }
        Ok(opened)
    }
}

/// Where in a log directory an error is about what is copied into it.
pub(crate) fn is_within(dir: &LogDir, path: &Path) -> bool {
    path.starts_with(dir.path())
}
