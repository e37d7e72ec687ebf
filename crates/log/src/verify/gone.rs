//! Partitions that have no directory, though a checkpoint or the metadata knows them: what a start would say of them (`dir/gone`).

use std::collections::BTreeSet;
use std::path::Path;

use pagewire_disk::MetaProperties;
use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use uuid::Uuid;

use super::checkpoints::Checkpoints;
use super::finding::{Fate, Finding, Severity};
use super::job::{Job, KnownTopic, Topics};
use crate::dir::partition_dir;

/// A file that only the first of several log directories has.
const METADATA: &str = "metadata.redb";

/// Names those that had records, and those that the metadata places here.
pub(super) fn tell(
    job: &mut Job<'_>,
    dir: &Path,
    checkpoints: &Checkpoints,
    seen: &BTreeSet<(String, i32)>,
    clean: bool,
    live: bool,
) {
    let (here, known) = (Here::of(job, dir), job.options.topics.filter(|topics| !topics.is_empty()));
    let is_gone = |topic: &str, partition| !seen.contains(&(topic.to_owned(), partition));
    let reached = checkpoints.partitions();
    let lost = if job.is_kafkas { KAFKAS_LOST } else { LOST };
    for (&(topic, partition), &reached) in
        reached.iter().filter(|((topic, partition), reached)| **reached > 0 && is_gone(topic, *partition))
    {
        let (severity, why) = match known.map(|topics| here.places(topics.get(topic), partition)) {
            _ if live => (Severity::Doubt, "deleted or moved a moment ago, or lost"),
            Some(false) => (Severity::Note, "the metadata places no such partition here, so it was deleted"),
            Some(true) => (Severity::Damage, lost),
            // An orderly stop names what is there, and nothing else.
            None if clean => (Severity::Damage, lost),
            None => (Severity::Doubt, "deleted, or lost: there is no metadata here that could tell"),
        };
        let what =
            format!("there is no such directory, and the partition had reached offset {reached}: {why}");
        let path = dir.join(partition_dir(topic, partition));
        job.found(Finding::new(severity, path, what, Fate::Stays).offset(reached));
    }
    let had_records =
        |topic: &str, partition| reached.get(&(topic, partition)).is_some_and(|offset| *offset > 0);
    for (topic, partition) in known.into_iter().flat_map(|topics| here.placed(topics)) {
        if is_gone(topic, partition) && !had_records(topic, partition) {
            let path = dir.join(partition_dir(topic, partition));
            job.found(match known.and_then(|topics| topics.get(topic)) {
                Some(known) if known.unmade => Finding::new(Severity::Note, path, YOUNG, Fate::Renewed),
                _ if live => Finding::new(Severity::Doubt, path, MOVING, Fate::Stays),
                _ => Finding::new(Severity::Damage, path, MISSED, Fate::Stays),
            });
        }
    }
}

const LOST: &str = "its records are lost unless the directory is put back; it is not served before that, or before \
                    `pagewire log online --empty` says that it may begin anew";
const KAFKAS_LOST: &str = "its records are lost unless the directory is put back, or another of log.dirs has it; pagewire import \
                           refuses the topic without it, and does without it with --allow-missing";
const YOUNG: &str = "the metadata places a partition here, and the process that made its topic ended before it had made the \
                     directory: an empty one is made";
const MOVING: &str = "the metadata places a partition here, and there is no such directory: made or deleted a moment ago, or lost";
const MISSED: &str = "the metadata places a partition here that was made, and there is no such directory: unless another log \
                      directory has it, what records it had are lost until the directory is put back; it is not served before \
                      that, or before `pagewire log online --empty` says that it may begin anew";

/// Which of several log directories it is.
struct Here {
    /// The one that partitions without a home are in.
    is_first: bool,
    id: Option<Uuid>,
}

impl Here {
    fn of(job: &Job<'_>, dir: &Path) -> Self {
        let meta = MetaProperties::read(&**job.disk, &dir.join(META_PROPERTIES_FILE)).ok().flatten();
        Self {
            is_first: job.disk.exists(&dir.join(METADATA)).unwrap_or(false),
            id: meta.and_then(|meta| meta.directory_id),
        }
    }

    fn is_home(&self, home: Option<Uuid>) -> bool {
        home.map_or(self.is_first, |home| self.id == Some(home))
    }

    /// Whether the metadata has a partition here, or may have: Kafka's does not say where.
    fn places(&self, topic: Option<&KnownTopic>, partition: i32) -> bool {
        let Some(KnownTopic { homes, .. }) = topic else { return false };
        let home = usize::try_from(partition).ok().and_then(|at| homes.get(at));
        // A directory that has lost its identity may be anyone's.
        homes.is_empty() || home.is_some_and(|home| self.is_home(*home) || self.id.is_none())
    }

    /// All that it has here.
    fn placed<'t>(&self, topics: &'t Topics) -> impl Iterator<Item = (&'t str, i32)> {
        topics.iter().flat_map(move |(name, topic)| {
            let homes = topic.homes.iter().zip(0_i32..).filter(move |(home, _)| self.is_home(**home));
            homes.map(move |(_, partition)| (name.as_str(), partition))
        })
    }
}
