//! Whether a segment that is missing is missed by the broker that serves its log.
//!
//! Beside a broker, what a checkpoint knows and the directory lacks may be of two moments: the topic was deleted and made again in
//! between, or the partition begun anew. So the metadata has to know the same topic when the check began and afterwards, and the
//! directory, listed after that, has to lack the segment still.

use std::path::Path;

use super::beside::lacks;
use super::job::{Again, Job};
use crate::dir::DirName;

/// Whether the log in `dir` lacks the segment at `base`, or any if that is `None`, for another reason than that its broker was at it.
pub(super) fn is_missed(job: &Job<'_>, dir: &Path, base: Option<i64>) -> bool {
    is_same_topic(job, dir) && lacks(&**job.disk, dir, base)
}

/// Whether the log in `dir` is of the topic still that it was of when the check began.
pub(super) fn is_same_topic(job: &Job<'_>, dir: &Path) -> bool {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (DirName::Partition { topic, .. }, Some(Again(again))) = (DirName::parse(name), job.options.again)
    else {
        return false;
    };
    let Some(known) = job.options.topics.and_then(|topics| topics.get(topic)) else { return false };
    known.id.is_some() && !known.unmade && again().get(topic).is_some_and(|now| now.id == known.id)
}
