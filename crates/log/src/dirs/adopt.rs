//! Copies that are complete become logs, where nothing else is the log any more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::LogDirs;
use crate::scrub::Noted;
use crate::{CreateError, FutureLog, LoadedLog, LogDir, PartitionSettings};

/// How a topic's partition is opened, and the directory that its owner placed it in, as [`LogDirs::place`] names it.
pub type PlacedIn<'p> = dyn Fn(&FutureLog) -> Option<(PartitionSettings, Option<Uuid>)> + 'p;

/// A copy that became a log, or why it could not.
#[derive(Debug)]
pub struct Adopted {
    /// Whose.
    pub future: FutureLog,
    /// What opening it found.
    pub opened: Result<Option<LoadedLog>, CreateError>,
}

impl LogDirs {
    /// Logs that are wished to be in other directories than they are, with the paths of these. Those of which the owner `placed`
    /// the partition in that very directory, and that no directory has, are complete: they are opened. For a start, when nothing
    /// else changes.
    pub fn adopt_futures(
        &self,
        placed: &PlacedIn<'_>,
        now_ms: i64,
    ) -> (Vec<Adopted>, Vec<(PathBuf, FutureLog)>) {
        let (mut adopted, mut wished) = (Vec::new(), Vec::new());
        for (to, future) in self.futures_due(None) {
            match self.adopt_future(&to, future, None, placed, now_ms) {
                Ok(one) => adopted.push(one),
                Err(future) => wished.push((to, future)),
            }
        }
        (adopted, wished)
    }

    /// All that are wished, by the directories that they are wished in; or where the directory at `back` has come back, those in
    /// this one and in those with copies of which it was not certain whether they are the logs while it was away. Blocks.
    pub fn futures_due(&self, back: Option<&Path>) -> Vec<(PathBuf, FutureLog)> {
        let is_due = |dir: &LogDir| back.is_none_or(|back| dir.path() == back || dir.awaits(back));
        let mut due = Vec::new();
        for dir in self.here().filter(|dir| is_due(dir)) {
            let futures = dir.futures().unwrap_or_else(|error| {
                tracing::warn!(dir = %dir.path().display(), %error, "it is not known what is to move there");
                Vec::new()
            });
            due.extend(futures.into_iter().map(|future| (dir.path().to_path_buf(), future)));
        }
        due
    }

    /// One of them becomes the log, if it is complete and nothing else is the log. One of which another directory than that at
    /// `back` has to say that waits for this, and so does one whose log is in another directory and could not be opened. The owner
    /// sees to it that nothing of its topic changes meanwhile.
    pub fn adopt_future(
        &self,
        to: &Path,
        future: FutureLog,
        back: Option<&Path>,
        placed: &PlacedIn<'_>,
        now_ms: i64,
    ) -> Result<Adopted, FutureLog> {
        let Some((at, dir)) = self.here().enumerate().find(|(_, dir)| dir.path() == to) else {
            return Err(future);
        };
        let own = if at == 0 { None } else { dir.directory_id() };
        let settings = placed(&future).filter(|(_, directory)| *directory == own);
        let is_alone = |settings: &PartitionSettings| {
            self.topic_id(&future.topic, future.partition).is_none() && !self.has_unopened(&future, settings)
        };
        match settings.filter(|(settings, _)| is_alone(settings) && !dir.is_unsure_of(&future, back)) {
            Some((settings, _)) if dir.is_complete(&future).unwrap_or(false) => {
                let opened = dir.adopt(&future, &Noted::default(), &settings, now_ms);
                Ok(Adopted { future, opened })
            }
            _ => Err(future),
        }
    }

    /// Whether directories have the log that one is a copy of and that could not be opened, or of which it cannot be told in which
    /// of them it is. What is behind is not the log.
    fn has_unopened(&self, future: &FutureLog, settings: &PartitionSettings) -> bool {
        let (topic, partition, topic_id) = (future.topic.as_str(), future.partition, future.topic_id);
        let has_one = |dir: Arc<LogDir>| {
            dir.is_unopened(topic, partition, topic_id) && !settings.is_behind(dir.directory_id())
        };
        self.here().any(has_one) || self.torn(topic, partition, topic_id).is_some()
    }
}
