//! Moves that a stop broke off: the directories that they went to have notes of them.

use std::path::PathBuf;
use std::sync::Arc;

use pagewire_log::FutureLog;
use tracing::{info, warn};

use crate::broker::Broker;

/// Begins them anew, or drops the notes of what cannot move any more. Blocks.
pub(crate) fn resume(broker: &Arc<Broker>, noted: Vec<(PathBuf, FutureLog)>) {
    for (to, future) in noted {
        let image = broker.image();
        let topic = image.topic_by_id(future.topic_id).filter(|topic| *topic.name == *future.topic);
        let hosted = topic.and_then(|topic| topic.hosted(future.partition));
        let (name, partition) = (future.topic.clone(), future.partition);
        let is_elsewhere = hosted.is_some_and(|hosted| hosted.log.dir().parent() != Some(&to));
        if is_elsewhere {
            info!(topic = name, partition, to = %to.display(), "goes on moving to another log directory, from the beginning");
            broker.moves().begin(broker, future, to);
            continue;
        }
        // A log that is not served now may be later, and the copy be all there is of it.
        let is_known = topic.is_some_and(|topic| topic.partition(partition).is_some());
        let dir = broker.cluster().log_dirs().here().find(|dir| dir.path() == to);
        if let Some(dir) = dir.filter(|_| !is_known || hosted.is_some())
            && let Err(error) = dir.drop_future(&future)
        {
            warn!(topic = name, partition, dir = %to.display(), %error, "what was to move there is left");
        }
    }
}
