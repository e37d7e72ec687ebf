//! Whether a partition may move, in Kafka's order of looking.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_log::{FutureLog, LogDirs};
use pagewire_wire::ErrorCode;
use tracing::{info, warn};
use uuid::Uuid;

use super::Moves;
use super::wishes::Wish;
use crate::broker::Broker;

/// A partition is wanted in the directory of this name. When this returns without an error it is there, or on its way, of which
/// the directory has a durable note. Blocks.
pub(crate) fn alter(
    broker: &Arc<Broker>,
    topic: &str,
    partition: i32,
    wanted: &str,
    wish: &Wish,
) -> Result<(), ErrorCode> {
    let (log_dirs, moves) = (broker.cluster().log_dirs(), broker.moves());
    let of = |topic_id| FutureLog { topic: topic.to_owned(), topic_id, partition };
    // Its directory would have no name.
    if of(Uuid::nil()).dir_name().is_none() {
        return Err(ErrorCode::InvalidTopicException);
    }
    let to = listed(log_dirs, wanted).ok_or(ErrorCode::LogDirNotFound)?;
    let target = log_dirs.here().find(|dir| dir.path() == to).filter(|dir| dir.offline().is_none());
    let target = target.ok_or(ErrorCode::KafkaStorageError)?;
    let is_cordoned = broker.config().is_cordoned(&to);
    let image = broker.image();
    let known = image.topic(topic).and_then(|topic| Some((topic.id, topic.partition(partition)?)));
    let Some((topic_id, entry)) = known else {
        if !is_cordoned {
            broker.cluster().preferred().note(topic, partition, &to);
        }
        return Err(ErrorCode::UnknownTopicOrPartition);
    };
    let Some(hosted) = &entry.hosted else {
        return Err(if entry.is_offline() {
            ErrorCode::KafkaStorageError
        } else {
            ErrorCode::ReplicaNotAvailable
        });
    };
    if is_cordoned && hosted.log.dir().parent() != Some(&to) {
        return Err(ErrorCode::InvalidReplicaAssignment);
    }
    // A later one was quicker.
    let is_last =
        || moves.last.note((topic_id, partition), &to, |topic_id| image.topic_by_id(topic_id).is_some());
    if moves.wishes.while_it_counts(wish, topic_id, partition, is_last).is_none() {
        return Err(ErrorCode::RequestTimedOut);
    }
    match moves.target(topic_id, partition) {
        Some(before) if before == to => return Ok(()),
        // It stays, or goes elsewhere.
        Some(_) => moves.call_off(topic_id, partition),
        None => {}
    }
    if hosted.log.dir().parent() == Some(&to) {
        moves.no_longer_given_up(&of(topic_id));
        return Ok(());
    }
    if hosted.log.offline().is_some() {
        return Err(ErrorCode::KafkaStorageError);
    }
    let future = of(topic_id);
    // From here on nobody else makes a note of it there, or drops one.
    let _noting = moves.notes.hold(&future, &to);
    let is_new = target.note_future(&future).map_err(|_| ErrorCode::KafkaStorageError)?;
    let begun =
        moves.wishes.while_it_counts(wish, topic_id, partition, || moves.want(future.clone(), to.clone()));
    let Some(begun) = begun else {
        // Another's, or one that goes on by now, is left.
        if is_new
            && !moves.is_under_way(&to, &future)
            && let Err(error) = target.drop_future(&future)
        {
            warn!(topic, partition, to = %to.display(), %error, "a note of a move that is not wanted any more is left there");
        }
        return Err(ErrorCode::RequestTimedOut);
    };
    info!(topic, partition, to = %to.display(), "begins to move to another log directory");
    moves.lines.join(broker, begun);
    Ok(())
}

/// The directory of this name, as DescribeLogDirs tells it.
fn listed(log_dirs: &LogDirs, wanted: &str) -> Option<PathBuf> {
    log_dirs.paths().find(|path| path.as_os_str() == wanted).map(Path::to_path_buf)
}

impl Moves {
    /// Lines a move up.
    pub(super) fn begin(&self, broker: &Arc<Broker>, future: FutureLog, to: PathBuf) {
        let begun = self.want(future, to);
        self.lines.join(broker, begun);
    }
}
