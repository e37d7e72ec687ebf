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
    let mut noted = noted;
    while let Some((to, future)) = noted.pop() {
        let (name, partition) = (future.topic.clone(), future.partition);
        match Place::of(broker, &to, &future) {
            Place::Elsewhere => {
                info!(topic = name, partition, to = %to.display(), "goes on moving to another log directory, from the beginning");
                broker.moves().begin(broker, future, to);
            }
            Place::NotServed => {
                let moves = broker.moves();
                moves.put_off(to.clone(), future.clone());
                // Who has shown it meanwhile has looked for it in vain.
                if !matches!(Place::of(broker, &to, &future), Place::NotServed)
                    && moves.take_one_put_off(&to, &future)
                {
                    noted.push((to, future));
                }
            }
            Place::ThereOrDeleted => {
                let dir = broker.cluster().log_dirs().here().find(|dir| dir.path() == to);
                if let Some(Err(error)) = dir.map(|dir| dir.drop_future(&future)) {
                    warn!(topic = name, partition, dir = %to.display(), %error, "what was to move there is left");
                }
            }
        }
    }
}

impl Moves {
    /// It goes on [when its log is served](Self::take_put_off).
    pub(crate) fn put_off(&self, to: PathBuf, future: FutureLog) {
        let mut put_off = self.put_off.lock();
        if !put_off.contains(&(to.clone(), future.clone())) {
            put_off.push((to, future));
        }
    }

    /// Whether this one has waited until now.
    fn take_one_put_off(&self, to: &Path, future: &FutureLog) -> bool {
        let mut put_off = self.put_off.lock();
        let at = put_off.iter().position(|(place, one)| place == to && one == future);
        at.map(|at| put_off.swap_remove(at)).is_some()
    }

    /// Those that wait until their logs are served, for who may have shown some of these to [resume] them.
    pub(crate) fn take_put_off(&self) -> Vec<(PathBuf, FutureLog)> {
        std::mem::take(&mut *self.put_off.lock())
    }

    /// Whether the partition is moving to that directory.
    pub(crate) fn is_under_way(&self, to: &Path, future: &FutureLog) -> bool {
        self.target(future.topic_id, future.partition).is_some_and(|target| target == to)
    }
}
