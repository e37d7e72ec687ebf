//! Making partitions' logs, or finding them already made.
//!
//! ```text
//!   begin   a directory, its small files ─── the kernel is asked to write them
//!   sync    the files                        all of them are under way by then
//!   finish  the files take their names, the first segment is made
//!   seal    the directories are synced, and last the log directory, which has their names
//! ```
//!
//! Each step is taken for many logs before the next one: a journal then commits them together.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{CheckpointError, PartitionMetadata};
use uuid::Uuid;

use super::checkpoints::Checkpoints;
use super::errors::CreateError;
use super::evidence::Evidence;
use super::fresh::Fresh;
use super::names::{is_legal, partition_dir};
use super::options::PartitionSettings;
use super::records::has_records;
use super::reopen::tell;
use super::stray::set_aside;
use super::table::Entry;
use super::{LogDir, parallel};
use crate::{Log, LogError, Offline};

/// Threads that make logs side by side: what they wait for is syncs, and the disk does several at once.
const THREADS: usize = 8;

/// Logs that are made together. Each keeps a few files open until it is.
const AT_ONCE: usize = 256;

/// A log that is being made.
#[derive(Clone)]
enum Begun {
    /// It was there, and is open.
    Found(Arc<Entry>),
    Fresh(Arc<Fresh>),
}

/// A topic's logs to be made.
struct Making<'a> {
    dir: &'a LogDir,
    topic: &'a str,
    settings: &'a PartitionSettings,
    now_ms: i64,
}

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
        let making = Making { dir: self, topic, settings, now_ms };
        let made: Vec<_> = missing.chunks(AT_ONCE).flat_map(|some| making.host(some)).collect();
        self.disk
            .sync_dir(&self.path)
            .inspect_err(|error| self.note(&self.path, error))
            .map_err(CreateError::at(&self.path))?;
        let mut first_error = None;
        let mut table = self.table.write();
        for (partition, log) in missing.into_iter().zip(made) {
            match log {
                Ok(entry) => {
                    table.insert(topic, partition, entry);
                    // From now on the log itself says it, which no checkpoint was without meanwhile.
                    self.carried.lock().forget(topic, partition);
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
            self.forget_or_be_full(&[(topic, partition)]).map_err(CreateError::at(&self.path))?;
            let to = set_aside(disk, dir, (topic, partition), found).map_err(CreateError::at(dir))?;
            disk.sync_dir(&self.path).map_err(CreateError::at(&self.path))?;
            tracing::warn!(from = %dir.display(), to = %to.display(), "data of an earlier topic was set aside");
        }
        Ok(ours)
    }
}

impl Making<'_> {
    /// Opens logs that are there, or makes them; their names in the log directory are not durable yet.
    fn host(&self, partitions: &[i32]) -> Vec<Result<Arc<Entry>, CreateError>> {
        let begun = parallel::map(partitions, THREADS, |&partition| self.begin(partition));
        let synced = step(begun, |begun| match begun {
            Begun::Found(_) => Ok(begun.clone()),
            Begun::Fresh(fresh) => self.or_remove(fresh, fresh.sync()).map(|()| begun.clone()),
        });
        let finished = step(synced, |begun| match begun {
            Begun::Found(entry) => Ok((Arc::clone(entry), None)),
            Begun::Fresh(fresh) => {
                self.or_remove(fresh, self.finish(fresh)).map(|entry| (entry, Some(Arc::clone(fresh))))
            }
        });
        step(finished, |(entry, fresh)| match fresh {
            None => Ok(Arc::clone(entry)),
            Some(fresh) => self.or_remove(fresh, self.seal(fresh, entry)).map(|()| Arc::clone(entry)),
        })
    }

    /// Takes up a log that is there, or begins to make it.
    fn begin(&self, partition: i32) -> Result<Begun, CreateError> {
        let (topic, settings) = (self.topic, self.settings);
        let path = self.dir.path.join(partition_dir(topic, partition));
        if let Some(entry) = self.dir.open_after_all(topic, partition, &path, settings, self.now_ms)? {
            return Ok(Begun::Found(entry));
        }
        let is_there = self
            .dir
            .clear_the_way(topic, partition, &path, settings.topic_id)
            .inspect_err(|error| self.note(&path, error))?;
        if is_there {
            let entry = self.take_up(partition, &path).inspect_err(|error| self.note(&path, error))?;
            return Ok(Begun::Found(entry));
        }
        if self.dir.is_gone(topic, partition) {
            return Err(LogError::Gone { path }.into());
        }
        let forgotten = self.dir.forget(&[(topic, partition)]).map_err(CreateError::at(&self.dir.path));
        let begun = forgotten.and_then(|()| Fresh::begin(&*self.dir.disk, &path, partition, settings));
        let fresh = begun.inspect_err(|error| self.remove(&path, error))?;
        Ok(Begun::Fresh(Arc::new(fresh)))
    }

    /// Takes up what an earlier attempt left.
    fn take_up(&self, partition: i32, path: &Path) -> Result<Arc<Entry>, CreateError> {
        let file = path.join(PARTITION_METADATA_FILE);
        let metadata = PartitionMetadata { topic_id: self.settings.topic_id };
        metadata.write(&*self.dir.disk, &file).map_err(CreateError::at(&file))?;
        self.open(partition, path)
    }

    /// Its files take their names, and it is opened.
    fn finish(&self, fresh: &Fresh) -> Result<Arc<Entry>, CreateError> {
        fresh.place(&*self.dir.disk)?;
        self.open(fresh.partition, &fresh.dir)
    }

    /// The names in its directory survive a power cut.
    fn seal(&self, fresh: &Fresh, entry: &Entry) -> Result<(), CreateError> {
        self.dir.disk.sync_dir(&fresh.dir).map_err(CreateError::at(&fresh.dir))?;
        entry.log.dir_dirty.store(false, Ordering::Release);
        Ok(())
    }

    fn open(&self, partition: i32, path: &Path) -> Result<Arc<Entry>, CreateError> {
        let mut said = Checkpoints::default();
        said.carry(&self.dir.carried.lock(), self.topic, partition, true);
        let evidence = Evidence::of_an_attempt(said);
        let (entry, report) = self.dir.opening(&evidence, self.now_ms, |opening, notices| {
            opening.recover(path, self.topic, partition, self.settings, notices)
        })?;
        tell(&report);
        Ok(entry)
    }

    /// Half a log, which nobody was told of, goes. What cannot be removed holds no record either.
    fn or_remove<T>(&self, fresh: &Fresh, done: Result<T, CreateError>) -> Result<T, CreateError> {
        done.inspect_err(|error| self.remove(&fresh.dir, error))
    }

    fn remove(&self, path: &Path, error: &CreateError) {
        self.note(path, error);
        let _ = self.dir.disk.remove_dir_all(path);
    }

    fn note(&self, path: &Path, error: &CreateError) {
        if let Some(error) = error.io() {
            self.dir.note(path, error);
        }
    }
}

/// Takes the next step for those that have come so far.
fn step<T: Sync, R: Send>(
    so_far: Vec<Result<T, CreateError>>,
    next: impl Fn(&T) -> Result<R, CreateError> + Sync,
) -> Vec<Result<R, CreateError>> {
    let taken = parallel::map(&so_far, THREADS, |one| one.as_ref().ok().map(&next));
    let one = |(so_far, taken): (Result<T, CreateError>, Option<Result<R, CreateError>>)| match so_far {
        Ok(_) => taken,
        Err(error) => Some(Err(error)),
    };
    so_far.into_iter().zip(taken).filter_map(one).collect()
}

/// A log that was deleted between its making and its answer.
fn gone() -> Offline {
    Offline { reason: "the partition was deleted".into(), kind: std::io::ErrorKind::NotFound }
}
