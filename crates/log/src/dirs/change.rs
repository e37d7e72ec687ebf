//! Partitions that come and go, and the orderly stop, over all directories.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use uuid::Uuid;

use super::LogDirs;
use super::twice::Torn;
use crate::{CloseReport, CreateError, LogDir, LogError, PartitionSettings};

/// Partitions of a topic whose logs are to be in a directory.
#[derive(Debug)]
pub struct ToMake {
    /// The directory.
    pub dir: Arc<LogDir>,
    /// The partitions.
    pub partitions: Vec<i32>,
}

impl LogDirs {
    /// Makes or finds the logs of a topic's partitions, each in the directory that [`place`](Self::place) named for it.
    /// One that is open in another directory is left there. After an error the others were made all the same.
    pub fn create_all(
        &self,
        topic: &str,
        partitions: &[(i32, Option<Uuid>)],
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<(), CreateError> {
        let made = self.make_all(topic, partitions, settings, now_ms);
        made.and(self.name_made())
    }

    /// The first half of [`create_all`](Self::create_all), for whoever makes many topics: the logs take records when
    /// [`name_made`](Self::name_made) was called after the last of them.
    pub fn make_all(
        &self,
        topic: &str,
        partitions: &[(i32, Option<Uuid>)],
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<(), CreateError> {
        let (all, mut first_error) = self.to_make(topic, partitions, settings.topic_id)?;
        for one in all {
            first_error = first_error.or(one.dir.make_all(topic, &one.partitions, settings, now_ms).err());
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Which of a topic's partitions have no log and can have one, by the directories in which each is to be made or found;
    /// and why another one cannot. Waits for no disk.
    pub fn to_make(
        &self,
        topic: &str,
        partitions: &[(i32, Option<Uuid>)],
        topic_id: Uuid,
    ) -> Result<(Vec<ToMake>, Option<CreateError>), CreateError> {
        let mut by_directory: BTreeMap<Option<Uuid>, Vec<i32>> = BTreeMap::new();
        let mut first_error = None;
        for &(partition, directory) in partitions {
            if let Some(error) = self.torn(topic, partition, topic_id) {
                first_error = first_error.or(Some(error.into()));
                continue;
            }
            // Of a topic that was deleted meanwhile: in which directory this one is to be is no matter.
            if self.here().any(|dir| dir.is_being_opened(topic, partition)) {
                let topic = topic.to_owned();
                first_error = first_error.or(Some(CreateError::BeingOpened { topic, partition }));
                continue;
            }
            match self.topic_id(topic, partition) {
                Some(found) if found != topic_id => return Err(CreateError::OtherTopic { found }),
                Some(_) => {}
                None => by_directory.entry(directory).or_default().push(partition),
            }
        }
        let mut all = Vec::with_capacity(by_directory.len());
        for (directory, partitions) in by_directory {
            if let Some(dir) = self.named(directory) {
                all.push(ToMake { dir, partitions });
            } else {
                let directory = directory.unwrap_or_default();
                first_error = first_error.or(Some(CreateError::Away { directory }));
            }
        }
        Ok((all, first_error))
    }

    /// Names what was made, with one write to each directory that has something new; the first error. What could not be named
    /// [waits](crate::Log::is_unnamed).
    pub fn name_made(&self) -> Result<(), CreateError> {
        let name = |dir: Arc<LogDir>| {
            dir.name_made().map_err(|error| CreateError::Io { path: dir.path().to_path_buf(), error })
        };
        let answers: Vec<_> = self.here().map(name).collect();
        answers.into_iter().collect()
    }

    /// Why a partition is served from nowhere, if several directories have it.
    pub(super) fn torn(&self, topic: &str, partition: i32, topic_id: Uuid) -> Option<LogError> {
        let torn = self.torn.read();
        torn.iter().find(|torn| torn.is(topic, partition, topic_id)).map(Torn::error)
    }

    /// Takes the logs of partitions away; see [`LogDir::delete_all`]. Says whether none of their directories has its name
    /// any more, which of a directory that is away cannot be known; that of a log that could not be opened, is being opened, or was
    /// put back, has it.
    pub fn delete_all(&self, topic: &str, partitions: &[i32], now_ms: i64) -> io::Result<bool> {
        let mut all_gone = true;
        let deleted = self.each(|dir| {
            all_gone &= dir.take_away(topic, partitions, now_ms)?;
            Ok(())
        });
        deleted.map(|()| all_gone && self.away().is_empty())
    }

    /// Removes what deleted topics left; see [`LogDir::delete_leftovers`]. What was removed, by the names it had, and
    /// whether all of it was looked for.
    pub fn delete_leftovers(&self, deleted: &HashSet<Uuid>, now_ms: i64) -> (Vec<PathBuf>, io::Result<bool>) {
        let mut removed = Vec::new();
        let outcome = self.each(|dir| {
            removed.extend(dir.delete_leftovers(deleted, now_ms)?);
            Ok(())
        });
        (removed, outcome.map(|()| self.away().is_empty()))
    }

    /// Writes the checkpoints of the directories that have these partitions; see [`LogDir::write_checkpoints`]. Answers
    /// those of `partitions`, by their place, of which that failed.
    pub fn write_checkpoints_of(&self, partitions: &[(Arc<str>, i32)]) -> Vec<usize> {
        let mut failed = Vec::new();
        for dir in self.here() {
            let has = |(topic, partition): &(Arc<str>, i32)| dir.topic_id(topic, *partition).is_some();
            let its: Vec<usize> =
                (0..).zip(partitions).filter(|(_, one)| has(one)).map(|(at, _)| at).collect();
            if !its.is_empty() && dir.write_checkpoints().is_err() {
                failed.extend(its);
            }
        }
        failed
    }

    /// Closes all logs; see [`LogDir::close_clean`]. The directories side by side: one whose disk does not answer keeps no other
    /// from its mark.
    pub fn close_clean(&self, now_ms: i64) -> CloseReport {
        let here: Vec<Arc<LogDir>> = self.here().collect();
        let mut all = CloseReport { clean: true, failed: Vec::new() };
        let reports = thread::scope(|scope| {
            let closing: Vec<_> = here.iter().map(|dir| scope.spawn(|| dir.close_clean(now_ms))).collect();
            closing.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for report in reports {
            // What panicked closed nothing for certain.
            let report = report.unwrap_or_else(|_| CloseReport { clean: false, failed: Vec::new() });
            all.clean &= report.clean;
            all.failed.extend(report.failed);
        }
        all
    }

    /// Does something in every directory that is here; the first error is answered after all were tried.
    fn each(&self, mut work: impl FnMut(&LogDir) -> io::Result<()>) -> io::Result<()> {
        let mut first_error = None;
        for dir in self.here() {
            first_error = first_error.or(work(&dir).err());
        }
        first_error.map_or(Ok(()), Err)
    }
}
