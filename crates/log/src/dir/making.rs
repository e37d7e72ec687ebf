//! Making logs, a step of all at once.
//!
//! ```text
//!   begin   a directory, its small files ─── the kernel is asked to write them
//!   sync    the files                        all of them are under way by then
//!   finish  the files take their names, the first segment is made
//!   seal    the directories are synced, and last the log directory, which has their names
//! ```
//!
//! Each step is taken for many logs before the next one: a journal then commits them together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::PartitionMetadata;
use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use parking_lot::Mutex;

use super::checkpoints::Checkpoints;
use super::errors::CreateError;
use super::evidence::Evidence;
use super::fresh::Fresh;
use super::names::partition_dir;
use super::options::PartitionSettings;
use super::table::Entry;
use super::{LoadedLog, LogDir, parallel};
use crate::RecoveryReport;
use crate::scrub::Noted;

/// Threads that make logs side by side: what they wait for is syncs, and the disk does several at once.
const THREADS: usize = 8;

/// Logs that are made together. Each keeps a few files open until it is.
const AT_ONCE: usize = 64;

/// A log that is being made.
#[derive(Clone)]
enum Begun {
    /// It was there, and is open.
    Found(Arc<Entry>),
    Fresh(Arc<Fresh>),
}

/// What becomes of one that is not there.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    Made,
    /// It is gone. One that is there is known to be damaged at these places.
    There {
        noted: &'a Noted,
    },
}

impl Wanted<'_> {
    pub(super) const fn is_made(self) -> bool {
        matches!(self, Self::Made)
    }

    fn noted(self, topic: &str, partition: i32) -> Noted {
        match self {
            Self::Made => Noted::default(),
            Self::There { noted } => Noted::of(noted.about(topic, partition).to_vec()),
        }
    }
}

/// A topic's logs to be made, or opened.
pub(super) struct Making<'a> {
    pub(super) dir: &'a LogDir,
    pub(super) topic: &'a str,
    pub(super) settings: &'a PartitionSettings,
    pub(super) now_ms: i64,
    pub(super) wanted: Wanted<'a>,
    /// What opening those found that were there.
    pub(super) opened: Mutex<Vec<LoadedLog>>,
}

impl Making<'_> {
    /// Opens logs that are there, or makes them; their names in the log directory are not durable yet. The answers come in the
    /// order of `partitions`.
    pub(super) fn all(&self, partitions: &[i32]) -> Vec<Result<Arc<Entry>, CreateError>> {
        partitions.chunks(AT_ONCE).flat_map(|some| self.together(some)).collect()
    }

    fn together(&self, partitions: &[i32]) -> Vec<Result<Arc<Entry>, CreateError>> {
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
        if let Some((entry, report)) =
            self.dir.open_after_all(topic, partition, &path, settings, self.now_ms)?
        {
            self.note_opened(partition, report);
            return Ok(Begun::Found(entry));
        }
        let is_there = self
            .dir
            .clear_the_way(topic, partition, &path, settings)
            .inspect_err(|error| self.note(&path, error))?;
        if is_there {
            let entry = self.take_up(partition, &path).inspect_err(|error| self.note(&path, error))?;
            return Ok(Begun::Found(entry));
        }
        if self.dir.has_copy(topic, partition, settings.topic_id) {
            return Err(self.dir.copied_error(topic, partition).into());
        }
        if !self.wanted.is_made() || self.dir.is_gone(topic, partition) {
            return Err(self.dir.gone_error(topic, partition).into());
        }
        let forgotten = self.dir.forget(&[(topic, partition)]).map_err(CreateError::at(&self.dir.path));
        // What somebody puts back at this moment is neither taken for ours nor removed.
        let made = forgotten.and_then(|()| self.dir.disk.create_dir(&path).map_err(CreateError::at(&path)));
        made.inspect_err(|error| self.note(&path, error))?;
        let begun = Fresh::begin(&*self.dir.disk, &path, partition, settings);
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
        let entry = self.open(fresh.partition, &fresh.dir)?;
        entry.log.made_ms.store(self.now_ms, Ordering::Relaxed);
        Ok(entry)
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
        let noted = self.wanted.noted(self.topic, partition);
        let evidence = Evidence { noted, ..Evidence::of_an_attempt(said) };
        let (entry, report) = self.dir.opening(&evidence, self.now_ms, |opening, notices| {
            opening.recover(path, self.topic, partition, self.settings, notices)
        })?;
        self.note_opened(partition, report);
        Ok(entry)
    }

    fn note_opened(&self, partition: i32, report: RecoveryReport) {
        self.opened.lock().push(LoadedLog { topic: self.topic.to_owned(), partition, report });
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
