//! Complete copies of logs that have left their own directories, and that have not the names of logs yet. No log is made here in
//! the place of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::LogDir;
use super::future::FutureLog;
use super::names::partition_dir;
use crate::LogError;

/// By topic and partition.
pub(super) type Copies = BTreeMap<(String, i32), Awaited>;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    topic_id: Uuid,
    /// The log may have its name again there, once this directory is opened anew.
    unsure_of: Option<PathBuf>,
}

impl LogDir {
    /// The log has left its directory, or perhaps has not, and its copy is to take its place.
    pub(crate) fn await_copy(&self, future: &FutureLog, unsure_of: Option<&Path>) {
        let copy = Awaited { topic_id: future.topic_id, unsure_of: unsure_of.map(Path::to_path_buf) };
        self.copies.lock().insert((future.topic.clone(), future.partition), copy);
    }

    /// The log has left: nothing but its own name keeps the copy from being the log.
    pub(crate) fn be_sure_of(&self, future: &FutureLog) {
        if let Some(copy) = self.copies.lock().get_mut(&(future.topic.clone(), future.partition)) {
            copy.unsure_of = None;
        }
    }

    /// It has the name of the log, or is nothing any more.
    pub(crate) fn await_copy_no_more(&self, future: &FutureLog) {
        self.copies.lock().remove(&(future.topic.clone(), future.partition));
    }

    /// Those that nothing but their own names keeps from being logs.
    pub(crate) fn copies_to_open(&self) -> Vec<FutureLog> {
        let copies = self.copies.lock();
        let sure = copies.iter().filter(|(_, copy)| copy.unsure_of.is_none());
        let future = |((topic, partition), copy): (&(String, i32), &Awaited)| FutureLog {
            topic: topic.clone(),
            topic_id: copy.topic_id,
            partition: *partition,
        };
        sure.map(future).collect()
    }

    /// Whether there is one of which the directory at `path` has to say whether it is the log.
    pub(crate) fn awaits(&self, path: &Path) -> bool {
        self.copies.lock().values().any(|copy| copy.unsure_of.as_deref() == Some(path))
    }

    /// Whether another directory than the one at `back` has to say that this one is the log.
    pub(crate) fn is_unsure_of(&self, future: &FutureLog, back: Option<&Path>) -> bool {
        let copies = self.copies.lock();
        let copy = copies.get(&(future.topic.clone(), future.partition));
        copy.and_then(|copy| copy.unsure_of.as_deref()).is_some_and(|unsure_of| Some(unsure_of) != back)
    }

    /// Those of a directory that is opened anew as this one.
    pub(crate) fn await_as(&self, before: &Self) {
        *self.copies.lock() = before.copies.lock().clone();
    }

    /// Whether there is one of a partition of this name.
    pub(crate) fn awaits_copy_of(&self, topic: &str, partition: i32) -> bool {
        self.copies.lock().contains_key(&(topic.to_owned(), partition))
    }

    /// Why nothing is made in the place of one.
    pub(crate) fn copied_error(&self, topic: &str, partition: i32) -> LogError {
        LogError::Copied { path: self.path.join(partition_dir(topic, partition)), home: self.home.clone() }
    }

    /// Whether there is one of this topic's partition.
    pub(crate) fn has_copy(&self, topic: &str, partition: i32, topic_id: Uuid) -> bool {
        self.copies.lock().get(&(topic.to_owned(), partition)).is_some_and(|copy| copy.topic_id == topic_id)
    }
}
