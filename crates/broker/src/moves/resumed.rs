//! Moves that a stop broke off: the directories that they went to have notes of them. One whose log is not served waits until it
//! is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_log::FutureLog;
use tracing::{info, warn};

use super::Moves;
use crate::broker::Broker;

/// Where a log is that is wished to be in a directory.
enum Place {
    /// It is to move.
    Elsewhere,
    /// Nothing is to be done any more, or its topic was deleted.
    ThereOrDeleted,
    /// It may be served later, and its copy be all there is of it.
    NotServed,
}

impl Place {
    fn of(broker: &Broker, to: &Path, future: &FutureLog) -> Self {
        let image = broker.image();
        let topic = image.topic_by_id(future.topic_id).filter(|topic| *topic.name == *future.topic);
        let entry = topic.and_then(|topic| topic.partition(future.partition));
        match entry.map(|entry| &entry.hosted) {
            Some(None) => Self::NotServed,
            Some(Some(hosted)) if hosted.log.dir().parent() == Some(to) => Self::ThereOrDeleted,
            // It is to be opened anew first.
            Some(Some(hosted)) if hosted.log.offline().is_some() => Self::NotServed,
            Some(Some(_)) => Self::Elsewhere,
            _ => Self::ThereOrDeleted,
        }
    }
}

/// Whether there is a partition of that name and id which no directory has open.
pub(super) fn is_unserved(broker: &Broker, future: &FutureLog) -> bool {
    let image = broker.image();
    let topic = image.topic_by_id(future.topic_id).filter(|topic| *topic.name == *future.topic);
    let is_known = topic.is_some_and(|topic| topic.partition(future.partition).is_some());
    is_known && broker.cluster().log_dirs().topic_id(&future.topic, future.partition).is_none()
}

/// Begins them anew, or drops the notes of what cannot move any more. Blocks.
pub(crate) fn resume(broker: &Arc<Broker>, noted: Vec<(PathBuf, FutureLog)>) {
    for (to, future) in noted {
        // Whoever has it makes a note there, and goes on by that, drops it, or is just making the copy the log.
        let Some(_noting) = broker.moves().notes.try_hold(&future, &to) else { continue };
        let place = || Place::of(broker, &to, &future);
        if broker.moves().put_off_while(&to, &future, || matches!(place(), Place::NotServed)) {
            continue;
        }
        let (name, partition) = (future.topic.clone(), future.partition);
        match place() {
            Place::Elsewhere if broker.moves().has_later_wish(&to, &future) => {
                drop_note(broker, &to, &future);
            }
            // Not served any more: the move finds that out, and waits.
            Place::Elsewhere | Place::NotServed => {
                info!(topic = name, partition, to = %to.display(), "goes on moving to another log directory, from the beginning");
                broker.moves().begin(broker, future, to);
            }
            Place::ThereOrDeleted => drop_note(broker, &to, &future),
        }
    }
}

fn drop_note(broker: &Broker, to: &Path, future: &FutureLog) {
    let (topic, partition) = (&future.topic, future.partition);
    let dir = broker.cluster().log_dirs().here().find(|dir| dir.path() == to);
    if let Some(Err(error)) = dir.map(|dir| dir.drop_future(future)) {
        warn!(topic, partition, dir = %to.display(), %error, "what was to move there is left");
    }
}

impl Moves {
    /// It goes on [when its log is served](Self::take_put_off), if it `is_not` by now. Who shows it looks for it here afterwards, so
    /// that it is never passed over.
    pub(super) fn put_off_while(&self, to: &Path, future: &FutureLog, is_not: impl FnOnce() -> bool) -> bool {
        let mut put_off = self.put_off.lock();
        if !is_not() {
            return false;
        }
        let one = (to.to_path_buf(), future.clone());
        if !put_off.contains(&one) {
            put_off.push(one);
        }
        true
    }

    /// The same of one that is not served for certain.
    pub(crate) fn put_off(&self, to: &Path, future: &FutureLog) {
        self.put_off_while(to, future, || true);
    }

    /// Those that wait until their logs are served, for who may have shown some of these to [resume] them.
    pub(crate) fn take_put_off(&self) -> Vec<(PathBuf, FutureLog)> {
        std::mem::take(&mut *self.put_off.lock())
    }

    /// Whether the partition was wished elsewhere after the note of this wish was made, or is moving elsewhere: a directory that was
    /// away has notes from before. One whose log is not served is looked at again when it is: its copy may be all there is of it.
    fn has_later_wish(&self, to: &Path, future: &FutureLog) -> bool {
        let moving = self.target(future.topic_id, future.partition).is_some_and(|target| target != to);
        moving || self.last.is_elsewhere((future.topic_id, future.partition), to)
    }

    /// Whether the partition is moving to that directory.
    pub(crate) fn is_under_way(&self, to: &Path, future: &FutureLog) -> bool {
        self.target(future.topic_id, future.partition).is_some_and(|target| target == to)
    }
}
